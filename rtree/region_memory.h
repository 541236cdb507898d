/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_REGION_MEMORY_H
#define RTREE_REGION_MEMORY_H

/* The memory of a region: where it comes from, and who else may map it.
 *
 * Thread-safety: made and given back by one thread. */

#include <stdbool.h>
#include <stdint.h>

struct region_memory {
	void *bytes;	  /* zeros */
	uint64_t size;	  /* at least what was asked for */
	int fd;		  /* of the sealed memfd, or -1 */
	bool is_reserved; /* on 2 MiB pages that were reserved for such uses */
};

/* Makes memory that is mappable by other processes, but writable by none of
 * them: a memfd, on 2 MiB pages where the machine has enough reserved ones; or
 * else this process's own, on such pages where the system gives them to whoever
 * asks.  What is not reserved is taken from the system as it is touched.
 * ERR_NO_MEMORY, ERR_SYSTEM. */
int region_memory_init(struct region_memory *memory, uint64_t size,
		       bool is_mappable);
void region_memory_fini(struct region_memory *memory);

/* Moves the first 'size' bytes to 2 MiB pages where the system gives these only
 * to whoever asks again: for a memfd, once it holds something. */
void region_memory_settle(const struct region_memory *memory, uint64_t size);

#endif
