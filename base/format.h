/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

/* Values to text.
 *
 * Thread-safety: pure functions. */

#include <stddef.h>
#include <stdint.h>

enum { FORMAT_DOUBLE_SIZE = 32 };

/* Writes the shortest decimal that reads back as the same double (of several,
 * the one nearest to it), with its terminating 0; returns its length.  It is in
 * the form of printf's %g, and of at most 24 characters. */
size_t format_double(char text[FORMAT_DOUBLE_SIZE], double value);

enum { FORMAT_SIZE_SIZE = 32 };

/* "1.5 GiB" for people; returns 'text'. */
const char *format_size(char text[FORMAT_SIZE_SIZE], uint64_t size);

#endif
