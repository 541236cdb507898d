/* SPDX-License-Identifier: BSD-2-Clause */

/* A verbs link that stands: completions, what came, and sleeping.  See
 * fabric/verbs_link.h. */

#include "fabric/verbs_link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/err.h"
#include "fabric/verbs_error.h"
#include "fabric/verbs_send.h"

enum {
	/* Of so many polls in a row that find nothing one looks whether the
	 * peer is still there. */
	POLLS_PER_LOOK = 1024,
	COMPLETIONS_PER_POLL = 32,
};

/* Says which work request is a receive; those of sends are their counters. */
#define RECEIVE_ID (UINT64_C(1) << 32)

static void take_failure(struct verbs_link *link, const struct ibv_wc *wc);
static void look_at_peer(struct verbs_link *link);

/* --- Receiving ---------------------------------------------------------- */

static int post_receive_list(struct verbs_link *link, struct ibv_recv_wr *wr)
{
	struct ibv_recv_wr *bad;

	int number = ibv_post_recv(link->qp, wr, &bad);
	if (!number)
		return 0;
	fabric_verbs_break(link, fabric_verbs_post_error(link, number));
	return fabric_verbs_tell_error(link);
}

/* Posts receives without buffers. */
static int post_empty_receives(struct verbs_link *link, uint32_t count)
{
	struct ibv_recv_wr *last = &link->receives[count - 1];
	struct ibv_recv_wr *next = last->next;

	last->next = NULL;
	int error = post_receive_list(link, link->receives);
	last->next = next;
	return error;
}

int fabric_verbs_post_receives(struct verbs_link *link)
{
	struct ibv_sge sge = {
		.length = VERBS_MESSAGE_SIZE / 2,
		.lkey = link->message.mr->lkey,
	};
	struct ibv_recv_wr first = {
		.wr_id = RECEIVE_ID,
		.sg_list = &sge,
		.num_sge = 1,
	};

	for (uint32_t i = 0; i < VERBS_RECEIVES; i++)
		link->receives[i] = (struct ibv_recv_wr){
			.wr_id = RECEIVE_ID,
			.next = i + 1 < VERBS_RECEIVES ? &link->receives[i + 1]
						       : NULL,
		};
	int error = post_receive_list(link, &first);
	return error ? error : post_empty_receives(link, VERBS_RECEIVES - 1);
}

static int cannot_poll(void)
{
	return err_set(ERR_SYSTEM, "can't poll for completions");
}

int fabric_verbs_take_message(struct verbs_link *link)
{
	struct ibv_wc wc;
	int count;

	if (link->error)
		return fabric_verbs_tell_error(link);
	/* What follows is the link's, once it stands. */
	while ((count = ibv_poll_cq(link->cq, 1, &wc)) == 1) {
		if (wc.status != IBV_WC_SUCCESS) {
			take_failure(link, &wc);
			return fabric_verbs_tell_error(link);
		}
		if (wc.wr_id != RECEIVE_ID) {
			link->done = (uint32_t)wc.wr_id + 1;
			continue;
		}
		if (wc.opcode != IBV_WC_RECV)
			return err_set(ERR_PROTOCOL,
				       "the other end starts with a WRITE");
		int error = post_empty_receives(link, 1);
		return error ? error : (int)wc.byte_len;
	}
	if (count < 0) {
		fabric_verbs_break(link, cannot_poll());
		return fabric_verbs_tell_error(link);
	}
	return link->disconnected ? fabric_peer_has_gone(&link->base) : 0;
}

/* --- Completions -------------------------------------------------------- */

void fabric_verbs_break(struct verbs_link *link, int error)
{
	if (link->error)
		return;
	link->error = error;
	snprintf(link->why, sizeof(link->why), "%s", err_text());
}

int fabric_verbs_tell_error(const struct verbs_link *link)
{
	return err_set(link->error, "%s", link->why);
}

static void take_failure(struct verbs_link *link, const struct ibv_wc *wc)
{
	const struct verbs_sent *sent =
		wc->wr_id == RECEIVE_ID
			? NULL
			: &link->sent[wc->wr_id & link->sent_mask];

	if (!link->error)
		fabric_verbs_break(
			link, fabric_verbs_completion_error(link, wc, sent));
}

static void take_receive(struct verbs_link *link, const struct ibv_wc *wc)
{
	if (wc->opcode != IBV_WC_RECV_RDMA_WITH_IMM) {
		fabric_verbs_break(
			link, err_set(ERR_PROTOCOL,
				      "the other end sends a message where "
				      "WRITEs are agreed on"));
		return;
	}
	/* There are no more than were posted. */
	assert(link->came_end - link->came_begin < VERBS_RECEIVES);
	link->came[link->came_end++ % VERBS_RECEIVES] = ntohl(wc->imm_data);
}

static void take_sent(struct verbs_link *link, uint32_t number)
{
	link->done = number + 1;
	link->unstaged = link->sent[number & link->sent_mask].staged;
}

