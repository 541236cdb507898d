/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_LINK_H
#define FABRIC_VERBS_LINK_H

/* A verbs link that stands: what both ends do with it.  What it is made of is
 * in fabric/verbs_endpoint.h, who makes it in fabric/verbs_guest.c and
 * fabric/verbs_connect.c.
 *
 *	verbs_link.c	completions, what came, sleeping
 *	verbs_send.c	sending
 *	verbs_read.c	READing
 *
 * Nothing here allocates or locks.  System calls are those of sleeping, and now
 * and then, when there is nothing else to do, a look whether the peer is there.
 *
 * Sending.  The queue pair sends in order, so one counter of what was posted
 * and one of what is done tell all; one send in a few is signalled, and its
 * completion stands for those before it.  What is too long to go inline is
 * copied to a staging buffer, a circle that the same completions free.
 *
 * Receiving.  Each announced WRITE takes one receive, which has no buffer; as
 * many are posted as a peer that keeps the rules may send, and each is posted
 * again before its event is told.
 *
 * READing.  A list lands in a buffer of the link's own and is copied to the
 * caller's memory when it is told: so that needs no registration, and what a
 * link that broke leaves on its way hits nobody.
 *
 * Thread-safety: one link, one thread at a time. */

#include <rdma/rdma_cma.h>
#include <sys/queue.h>

#include "fabric/link.h"
#include "fabric/verbs_domain.h"

enum {
	/* Receives that are posted: one more than can be announced, for the
	 * message that a link starts with, and some to be on the safe side. */
	VERBS_RECEIVES = FABRIC_WRITES_MAX + 16,
	/* Of the buffer for the first message, in each direction. */
	VERBS_MESSAGE_SIZE = 4096,
};

/* What an event of a link's epoll set is about. */
enum {
	VERBS_COMPLETION,
	VERBS_EVENT, /* of rdma_cm */
	VERBS_TICK,
	VERBS_WAKERS,
};

/* One send that was posted; for completions, and to say what failed. */
struct verbs_sent {
	enum ibv_wr_opcode opcode;
	uint32_t size;
	uint64_t offset;
	uint64_t staged; /* bytes, so far, with this one */
};

struct verbs_read_list {
	uint64_t cookie;
	uint32_t end; /* of its sends; done once 'done' is there */
	uint32_t count;
	uint64_t landed; /* bytes of landing, so far, with this one */
	struct verbs_landing {
		struct fabric_read read;
		uint32_t at;
	} reads[FABRIC_READS_MAX];
};

struct verbs_link {
	struct fabric_link base;
	TAILQ_ENTRY(verbs_link) guests; /* of a listener */

	/* Sending. */
	struct ibv_qp *qp;
	uint32_t posted, signalled, done; /* sends, as counters that wrap */
	uint32_t send_depth;
	uint32_t signal_every;
	uint32_t inline_max;
	struct verbs_sent *sent; /* a circle */
	uint32_t sent_mask;
	struct verbs_memory staging;
	uint64_t staged, unstaged; /* bytes put there and free again */
	uint64_t staged_signalled;
	uint32_t peer_key;

	/* Receiving. */
	struct ibv_cq *cq;
	uint32_t came_begin, came_end; /* immediates not told yet */
	uint32_t came[VERBS_RECEIVES];
	struct ibv_recv_wr receives[VERBS_RECEIVES];

	/* READs; at a client. */
	uint32_t region_key;
	uint64_t region_size;
	uint32_t lists_posted, lists_told;
	struct verbs_memory landing;
	uint64_t landed, taken; /* bytes of it, as 'staged' */
	struct verbs_read_list *lists;

	/* Whether the peer is there. */
	unsigned idle_polls;
	uint32_t posted_at_tick;
	bool disconnected;
	int error; /* told when nothing else is left to be told */
	char why[256];

	/* Sleeping. */
	int epoll_fd;
	int timer_fd;
	bool armed;
	struct ibv_comp_channel *completions;
	struct rdma_event_channel *channel; /* NULL: the listener's */

	/* What it is made of besides; see fabric/verbs_endpoint.h. */
	struct rdma_cm_id *id;
	struct verbs_domain *domain;
	struct verbs_memory inbox;
	struct verbs_memory message; /* the first one, as it came, and ours */
	struct ibv_mw *window;
	uint64_t silence_ns;

	/* At the server, until the client is accepted. */
	struct verbs_listener *listener;
	uint64_t deadline_ns;
	bool is_guest;
	bool is_leaving;
	uint8_t hello[FABRIC_HELLO_SIZE];
};

static inline struct verbs_link *verbs_link_of(const struct fabric_link *link)
{
	return (struct verbs_link *)link;
}

/* What fabric/fabric.h says of each. */
int fabric_verbs_write(struct fabric_link *link, uint32_t offset,
		       const void *bytes, uint32_t size, uint32_t immediate);
int fabric_verbs_write_silently(struct fabric_link *link, uint32_t offset,
				const void *bytes, uint32_t size);
int fabric_verbs_read(struct fabric_link *link, const struct fabric_read *reads,
		      size_t count, uint64_t cookie);
int fabric_verbs_poll(struct fabric_link *link, struct fabric_event *events,
		      size_t max);
int fabric_verbs_arm(struct fabric_link *link);
int fabric_verbs_fd(const struct fabric_link *link, short *events);

/* --- Among the files of a link ------------------------------------------ */

/* Ends a link, for an error whose words are the present ones, unless one ended
 * it before; and tells it again. */
void fabric_verbs_break(struct verbs_link *link, int error);
int fabric_verbs_tell_error(const struct verbs_link *link);

/* Takes up all that the device has completed. */
void fabric_verbs_take_completions(struct verbs_link *link);

/* Hands over the lists of READs that are done, 'max' at most; returns how many
 * events tell of them. */
size_t fabric_verbs_tell_reads(struct verbs_link *link,
			       struct fabric_event *events, size_t max);

/* --- For those who make links and close them ---------------------------- */

/* Posts the receives that a link starts with, the first for a message. */
int fabric_verbs_post_receives(struct verbs_link *link);

/* Sends a message of a link's start. */
int fabric_verbs_send(struct verbs_link *link, const void *message,
		      uint32_t size);

/* Opens this end's inbox to the peer alone, and tells the key. */
int fabric_verbs_open_window(struct verbs_link *link, uint32_t *key);

/* Looks for the peer's first message: its size, 0 while there is none, or why
 * there will be none.  It is in link->message then. */
int fabric_verbs_take_message(struct verbs_link *link);

/* Whether all that was posted is done; for ERR_CONNECTION and the like too, as
 * nothing more will happen. */
bool fabric_verbs_all_sent(struct verbs_link *link);

/* Sees to it that the end of what was posted will be known. */
int fabric_verbs_flush(struct verbs_link *link);

/* Takes what rdma_cm has to say of the link. */
void fabric_verbs_see_event(struct verbs_link *link,
			    enum rdma_cm_event_type event);

#endif
