/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_SHM_LINK_H
#define FABRIC_SHM_LINK_H

/* An shm link that stands: what both ends do with it.  fabric/shm.c makes it.
 *
 * Nothing here allocates or locks, and the only system calls are those that
 * sleeping needs: ringing a bell that was armed, arming one's own, and now and
 * then, when there is nothing else to do, a look whether the peer is there.
 *
 * Thread-safety: one link, one thread at a time. */

#include <stdatomic.h>

#include "fabric/link.h"
#include "fabric/shm_memory.h"

/* What an event of a link's epoll set is about. */
enum {
	SHM_BELL,
	SHM_SOCKET,
};

struct shm_listener;

struct shm_link {
	struct fabric_link base;

	/* Messaging. */
	uint8_t *peer_inbox;
	struct queue_sender out;
	struct queue_receiver in;
	bool gone; /* the peer; what it announced before is still there */
	unsigned idle_polls;

	/* READs: done as soon as they are posted, told by the next poll. */
	const uint8_t *region;
	uint64_t region_size;
	const _Atomic uint32_t *owner;
	uint32_t reads_posted;
	uint32_t reads_told;
	uint64_t cookies[FABRIC_READ_LISTS_MAX];

	struct shm_memory memory;
	int socket_fd;
	int epoll_fd;
	int peer_bell; /* the one that this end rings */
	int own_bell;  /* the server keeps it, its set holds it */

	/* At the server, until the client is accepted. */
	const struct shm_listener *listener;
};

static inline struct shm_link *shm_link_of(const struct fabric_link *link)
{
	return (struct shm_link *)link;
}

/* What fabric/fabric.h says of each. */
int fabric_shm_write(struct fabric_link *link, uint32_t offset,
		     const void *bytes, uint32_t size, uint32_t immediate);
int fabric_shm_write_silently(struct fabric_link *link, uint32_t offset,
			      const void *bytes, uint32_t size);
int fabric_shm_read_now(struct fabric_link *link,
			const struct fabric_read *reads, size_t count);
int fabric_shm_read(struct fabric_link *link, const struct fabric_read *reads,
		    size_t count, uint64_t cookie);
const void *fabric_shm_map(const struct fabric_link *link, uint64_t *size);
bool fabric_shm_server_has_left(const struct fabric_link *link);
int fabric_shm_poll(struct fabric_link *link, struct fabric_event *events,
		    size_t max);
int fabric_shm_arm(struct fabric_link *link);
int fabric_shm_fd(const struct fabric_link *link, short *events);

#endif
