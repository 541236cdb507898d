/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RTREE_EFFORT_H
#define TESTS_RTREE_EFFORT_H

/* How much a random test does, and from which seed.
 *
 * CATFISH_TEST_LONG=1 in the environment does a hundred times as much,
 * CATFISH_TEST_SEED=N other things than usual; a failure says its seed.
 * Sanitizers make everything slower, so under them there is less of it. */

#include <stdint.h>
#include <stdlib.h>

#if defined(__has_feature)
#define TEST_HAS_FEATURE(feature) __has_feature(feature)
#else
#define TEST_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_THREAD__) || TEST_HAS_FEATURE(thread_sanitizer)
#define TEST_UNDER_TSAN 1
#else
#define TEST_UNDER_TSAN 0
#endif

#if TEST_UNDER_TSAN || defined(__SANITIZE_ADDRESS__) ||                        \
	TEST_HAS_FEATURE(address_sanitizer)
#define TEST_SLOWDOWN 8
#else
#define TEST_SLOWDOWN 1
#endif

/* Check ends a test that takes longer than this: one that hangs. */
enum { TEST_TIMEOUT_S = 3600 };

static inline uint64_t test_effort(uint64_t normal)
{
	const char *text = getenv("CATFISH_TEST_LONG");
	uint64_t effort = normal / TEST_SLOWDOWN;

	if (text && *text && *text != '0')
		effort *= 100;
	return effort ? effort : 1;
}

static inline uint64_t test_seed(void)
{
	const char *text = getenv("CATFISH_TEST_SEED");

	return text ? strtoull(text, NULL, 0) : 1;
}

#endif
