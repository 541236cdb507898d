/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_LISTENER_H
#define FABRIC_VERBS_LISTENER_H

/* Where a server takes verbs links in.
 *
 * Thread-safety: one listener, one thread at a time. */

#include "fabric/link.h"

/* What fabric/fabric.h says of each. */
int fabric_verbs_listen(const struct fabric_address *address,
			const struct fabric_listen_options *options,
			struct fabric_listener **listener);
int fabric_verbs_listener_next(struct fabric_listener *listener,
			       struct fabric_link **link,
			       uint8_t hello[FABRIC_HELLO_SIZE]);
int fabric_verbs_listener_sent(const struct fabric_listener *listener,
			       uint64_t *bytes, uint64_t *speed);
void fabric_verbs_listener_close(struct fabric_listener *listener);
int fabric_verbs_accept(struct fabric_link *link,
			const uint8_t answer[FABRIC_HELLO_SIZE]);
void fabric_verbs_refuse(struct fabric_link *link,
			 const uint8_t answer[FABRIC_HELLO_SIZE]);

#endif
