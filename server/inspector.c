/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/inspector.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "rtree/rtree.h"
#include "server/server.h"
#include "server/worker.h"

static_assert((int)WIRE_LEVELS == (int)NODE_LEVEL_MAX + 1,
	      "every level has its place in a stat");

static int inspect(struct server *server, struct job *job);

void *inspector_run(void *argument)
{
	struct server *server = argument;
	struct job *jobs;

	while (job_queue_wait(&server->inspections)) {
		jobs = job_queue_take(&server->inspections, UINT64_MAX);
		while (jobs) {
			struct job *job = jobs;

			jobs = job->next;
			uint64_t began = clock_now_ns();
			int error = job_check_deadline(job);
			if (!error)
				error = inspect(server, job);
			if (error)
				job_fail(job, error);
			job_queue_note_time(&server->inspections,
					    clock_now_ns() - began, 1);
			job_queue_done(&server->inspections, job);
			worker_finish(job);
		}
	}
	return NULL;
}

/* What the tree says of itself. */
static int put_tree(struct server *server, struct wire_stat *to)
{
	struct rtree_stat stat;

	int error = rtree_stat(server->tree, &stat);
	if (error)
		return error;
	to->identity = stat.root.identity;
	to->version = stat.root.version;
	to->item_count = stat.root.item_count;
	to->height = (uint64_t)stat.height;
	for (int level = 0; level < WIRE_LEVELS; level++) {
		to->nodes[level] = stat.nodes[level];
		to->entries[level] = stat.entries[level];
	}
	to->region_size = server->region.size;
	to->page_size = RTREE_PAGE_SIZE;
	to->page_count = stat.page_count;
	to->free_pages = stat.free_pages;
	to->retired_pages = stat.retired_pages;
	to->lease_ns = stat.lease_ns;
	return 0;
}

/* What is saved and what isn't. */
static void put_saved(const struct server *server, struct wire_stat *to)
{
	const struct server_saved *saved = &server->saved;

	to->since_save_ns = UINT64_MAX;
	to->unsaved_versions = to->version - 1;
	if (saved->is_saved) {
		to->since_save_ns = clock_now_ns() - saved->time_ns;
		to->unsaved_versions = to->version - saved->version;
	}
}

/* What the server counts. */
static void put_server(struct server *server, struct wire_stat *to)
{
	to->heartbeat_ns = server->options.heartbeat_ns;
	to->uptime_ns = clock_now_ns() - server->started_ns;
	to->clients = server->clients;
	to->one_sided_clients = server->one_sided_clients;
	to->threads = server->options.threads;
	workers_see_reports(server);
	to->offloaded = server->offloaded;
	to->pushed_back = server->pushed_back;
	to->utilisation_ppm = server->utilisation_ppm;
	for (unsigned i = 0; i < server->options.threads; i++)
		for (int kind = 0; kind < WIRE_KINDS; kind++)
			to->requests[kind] += worker_requests(server, i, kind);
}

static int stat(struct server *server, struct wire_stat *to)
{
	int error = put_tree(server, to);

	if (error)
		return error;
	put_saved(server, to);
	put_server(server, to);
	return 0;
}

/* The shape of the tree. */
static int put_statistics(struct server *server, struct wire_statistics *to)
{
	struct rtree_statistics statistics;
	int error = rtree_statistics(server->tree, &statistics);

	if (error)
		return error;
	to->identity = statistics.identity;
	to->version = statistics.version;
	to->height = (uint64_t)statistics.height;
	for (int level = 0; level < WIRE_LEVELS; level++) {
		const struct rtree_level_statistics *from =
			&statistics.levels[level];
		to->levels[level] = (struct wire_level){
			.nodes = from->nodes,
			.entries = from->entries,
			.least = from->least,
			.most = from->most,
			.area = from->area,
			.margin = from->margin,
			.overlap = from->overlap,
		};
	}
	return 0;
}

static int check(struct server *server, struct wire_checked *to)
{
	to->identity = server_root(server).identity;
	int error = rtree_check(server->tree, &to->nodes, &to->version);
	if (error)
		log_error("the tree breaks its invariants: %s", err_text());
	return error;
}

static int inspect(struct server *server, struct job *job)
{
	switch (job->operation) {
	case WIRE_STAT:
		return stat(server, &job->stat);
	case WIRE_STATISTICS:
		return put_statistics(server, &job->statistics);
	case WIRE_CHECK:
		return check(server, &job->checked);
	default:
		/* It counts the nodes. */
		return rtree_snapshot_begin(server->tree, &job->snapshot);
	}
}
