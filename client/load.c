/* SPDX-License-Identifier: BSD-2-Clause */

/* Loading: items that the server gathers for this connection, until a commit
 * makes them all visible at once. */

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/parse.h"
#include "client/call.h"
#include "client/reconnect.h"
#include "client/write.h"

static int begin(struct catfish *c, enum catfish_load_mode mode,
		 uint64_t expected_count);
static int wire_mode(enum catfish_load_mode mode, uint32_t *wire);
static int check_loading(struct catfish *c);
static int send_items(struct catfish *c, const struct catfish_item *items,
		      size_t count);
static int check_items(const struct catfish_item *items, size_t count);
static int commit(struct catfish *c, struct catfish_written *written);

int catfish_load_begin(struct catfish *c, enum catfish_load_mode mode,
		       uint64_t expected_count)
{
	int error = client_begin(c);

	if (!error && c->loading)
		error = err_set(ERR_USAGE,
				"a load is under way: commit or abort it");
	if (!error)
		error = begin(c, mode, expected_count);
	return catfish_error_of(error);
}

int catfish_load_items(struct catfish *c, const struct catfish_item *items,
		       size_t count)
{
	int error = check_loading(c);

	if (!error && count && !items)
		error = err_set(ERR_USAGE, "there are no items");
	if (!error)
		error = check_items(items, count);
	if (!error)
		error = send_items(c, items, count);
	return catfish_error_of(error);
}

int catfish_load_commit(struct catfish *c, struct catfish_written *written)
{
	int error = check_loading(c);

	if (!error)
		error = commit(c, written);
	return catfish_error_of(error);
}

int catfish_load_abort(struct catfish *c)
{
	int error = client_begin(c);

	if (!error && c->loading) {
		c->loading = false;
		error = client_call(c, WIRE_LOAD_ABORT, 0, 0, NULL, 0);
		/* It ends with its connection, too. */
		if (error == ERR_CONNECTION && c->lost)
			error = 0;
	}
	return catfish_error_of(error);
}

static int begin(struct catfish *c, enum catfish_load_mode mode,
		 uint64_t expected_count)
{
	struct wire_load load = {.item_count = expected_count};
	struct client_retry retry = {0};

	int error = wire_mode(mode, &load.mode);
	if (error)
		return error;
	do {
		memcpy(client_request_body(c), &load, sizeof(load));
		error = client_call(c, WIRE_LOAD_BEGIN, sizeof(load), 0, NULL,
				    0);
	} while (client_retry(c, &retry, &error));
	c->loading = !error;
	c->loaded = 0;
	return error;
}

static int wire_mode(enum catfish_load_mode mode, uint32_t *wire)
{
	switch (mode) {
	case CATFISH_LOAD_EMPTY:
		*wire = WIRE_LOAD_EMPTY;
		return 0;
	case CATFISH_LOAD_APPEND:
		*wire = WIRE_LOAD_APPEND;
		return 0;
	case CATFISH_LOAD_REPLACE:
		*wire = WIRE_LOAD_REPLACE;
		return 0;
	}
	return err_set(ERR_USAGE, "there is no way %d to load", (int)mode);
}

static int check_loading(struct catfish *c)
{
	int error = client_begin(c);

	if (!error && !c->loading)
		return err_set(ERR_USAGE, "no load has begun, or an error, or "
					  "the loss of the connection, ended "
					  "it");
	return error;
}

static int check_items(const struct catfish_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct rect rect;
		memcpy(&rect, items[i].box, sizeof(rect));
		int error = parse_check_rect(&rect);
		if (error)
			return err_prefix(error, "item %zu", i);
	}
	return 0;
}

static int send_items(struct catfish *c, const struct catfish_item *items,
		      size_t count)
{
	size_t most = client_request_room(c) / sizeof(*items);
	int error = 0;

	/* When it is lost the items before are lost, too. */
	for (; !error && count; items += most, count -= most) {
		if (most > count)
			most = count;
		c->loaded += most;
		size_t size = most * sizeof(*items);
		memcpy(client_request_body(c), items, size);
		error = client_call(c, WIRE_LOAD_ITEMS, size, most, NULL, 0);
	}
	/* An error drops the load at the server. */
	c->loading = !error;
	return error;
}

static int commit(struct catfish *c, struct catfish_written *written)
{
	struct write w = {.number = ++c->write_number};
	struct client_sending sending = {0};
	struct wire_written wire;
	int error;

	c->loading = false;
	do {
		const struct wire_write head = client_write_head(c, &w);
		memcpy(client_request_body(c), &head, sizeof(head));
		error = client_call(c, WIRE_LOAD_COMMIT, sizeof(head), 0, &wire,
				    sizeof(wire));
	} while (client_send_again(c, &sending, &error));
	c->write_answered = w.number;
	if (sending.was_lost && error == ERR_USAGE)
		error = err_set(ERR_CONNECTION,
				"the connection to %s was lost before the load "
				"was committed; nothing of it was applied",
				c->address);
	if (!error)
		error = client_check_version(c, wire.identity, wire.version);
	if (error) {
		if (written)
			*written = (struct catfish_written){
				.identity = c->server.identity,
				.version = c->version,
				.uncertain =
					sending.is_uncertain ? c->loaded : 0,
			};
		return error;
	}
	c->version = wire.version;
	if (written)
		*written = (struct catfish_written){
			.identity = wire.identity,
			.version = wire.version,
			.applied = wire.applied,
		};
	return 0;
}
