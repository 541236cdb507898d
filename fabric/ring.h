/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_RING_H
#define FABRIC_RING_H

/* Messages over a link: each end's inbox is a ring that the other end writes.
 *
 * A message stands in one piece, in slots of 64 bytes, and its length comes as
 * the immediate of its WRITE; one that doesn't fit before the end of the inbox
 * starts at its beginning, which both ends can work out for themselves.  The
 * receiver gives slots back by an empty WRITE whose immediate counts them, once
 * a quarter of the ring or of the messages is due.  As a message takes at most
 * a quarter of the ring, a sender without room will always be given some.
 *
 * Nothing is read from the ring but the message itself, and that is copied out
 * once, so a peer that rewrites it meanwhile harms only itself.
 *
 * The first FABRIC_RING_OFFSET bytes of an inbox are no part of the ring; they
 * are for what is written silently, such as heartbeats.
 *
 * Thread-safety: a ring belongs to the thread that its link belongs to. */

#include <stddef.h>
#include <stdint.h>

#include "fabric/fabric.h"

enum {
	FABRIC_RING_OFFSET = 256,
	FABRIC_SLOT_SIZE = 64,
	FABRIC_MESSAGES_MAX = 128, /* on their way in one direction */
};

struct fabric_ring;

/* Makes the rings of a link, which stays the caller's. */
int fabric_ring_create(struct fabric_link *link, struct fabric_ring **ring);
void fabric_ring_destroy(struct fabric_ring *ring);

/* From here on it keeps when each message was announced. */
void fabric_ring_keep_times(struct fabric_ring *ring);

/* When the message that was received last was announced to this end, on the
 * clock of base/clock.h: when a poll took it in, which may be later than it
 * came.  Only of a ring that keeps times. */
uint64_t fabric_ring_announced_ns(const struct fabric_ring *ring);

/* The longest message that can be sent, and that can be received. */
uint32_t fabric_ring_send_max(const struct fabric_ring *ring);
uint32_t fabric_ring_receive_max(const struct fabric_ring *ring);

/* Sends one message of 1 to send_max bytes.  ERR_AGAIN when there is no room
 * until the peer gives some back. */
int fabric_ring_send(struct fabric_ring *ring, const void *message,
		     uint32_t size);

/* Whether a message of that size could be sent now. */
bool fabric_ring_has_room(const struct fabric_ring *ring, uint32_t size);

/* Takes in what has come: credits, and which messages can be received; returns
 * 0 when nothing had.  Whoever sends polls too when there is no room, so credit
 * is found behind messages that nobody wants to receive yet.  Before sleeping,
 * poll until nothing comes: after fabric_arm() this is the last look. */
int fabric_ring_poll(struct fabric_ring *ring);

/* Takes the next message into 'message', which has room for receive_max bytes,
 * and returns its size; 0 when there is none, though credit may have come.
 * Completed READ lists that it meets on the way are counted into '*reads_done'
 * (which may be NULL when the link posts none).  Polls the link at most a
 * bounded number of times. */
int64_t fabric_ring_receive(struct fabric_ring *ring, void *message,
			    unsigned *reads_done);

#endif
