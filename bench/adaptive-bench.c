/* SPDX-License-Identifier: BSD-2-Clause */

/* adaptive-bench: what a decision of the controller costs.
 *
 * For each policy a JSON line: nanoseconds to choose a path, and to choose one
 * and to take note of what the search took, which is what each search pays.
 * Medians over rounds; the paths' latencies are drawn beforehand, and close to
 * each other, so that both are chosen. */

#include <stdio.h>
#include <stdlib.h>

#include "adaptive/adaptive.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/program.h"

enum {
	ROUNDS = 31,
	DECISIONS = 1 << 16,
	DRAWN = 1 << 12,
	BEAT_EVERY = 1 << 10,
};

static double latency_ns[DRAWN];
static struct adaptive_query queries[DRAWN];

static void draw(void)
{
	struct random random;

	random_seed(&random, 1);
	for (int i = 0; i < DRAWN; i++) {
		double work = 1 + (double)random_below(&random, 10);
		queries[i] = (struct adaptive_query){{work, 3000 * work}};
		latency_ns[i] = 3000 + 200 * work * random_unit(&random);
	}
}

/* Nanoseconds for each decision. */
static double time_decisions(struct adaptive *a, bool completes,
			     unsigned *offloaded)
{
	uint64_t began = clock_now_ns();

	for (unsigned i = 0; i < DECISIONS; i++) {
		const struct adaptive_query *query = &queries[i % DRAWN];
		uint64_t now_ns = began + i;
		if (i % BEAT_EVERY == 0) {
			struct adaptive_heartbeat beat = {
				.beat = a->heartbeat.beat + 1,
				.utilisation = i / BEAT_EVERY % 2 ? 1 : 0.5,
			};
			adaptive_heartbeat(a, now_ns, &beat);
		}
		enum adaptive_path path =
			adaptive_choose(a, now_ns, query, NULL);
		*offloaded += path == ADAPTIVE_OFFLOAD;
		if (completes)
			adaptive_completed(a, path, query,
					   latency_ns[i % DRAWN]);
	}
	return (double)(clock_now_ns() - began) / DECISIONS;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int time_policy(enum adaptive_policy policy)
{
	const struct adaptive_options options = {.policy = policy, .seed = 1};
	double choose[ROUNDS], both[ROUNDS];
	unsigned offloaded = 0;
	struct adaptive a;
	int error = adaptive_init(&a, &options);

	if (error)
		return error;
	for (int i = 0; i < ROUNDS; i++) {
		both[i] = time_decisions(&a, true, &offloaded);
		choose[i] = time_decisions(&a, false, &offloaded);
	}
	qsort(choose, ROUNDS, sizeof(*choose), compare);
	qsort(both, ROUNDS, sizeof(*both), compare);
	printf("{\"policy\":\"%s\",\"choose_ns\":%.1f,\"choose_and_learn_ns\":"
	       "%.1f,\"offloaded\":%.3f}\n",
	       adaptive_policy_name(policy), choose[ROUNDS / 2],
	       both[ROUNDS / 2], offloaded / (2.0 * ROUNDS * DECISIONS));
	return 0;
}

int main(void)
{
	int error = 0;

	program_init("adaptive-bench");
	draw();
	for (int p = 0; !error && p <= ADAPTIVE_POLICY_ADAPTIVE; p++)
		error = time_policy((enum adaptive_policy)p);
	if (!error)
		error = program_finish_output();
	return error ? (int)program_fail(error) : EXIT_OK;
}
