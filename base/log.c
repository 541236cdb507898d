/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_TRACE] = "trace",
};

/* Set once, by log_init(), before there are threads. */
static const char *program_name = "catfish";
static enum log_level lowest_level = LOG_LEVEL_INFO;

static enum log_level level_of_name(const char *name)
{
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_TRACE; level++)
		if (strcmp(name, level_names[level]) == 0)
			return level;
	return LOG_LEVEL_INFO;
}

void log_init(const char *program)
{
	const char *name = getenv("CATFISH_LOG");

	program_name = program;
	lowest_level = name ? level_of_name(name) : LOG_LEVEL_INFO;
	if (name && *name && strcmp(name, level_names[lowest_level]) != 0)
		log_warn("CATFISH_LOG: no level '%s'; it is error, warn, info, "
			 "debug or trace",
			 name);
}

/* One write(), so that lines of several threads don't mix. */
static void write_line(const char *line, size_t length)
{
	while (write(STDERR_FILENO, line, length) < 0 && errno == EINTR)
		;
}

void log_write(enum log_level level, const char *format, ...)
{
	int saved_errno = errno;
	char line[1024];
	va_list args;

	if (level > lowest_level)
		return;
	int length = snprintf(line, sizeof(line), "%s: %s: ", program_name,
			      level_names[level]);
	va_start(args, format);
	length += vsnprintf(line + length, sizeof(line) - length, format, args);
	va_end(args);
	if (length > (int)sizeof(line) - 1)
		length = sizeof(line) - 1;
	line[length] = '\n';
	write_line(line, length + 1);
	errno = saved_errno;
}
