/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PEERS_SERVICE_H
#define BENCH_PEERS_SERVICE_H

/* What a peer that is a server has to do to be timed beside catfish bench: each
 * program implements these functions on one client library, with a connection
 * of its own, and service.c keeps a number of queries outstanding on it.
 *
 * Coordinates are of the unit square; ids are the items' indices.  A function
 * that fails says why and ends the program. */

#include <stddef.h>
#include <stdint.h>

struct service_box {
	double min[2];
	double max[2];
};

struct service {
	/* "redis", ... */
	const char *name;

	/* 'where' is what the library takes for an address. */
	void (*connect)(const char *where);
	void (*disconnect)(void);

	/* Stores all items, in place of what there is, and its index. */
	void (*load)(const struct service_box *items, size_t count);

	/* Appends a query to what is to be sent. */
	void (*ask)(const struct service_box *query);

	/* Sends what was appended, and waits for the next answer; counts what
	 * it holds.  Answers come in the order of the queries. */
	size_t (*wait)(void);

	/* Takes the next answer if it is here already; 0 when it isn't. */
	int (*poll)(size_t *count);
};
extern const struct service service;

#endif