void fabric_verbs_take_completions(struct verbs_link *link)
{
	struct ibv_wc wc[COMPLETIONS_PER_POLL];
	int count;

	do {
		count = ibv_poll_cq(link->cq, COMPLETIONS_PER_POLL, wc);
		for (int i = 0; i < count; i++) {
			if (wc[i].status != IBV_WC_SUCCESS)
				take_failure(link, &wc[i]);
			else if (wc[i].wr_id == RECEIVE_ID)
				take_receive(link, &wc[i]);
			else
				take_sent(link, (uint32_t)wc[i].wr_id);
		}
	} while (count == COMPLETIONS_PER_POLL);
	if (count < 0)
		fabric_verbs_break(link, cannot_poll());
}

/* --- Telling ------------------------------------------------------------ */

static size_t tell_writes(struct verbs_link *link, struct fabric_event *events,
			  size_t max)
{
	size_t count = 0;

	while (count < max && link->came_begin != link->came_end)
		events[count++] = (struct fabric_event){
			.kind = FABRIC_WRITE,
			.immediate =
				link->came[link->came_begin++ % VERBS_RECEIVES],
		};
	return count;
}

/* What has gone was seen before the last completions were taken, so nothing is
 * left of what came before that. */
static int poll_in_vain(struct verbs_link *link, bool was_disconnected)
{
	if (link->error)
		return fabric_verbs_tell_error(link);
	if (was_disconnected)
		return fabric_peer_has_gone(&link->base);
	if (++link->idle_polls % POLLS_PER_LOOK == 0)
		look_at_peer(link);
	return 0;
}

int fabric_verbs_poll(struct fabric_link *base, struct fabric_event *events,
		      size_t max)
{
	struct verbs_link *link = verbs_link_of(base);
	bool was_disconnected = link->disconnected;

	fabric_verbs_take_completions(link);
	size_t reads = fabric_verbs_tell_reads(link, events, max);
	size_t writes = tell_writes(link, events + reads, max - reads);
	/* The peer may announce as many more once it hears of it. */
	if (writes && !link->error)
		(void)post_empty_receives(link, (uint32_t)writes);
	if (reads + writes || !max)
		return (int)(reads + writes);
	return poll_in_vain(link, was_disconnected);
}

/* --- Sleeping, and whether the peer is there ---------------------------- */

void fabric_verbs_see_event(struct verbs_link *link,
			    enum rdma_cm_event_type event)
{
	switch (event) {
	case RDMA_CM_EVENT_DISCONNECTED:
	case RDMA_CM_EVENT_TIMEWAIT_EXIT:
		link->disconnected = true;
		break;
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		fabric_verbs_break(
			link,
			err_set(ERR_CONNECTION, "device %s was removed",
				fabric_verbs_domain_device(link->domain)));
		break;
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		fabric_verbs_break(link, fabric_peer_has_gone(&link->base));
		break;
	default:
		break;
	}
}

static void see_events(struct verbs_link *link)
{
	struct rdma_cm_event *event;

	while (!rdma_get_cm_event(link->channel, &event)) {
		enum rdma_cm_event_type what = event->event;
		rdma_ack_cm_event(event);
		fabric_verbs_see_event(link, what);
	}
}

/* A peer that is there acknowledges whatever it is sent, and one that isn't
 * makes it fail; so something is, when nothing else was. */
static void see_tick(struct verbs_link *link)
{
	uint64_t ticks;

	if (read(link->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	if (link->posted == link->posted_at_tick && !link->error &&
	    !link->disconnected)
		(void)fabric_verbs_probe(link);
	link->posted_at_tick = link->posted;
}

static void look_at_peer(struct verbs_link *link)
{
	see_events(link);
	see_tick(link);
}

static void take_wake_up(struct verbs_link *link)
{
	struct ibv_cq *cq;
	void *context;

	if (ibv_get_cq_event(link->completions, &cq, &context))
		return;
	ibv_ack_cq_events(cq, 1);
	link->armed = false;
}

/* Asks for a wake-up after the last one was taken, and not otherwise: one that
 * is still asked for would come twice. */
int fabric_verbs_arm(struct fabric_link *base)
{
	struct verbs_link *link = verbs_link_of(base);
	struct epoll_event events[VERBS_WAKERS];

	int count = epoll_wait(link->epoll_fd, events, VERBS_WAKERS, 0);
	for (int i = 0; i < count; i++) {
		if (events[i].data.u32 == VERBS_COMPLETION)
			take_wake_up(link);
		else if (events[i].data.u32 == VERBS_EVENT)
			see_events(link);
		else
			see_tick(link);
	}
	if (link->armed)
		return 0;
	int number = ibv_req_notify_cq(link->cq, 0);
	if (number)
		return err_set(ERR_SYSTEM, "can't wait for completions: %s",
			       strerror(number));
	link->armed = true;
	return 0;
}

int fabric_verbs_fd(const struct fabric_link *link, short *events)
{
	*events = POLLIN;
	return verbs_link_of(link)->epoll_fd;
}
