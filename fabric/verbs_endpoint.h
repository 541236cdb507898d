/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_ENDPOINT_H
#define FABRIC_VERBS_ENDPOINT_H

/* What a verbs link is made of, made and unmade: queue pair, completion queue,
 * registered memory, and the descriptors that it sleeps on.
 *
 * Thread-safety: one link, one thread at a time. */

#include "fabric/verbs_link.h"

/* Makes the end of a connection that 'id' will be, in a domain that the link
 * becomes a user of, with its receives posted.  The id becomes the link's when
 * it succeeds. */
int fabric_verbs_endpoint_create(struct rdma_cm_id *id,
				 struct verbs_domain *domain, bool is_server,
				 uint32_t inbox_size, uint64_t silence_ns,
				 struct verbs_link **link);

/* Once the peer has said how large its inbox is: allocates and registers what
 * is sent from and, at a client, what READs land in. */
int fabric_verbs_endpoint_create_buffers(struct verbs_link *link,
					 uint32_t peer_inbox_size);

/* Makes the epoll set that a link sleeps on, and its timer; 'channel' is where
 * rdma_cm's events come from. */
int fabric_verbs_endpoint_open_epoll(struct verbs_link *link);

/* A channel for rdma_cm's events that never blocks. */
int fabric_verbs_channel_create(struct rdma_event_channel **channel);

/* How a connection is asked for or accepted: with 'depth' READs under way at a
 * time from the client, whom the server answers as many. */
struct rdma_conn_param fabric_verbs_connection(bool is_server, uint8_t depth);

/* READs that a client of this device and one of that server may have under
 * way. */
uint8_t fabric_verbs_read_depth(const struct verbs_domain *domain,
				bool is_server);

/* What a peer may be silent for: what was asked for, or by default 3 s. */
uint64_t fabric_verbs_silence_ns(uint64_t wanted_ns);

/* Tells the device of a connection that is being made to give its peer up after
 * a silence of about that long. */
void fabric_verbs_set_patience(struct rdma_cm_id *id, uint64_t silence_ns);

/* Sets what rdma_cm leaves alone, of a connection that stands. */
int fabric_verbs_tune(struct verbs_link *link);

/* Sends what is still to be sent, as long as the peer takes it, says goodbye
 * and unmakes everything. */
void fabric_verbs_close(struct fabric_link *link);

/* Unmakes everything at once. */
void fabric_verbs_endpoint_destroy(struct verbs_link *link);

#endif
