/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_LISTENER_H
#define FABRIC_VERBS_LISTENER_H

/* Where a server takes verbs links in: what it listens at, and the devices that
 * clients come by.  What becomes of who comes is in fabric/verbs_guest.h.
 *
 * Thread-safety: one listener, one thread at a time. */

#include "fabric/link.h"
#include "fabric/verbs_link.h"

enum { VERBS_DEVICES_MAX = 16 };

struct verbs_listener {
	struct fabric_listener base;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	int timer_fd;
	uint32_t inbox_size;
	uint64_t silence_ns;
	char device[IBV_SYSFS_NAME_MAX]; /* "": whichever */
	struct fabric_region region;
	bool has_region;

	struct verbs_domain *domains[VERBS_DEVICES_MAX];
	unsigned domain_count;

	unsigned guest_count;
	TAILQ_HEAD(, verbs_link) guests;
};

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

/* --- For guests --------------------------------------------------------- */

/* Adds a descriptor to the listener's epoll set, with 'what' to know it by. */
int fabric_verbs_listener_watch(const struct verbs_listener *listener, int fd,
				void *what);

/* The domain of a guest: the device's, or where the device can't keep guests
 * apart one of its own.  To be left by the caller. */
int fabric_verbs_listener_join_domain(struct verbs_listener *listener,
				      struct ibv_context *context,
				      struct verbs_domain **domain);

#endif
