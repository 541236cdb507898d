/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_SHM_MEMORY_H
#define FABRIC_SHM_MEMORY_H

/* Memory that the two ends of an shm link share: the server's memfd with both
 * inboxes and their queues, and the region, which the client only reads.
 *
 * The server makes a memfd for each link and seals its size, so that neither
 * end can make the other fault by cutting it short.  The client checks the
 * seals and the size of all that it is given before it maps it.
 *
 *	0		struct shm_control
 *	SHM_INBOXES	the server's inbox, written by the client
 *	next page	the client's inbox, written by the server
 *
 * Thread-safety: pure functions, but for the memory that they name. */

#include <stdint.h>

#include "fabric/fabric.h"
#include "fabric/shm_queue.h"

enum {
	SHM_PAGE = 4096,
	SHM_INBOXES = 2 * SHM_PAGE,
};

struct shm_control {
	struct queue to_server;
	struct queue to_client;
	/* 1 once the server has closed the link. */
	_Alignas(QUEUE_LINE) _Atomic uint32_t server_has_left;
};

static_assert(sizeof(struct shm_control) <= SHM_INBOXES, "before the inboxes");

struct shm_memory {
	struct shm_control *control;
	uint8_t *server_inbox;
	uint8_t *client_inbox;
	size_t size; /* of the whole mapping, which starts at 'control' */
};

/* Makes the memory of a new link and the descriptor for the client. */
int fabric_shm_memory_create(uint32_t server_inbox_size,
			     uint32_t client_inbox_size,
			     struct shm_memory *memory, int *fd);

/* Maps what a server gave; ERR_PROTOCOL when it isn't what it should be. */
int fabric_shm_memory_adopt(int fd, uint32_t server_inbox_size,
			    uint32_t client_inbox_size,
			    struct shm_memory *memory);

/* Harmless when nothing was mapped. */
void fabric_shm_memory_unmap(struct shm_memory *memory);

/* Seals a region against being cut short and against new writers, and opens a
 * descriptor of it that can only read. */
int fabric_shm_region_open(const struct fabric_region *region, int *fd);

/* Maps a region for reading; ERR_PROTOCOL when it isn't what it should be. */
int fabric_shm_region_map(int fd, uint64_t size, const uint8_t **memory);

#endif
