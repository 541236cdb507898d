/* SPDX-License-Identifier: BSD-2-Clause */

/* A snapshot of one version, received into a file that is replaced whole. */

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"
#include "client/call.h"
#include "client/reconnect.h"

/* What has come of the snapshot. */
struct receipt {
	uint64_t version;
	uint64_t total;
	uint64_t bytes;
	uint64_t segments;
};

static int save(struct catfish *c, const char *path, struct receipt *receipt);
static int receive(struct catfish *c, struct file_replacement *file,
		   struct receipt *receipt);
static int take_segment(struct catfish *c, struct file_replacement *file,
			struct receipt *receipt);
static int check_segment(struct catfish *c, const struct wire_saved *saved,
			 uint32_t size, const struct receipt *receipt);

int catfish_save(struct catfish *c, const char *path, uint64_t *version,
		 uint64_t *bytes)
{
	struct receipt receipt = {0};
	int error = client_begin(c);

	if (!error && !path)
		error = err_set(ERR_USAGE, "there is no file name");
	struct client_retry retry = {0};
	while (!error) {
		receipt = (struct receipt){0};
		error = save(c, path, &receipt);
		if (!client_retry(c, &retry, &error))
			break;
		error = 0;
	}
	if (error)
		return catfish_error_of(error);
	if (version)
		*version = receipt.version;
	if (bytes)
		*bytes = receipt.bytes;
	return CATFISH_OK;
}

static int save(struct catfish *c, const char *path, struct receipt *receipt)
{
	struct file_replacement file;

	int error = file_replace_begin(&file, path);
	if (error)
		return error;
	error = receive(c, &file, receipt);
	if (error)
		file_replace_abort(&file);
	else
		error = file_replace_commit(&file);
	return error;
}

static int receive(struct catfish *c, struct file_replacement *file,
		   struct receipt *receipt)
{
	int error = client_request(c, WIRE_SAVE, 0, 0);

	do {
		if (!error)
			error = take_segment(c, file, receipt);
	} while (!error && c->more);
	if (error)
		return error;
	if (receipt->bytes != receipt->total)
		return client_break(
			c, err_set(ERR_PROTOCOL,
				   "%s ended a snapshot after %" PRIu64
				   " of %" PRIu64 " bytes",
				   c->address, receipt->bytes, receipt->total));
	return 0;
}

static int take_segment(struct catfish *c, struct file_replacement *file,
			struct receipt *receipt)
{
	struct wire_saved saved;
	struct client_entries bytes;

	int error = client_answer(c, &saved, sizeof(saved), 1, &bytes);
	if (!error)
		error = check_segment(c, &saved, bytes.count, receipt);
	if (error)
		return error;
	c->version = saved.version;
	receipt->version = saved.version;
	receipt->total = saved.total;
	receipt->bytes += bytes.count;
	receipt->segments++;

	error = file_replace_write(file, bytes.first, bytes.count);
	if (error) {
		/* The connection is good for more once the rest has come,
		 * whatever that brings; the cause is the file. */
		char cause[512];
		snprintf(cause, sizeof(cause), "%s", err_text());
		client_drain(c);
		err_set(error, "%s", cause);
	}
	return error;
}

static int check_segment(struct catfish *c, const struct wire_saved *saved,
			 uint32_t size, const struct receipt *receipt)
{
	int error = client_check_version(c, saved->identity, saved->version);
	if (error)
		return error;
	if (receipt->segments && (saved->version != receipt->version ||
				  saved->total != receipt->total))
		return client_break(
			c, err_set(ERR_PROTOCOL,
				   "%s changed the snapshot in the middle",
				   c->address));
	if (size > saved->total - receipt->bytes)
		return client_break(c, err_set(ERR_PROTOCOL,
					       "%s sent more than the %" PRIu64
					       " bytes of its snapshot",
					       c->address, saved->total));
	return 0;
}
