/* SPDX-License-Identifier: BSD-2-Clause */

/* What the server says of itself, and has itself checked. */

#include <string.h>

#include "base/err.h"
#include "client/call.h"
#include "client/reconnect.h"

static_assert((int)CATFISH_LEVELS == (int)WIRE_LEVELS, "the same levels");

static int ask(struct catfish *c, enum wire_operation operation, void *fixed,
	       size_t size);
static void translate(const struct catfish *c, const struct wire_stat *wire,
		      struct catfish_stat *stat);

int catfish_stat(struct catfish *c, struct catfish_stat *stat)
{
	struct wire_stat wire;
	int error = client_begin(c);

	if (!error && !stat)
		error = err_set(ERR_USAGE, "there is no place for the answer");
	if (!error)
		error = ask(c, WIRE_STAT, &wire, sizeof(wire));
	if (!error)
		translate(c, &wire, stat);
	return catfish_error_of(error);
}

int catfish_check(struct catfish *c, uint64_t *nodes, uint64_t *version)
{
	struct wire_checked checked;
	int error = client_begin(c);

	if (!error)
		error = ask(c, WIRE_CHECK, &checked, sizeof(checked));
	if (error)
		return catfish_error_of(error);
	if (nodes)
		*nodes = checked.nodes;
	if (version)
		*version = checked.version;
	return CATFISH_OK;
}

int catfish_statistics(struct catfish *c, struct catfish_statistics *statistics)
{
	struct wire_statistics wire;
	int error = client_begin(c);

	if (!error && !statistics)
		error = err_set(ERR_USAGE, "there is no place for the answer");
	if (!error)
		error = ask(c, WIRE_STATISTICS, &wire, sizeof(wire));
	if (error)
		return catfish_error_of(error);
	statistics->identity = wire.identity;
	statistics->version = wire.version;
	statistics->height =
		wire.height < CATFISH_LEVELS ? wire.height : CATFISH_LEVELS;
	for (int i = 0; i < CATFISH_LEVELS; i++)
		statistics->levels[i] = (struct catfish_level){
			.nodes = wire.levels[i].nodes,
			.entries = wire.levels[i].entries,
			.least = wire.levels[i].least,
			.most = wire.levels[i].most,
			.area = wire.levels[i].area,
			.margin = wire.levels[i].margin,
			.overlap = wire.levels[i].overlap,
		};
	return CATFISH_OK;
}

/* The answers to all of these begin with identity and version. */
static int ask(struct catfish *c, enum wire_operation operation, void *fixed,
	       size_t size)
{
	struct client_retry retry = {0};
	uint64_t state[2];
	int error;

	do
		error = client_call(c, operation, 0, 0, fixed, size);
	while (client_retry(c, &retry, &error));
	if (error)
		return error;
	memcpy(state, fixed, sizeof(state));
	error = client_check_version(c, state[0], state[1]);
	if (!error)
		c->version = state[1];
	return error;
}

static void translate(const struct catfish *c, const struct wire_stat *wire,
		      struct catfish_stat *stat)
{
	*stat = (struct catfish_stat){
		.identity = wire->identity,
		.version = wire->version,
		.items = wire->item_count,
		.height = wire->height,
		.region_bytes = wire->region_size,
		.page_bytes = wire->page_size,
		.pages = wire->page_count,
		.free_pages = wire->free_pages,
		.retired_pages = wire->retired_pages,
		.lease_ns = wire->lease_ns,
		.heartbeat_ns = wire->heartbeat_ns,
		.uptime_ns = wire->uptime_ns,
		.since_save_ns = wire->since_save_ns,
		.unsaved_versions = wire->unsaved_versions,
		.clients = wire->clients,
		.one_sided_clients = wire->one_sided_clients,
		.threads = wire->threads,
		.searches = wire->requests[WIRE_SEARCH],
		.counts = wire->requests[WIRE_COUNT],
		.nearest = wire->requests[WIRE_NEAREST],
		.inserts = wire->requests[WIRE_INSERT],
		.updates = wire->requests[WIRE_UPDATE],
		.deletes = wire->requests[WIRE_DELETE],
		.loads = wire->requests[WIRE_LOAD_COMMIT],
		.offloaded = wire->offloaded,
		.pushed_back = wire->pushed_back,
		.utilisation = (double)wire->utilisation_ppm / 1e6,
		.process_id = c->server.process_id,
	};
	memcpy(stat->nodes, wire->nodes, sizeof(stat->nodes));
	memcpy(stat->entries, wire->entries, sizeof(stat->entries));
}
