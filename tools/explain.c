/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/explain.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/policy.h"

static const char *const paths[] = {"messaging", "offload"};
static const char *const offloads[] = {"auto", "copy", "mapped"};

/* "12.3", or "unknown". */
static void explain_time(const char *key, double us)
{
	if (us > 0)
		fprintf(stderr, "%s: %.1f\n", key, us);
	else
		fprintf(stderr, "%s: unknown\n", key);
}

/* Why the path was chosen. */
static void explain_choice(const struct catfish *server)
{
	struct catfish_explanation why;

	if (catfish_explain(server, &why))
		return;
	fprintf(stderr, "policy: %s\n", policy_name(why.policy));
	fprintf(stderr, "chosen: %s\n", paths[why.path]);
	fprintf(stderr, "reason: %s\n", why.reason);
	for (int i = 0; i < 2; i++) {
		char key[48];
		snprintf(key, sizeof(key), "%s_predicted_us", paths[i]);
		explain_time(key, why.predicted_us[i]);
		snprintf(key, sizeof(key), "%s_measured_us", paths[i]);
		explain_time(key, why.measured_us[i]);
	}
}

static void explain_number(const char *key, uint64_t value)
{
	fprintf(stderr, "%s: %" PRIu64 "\n", key, value);
}

void explain_answer(const struct catfish *server,
		    const struct catfish_answer *answer,
		    const struct explained *what)
{
	if (what->has_query_id)
		fprintf(stderr, "query: %" PRId64 "\n", what->query_id);
	explain_choice(server);
	fprintf(stderr, "path: %s\n", paths[answer->path]);
	if (answer->path == CATFISH_PATH_OFFLOAD)
		fprintf(stderr, "offload: %s\n", offloads[answer->offload]);
	explain_number("version", answer->version);
	explain_number("found", what->found);
	if (what->has_candidates)
		explain_number("candidates", answer->count);
	explain_number("round_trips", answer->round_trips);
	explain_number("reads", answer->reads);
	explain_number("nodes", answer->nodes);
	explain_number("cached", answer->cached);
	explain_number("read_bytes", answer->read_bytes);
	explain_number("retries", answer->retries);
	explain_number("lease_expiries", answer->lease_expiries);
	explain_number("pushed_back", answer->pushed_back);
	fprintf(stderr, "microseconds: %.1f\n",
		(double)(answer->time_ns - what->shown_ns) / 1e3);
}
