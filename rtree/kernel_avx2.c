/* SPDX-License-Identifier: BSD-2-Clause */

/* The kernel for x86-64 processors with AVX2. */

#include "rtree/kernel.h"

#if defined(__x86_64__)
#include "rtree/kernel_x86.h"

extern const struct kernel kernel_avx2;

#define KERNEL_NAME   kernel_avx2
#define KERNEL_STRING "avx2"
#define KERNEL_TARGET __attribute__((target(TARGET_AVX2)))

/* Bit i: a's byte i <= b's byte i, unsigned. */
KERNEL_TARGET static inline uint32_t half_at_most(__m256i a, __m256i b)
{
	return (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(_mm256_min_epu8(a, b), a));
}

KERNEL_TARGET static inline uint64_t
lanes_at_most(const uint8_t lanes[NODE_LANES], uint8_t cell)
{
	const __m256i *half = (const void *)lanes;
	__m256i cells = _mm256_set1_epi8((char)cell);

	return half_at_most(_mm256_loadu_si256(half), cells) |
	       (uint64_t)half_at_most(_mm256_loadu_si256(half + 1), cells)
		       << 32;
}

KERNEL_TARGET static inline uint64_t
lanes_at_least(const uint8_t lanes[NODE_LANES], uint8_t cell)
{
	const __m256i *half = (const void *)lanes;
	__m256i cells = _mm256_set1_epi8((char)cell);

	return half_at_most(cells, _mm256_loadu_si256(half)) |
	       (uint64_t)half_at_most(cells, _mm256_loadu_si256(half + 1))
		       << 32;
}

#include "rtree/kernel_body.h"
#endif
