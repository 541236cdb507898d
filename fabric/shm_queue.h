/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_SHM_QUEUE_H
#define FABRIC_SHM_QUEUE_H

/* The queue of announced WRITEs in one direction of an shm link: one sender,
 * one receiver, in memory that both processes write.
 *
 * Trust.  Each end keeps its own counter to itself and stores copies of it for
 * the other; a counter that was loaded is only ever compared with the own one,
 * and indices are masked.  So a peer that writes nonsense here is found out, or
 * gives itself nonsense to read, but leads nobody out of bounds.
 *
 * Order.
 * - The sender stores tail after the bytes of the WRITE and its immediate; the
 *   receiver reads these after it has loaded tail.  (Release and acquire, as a
 *   part of being sequentially consistent.)
 * - The receiver stores head after it has read the immediates; the sender
 *   writes over them after it has loaded head (release and acquire).
 * - Waking (Dekker's way).  The receiver stores armed, then loads tail, then
 *   sleeps if there is nothing; the sender stores tail, then loads armed, then
 *   wakes if it is set.  All four are sequentially consistent, so one of the
 *   two sees what the other stored: a receiver that slept over an announcement
 *   would have loaded the tail from before it, and then the sender, whose load
 *   comes later in the one order of all four, sees armed.  On x86 only the two
 *   stores cost something, and there is no fence to leave out by mistake.
 *
 * Thread-safety: one sender and one receiver at a time. */

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fabric/fabric.h"

enum {
	QUEUE_SIZE = FABRIC_WRITES_MAX,
	QUEUE_MASK = QUEUE_SIZE - 1,
	QUEUE_LINE = 64,
};

/* What stands in shared memory.  Each end writes lines of its own. */
struct queue {
	_Alignas(QUEUE_LINE) _Atomic uint32_t tail; /* the sender's */
	_Alignas(QUEUE_LINE) _Atomic uint32_t head; /* the receiver's */
	_Atomic uint32_t armed; /* set by the receiver, taken by the sender */
	_Alignas(QUEUE_LINE) _Atomic uint32_t immediates[QUEUE_SIZE];
};

static_assert((QUEUE_SIZE & QUEUE_MASK) == 0, "counters are masked");
static_assert(sizeof(struct queue) == 2 * QUEUE_LINE + 4 * QUEUE_SIZE,
	      "the same in every build");
static_assert(ATOMIC_INT_LOCK_FREE == 2, "works between processes");

struct queue_sender {
	struct queue *shared;
	uint32_t tail;
};

struct queue_receiver {
	struct queue *shared;
	uint32_t head;
};

/* How many immediates can be put now; negative when the receiver's counter is
 * impossible. */
static inline int queue_room(const struct queue_sender *sender)
{
	uint32_t used =
		sender->tail - atomic_load_explicit(&sender->shared->head,
						    memory_order_acquire);
	return QUEUE_SIZE - (int)(used <= QUEUE_SIZE ? used : QUEUE_SIZE + 1);
}

/* Puts an immediate, for which there must be room.  What was written before is
 * seen by who takes it. */
static inline void queue_put(struct queue_sender *sender, uint32_t immediate)
{
	struct queue *shared = sender->shared;

	atomic_store_explicit(&shared->immediates[sender->tail & QUEUE_MASK],
			      immediate, memory_order_relaxed);
	atomic_store(&shared->tail, ++sender->tail);
}

/* Whether the receiver wants to be woken, after a queue_put().  True once each
 * time that it asked. */
static inline bool queue_must_wake(struct queue_sender *sender)
{
	return atomic_load(&sender->shared->armed) &&
	       atomic_exchange(&sender->shared->armed, 0);
}

/* How many immediates can be taken now; negative when the sender's counter is
 * impossible. */
static inline int queue_count(const struct queue_receiver *receiver)
{
	uint32_t count = atomic_load(&receiver->shared->tail) - receiver->head;
	return count <= QUEUE_SIZE ? (int)count : -1;
}

/* The immediate at a place, counted from the oldest. */
static inline uint32_t queue_peek(const struct queue_receiver *receiver,
				  uint32_t place)
{
	return atomic_load_explicit(
		&receiver->shared
			 ->immediates[(receiver->head + place) & QUEUE_MASK],
		memory_order_relaxed);
}

/* Takes the 'count' oldest, which have been read. */
static inline void queue_drop(struct queue_receiver *receiver, uint32_t count)
{
	receiver->head += count;
	atomic_store_explicit(&receiver->shared->head, receiver->head,
			      memory_order_release);
}

/* Asks the sender to wake, once; queue_count() after it decides whether to
 * sleep.  It stays asked until the sender does, whatever is taken meanwhile: a
 * receiver that finds only what it doesn't wait for may sleep all the same. */
static inline void queue_arm(struct queue_receiver *receiver)
{
	atomic_store(&receiver->shared->armed, 1);
}

#endif
