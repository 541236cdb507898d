/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static const char *program_name = "catfish";

void program_init(const char *name)
{
	program_name = name;
	log_init(name);
}

void program_print_version(void)
{
	printf("%s %s\n", program_name, PACKAGE_VERSION);
}

enum exit_status program_fail(int error)
{
	const char *text = err_text();

	fprintf(stderr, "%s: %s\n", program_name,
		*text ? text : err_name(error));
	return err_exit_status(error);
}

enum exit_status program_usage_error(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry '%s --help'.\n", program_name);
	return EXIT_USAGE;
}

int program_finish_output(void)
{
	/* The error of an earlier write is remembered by the stream, its
	 * number is not. */
	int earlier = ferror(stdout);

	errno = 0;
	if (fflush(stdout) == 0 && !earlier)
		return 0;
	int number = errno ? errno : EIO;
	return err_set(number == ENOSPC || number == EDQUOT ? ERR_NO_ROOM
							    : ERR_SYSTEM,
		       "can't write to standard output: %s", strerror(number));
}
