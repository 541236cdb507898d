/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* XXH3-64 (seed 0) of 'size' bytes: finds damage, does not stop an attacker. */
uint64_t checksum64(const void *bytes, size_t size);

/* The same over two pieces as if they stood one after the other. */
uint64_t checksum64_pair(const void *a, size_t a_size, const void *b,
			 size_t b_size);

#endif
