/* SPDX-License-Identifier: BSD-2-Clause */

/* Sending over a verbs link.  See fabric/verbs_link.h. */

#include "fabric/verbs_send.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "fabric/verbs_error.h"

static int await_room(struct verbs_link *link, uint32_t size);

void fabric_verbs_describe_send(struct verbs_link *link, struct ibv_send_wr *wr,
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

void fabric_verbs_signal_send(struct verbs_link *link, struct ibv_send_wr *wr,
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

	return verbs_has_slots(link, 1) &&
	       (size <= link->inline_max ||
		verbs_circle_take(&link->staging, &staged, link->unstaged, size,
				  &at));
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
		bool fits = verbs_circle_take(&link->staging, &link->staged,
					      link->unstaged, size, &at);
		assert(fits);
		(void)fits;
		memcpy(link->staging.bytes + at, bytes, size);
		sge.addr = at;
		sge.lkey = link->staging.mr->lkey;
	}
	wr->sg_list = &sge;
	wr->num_sge = size ? 1 : 0;
	fabric_verbs_describe_send(link, wr, link->posted, size,
				   wr->wr.rdma.remote_addr);
	if (is_due_a_signal(link))
		fabric_verbs_signal_send(link, wr, link->posted);
	return fabric_verbs_post(link, wr, 1);
}

int fabric_verbs_post(struct verbs_link *link, struct ibv_send_wr *first,
		      uint32_t count)
{
	struct ibv_send_wr *bad;

	int number = ibv_post_send(link->qp, first, &bad);
	link->posted += count;
	if (!number)
		return 0;
	fabric_verbs_break(link, fabric_verbs_post_error(link, number));
	return fabric_verbs_tell_error(link);
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
		return fabric_verbs_tell_error(link);
	if (!has_room(link, size))
		fabric_verbs_take_completions(link);
	if (link->error)
		return fabric_verbs_tell_error(link);
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
	fabric_verbs_describe_send(link, &wr, link->posted, size, 0);
	return fabric_verbs_post(link, &wr, 1);
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
	fabric_verbs_describe_send(link, &wr, link->posted, 0, 0);
	error = fabric_verbs_post(link, &wr, 1);
	if (error)
		return error;
	link->window->rkey = wr.bind_mw.rkey;
	*key = wr.bind_mw.rkey;
	return 0;
}

static int takes_nothing(struct verbs_link *link)
{
	fabric_verbs_break(link,
			   err_set(ERR_CONNECTION,
				   "the other end has taken nothing for %.3g s",
				   (double)link->silence_ns / NS_PER_S));
	return fabric_verbs_tell_error(link);
}

/* Waits until 'size' bytes can be sent.  Of a peer that keeps the rules the
 * device needs no more than a round trip to know what it has taken. */
static int await_room(struct verbs_link *link, uint32_t size)
{
	uint64_t deadline = 0;

	while (!link->error && !has_room(link, size)) {
		fabric_verbs_take_completions(link);
		uint64_t now = clock_now_ns();
		if (!deadline)
			deadline = now + link->silence_ns;
		else if (now > deadline)
			return takes_nothing(link);
	}
	return link->error ? fabric_verbs_tell_error(link) : 0;
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
	fabric_verbs_describe_send(link, &wr, link->posted, 0, 0);
	fabric_verbs_signal_send(link, &wr, link->posted);
	return fabric_verbs_post(link, &wr, 1);
}

bool fabric_verbs_all_sent(struct verbs_link *link)
{
	fabric_verbs_take_completions(link);
	return link->error || link->done == link->posted;
}

int fabric_verbs_probe(struct verbs_link *link)
{
	return has_room(link, 0) ? write_piece(link, 0, NULL, 0) : 0;
}
