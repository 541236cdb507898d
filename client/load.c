/* SPDX-License-Identifier: BSD-2-Clause */

/* Loading: items that the server gathers for this connection, until a commit
 * makes them all visible at once. */

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/parse.h"
#include "client/call.h"

static int begin(struct catfish *c, enum catfish_load_mode mode,
		 uint64_t expected_count);
static int wire_mode(enum catfish_load_mode mode, uint32_t *wire);
static int check_loading(const struct catfish *c);
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
	}
	return catfish_error_of(error);
}

static int begin(struct catfish *c, enum catfish_load_mode mode,
		 uint64_t expected_count)
{
	struct wire_load load = {.item_count = expected_count};

	int error = wire_mode(mode, &load.mode);
	if (error)
		return error;
	memcpy(client_request_body(c), &load, sizeof(load));
	error = client_call(c, WIRE_LOAD_BEGIN, sizeof(load), 0, NULL, 0);
	c->loading = !error;
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

static int check_loading(const struct catfish *c)
{
	int error = client_begin(c);

	if (!error && !c->loading)
		return err_set(ERR_USAGE, "no load has begun");
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

	for (; !error && count; items += most, count -= most) {
		if (most > count)
			most = count;
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
	struct wire_written wire;

	c->loading = false;
	int error = client_call(c, WIRE_LOAD_COMMIT, 0, 0, &wire, sizeof(wire));
	if (!error)
		error = client_check_version(c, wire.identity, wire.version);
	if (error)
		return error;
	c->version = wire.version;
	if (written)
		*written = (struct catfish_written){
			.identity = wire.identity,
			.version = wire.version,
			.applied = wire.applied,
		};
	return 0;
}
