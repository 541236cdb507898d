/* SPDX-License-Identifier: BSD-2-Clause */

/* Inserts, deletes and updates: the caller's array goes out in groups that fit
 * a message, one after the other, so that what was applied when one fails is a
 * beginning of the array. */

#include "client/write.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/parse.h"

/* The caller's arrays are what goes over the wire. */
static_assert(sizeof(struct catfish_item) == sizeof(struct wire_item) &&
		      offsetof(struct catfish_item, box) ==
			      offsetof(struct wire_item, rect),
	      "items");
static_assert(sizeof(struct catfish_move) == sizeof(struct wire_move) &&
		      offsetof(struct catfish_move, to) ==
			      offsetof(struct wire_move, to),
	      "moves");

static int write_all(struct catfish *c, struct write *w,
		     struct catfish_written *written);
static int write_group(struct catfish *c, struct write *w, size_t first,
		       size_t count);
static int take_segment(struct catfish *c, struct write *w, size_t first,
			size_t count);

int catfish_insert(struct catfish *c, const struct catfish_item *items,
		   size_t count, struct catfish_written *written)
{
	struct write w = {
		.operation = WIRE_INSERT,
		.entries = (const char *)items,
		.entry_size = sizeof(*items),
		.count = count,
	};

	return catfish_error_of(write_all(c, &w, written));
}

int catfish_delete(struct catfish *c, const struct catfish_item *items,
		   size_t count, catfish_missing *missing, void *context,
		   struct catfish_written *written)
{
	struct write w = {
		.operation = WIRE_DELETE,
		.entries = (const char *)items,
		.entry_size = sizeof(*items),
		.count = count,
		.missing = missing,
		.context = context,
	};

	return catfish_error_of(write_all(c, &w, written));
}

int catfish_update(struct catfish *c, const struct catfish_move *moves,
		   size_t count, catfish_missing *missing, void *context,
		   struct catfish_written *written)
{
	struct write w = {
		.operation = WIRE_UPDATE,
		.entries = (const char *)moves,
		.entry_size = sizeof(*moves),
		.count = count,
		.missing = missing,
		.context = context,
	};

	return catfish_error_of(write_all(c, &w, written));
}

static int write_all(struct catfish *c, struct write *w,
		     struct catfish_written *written)
{
	int error = client_begin(c);

	if (!error)
		error = client_write_check(w);
	if (!error) {
		size_t most = client_request_room(c) / w->entry_size;
		w->written.identity = c->server.identity;
		w->written.version = c->version;
		for (size_t i = 0; !error && i < w->count; i += most)
			error = write_group(c, w, i,
					    w->count - i < most ? w->count - i
								: most);
	}
	if (written)
		*written = w->written;
	return error;
}

int client_write_check(const struct write *w)
{
	if (w->count && !w->entries)
		return err_set(ERR_USAGE, "there are no items");
	for (size_t i = 0; i < w->count; i++) {
		/* A move has another rectangle after its item. */
		const char *at = w->entries + i * w->entry_size +
				 offsetof(struct catfish_item, box);
		const char *end = w->entries + (i + 1) * w->entry_size;
		for (; at < end; at += sizeof(struct rect)) {
			struct rect rect;
			memcpy(&rect, at, sizeof(rect));
			int error = parse_check_rect(&rect);
			if (error)
				return err_prefix(error, "item %zu", i);
		}
	}
	return 0;
}

static int write_group(struct catfish *c, struct write *w, size_t first,
		       size_t count)
{
	size_t size = count * w->entry_size;
	uint64_t done = w->written.applied + w->written.not_found + count;

	memcpy(client_request_body(c), w->entries + first * w->entry_size,
	       size);
	int error = client_request(c, w->operation, size, count);
	do {
		if (!error)
			error = take_segment(c, w, first, count);
	} while (!error && c->more);
	if (error) {
		w->written.applied +=
			c->error_applied < count ? c->error_applied : count;
		return error;
	}
	return client_write_check_done(c, w, done);
}

int client_write_check_done(struct catfish *c, const struct write *w,
			    uint64_t done)
{
	if (w->written.applied + w->written.not_found == done)
		return 0;
	return client_break(c, err_set(ERR_PROTOCOL,
				       "%s says that %" PRIu64
				       " writes were applied and %" PRIu64
				       " not, of %" PRIu64,
				       c->address, w->written.applied,
				       w->written.not_found, done));
}

static int take_segment(struct catfish *c, struct write *w, size_t first,
			size_t count)
{
	struct wire_written written;
	struct client_entries missing;

	int error = client_answer(c, &written, sizeof(written),
				  sizeof(uint32_t), &missing);
	return error ? error
		     : client_write_take_segment(c, w, first, count, &written,
						 &missing);
}

int client_write_take_segment(struct catfish *c, struct write *w, size_t first,
			      size_t count, const struct wire_written *written,
			      const struct client_entries *missing)
{
	int error =
		client_check_version(c, written->identity, written->version);
	if (error)
		return error;
	c->version = written->version;
	w->written.version = written->version;
	w->written.not_found += missing->count;
	if (!c->more)
		w->written.applied += written->applied;

	const uint32_t *index = missing->first;
	for (uint32_t i = 0; i < missing->count; i++) {
		if (index[i] >= count)
			return client_break(
				c, err_set(ERR_PROTOCOL,
					   "%s didn't find entry %" PRIu32
					   " of %zu",
					   c->address, index[i], count));
		if (w->missing)
			w->missing(w->context, first + index[i]);
	}
	return 0;
}
