/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "fabric/verbs_error.h"

enum {
	READ_LISTS_MASK = FABRIC_READ_LISTS_MAX - 1,
	/* Of so many polls in a row that find nothing one looks whether the
	 * peer is still there. */
	POLLS_PER_LOOK = 1024,
	COMPLETIONS_PER_POLL = 32,
	/* READs land at multiples of it. */
	LANDING_ALIGN = 64,
};

static_assert((FABRIC_READ_LISTS_MAX & READ_LISTS_MASK) == 0,
	      "counters are masked");

/* Says which work request is a receive; those of sends are their counters. */
#define RECEIVE_ID (UINT64_C(1) << 32)

static int await_room(struct verbs_link *link, uint32_t size);
static int post(struct verbs_link *link, struct ibv_send_wr *first,
		uint32_t count);
static void take_completions(struct verbs_link *link);
static void take_failure(struct verbs_link *link, const struct ibv_wc *wc);
static void break_link(struct verbs_link *link, int error);
static int tell_error(const struct verbs_link *link);
static void look_at_peer(struct verbs_link *link);

/* --- Staging ------------------------------------------------------------ */

/* Where the next 'size' bytes of a circle go in one piece, when 'used' have
 * been put and 'freed' of these taken.  Returns false when there is no room;
 * else '*used' counts them and what is skipped before the end. */
static bool circle_take(const struct verbs_memory *memory, uint64_t *used,
			uint64_t freed, uint32_t size, uint32_t *at)
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

/* --- Sending ------------------------------------------------------------ */

static bool has_slots(const struct verbs_link *link, uint32_t count)
{
	return link->send_depth - (link->posted - link->done) >= count;
}

/* Fills in what all sends have; notes it under its number. */
static void describe_send(struct verbs_link *link, struct ibv_send_wr *wr,
			  uint32_t number, uint32_t size, uint64_t offset)
{
	wr->wr_id = number;
	link->sent[number & link->sent_mask] = (struct verbs_sent){
		.opcode = wr->opcode,
		.size = size,
		.offset = offset,
		.staged = link->staged,
	};
}

static bool is_due_a_signal(const struct verbs_link *link)
{
	return link->posted + 1 - link->signalled >= link->signal_every ||
	       link->staged - link->staged_signalled >= link->staging.size / 4;
}

static void signal_send(struct verbs_link *link, struct ibv_send_wr *wr,
			uint32_t number)
{
	wr->send_flags |= IBV_SEND_SIGNALED;
	link->signalled = number + 1;
	link->staged_signalled = link->staged;
}

/* Whether 'size' bytes can be sent now.  Bytes that stay in the caller's memory
 * until they were posted take no room. */
static bool has_room(const struct verbs_link *link, uint32_t size)
{
	uint64_t staged = link->staged;
	uint32_t at;

	return has_slots(link, 1) && (size <= link->inline_max ||
				      circle_take(&link->staging, &staged,
						  link->unstaged, size, &at));
}

/* Sends one piece, for which there is room.  'wr' says what it is besides. */
static int send_piece(struct verbs_link *link, struct ibv_send_wr *wr,
		      const void *bytes, uint32_t size)
{
	struct ibv_sge sge = {.length = size};
	uint32_t at = 0;

	if (size <= link->inline_max) {
		sge.addr = (uintptr_t)bytes;
		wr->send_flags |= IBV_SEND_INLINE;
	} else {
		bool fits = circle_take(&link->staging, &link->staged,
					link->unstaged, size, &at);
		assert(fits);
		(void)fits;
		memcpy(link->staging.bytes + at, bytes, size);
		sge.addr = at;
		sge.lkey = link->staging.mr->lkey;
	}
	wr->sg_list = &sge;
	wr->num_sge = size ? 1 : 0;
	describe_send(link, wr, link->posted, size, wr->wr.rdma.remote_addr);
	if (is_due_a_signal(link))
		signal_send(link, wr, link->posted);
	return post(link, wr, 1);
}

