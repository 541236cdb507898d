/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/checksum.h"

/* The state of a checksum in pieces has no size outside the header. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t checksum64(const void *bytes, size_t size)
{
	return XXH3_64bits(bytes, size);
}

uint64_t checksum64_pair(const void *a, size_t a_size, const void *b,
			 size_t b_size)
{
	XXH3_state_t state;

	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, a, a_size);
	XXH3_64bits_update(&state, b, b_size);
	return XXH3_64bits_digest(&state);
}
