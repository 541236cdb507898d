/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

/* Text to values, as options and CSV have them; base/format.h goes the other
 * way.
 *
 * Each parser reads the whole of 'text' and fails with ERR_USAGE, saying what
 * it wanted and what it got, when anything is left over.  They expect the C
 * locale's decimal point.
 *
 * Thread-safety: pure functions. */

#include <stddef.h>
#include <stdint.h>

#include "base/format.h"
#include "base/rect.h"

/* "5ms", "20us", "1.5s", bare seconds.  Nanoseconds; at most 292 years. */
int parse_time_ns(const char *text, uint64_t *time_ns);

/* "64K", "1.5G", "4096": bytes, K, M and G being powers of 1024. */
int parse_size(const char *text, uint64_t *size);

int parse_int64(const char *text, int64_t *value);
int parse_uint64(const char *text, uint64_t *value);

/* A finite double. */
int parse_double(const char *text, double *value);

/* RECT_COLUMNS, such as "xmin,ymin,xmax,ymax": a valid rectangle. */
int parse_rect(const char *text, struct rect *rect);

/* "x,y", or "x,y,z": a finite point. */
int parse_point(const char *text, double point[DIMENSIONS]);

/* Checks that a point from outside is finite; ERR_DATA otherwise. */
int parse_check_point(const double point[DIMENSIONS]);

/* Checks what a rectangle from outside must be, in words: finite, min <= max.
 * ERR_DATA otherwise. */
int parse_check_rect(const struct rect *rect);

#endif
