/* SPDX-License-Identifier: BSD-2-Clause */

/* The errors that users of the library see, made of those of base/err.h. */

#include "client/connection.h"

#include "base/err.h"

static const struct {
	enum catfish_error public;
	int error;
} errors[] = {
	{CATFISH_ERROR_USAGE, ERR_USAGE},
	{CATFISH_ERROR_UNSUPPORTED, ERR_UNSUPPORTED},
	{CATFISH_ERROR_CONNECTION, ERR_CONNECTION},
	{CATFISH_ERROR_PROTOCOL, ERR_PROTOCOL},
	{CATFISH_ERROR_BUSY, ERR_BUSY},
	{CATFISH_ERROR_DATA, ERR_DATA},
	{CATFISH_ERROR_DAMAGED, ERR_DAMAGED},
	{CATFISH_ERROR_NO_ROOM, ERR_NO_ROOM},
	{CATFISH_ERROR_NO_MEMORY, ERR_NO_MEMORY},
	{CATFISH_ERROR_SYSTEM, ERR_SYSTEM},
	{CATFISH_ERROR_TIMEOUT, ERR_TIMEOUT},
	/* A file to save to, in a folder that isn't there. */
	{CATFISH_ERROR_USAGE, ERR_NOT_FOUND},
};

enum { ERRORS = sizeof(errors) / sizeof(errors[0]) };

const char *catfish_strerror(int error)
{
	if (error == CATFISH_OK)
		return "success";
	for (int i = 0; i < ERRORS; i++)
		if (errors[i].public == error)
			return err_name(errors[i].error);
	return "unknown error";
}

const char *catfish_error_text(void)
{
	return err_text();
}

const char *catfish_version(void)
{
	return PACKAGE_VERSION;
}

enum catfish_error catfish_error_of(int error)
{
	if (error == 0)
		return CATFISH_OK;
	for (int i = 0; i < ERRORS; i++)
		if (errors[i].error == error)
			return errors[i].public;
	return CATFISH_ERROR_SYSTEM;
}
