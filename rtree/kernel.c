/* SPDX-License-Identifier: BSD-2-Clause */

/* Comparing the cells of a node's entries with those of a query.
 *
 * Every relation is the same pair of comparisons, lower <= at_most and upper >=
 * at_least in each dimension, with other arrays put in:
 *
 *	intersects	min <= query max	max >= query min
 *	contains	min <= query min	max >= query max
 *	within		max <= query max	min >= query min
 *
 * Where the cells differ the coordinates do too, so the strict comparisons are
 * proofs. */

#include "rtree/kernel.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* What is compared with what, per dimension. */
struct comparison {
	const uint8_t (*lower)[NODE_LANES];
	const uint8_t (*upper)[NODE_LANES];
	const uint8_t *at_most;
	const uint8_t *at_least;
};

typedef struct selection kernel(const struct comparison *comparison);

static struct selection select_portable(const struct comparison *c)
{
	struct selection s = {0, 0};

	for (unsigned i = 0; i < NODE_LANES; i++) {
		unsigned possible = 1, certain = 1;
		for (int d = 0; d < DIMENSIONS; d++) {
			uint8_t lower = c->lower[d][i], upper = c->upper[d][i];
			possible &= lower <= c->at_most[d];
			possible &= upper >= c->at_least[d];
			certain &= lower < c->at_most[d];
			certain &= upper > c->at_least[d];
		}
		s.possible |= (uint64_t)possible << i;
		s.certain |= (uint64_t)certain << i;
	}
	return s;
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw"))) static struct selection
select_avx512(const struct comparison *c)
{
	struct selection s = {~UINT64_C(0), ~UINT64_C(0)};

	for (int d = 0; d < DIMENSIONS; d++) {
		__m512i lower = _mm512_loadu_si512(c->lower[d]);
		__m512i upper = _mm512_loadu_si512(c->upper[d]);
		__m512i at_most = _mm512_set1_epi8((char)c->at_most[d]);
		__m512i at_least = _mm512_set1_epi8((char)c->at_least[d]);
		s.possible &= _mm512_cmple_epu8_mask(lower, at_most) &
			      _mm512_cmpge_epu8_mask(upper, at_least);
		s.certain &= _mm512_cmplt_epu8_mask(lower, at_most) &
			     _mm512_cmpgt_epu8_mask(upper, at_least);
	}
	return s;
}

/* Bit i: a's byte i <= b's byte i, unsigned. */
__attribute__((target("avx2"))) static inline uint32_t at_most_avx2(__m256i a,
								    __m256i b)
{
	return (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(_mm256_min_epu8(a, b), a));
}

__attribute__((target("avx2"))) static struct selection
select_avx2(const struct comparison *c)
{
	struct selection s = {0, 0};

	for (int half = 0; half < NODE_LANES; half += 32) {
		uint32_t possible = ~0u, certain = ~0u;
		for (int d = 0; d < DIMENSIONS; d++) {
			__m256i lower = _mm256_loadu_si256(
				(const __m256i *)&c->lower[d][half]);
			__m256i upper = _mm256_loadu_si256(
				(const __m256i *)&c->upper[d][half]);
			__m256i at_most = _mm256_set1_epi8((char)c->at_most[d]);
			__m256i at_least =
				_mm256_set1_epi8((char)c->at_least[d]);
			possible &= at_most_avx2(lower, at_most) &
				    at_most_avx2(at_least, upper);
			certain &= ~(at_most_avx2(at_most, lower) |
				     at_most_avx2(upper, at_least));
		}
		s.possible |= (uint64_t)possible << half;
		s.certain |= (uint64_t)certain << half;
	}
	return s;
}
#endif

static const struct kernel_choice {
	const char *name;
	kernel *select;
} kernels[] = {
#if defined(__x86_64__)
	{"avx512", select_avx512},
	{"avx2", select_avx2},
#endif
	{"portable", select_portable},
};

static int runs_here(const char *name)
{
#if defined(__x86_64__)
	if (strcmp(name, "avx512") == 0)
		return __builtin_cpu_supports("avx512bw");
	if (strcmp(name, "avx2") == 0)
		return __builtin_cpu_supports("avx2");
#endif
	return 1;
}

static const struct kernel_choice *chosen = &kernels[0];

/* Before main(), so that the choice needs no synchronisation. */
__attribute__((constructor)) static void choose(void)
{
	const size_t count = sizeof(kernels) / sizeof(kernels[0]);
	const char *wanted = getenv("CATFISH_KERNEL");

	for (size_t i = count; i-- > 0;)
		if (runs_here(kernels[i].name))
			chosen = &kernels[i];
	for (size_t i = 0; wanted && i < count; i++)
		if (strcmp(kernels[i].name, wanted) == 0 && runs_here(wanted))
			chosen = &kernels[i];
}

const char *kernel_name(void)
{
	return chosen->name;
}

struct selection kernel_select(const struct node *node, unsigned count,
			       enum relation relation,
			       const struct grid_box *box)
{
	struct comparison c = {
		.lower = node->cell_min,
		.upper = node->cell_max,
		.at_most = box->max,
		.at_least = box->min,
	};

	if (relation == RELATION_CONTAINS) {
		c.at_most = box->min;
		c.at_least = box->max;
	} else if (relation == RELATION_WITHIN) {
		c.lower = node->cell_max;
		c.upper = node->cell_min;
	}
	struct selection s = chosen->select(&c);
	uint64_t valid = count < 64 ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
	s.possible &= valid;
	s.certain &= valid;
	return s;
}