/* Posts a chain of sends; that it fails ends the link, since nobody could tell
 * which of them are on their way. */
static int post(struct verbs_link *link, struct ibv_send_wr *first,
		uint32_t count)
{
	struct ibv_send_wr *bad;

	int number = ibv_post_send(link->qp, first, &bad);
	link->posted += count;
	if (!number)
		return 0;
	break_link(link, fabric_verbs_post_error(link, number));
	return tell_error(link);
}

static int write_piece(struct verbs_link *link, uint64_t offset,
		       const void *bytes, uint32_t size)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_WRITE,
		.wr.rdma = {.remote_addr = offset, .rkey = link->peer_key},
	};

	return send_piece(link, &wr, bytes, size);
}

/* The longest piece that there will be room for whatever else is staged. */
static uint32_t piece_max(const struct verbs_link *link)
{
	return (uint32_t)(link->staging.size / 2);
}

int fabric_verbs_write(struct fabric_link *base, uint32_t offset,
		       const void *bytes, uint32_t size, uint32_t immediate)
{
	struct verbs_link *link = verbs_link_of(base);
	const uint8_t *from = bytes;
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
		.imm_data = htonl(immediate),
	};
	int error;

	for (; size > piece_max(link); size -= piece_max(link)) {
		error = await_room(link, piece_max(link));
		if (!error)
			error = write_piece(link, offset, from,
					    piece_max(link));
		if (error)
			return error;
		from += piece_max(link);
		offset += piece_max(link);
	}
	error = await_room(link, size);
	if (error)
		return error;
	wr.wr.rdma.remote_addr = offset;
	wr.wr.rdma.rkey = link->peer_key;
	return send_piece(link, &wr, from, size);
}

int fabric_verbs_write_silently(struct fabric_link *base, uint32_t offset,
				const void *bytes, uint32_t size)
{
	struct verbs_link *link = verbs_link_of(base);
	const uint8_t *from = bytes;

	if (link->error)
		return tell_error(link);
	if (!has_room(link, size))
		take_completions(link);
	if (link->error)
		return tell_error(link);
	if (size <= piece_max(link))
		return has_room(link, size)
			       ? write_piece(link, offset, from, size)
			       : ERR_AGAIN;
	for (uint32_t done = 0, piece; done < size; done += piece) {
		piece = size - done < piece_max(link) ? size - done
						      : piece_max(link);
		int error = await_room(link, piece);
		if (!error)
			error = write_piece(link, offset + done, from + done,
					    piece);
		if (error)
			return error;
	}
	return 0;
}

/* Goes from the second half of the buffer for messages: there may be no staging
 * yet. */
int fabric_verbs_send(struct verbs_link *link, const void *message,
		      uint32_t size)
{
	struct ibv_sge sge = {
		.addr = VERBS_MESSAGE_SIZE / 2,
		.length = size,
		.lkey = link->message.mr->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND,
		.sg_list = &sge,
		.num_sge = 1,
	};

	assert(size <= VERBS_MESSAGE_SIZE / 2);
	int error = await_room(link, 0);
	if (error)
		return error;
	memcpy(link->message.bytes + sge.addr, message, size);
	describe_send(link, &wr, link->posted, size, 0);
	return post(link, &wr, 1);
}

int fabric_verbs_open_window(struct verbs_link *link, uint32_t *key)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_BIND_MW,
		.bind_mw =
			{
				.mw = link->window,
				.rkey = ibv_inc_rkey(link->window->rkey),
				.bind_info =
					{
						.mr = link->inbox.mr,
						.addr = 0,
						.length = link->inbox.size,
						.mw_access_flags =
							IBV_ACCESS_REMOTE_WRITE,
					},
			},
	};

	int error = await_room(link, 0);
	if (error)
		return error;
	describe_send(link, &wr, link->posted, 0, 0);
	error = post(link, &wr, 1);
	if (error)
		return error;
	link->window->rkey = wr.bind_mw.rkey;
	*key = wr.bind_mw.rkey;
	return 0;
}

