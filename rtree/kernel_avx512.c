/* SPDX-License-Identifier: BSD-2-Clause */

/* The kernel for x86-64 processors with AVX-512: one compare for 64 entries. */

#include "rtree/kernel.h"

#if defined(__x86_64__)
#include "rtree/kernel_x86.h"

extern const struct kernel kernel_avx512;

#define KERNEL_NAME   kernel_avx512
#define KERNEL_STRING "avx512"
#define KERNEL_TARGET                                                          \
	__attribute__((                                                        \
		target("avx512f,avx512bw,avx512dq,avx512vl," TARGET_AVX2)))

KERNEL_TARGET static inline uint64_t
lanes_at_most(const uint8_t lanes[NODE_LANES], uint8_t cell)
{
	return _mm512_cmple_epu8_mask(_mm512_loadu_si512(lanes),
				      _mm512_set1_epi8((char)cell));
}

KERNEL_TARGET static inline uint64_t
lanes_at_least(const uint8_t lanes[NODE_LANES], uint8_t cell)
{
	return _mm512_cmpge_epu8_mask(_mm512_loadu_si512(lanes),
				      _mm512_set1_epi8((char)cell));
}

#include "rtree/kernel_body.h"
#endif
