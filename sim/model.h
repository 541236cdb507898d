/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

/* A server, a network and clients in virtual time.
 *
 * Each client makes one search after the other, by the path that its controller
 * (adaptive/adaptive.h) chooses, and each search costs what one of the trace
 * costs.  What is shared is a station that serves in order of arrival: workers,
 * cores, links.  README.md says what is modelled, and what isn't.
 *
 * With the same options the same happens, to the last bit.
 *
 * Thread-safety: one model, one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "adaptive/adaptive.h"
#include "sim/parameters.h"
#include "sim/trace.h"

enum model_cache {
	MODEL_CACHE_NONE,    /* every node is READ, level by level */
	MODEL_CACHE_INNER,   /* inner nodes are kept */
	MODEL_CACHE_FILTERS, /* and of the leaves their filters */
};

struct model_options {
	struct parameters parameters;
	const struct trace *trace;
	uint32_t clients;
	enum model_cache cache;
	double inserts;	 /* part of all operations */
	double think_ns; /* between two operations, on average */
	bool herd;	 /* all clients' heartbeats come at the same time */
	struct adaptive_options controller; /* its seed: of everything */
	/* Whatever the policy says, that part of the searches is offloaded, by
	 * lot: what it could have reached. */
	bool draws_path;
	double offloaded_part;
};

struct model;

/* ERR_UNSUPPORTED for a policy that the environment has no path for,
 * ERR_NO_MEMORY. */
int model_create(const struct model_options *options, struct model **model);
void model_destroy(struct model *model);

/* Lets time pass until then. */
void model_run(struct model *model, double until_ns);

/* Changes the environment from now on; see parameters_set(). */
int model_change(struct model *model, const char *text);

/* What happened since the last call of model_reset(). */
struct model_result {
	double time_ns;
	uint64_t searches, offloaded, explored, pushed_back, inserts;
	double mean_ns, p50_ns, p99_ns; /* of a search; 0 when there was none */
	double utilisation;		/* of the workers */
	double link_load;		/* of the server's link, outwards */
	double round_trips;		/* for each offloaded search */
	double read_bytes;
	uint64_t events; /* of the simulation */
};
void model_reset(struct model *model);
void model_result(const struct model *model, struct model_result *result);

#endif