static int takes_nothing(struct verbs_link *link)
{
	break_link(link, err_set(ERR_CONNECTION,
				 "the other end has taken nothing for %.3g s",
				 (double)link->silence_ns / NS_PER_S));
	return tell_error(link);
}

/* Waits until 'size' bytes can be sent.  Of a peer that keeps the rules the
 * device needs no more than a round trip to know what it has taken. */
static int await_room(struct verbs_link *link, uint32_t size)
{
	uint64_t deadline = 0;

	while (!link->error && !has_room(link, size)) {
		take_completions(link);
		uint64_t now = clock_now_ns();
		if (!deadline)
			deadline = now + link->silence_ns;
		else if (now > deadline)
			return takes_nothing(link);
	}
	return link->error ? tell_error(link) : 0;
}

/* An empty WRITE needs no key. */
int fabric_verbs_flush(struct verbs_link *link)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_WRITE,
		.send_flags = IBV_SEND_SIGNALED,
	};

	if (link->error || link->signalled == link->posted)
		return 0;
	int error = await_room(link, 0);
	if (error)
		return error;
	describe_send(link, &wr, link->posted, 0, 0);
	signal_send(link, &wr, link->posted);
	return post(link, &wr, 1);
}

bool fabric_verbs_all_sent(struct verbs_link *link)
{
	take_completions(link);
	return link->error || link->done == link->posted;
}

/* --- Reading ------------------------------------------------------------ */

static int not_one_sided(const struct fabric_link *link)
{
	return link->is_server ? err_set(ERR_UNSUPPORTED,
					 "a server can't READ from its client")
			       : err_set(ERR_UNSUPPORTED,
					 "the server offers no memory to READ");
}

/* Finds a place for each READ to land, or returns false. */
static bool find_landing(struct verbs_link *link,
			 const struct fabric_read *reads, size_t count,
			 struct verbs_read_list *list)
{
	uint64_t landed = link->landed;

	for (size_t i = 0; i < count; i++) {
		uint32_t size = (reads[i].size + LANDING_ALIGN - 1) &
				~(uint32_t)(LANDING_ALIGN - 1);
		if (!circle_take(&link->landing, &landed, link->taken, size,
				 &list->reads[i].at))
			return false;
		list->reads[i].read = reads[i];
	}
	list->count = (uint32_t)count;
	list->landed = landed;
	return true;
}

/* Fills in the work requests of a list, those of no bytes left out; returns how
 * many there are. */
static uint32_t chain_reads(struct verbs_link *link,
			    const struct verbs_read_list *list,
			    struct ibv_send_wr *wr, struct ibv_sge *sge)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct fabric_read *read = &list->reads[i].read;

		if (!read->size)
			continue;
		sge[n] = (struct ibv_sge){
			.addr = list->reads[i].at,
			.length = read->size,
			.lkey = link->landing.mr->lkey,
		};
		wr[n] = (struct ibv_send_wr){
			.next = &wr[n + 1],
			.sg_list = &sge[n],
			.num_sge = 1,
			.opcode = IBV_WR_RDMA_READ,
			.wr.rdma = {read->offset, link->region_key},
		};
		describe_send(link, &wr[n], link->posted + n, read->size,
			      read->offset);
		n++;
	}
	return n;
}

static int post_list(struct verbs_link *link, struct verbs_read_list *list)
{
	struct ibv_send_wr wr[FABRIC_READS_MAX + 1];
	struct ibv_sge sge[FABRIC_READS_MAX];

	uint32_t count = chain_reads(link, list, wr, sge);
	list->end = count ? link->posted + count : link->done;
	if (!count)
		return 0;
	wr[count - 1].next = NULL;
	signal_send(link, &wr[count - 1], link->posted + count - 1);
	return post(link, wr, count);
}

static void count_list(struct fabric_link *link,
		       const struct fabric_read *reads, size_t count)
{
	link->counters.read_lists++;
	link->counters.reads += count;
	for (size_t i = 0; i < count; i++)
		link->counters.read_bytes += reads[i].size;
}

