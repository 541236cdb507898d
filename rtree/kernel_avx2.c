/* SPDX-License-Identifier: BSD-2-Clause */

/* The kernel for x86-64 processors with AVX2. */

#include "rtree/kernel.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include "rtree/kernel_x86.h"

extern const struct kernel kernel_avx2;

#define KERNEL_NAME   kernel_avx2
#define KERNEL_STRING "avx2"
#define KERNEL_TARGET __attribute__((target(TARGET_AVX2)))

typedef __m256i lane;

struct cells {
	lane min[DIMENSIONS];
	lane max[DIMENSIONS];
};

KERNEL_TARGET static inline struct cells
cells_of(const struct node_header *header, const struct rect *rect)
{
	struct cells cells;

	if (DIMENSIONS == 2) {
		__m128i box = grid_box_2d(header, rect);
		cells.min[0] = _mm256_broadcastb_epi8(box);
		cells.min[1] = _mm256_broadcastb_epi8(_mm_srli_si128(box, 4));
		cells.max[0] = _mm256_broadcastb_epi8(_mm_srli_si128(box, 8));
		cells.max[1] = _mm256_broadcastb_epi8(_mm_srli_si128(box, 12));
		return cells;
	}
	__m128i min = grid_corner(header, rect->min);
	__m128i max = grid_corner(header, rect->max);
	for (int d = 0; d < DIMENSIONS; d++) {
		__m128i at = _mm_set1_epi8((char)(4 * d));
		cells.min[d] =
			_mm256_broadcastb_epi8(_mm_shuffle_epi8(min, at));
		cells.max[d] =
			_mm256_broadcastb_epi8(_mm_shuffle_epi8(max, at));
	}
	return cells;
}

/* Bit i: a's byte i <= b's byte i, unsigned. */
KERNEL_TARGET static inline uint32_t half_at_most(__m256i a, __m256i b)
{
	return (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(_mm256_min_epu8(a, b), a));
}

KERNEL_TARGET static inline uint64_t
lanes_at_most(const uint8_t lanes[NODE_LANES], lane cell)
{
	const __m256i *half = (const void *)lanes;

	return half_at_most(_mm256_loadu_si256(half), cell) |
	       (uint64_t)half_at_most(_mm256_loadu_si256(half + 1), cell) << 32;
}

KERNEL_TARGET static inline uint64_t
lanes_at_least(const uint8_t lanes[NODE_LANES], lane cell)
{
	const __m256i *half = (const void *)lanes;

	return half_at_most(cell, _mm256_loadu_si256(half)) |
	       (uint64_t)half_at_most(cell, _mm256_loadu_si256(half + 1)) << 32;
}

/* Four cells as doubles. */
KERNEL_TARGET static inline __m256d load_cells(const uint8_t *cells)
{
	int word;

	memcpy(&word, cells, sizeof(word));
	return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(word)));
}

KERNEL_TARGET static inline void add_gaps(const uint8_t *min,
					  const uint8_t *max, double low,
					  double high, double unit,
					  double *sums)
{
	__m256d lows = _mm256_set1_pd(low), highs = _mm256_set1_pd(high);

	for (int i = 0; i < NODE_LANES; i += 4) {
		__m256d gap = _mm256_max_pd(
			_mm256_sub_pd(load_cells(min + i), lows),
			_mm256_sub_pd(highs, load_cells(max + i)));
		gap = _mm256_max_pd(gap, _mm256_setzero_pd());
		gap = _mm256_mul_pd(gap, _mm256_set1_pd(unit));
		_mm256_storeu_pd(sums + i,
				 _mm256_add_pd(_mm256_loadu_pd(sums + i),
					       _mm256_mul_pd(gap, gap)));
	}
}

/* Four values; infinity for those that are not among. */
KERNEL_TARGET static inline __m256d load_among(const double *values,
					       uint64_t among)
{
	const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
	__m256i is_among = _mm256_cmpeq_epi64(
		_mm256_and_si256(_mm256_set1_epi64x((int64_t)among), bit), bit);

	return _mm256_blendv_pd(_mm256_set1_pd(INFINITY),
				_mm256_loadu_pd(values),
				_mm256_castsi256_pd(is_among));
}

KERNEL_TARGET static unsigned least_lane(const double values[NODE_LANES],
					 uint64_t among)
{
	__m256d four[NODE_LANES / 4], least = _mm256_set1_pd(INFINITY);
	uint64_t equal = 0;

	for (int i = 0; i < NODE_LANES / 4; i++) {
		four[i] = load_among(values + 4 * i, among >> 4 * i);
		least = _mm256_min_pd(least, four[i]);
	}
	least = _mm256_min_pd(least, _mm256_permute2f128_pd(least, least, 1));
	least = _mm256_min_pd(least, _mm256_permute_pd(least, 5));
	for (int i = 0; i < NODE_LANES / 4; i++)
		equal |= (uint64_t)_mm256_movemask_pd(
				 _mm256_cmp_pd(four[i], least, _CMP_EQ_OQ))
			 << 4 * i;
	/* None is, where untrusted bytes made NaNs. */
	equal &= among;
	return (unsigned)__builtin_ctzll(equal ? equal : among);
}

#include "rtree/kernel_body.h"
#endif
