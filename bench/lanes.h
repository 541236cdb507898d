/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_LANES_H
#define BENCH_LANES_H

/* The kinds of numbers that a layout may keep its boxes in, for
 * bench/layout_body.h: 8-bit and 16-bit cells of a node's own grid, floats
 * rounded outwards, and doubles.
 *
 * For each kind K there are
 *
 *	K_at_most(lanes, count, limit)	bit i: lanes[i] <= limit
 *	K_at_least(lanes, count, limit)	bit i: lanes[i] >= limit
 *	K_down(v, origin, scale)	a coordinate, rounded down
 *	K_up(v, origin, scale)		and up
 *	K_CELLS				of the grid; 0: there is none
 *
 * with 'count' at most 64.  K_down() and K_up() never fall when v grows.  Both
 * of a grid are the cell that v is in, as in rtree/node.h: where cells differ
 * the coordinates do too.
 *
 * Thread-safety: pure functions. */

#include <math.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef float f32;
typedef double f64;

enum { u8_CELLS = 1 << 8, u16_CELLS = 1 << 16, f32_CELLS = 0, f64_CELLS = 0 };

/* --- Comparing ----------------------------------------------------------- */

#ifdef __AVX512BW__
#include <immintrin.h>

/* The first bits of a mask that has 'width' of them, all when there are more.
 */
static inline uint64_t lanes_mask(unsigned count, unsigned width)
{
	return count < width ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
}

#define LANES_COMPARE(NAME, TYPE, MASK, LOAD, SET, COMPARE)                    \
	static inline uint64_t NAME(const TYPE *lanes, unsigned count,         \
				    TYPE limit)                                \
	{                                                                      \
		enum { WIDTH = 64 / sizeof(TYPE) };                            \
		uint64_t bits = 0;                                             \
		for (unsigned i = 0; i < count; i += WIDTH) {                  \
			MASK some = (MASK)lanes_mask(count - i, WIDTH);        \
			bits |= (uint64_t)COMPARE(some, LOAD(some, lanes + i), \
						  SET(limit))                  \
				<< i;                                          \
		}                                                              \
		return bits;                                                   \
	}
#define LESS_PS(some, a, b)    _mm512_mask_cmp_ps_mask(some, a, b, _CMP_LE_OQ)
#define GREATER_PS(some, a, b) _mm512_mask_cmp_ps_mask(some, a, b, _CMP_GE_OQ)
#define LESS_PD(some, a, b)    _mm512_mask_cmp_pd_mask(some, a, b, _CMP_LE_OQ)
#define GREATER_PD(some, a, b) _mm512_mask_cmp_pd_mask(some, a, b, _CMP_GE_OQ)
#define SET_8(v)	       _mm512_set1_epi8((char)(v))
#define SET_16(v)	       _mm512_set1_epi16((short)(v))

LANES_COMPARE(u8_at_most, u8, __mmask64, _mm512_maskz_loadu_epi8, SET_8,
	      _mm512_mask_cmple_epu8_mask)
LANES_COMPARE(u8_at_least, u8, __mmask64, _mm512_maskz_loadu_epi8, SET_8,
	      _mm512_mask_cmpge_epu8_mask)
LANES_COMPARE(u16_at_most, u16, __mmask32, _mm512_maskz_loadu_epi16, SET_16,
	      _mm512_mask_cmple_epu16_mask)
LANES_COMPARE(u16_at_least, u16, __mmask32, _mm512_maskz_loadu_epi16, SET_16,
	      _mm512_mask_cmpge_epu16_mask)
LANES_COMPARE(f32_at_most, f32, __mmask16, _mm512_maskz_loadu_ps,
	      _mm512_set1_ps, LESS_PS)
LANES_COMPARE(f32_at_least, f32, __mmask16, _mm512_maskz_loadu_ps,
	      _mm512_set1_ps, GREATER_PS)
LANES_COMPARE(f64_at_most, f64, __mmask8, _mm512_maskz_loadu_pd, _mm512_set1_pd,
	      LESS_PD)
LANES_COMPARE(f64_at_least, f64, __mmask8, _mm512_maskz_loadu_pd,
	      _mm512_set1_pd, GREATER_PD)

#else
#define LANES_COMPARE(NAME, TYPE, OPERATOR)                                    \
	static inline uint64_t NAME(const TYPE *lanes, unsigned count,         \
				    TYPE limit)                                \
	{                                                                      \
		uint64_t bits = 0;                                             \
		for (unsigned i = 0; i < count; i++)                           \
			bits |= (uint64_t)(lanes[i] OPERATOR limit) << i;      \
		return bits;                                                   \
	}

LANES_COMPARE(u8_at_most, u8, <=)
LANES_COMPARE(u8_at_least, u8, >=)
LANES_COMPARE(u16_at_most, u16, <=)
LANES_COMPARE(u16_at_least, u16, >=)
LANES_COMPARE(f32_at_most, f32, <=)
LANES_COMPARE(f32_at_least, f32, >=)
LANES_COMPARE(f64_at_most, f64, <=)
LANES_COMPARE(f64_at_least, f64, >=)
#endif

/* --- Rounding ------------------------------------------------------------ */

static inline double grid_place(double v, double origin, double scale,
				int cells)
{
	double cell = (v - origin) * scale;
	cell = cell > 0 ? cell : 0;
	return cell < cells - 1 ? cell : cells - 1;
}

static inline u8 u8_down(double v, double origin, double scale)
{
	return (u8)(int)grid_place(v, origin, scale, u8_CELLS);
}

static inline u8 u8_up(double v, double origin, double scale)
{
	return u8_down(v, origin, scale);
}

static inline u16 u16_down(double v, double origin, double scale)
{
	return (u16)(int)grid_place(v, origin, scale, u16_CELLS);
}

static inline u16 u16_up(double v, double origin, double scale)
{
	return u16_down(v, origin, scale);
}

static inline f32 f32_down(double v, double origin, double scale)
{
	f32 nearest = (f32)v;
	return nearest > v ? nextafterf(nearest, -INFINITY) : nearest;
}

static inline f32 f32_up(double v, double origin, double scale)
{
	f32 nearest = (f32)v;
	return nearest < v ? nextafterf(nearest, INFINITY) : nearest;
}

static inline f64 f64_down(double v, double origin, double scale)
{
	return v;
}

static inline f64 f64_up(double v, double origin, double scale)
{
	return v;
}

#endif
