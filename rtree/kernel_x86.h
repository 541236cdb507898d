/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_KERNEL_X86_H
#define RTREE_KERNEL_X86_H

/* What the kernels for x86-64 share. */

#include <immintrin.h>

#include "rtree/grid.h"

#define TARGET_AVX2 "avx2,bmi,bmi2,lzcnt,popcnt"

/* grid_box() with all four coordinates at once.  A NaN becomes 0, as there:
 * _mm256_max_pd() gives its second operand then. */
__attribute__((target(TARGET_AVX2),
	       always_inline)) static inline struct grid_box
grid_box_of(const struct node_header *header, const struct rect *rect)
{
	if (DIMENSIONS != 2)
		return grid_box(header, rect);
	__m256d origin = _mm256_broadcast_pd((const void *)header->origin);
	__m256d scale = _mm256_broadcast_pd((const void *)header->scale);
	__m256d cells = _mm256_mul_pd(
		_mm256_sub_pd(_mm256_loadu_pd(rect->min), origin), scale);
	cells = _mm256_max_pd(cells, _mm256_setzero_pd());
	cells = _mm256_min_pd(cells, _mm256_set1_pd(GRID_CELLS - 1));
	__m128i words = _mm256_cvttpd_epi32(cells);
	words = _mm_packus_epi32(words, words);
	uint32_t bytes =
		(uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(words, words));
	struct grid_box box;
	memcpy(&box, &bytes, sizeof(box));
	return box;
}

#endif
