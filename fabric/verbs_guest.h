/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_GUEST_H
#define FABRIC_VERBS_GUEST_H

/* Those who connect to a verbs listener, until they are accepted or refused.
 *
 * rdma_cm asks whether a client may connect; whoever speaks this version may,
 * and is a guest until it has sent its first message, so that a slow one holds
 * up nobody.  Then it is handed out, with the hello that came with its request,
 * to be accepted or refused.  One that is refused stays until the refusal has
 * been taken from it, or its time is over.
 *
 * Thread-safety: one listener, one thread at a time. */

#include "fabric/verbs_listener.h"

/* Takes what rdma_cm has to say: of a request, which makes a guest, or of what
 * happened to one.  An error is one that others will meet with too. */
int fabric_verbs_guests_take_event(struct verbs_listener *listener);

/* Turns out those whose time is over, when the listener's timer says so; or
 * all. */
void fabric_verbs_guests_take_tick(struct verbs_listener *listener);
void fabric_verbs_guests_turn_out(struct verbs_listener *listener);

/* Takes what a guest has sent; '*ready' is the guest when it may be handed
 * out. */
int fabric_verbs_guest_attend(struct verbs_link *guest,
			      struct verbs_link **ready);

/* What fabric/fabric.h says of each. */
int fabric_verbs_accept(struct fabric_link *link,
			const uint8_t answer[FABRIC_HELLO_SIZE]);
void fabric_verbs_refuse(struct fabric_link *link,
			 const uint8_t answer[FABRIC_HELLO_SIZE]);

#endif
