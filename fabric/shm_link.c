/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/shm_link.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/err.h"
#include "base/guard.h"

enum {
	READ_LISTS_MASK = FABRIC_READ_LISTS_MAX - 1,
	/* Of so many polls in a row that find nothing one looks whether the
	 * peer is still there. */
	POLLS_PER_LOOK = 1024,
};

static_assert((FABRIC_READ_LISTS_MAX & READ_LISTS_MASK) == 0,
	      "counters are masked");

/* --- Writing ------------------------------------------------------------ */

/* The receiver breaks its side of the queue, or gave room that it hasn't got:
 * fabric/ring.h never announces more than fits while both keep the rules. */
static int no_room(int room)
{
	return room < 0 ? err_set(ERR_PROTOCOL,
				  "the other end has damaged its queue")
			: err_set(ERR_PROTOCOL,
				  "%d announced WRITEs and none was taken",
				  QUEUE_SIZE);
}

/* Nobody reads a bell, so it would take 2^64 rings to fill it; that a peer has
 * gone is the socket's to tell. */
static void ring_bell(const struct shm_link *shm)
{
	const uint64_t once = 1;
	ssize_t ignored = write(shm->peer_bell, &once, sizeof(once));
	(void)ignored;
}

int fabric_shm_write_silently(struct fabric_link *link, uint32_t offset,
			      const void *bytes, uint32_t size)
{
	struct shm_link *shm = shm_link_of(link);

	if (size)
		memcpy(shm->peer_inbox + offset, bytes, size);
	return 0;
}

int fabric_shm_write(struct fabric_link *link, uint32_t offset,
		     const void *bytes, uint32_t size, uint32_t immediate)
{
	struct shm_link *shm = shm_link_of(link);

	if (shm->gone)
		return fabric_peer_has_gone(&shm->base);
	int room = queue_room(&shm->out);
	if (room <= 0)
		return no_room(room);
	fabric_shm_write_silently(link, offset, bytes, size);
	queue_put(&shm->out, immediate);
	if (queue_must_wake(&shm->out))
		ring_bell(shm);
	return 0;
}

/* --- Reading ------------------------------------------------------------ */

static int not_one_sided(const struct shm_link *shm)
{
	return shm->base.is_server
		       ? err_set(ERR_UNSUPPORTED,
				 "a server can't READ from its client")
		       : err_set(ERR_UNSUPPORTED,
				 "the server offers no memory to READ");
}

/* Whether the server was there until the copies before were done: had not
 * closed the link, after which it keeps no pages for this client, nor died,
 * which the kernel marks in the owner's word before anyone else can own the
 * region.  The fence keeps these loads behind those of the copies.  Whoever
 * comes after a dead server has a region of its own, so what was copied while
 * the owner lived is the owner's. */
static bool server_was_there(const struct shm_link *shm)
{
	atomic_thread_fence(memory_order_acquire);
	uint32_t owner = atomic_load_explicit(shm->owner, memory_order_relaxed);
	uint32_t left = atomic_load_explicit(
		&shm->memory.control->server_has_left, memory_order_relaxed);
	return (owner & FUTEX_TID_MASK) && !(owner & FUTEX_OWNER_DIED) && !left;
}

/* What is written meanwhile is seen in part. */
static void copy_out(const struct shm_link *shm, const struct fabric_read *read)
{
	const uint8_t *from = shm->region + read->offset;

	if (!read->size)
		return;
#ifdef CATFISH_SEEDED_FAULTS
	uint32_t half = read->size / 2;

	memcpy(read->to, from, half);
	GUARD_PAUSE("read");
	memcpy((uint8_t *)read->to + half, from + half, read->size - half);
#else
	memcpy(read->to, from, read->size);
#endif
}

int fabric_shm_read_now(struct fabric_link *link,
			const struct fabric_read *reads, size_t count)
{
	struct shm_link *shm = shm_link_of(link);
	struct fabric_counters *counters = &link->counters;

	if (!shm->region)
		return not_one_sided(shm);
	int error = fabric_check_reads(reads, count, shm->region_size);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		copy_out(shm, &reads[i]);
		counters->read_bytes += reads[i].size;
	}
	if (GUARD("owner", !server_was_there(shm)))
		return err_set(ERR_CONNECTION, "the server has ended");
	counters->reads += count;
	counters->read_lists++;
	return 0;
}

