/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 512 };

static _Thread_local char text[TEXT_SIZE];

/* What each error means to a reader and to a script. */
static const struct meaning {
	enum err error;
	const char *name;
	enum exit_status status;
} meanings[] = {
	{ERR_USAGE, "invalid argument", EXIT_USAGE},
	{ERR_UNSUPPORTED, "not supported here", EXIT_USAGE},
	{ERR_CONNECTION, "no connection", EXIT_NO_CONNECTION},
	{ERR_PROTOCOL, "protocol error", EXIT_NO_CONNECTION},
	{ERR_BUSY, "busy", EXIT_BUSY},
	{ERR_DATA, "bad data", EXIT_BAD_DATA},
	{ERR_DAMAGED, "damaged region", EXIT_DAMAGED},
	{ERR_NO_ROOM, "no room", EXIT_NO_ROOM},
	/* A program ends with it when a file that was named isn't there; items
	 * that weren't found are counted, and are no error. */
	{ERR_NOT_FOUND, "not found", EXIT_USAGE},
	{ERR_NO_MEMORY, "out of memory", EXIT_NO_ROOM},
	{ERR_TIMEOUT, "out of time", EXIT_BUSY},
	{ERR_AGAIN, "try again", EXIT_BUSY},
	/* Mostly a limit, as of open files. */
	{ERR_SYSTEM, "system error", EXIT_NO_ROOM},
};

enum { MEANING_COUNT = sizeof(meanings) / sizeof(meanings[0]) };

/* Text may quote a peer or a file: it stays one line and can't steer a
 * terminal. */
static void mask_control_characters(char *line)
{
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

int err_set(int error, const char *format, ...)
{
	/* The arguments may hold err_text() itself. */
	char line[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	mask_control_characters(line);
	memcpy(text, line, sizeof(text));
	return error;
}

int err_prefix(int error, const char *format, ...)
{
	char prefix[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
	return err_set(error, "%s: %s", prefix, text);
}

const char *err_text(void)
{
	return text;
}

static const struct meaning *meaning_of(int error)
{
	for (size_t i = 0; i < MEANING_COUNT; i++)
		if ((int)meanings[i].error == error)
			return &meanings[i];
	return NULL;
}

const char *err_name(int error)
{
	const struct meaning *meaning = meaning_of(error);

	if (error == 0)
		return "no error";
	return meaning ? meaning->name : "unknown error";
}

enum exit_status err_exit_status(int error)
{
	const struct meaning *meaning = meaning_of(error);

	if (error == 0)
		return EXIT_OK;
	return meaning ? meaning->status : EXIT_NO_ROOM;
}

int err_of_errno(int number)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EINVAL:
	case EACCES:
	case EPERM:
	case EISDIR:
	case EROFS:
	case ELOOP:
	case ENAMETOOLONG:
		return ERR_USAGE;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_NO_ROOM;
	case ENOMEM:
		return ERR_NO_MEMORY;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case ENOTCONN:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return ERR_CONNECTION;
	case EADDRINUSE:
		return ERR_BUSY;
	default:
		return ERR_SYSTEM;
	}
}
