/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DATASETS_DECIMAL_H
#define DATASETS_DECIMAL_H

/* Numbers in the middle of a text, fast: what CSV spends its time on.
 *
 * Each reads the number that starts at 'text' and returns where it ends, or
 * NULL when there is none.  The text must be followed by a byte that can't be
 * part of a number.
 *
 * Thread-safety: pure functions. */

#include <stdint.h>

/* A decimal integer, with or without a sign; NULL as well when it doesn't fit
 * into 64 bits. */
const char *decimal_read_int64(const char *text, int64_t *value);

/* A decimal number such as -12.5 or 1e-5, correctly rounded; infinite when it
 * is beyond the doubles.  Not "nan", "inf" or hexadecimal. */
const char *decimal_read_double(const char *text, double *value);

#endif