int fabric_shm_read(struct fabric_link *link, const struct fabric_read *reads,
		    size_t count, uint64_t cookie)
{
	struct shm_link *shm = shm_link_of(link);

	if (shm->reads_posted - shm->reads_told == FABRIC_READ_LISTS_MAX)
		return ERR_AGAIN;
	int error = fabric_shm_read_now(link, reads, count);
	if (!error)
		shm->cookies[shm->reads_posted++ & READ_LISTS_MASK] = cookie;
	return error;
}

bool fabric_shm_server_has_left(const struct fabric_link *link)
{
	return !server_was_there(shm_link_of(link));
}

const void *fabric_shm_map(const struct fabric_link *link, uint64_t *size)
{
	const struct shm_link *shm = shm_link_of(link);

	*size = shm->region_size;
	return shm->region;
}

/* --- Polling and sleeping ----------------------------------------------- */

/* Finds out whether the peer is still there.  It is told by a later poll, after
 * whatever the peer had announced before it went. */
static int look_at_socket(struct shm_link *shm)
{
	char byte;

	ssize_t size = recv(shm->socket_fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
	if (size > 0)
		return err_set(ERR_PROTOCOL,
			       "the other end talks after the handshake");
	shm->gone = size == 0 || (errno != EAGAIN && errno != EINTR);
	return 0;
}

static int poll_in_vain(struct shm_link *shm)
{
	if (shm->gone)
		return fabric_peer_has_gone(&shm->base);
	if (++shm->idle_polls % POLLS_PER_LOOK)
		return 0;
	return look_at_socket(shm);
}

static size_t tell_reads(struct shm_link *shm, struct fabric_event *events,
			 size_t max)
{
	size_t count = 0;

	while (count < max && shm->reads_told != shm->reads_posted)
		events[count++] = (struct fabric_event){
			.kind = FABRIC_READ,
			.cookie = shm->cookies[shm->reads_told++ &
					       READ_LISTS_MASK],
		};
	return count;
}

static int tell_writes(struct shm_link *shm, struct fabric_event *events,
		       size_t max)
{
	int count = queue_count(&shm->in);
	if (count <= 0)
		return count;
	if ((size_t)count > max)
		count = (int)max;
	for (int i = 0; i < count; i++)
		events[i] = (struct fabric_event){
			.kind = FABRIC_WRITE,
			.immediate = queue_peek(&shm->in, (uint32_t)i),
		};
	queue_drop(&shm->in, (uint32_t)count);
	return count;
}

int fabric_shm_poll(struct fabric_link *link, struct fabric_event *events,
		    size_t max)
{
	struct shm_link *shm = shm_link_of(link);

	int reads = (int)tell_reads(shm, events, max);
	int writes = tell_writes(shm, events + reads, max - (size_t)reads);
	if (writes < 0)
		return err_set(ERR_PROTOCOL,
			       "the other end has damaged its queue");
	return reads + writes ? reads + writes : poll_in_vain(shm);
}

/* Taking the events of the epoll set forgets the rings that came so far, so
 * that they don't end the next sleep at once.  Who rang had announced before:
 * the poll that follows sees it. */
int fabric_shm_arm(struct fabric_link *link)
{
	struct shm_link *shm = shm_link_of(link);
	struct epoll_event events[2];
	int error = 0;

	int count = epoll_wait(shm->epoll_fd, events, 2, 0);
	for (int i = 0; i < count && !error; i++)
		if (events[i].data.u32 == SHM_SOCKET)
			error = look_at_socket(shm);
	queue_arm(&shm->in);
	return error;
}

int fabric_shm_fd(const struct fabric_link *link, short *events)
{
	*events = POLLIN;
	return shm_link_of(link)->epoll_fd;
}
