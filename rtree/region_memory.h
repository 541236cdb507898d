/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_REGION_MEMORY_H
#define RTREE_REGION_MEMORY_H

/* The memory of a region: where it comes from, and who else may map it.
 *
 * Thread-safety: made and given back by one thread. */

#include <stdbool.h>
#include <stdint.h>

struct region_memory {
	void *bytes; /* zeros, taken from the system as they are touched */
	uint64_t size;
	int fd; /* of the sealed memfd, or -1 */
};

/* Makes memory that is mappable by other processes, but writable by none of
 * them: a memfd; or else this process's own, on 2 MiB pages where the system
 * gives them to whoever asks.  ERR_NO_MEMORY, ERR_SYSTEM. */
int region_memory_init(struct region_memory *memory, uint64_t size,
		       bool is_mappable);
void region_memory_fini(struct region_memory *memory);

#endif
