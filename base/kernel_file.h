/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_KERNEL_FILE_H
#define BASE_KERNEL_FILE_H

/* The small files in which the kernel tells about itself, under /sys and /proc.
 *
 * Thread-safety: pure functions. */

#include <stddef.h>
#include <stdint.h>

/* Reads a file whose path printf would make of 'format', at most 'size' - 1
 * bytes, without newlines at its end.  ERR_NOT_FOUND when there is none, or it
 * has nothing to tell. */
int kernel_file_read(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a file with a number in it; ERR_DATA when it has none. */
int kernel_file_read_number(int64_t *number, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
