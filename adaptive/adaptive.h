/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ADAPTIVE_ADAPTIVE_H
#define ADAPTIVE_ADAPTIVE_H

/* The controller: by which path a client makes its next search.
 *
 *	adaptive_init(&controller, &options);
 *	... whenever a heartbeat has come ...
 *	adaptive_heartbeat(&controller, now_ns, &heartbeat);
 *	... for each search ...
 *	path = adaptive_choose(&controller, now_ns, &query, NULL);
 *	... make it, and measure how long it takes ...
 *	adaptive_completed(&controller, path, &query, latency_ns);
 *
 * It does no I/O, reads no clock, allocates nothing and keeps all that it knows
 * in one struct: with the same options and the same calls it decides the same,
 * in a client and in a simulation.  README.md argues what each policy does.
 *
 * Nothing that it is told is trusted.  What is no number, is negative or is out
 * of range is left out, and what is false can cost time, never more.
 *
 * Thread-safety: one controller, one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "adaptive/backoff.h"
#include "adaptive/estimate.h"
#include "base/random.h"

enum adaptive_path {
	ADAPTIVE_MESSAGING = 0, /* the server searches */
	ADAPTIVE_OFFLOAD = 1,	/* the client reads the tree itself */
	ADAPTIVE_PATHS,
};

enum adaptive_policy {
	ADAPTIVE_POLICY_MESSAGING, /* always by messaging */
	ADAPTIVE_POLICY_OFFLOAD,   /* always by offloading */
	ADAPTIVE_POLICY_CATFISH,   /* the published scheme, reconstructed */
	ADAPTIVE_POLICY_ADAPTIVE,  /* by the predicted latency of both paths */
};

/* "messaging", "offload", "catfish" or "adaptive"; ERR_USAGE, with these names,
 * for another. */
int adaptive_policy_parse(const char *text, enum adaptive_policy *policy);
const char *adaptive_policy_name(enum adaptive_policy policy);

struct adaptive_options {
	enum adaptive_policy policy;
	uint64_t seed;
	uint64_t heartbeat_ns; /* between two heartbeats; 0: 10 ms */

	/* For 'catfish' alone. */
	double threshold; /* T, of utilisation; 0: 0.95 */
	uint32_t backoff; /* N; 0: 8 */

	/* For 'adaptive' alone: the part of all searches, at most, that tries
	 * the path that seems the slower; 0: 1/1024.  At most 1/2. */
	double exploration;
};

/* What a heartbeat says. */
struct adaptive_heartbeat {
	uint64_t beat;	    /* counts up */
	double utilisation; /* of the server's worker threads, 0 to 1 */
	double link_load;   /* of the server's link, 0 to 1; below 0: unknown */
};

/* What is known of a query before it is made: how much work each path has with
 * it, in any unit that is the same for all queries of a client.  0 where it
 * isn't known. */
struct adaptive_query {
	double work[ADAPTIVE_PATHS];
};

enum adaptive_why {
	ADAPTIVE_FIXED,	    /* the policy has no other path */
	ADAPTIVE_IDLE,	    /* 'catfish': the server is not above T */
	ADAPTIVE_BUSY,	    /* 'catfish': it was when it was looked at last */
	ADAPTIVE_SILENT,    /* 'catfish': it hasn't been heard lately */
	ADAPTIVE_UNKNOWN,   /* too little is known of one of the paths */
	ADAPTIVE_PREDICTED, /* it takes less */
	ADAPTIVE_EQUAL,	    /* both take about as much: drawn by lot */
	ADAPTIVE_EXPLORES,  /* to see how the other path is doing */
};

/* In words. */
const char *adaptive_why_text(enum adaptive_why why);

/* Why a path was chosen. */
struct adaptive_reason {
	enum adaptive_why why;
	/* Nanoseconds; 0 where nothing is known yet. */
	double predicted_ns[ADAPTIVE_PATHS];
};

/* All that a controller knows; nothing of it is for others to read. */
struct adaptive {
	struct adaptive_options options;
	struct random random;

	/* The newest heartbeat, and when it came. */
	struct adaptive_heartbeat heartbeat;
	uint64_t heartbeat_ns;
	bool has_heartbeat;

	struct backoff catfish;

	/* Of 'adaptive': searches so far; what each path takes; the heartbeat
	 * that was known when it was last chosen; and the chance that a search
	 * is to see whether it has become faster, where something says so. */
	uint64_t searches;
	struct estimate estimate[ADAPTIVE_PATHS];
	struct adaptive_heartbeat seen[ADAPTIVE_PATHS];
	double hope[ADAPTIVE_PATHS];
	/* What the other path took when this one was last used, or last seemed
	 * worth a try because of it. */
	double other_took[ADAPTIVE_PATHS];
	/* The first of two tries of a path that wasn't used for long is under
	 * way, or over. */
	bool tries, tries_again;
	enum adaptive_path tried;
	/* What offloading is charged for a full link, as a part of its time;
	 * and how much of that this client minds. */
	double toll, toll_share;
};

/* Starts a controller that knows nothing.  ERR_USAGE for a threshold above 1 or
 * an exploration above 1/2. */
int adaptive_init(struct adaptive *a, const struct adaptive_options *options);

/* Takes note of a heartbeat that came at 'now_ns'.  One that isn't newer than
 * the last is taken for the last: the server has said nothing since. */
void adaptive_heartbeat(struct adaptive *a, uint64_t now_ns,
			const struct adaptive_heartbeat *heartbeat);

/* The path of the next search.  'reason' may be NULL; the fixed policies and
 * 'catfish' predict nothing. */
enum adaptive_path adaptive_choose(struct adaptive *a, uint64_t now_ns,
				   const struct adaptive_query *query,
				   struct adaptive_reason *reason);

/* Takes note of what the search took that was chosen last, by the path that was
 * chosen, whatever it needed besides: one that was offloaded in vain and then
 * answered by messaging counts as offloaded. */
void adaptive_completed(struct adaptive *a, enum adaptive_path path,
			const struct adaptive_query *query, double latency_ns);

/* What searches by that path have taken lately, in nanoseconds, in the mean; 0
 * when 'adaptive' has taken note of none. */
double adaptive_measured_ns(const struct adaptive *a, enum adaptive_path path);

#endif