int fabric_verbs_read(struct fabric_link *base, const struct fabric_read *reads,
		      size_t count, uint64_t cookie)
{
	struct verbs_link *link = verbs_link_of(base);

	if (!base->one_sided || base->is_server)
		return not_one_sided(base);
	int error = fabric_check_reads(reads, count, link->region_size);
	if (error)
		return error;
	if (link->error)
		return tell_error(link);
	if (!has_slots(link, FABRIC_READS_MAX))
		take_completions(link);
	if (link->lists_posted - link->lists_told == FABRIC_READ_LISTS_MAX ||
	    !has_slots(link, FABRIC_READS_MAX))
		return ERR_AGAIN;

	struct verbs_read_list *list =
		&link->lists[link->lists_posted & READ_LISTS_MASK];
	if (!find_landing(link, reads, count, list))
		return ERR_AGAIN;
	list->cookie = cookie;
	link->landed = list->landed;
	error = post_list(link, list);
	if (error)
		return error;
	link->lists_posted++;
	count_list(base, reads, count);
	return 0;
}

/* --- Receiving ---------------------------------------------------------- */

static int post_receive_list(struct verbs_link *link, struct ibv_recv_wr *wr)
{
	struct ibv_recv_wr *bad;

	int number = ibv_post_recv(link->qp, wr, &bad);
	if (!number)
		return 0;
	break_link(link, fabric_verbs_post_error(link, number));
	return tell_error(link);
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
		return tell_error(link);
	/* What follows is the link's, once it stands. */
	while ((count = ibv_poll_cq(link->cq, 1, &wc)) == 1) {
		if (wc.status != IBV_WC_SUCCESS) {
			take_failure(link, &wc);
			return tell_error(link);
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
		break_link(link, cannot_poll());
		return tell_error(link);
	}
	return link->disconnected ? fabric_peer_has_gone(&link->base) : 0;
}

/* --- Completions -------------------------------------------------------- */

static void break_link(struct verbs_link *link, int error)
{
	if (link->error)
		return;
	link->error = error;
	snprintf(link->why, sizeof(link->why), "%s", err_text());
}

static int tell_error(const struct verbs_link *link)
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
		break_link(link, fabric_verbs_completion_error(link, wc, sent));
}

static void take_receive(struct verbs_link *link, const struct ibv_wc *wc)
{
	if (wc->opcode != IBV_WC_RECV_RDMA_WITH_IMM) {
		break_link(link, err_set(ERR_PROTOCOL,
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

static void take_completions(struct verbs_link *link)
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
		break_link(link, cannot_poll());
}

/* --- Telling ------------------------------------------------------------ */

static bool list_is_done(const struct verbs_link *link,
			 const struct verbs_read_list *list)
{
	return (int32_t)(link->done - list->end) >= 0;
}

static void hand_over(struct verbs_link *link,
		      const struct verbs_read_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->reads[i].read.size)
			memcpy(list->reads[i].read.to,
			       link->landing.bytes + list->reads[i].at,
			       list->reads[i].read.size);
	link->taken = list->landed;
}

static size_t tell_reads(struct verbs_link *link, struct fabric_event *events,
			 size_t max)
{
	size_t count = 0;

	while (count < max && link->lists_told != link->lists_posted) {
		const struct verbs_read_list *list =
			&link->lists[link->lists_told & READ_LISTS_MASK];
		if (!list_is_done(link, list))
			break;
		hand_over(link, list);
		events[count++] = (struct fabric_event){
			.kind = FABRIC_READ,
			.cookie = list->cookie,
		};
		link->lists_told++;
	}
	return count;
}

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
		return tell_error(link);
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

	take_completions(link);
	size_t reads = tell_reads(link, events, max);
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
		break_link(link,
			   err_set(ERR_CONNECTION, "device %s was removed",
				   fabric_verbs_domain_device(link->domain)));
		break;
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		break_link(link, fabric_peer_has_gone(&link->base));
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
	    !link->disconnected && has_room(link, 0))
		(void)write_piece(link, 0, NULL, 0);
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
