/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

/* Returns how many bytes it read; 0 when there is no such file. */
static size_t read_text(char *text, size_t size, const char *path)
{
	size_t length = 0;
	ssize_t got = 1;

	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (got > 0 && length < size - 1) {
		got = read(fd, text + length, size - 1 - length);
		if (got > 0)
			length += (size_t)got;
	}
	close(fd);
	return length;
}

static int __attribute__((format(printf, 3, 0)))
read_file(char *text, size_t size, const char *format, va_list arguments)
{
	char path[PATH_MAX];

	int length = vsnprintf(path, sizeof(path), format, arguments);
	if (length < 0 || (size_t)length >= sizeof(path))
		return err_set(ERR_USAGE, "a path is too long: %s", path);
	size_t got = read_text(text, size, path);
	while (got > 0 && text[got - 1] == '\n')
		got--;
	text[got] = '\0';
	return got ? 0 : err_set(ERR_NOT_FOUND, "nothing in %s", path);
}

int kernel_file_read(char *text, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int error = read_file(text, size, format, arguments);
	va_end(arguments);
	return error;
}

int kernel_file_read_number(int64_t *number, const char *format, ...)
{
	va_list arguments;
	char text[64], *end;

	va_start(arguments, format);
	int error = read_file(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (error)
		return error;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return err_set(ERR_DATA, "'%s' is not a number", text);
	*number = value;
	return 0;
}
