/* SPDX-License-Identifier: BSD-2-Clause */

/* The kernel for x86-64 processors with AVX-512: one compare for 64 entries. */

#include "rtree/kernel.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include "rtree/kernel_x86.h"

extern const struct kernel kernel_avx512;

#define KERNEL_NAME   kernel_avx512
#define KERNEL_STRING "avx512"
#define KERNEL_TARGET                                                          \
	__attribute__((                                                        \
		target("avx512f,avx512bw,avx512dq,avx512vl," TARGET_AVX2)))

typedef __m512i lane;

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
		cells.min[0] = _mm512_broadcastb_epi8(box);
		cells.min[1] = _mm512_broadcastb_epi8(_mm_srli_si128(box, 4));
		cells.max[0] = _mm512_broadcastb_epi8(_mm_srli_si128(box, 8));
		cells.max[1] = _mm512_broadcastb_epi8(_mm_srli_si128(box, 12));
		return cells;
	}
	__m128i min = grid_corner(header, rect->min);
	__m128i max = grid_corner(header, rect->max);
	for (int d = 0; d < DIMENSIONS; d++) {
		__m128i at = _mm_set1_epi8((char)(4 * d));
		cells.min[d] =
			_mm512_broadcastb_epi8(_mm_shuffle_epi8(min, at));
		cells.max[d] =
			_mm512_broadcastb_epi8(_mm_shuffle_epi8(max, at));
	}
	return cells;
}

KERNEL_TARGET static inline uint64_t
lanes_at_most(const uint8_t lanes[NODE_LANES], lane cell)
{
	return _mm512_cmple_epu8_mask(_mm512_loadu_si512(lanes), cell);
}

KERNEL_TARGET static inline uint64_t
lanes_at_least(const uint8_t lanes[NODE_LANES], lane cell)
{
	return _mm512_cmpge_epu8_mask(_mm512_loadu_si512(lanes), cell);
}

/* Eight cells as doubles. */
KERNEL_TARGET static inline __m512d load_cells(const uint8_t *cells)
{
	return _mm512_cvtepi32_pd(
		_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)cells)));
}

KERNEL_TARGET static inline void add_gaps(const uint8_t *min,
					  const uint8_t *max, double low,
					  double high, double unit,
					  double *sums)
{
	__m512d lows = _mm512_set1_pd(low), highs = _mm512_set1_pd(high);

	for (int i = 0; i < NODE_LANES; i += 8) {
		__m512d gap = _mm512_max_pd(
			_mm512_sub_pd(load_cells(min + i), lows),
			_mm512_sub_pd(highs, load_cells(max + i)));
		gap = _mm512_max_pd(gap, _mm512_setzero_pd());
		gap = _mm512_mul_pd(gap, _mm512_set1_pd(unit));
		_mm512_storeu_pd(sums + i,
				 _mm512_add_pd(_mm512_loadu_pd(sums + i),
					       _mm512_mul_pd(gap, gap)));
	}
}

/* Eight values; infinity for those that are not among. */
KERNEL_TARGET static inline __m512d load_among(const double *values,
					       uint64_t among)
{
	return _mm512_mask_loadu_pd(_mm512_set1_pd(INFINITY), (__mmask8)among,
				    values);
}

KERNEL_TARGET static unsigned least_lane(const double values[NODE_LANES],
					 uint64_t among)
{
	__m512d eight[NODE_LANES / 8], least = _mm512_set1_pd(INFINITY);
	uint64_t equal = 0;

	for (int i = 0; i < NODE_LANES / 8; i++) {
		eight[i] = load_among(values + 8 * i, among >> 8 * i);
		least = _mm512_min_pd(least, eight[i]);
	}
	least = _mm512_set1_pd(_mm512_reduce_min_pd(least));
	for (int i = 0; i < NODE_LANES / 8; i++)
		equal |= (uint64_t)_mm512_cmp_pd_mask(eight[i], least,
						      _CMP_EQ_OQ)
			 << 8 * i;
	/* None is, where untrusted bytes made NaNs. */
	equal &= among;
	return (unsigned)__builtin_ctzll(equal ? equal : among);
}

#include "rtree/kernel_body.h"
#endif
