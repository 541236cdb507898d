/* SPDX-License-Identifier: BSD-2-Clause */

/* 'catfish' beside a second model, which follows the pseudocode of
 * adaptive/backoff.h word by word, draws the same random numbers and
 * has to agree after every search. */

#include <math.h>
#include <string.h>

#include "adaptive/adaptive.h"
#include "tests/lib/test.h"

#define INTERVAL_NS UINT64_C(1000)

struct model {
	struct random random;
	uint64_t off, busy, n;
	double t;
	uint64_t heard_ns; /* 0: never */
	double utilisation;
};

/* As the controller draws its own share of the toll first. */
static void model_begin(struct model *m, const struct adaptive_options *o)
{
	memset(m, 0, sizeof(*m));
	m->t = o->threshold;
	m->n = o->backoff;
	random_seed(&m->random, o->seed);
	random_unit(&m->random);
}

static enum adaptive_path model_search(struct model *m, uint64_t now_ns)
{
	enum adaptive_path path;

	if (m->off > 0) {
		m->off -= 1;
		path = ADAPTIVE_OFFLOAD;
	} else {
		if (m->heard_ns == 0 ||
		    now_ns > m->heard_ns + 2 * INTERVAL_NS) {
			path = ADAPTIVE_MESSAGING;
		} else {
			if (m->utilisation > m->t) {
				m->busy += 1;
				uint64_t from = (m->busy - 1) * m->n;
				uint64_t below = m->busy * m->n;
				m->off = from +
					 random_below(&m->random, below - from);
				if (m->off > 0) {
					m->off -= 1;
					path = ADAPTIVE_OFFLOAD;
				} else {
					path = ADAPTIVE_MESSAGING;
				}
			} else {
				m->busy = 0;
				path = ADAPTIVE_MESSAGING;
			}
		}
	}
	return path;
}

static void agree(const struct adaptive_options *options)
{
	const struct adaptive_query query = {{1, 1}};
	struct random world;
	struct adaptive controller;
	struct model model;
	uint64_t now_ns = 1, beat = 0, seen[2] = {0};
	double load = 0.5;

	random_seed(&world, options->seed + 77);
	ck_assert_int_eq(adaptive_init(&controller, options), 0);
	model_begin(&model, options);
	for (int i = 0; i < 50000; i++) {
		now_ns += random_below(&world, 300);
		if (random_below(&world, 50) == 0)
			load = random_unit(&world);
		/* Mostly heard, and at times not for long. */
		if (random_below(&world, 4) == 0 && i / 500 % 5) {
			struct adaptive_heartbeat heartbeat = {++beat, load, 0};
			adaptive_heartbeat(&controller, now_ns, &heartbeat);
			model.heard_ns = now_ns;
			model.utilisation = load;
		}
		enum adaptive_path path =
			adaptive_choose(&controller, now_ns, &query, NULL);
		ck_assert_int_eq(path, model_search(&model, now_ns));
		ck_assert_uint_eq(controller.catfish.off, model.off);
		ck_assert_uint_eq(controller.catfish.busy, model.busy);
		seen[path]++;
	}
	ck_assert_uint_gt(seen[ADAPTIVE_MESSAGING], 1000);
	ck_assert_uint_gt(seen[ADAPTIVE_OFFLOAD], 1000);
}

START_TEST(every_decision_is_that_of_the_pseudocode)
{
	static const uint32_t backoffs[] = {1, 2, 8, 50};
	static const double thresholds[] = {0.3, 0.5, 0.8};

	for (int n = 0; n < 4; n++)
		for (int t = 0; t < 3; t++) {
			const struct adaptive_options options = {
				.policy = ADAPTIVE_POLICY_CATFISH,
				.seed = (uint64_t)(10 * n + t),
				.heartbeat_ns = INTERVAL_NS,
				.threshold = thresholds[t],
				.backoff = backoffs[n],
			};
			agree(&options);
		}
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("backoff");
	TCase *tcase = tcase_create("backoff");

	tcase_add_test(tcase, every_decision_is_that_of_the_pseudocode);
	suite_add_tcase(suite, tcase);
	return suite;
}
