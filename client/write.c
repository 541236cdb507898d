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
#include "client/reconnect.h"

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
static int send_group(struct catfish *c, struct write *w, size_t first,
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
		size_t most =
			(client_request_room(c) - sizeof(struct wire_write)) /
			w->entry_size;
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

struct wire_write client_write_head(const struct catfish *c,
				    const struct write *w)
{
	return (struct wire_write){
		.number = w->number,
		.oldest = c->write_answered + 1,
	};
}

static int write_group(struct catfish *c, struct write *w, size_t first,
		       size_t count)
{
	uint64_t done = w->written.applied + w->written.not_found + count;
	struct client_sending sending = {0};
	int error;

	w->number = ++c->write_number;
	w->told = 0;
	w->is_repeated = false;
	do {
		error = send_group(c, w, first, count);
		while (!error && c->more)
			error = take_segment(c, w, first, count);
	} while (client_send_again(c, &sending, &error));
	c->write_answered = w->number;
	if (error) {
		w->written.applied +=
			c->error_applied < count ? c->error_applied : count;
		w->written.uncertain = sending.is_uncertain ? count : 0;
		return error;
	}
	return client_write_check_done(c, w, done);
}

static int send_group(struct catfish *c, struct write *w, size_t first,
		      size_t count)
{
	struct wire_write head = client_write_head(c, w);
	size_t size = count * w->entry_size;
	char *body = client_request_body(c);

	w->met = 0;
	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), w->entries + first * w->entry_size, size);
	return client_request(c, w->operation, sizeof(head) + size, count);
}

bool client_write_is_uncertain(const struct catfish *c, int error,
			       bool was_sent, bool was_lost)
{
	if (!error || !was_sent)
		return false;
	if (c->lost || c->broken || error == ERR_CONNECTION)
		return true;
	return was_lost && (error == ERR_BUSY || error == ERR_NO_MEMORY);
}

bool client_send_again(struct catfish *c, struct client_sending *sending,
		       int *error)
{
	uint64_t session = c->server.session;

	sending->is_uncertain = client_write_is_uncertain(
		c, *error, c->sent || sending->was_lost, sending->was_lost);
	sending->was_lost |= c->sent && (c->lost || c->broken);
	if (!client_retry(c, &sending->retry, error))
		return false;
	if (!sending->was_lost || c->server.session == session)
		return true;
	*error = err_set(ERR_CONNECTION,
			 "the connection to %s was lost for too long: the "
			 "server doesn't know any more whether it applied the "
			 "last write",
			 c->address);
	return false;
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
	/* An answer that is given once more is as old as it was. */
	bool is_old = w->is_repeated && written->version < c->version;
	int error = client_check_version(
		c, written->identity, is_old ? c->version : written->version);
	if (error)
		return error;
	if (!is_old)
		c->version = written->version;
	w->written.version = written->version;
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
		/* Told before, over a connection that was lost then. */
		if (w->met++ < w->told)
			continue;
		w->told++;
		w->written.not_found++;
		if (w->missing)
			w->missing(w->context, first + index[i]);
	}
	return 0;
}
