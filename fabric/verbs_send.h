/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_SEND_H
#define FABRIC_VERBS_SEND_H

/* The send queue of a verbs link, for what posts to it besides
 * fabric/verbs_send.c itself.
 *
 * Thread-safety: one link, one thread at a time. */

#include "fabric/verbs_link.h"

/* Where the next 'size' bytes of a circle go in one piece, when 'used' have
 * been put and 'freed' of these taken.  Returns false when there is no room;
 * else '*used' counts them and what is skipped before the end. */
static inline bool verbs_circle_take(const struct verbs_memory *memory,
				     uint64_t *used, uint64_t freed,
				     uint32_t size, uint32_t *at)
{
	uint64_t start = *used;
	uint64_t left = memory->size - start % memory->size;

	if (size > left)
		start += left;
	if (start + size - freed > memory->size)
		return false;
	*at = (uint32_t)(start % memory->size);
	*used = start + size;
	return true;
}

/* Whether so many sends can be posted now. */
static inline bool verbs_has_slots(const struct verbs_link *link,
				   uint32_t count)
{
	return link->send_depth - (link->posted - link->done) >= count;
}

/* Fills in what all sends have; notes it under its number. */
void fabric_verbs_describe_send(struct verbs_link *link, struct ibv_send_wr *wr,
				uint32_t number, uint32_t size,
				uint64_t offset);

/* Asks for the completion of a send. */
void fabric_verbs_signal_send(struct verbs_link *link, struct ibv_send_wr *wr,
			      uint32_t number);

/* Posts a chain of sends; that it fails ends the link, since nobody could tell
 * which of them are on their way. */
int fabric_verbs_post(struct verbs_link *link, struct ibv_send_wr *first,
		      uint32_t count);

/* Sends nothing, to a peer that would acknowledge it if it is there; where
 * there is no room something is on its way already. */
int fabric_verbs_probe(struct verbs_link *link);

#endif
