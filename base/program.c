/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/program.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* Puts the path of this program's file into 'path', which is then split before
 * the name: "/usr/bin" "catfish". */
static int split_own_path(char path[PATH_MAX], char **name)
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (length < 0)
		return err_set(ERR_SYSTEM, "/proc/self/exe: %s",
			       strerror(errno));
	path[length] = 0;
	*name = strrchr(path, '/');
	*(*name)++ = 0;
	return 0;
}

int program_own_name(char *name, size_t size)
{
	char path[PATH_MAX], *own;
	int error = split_own_path(path, &own);

	if (!error)
		snprintf(name, size, "%s", own);
	return error;
}

int program_become(const char *name, const char *folder, char **argv)
{
	char own[PATH_MAX], path[PATH_MAX], *own_name;

	if (!split_own_path(own, &own_name) &&
	    snprintf(path, sizeof(path), "%s/%s", own, name) < PATH_MAX)
		execv(path, argv);
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) < PATH_MAX)
		execv(path, argv);
	return err_set(ERR_SYSTEM,
		       "can't run %s, neither beside %s nor as %s/%s: %s", name,
		       program_name, folder, name, strerror(errno));
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
