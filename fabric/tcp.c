/* SPDX-License-Identifier: BSD-2-Clause */

/* The fabric of a socket, for messaging only.  After the handshake each WRITE
 * travels as a frame: a header and the bytes, which the receiver puts into its
 * inbox as they come.  docs/wire-protocol.md draws it.
 *
 * What is gathered, and what the socket doesn't take at once, is kept in a
 * buffer and sent by later calls.  The peer's credits bound it: what fits its
 * inbox, and headers. */

#include <errno.h>
#include <event2/buffer.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "fabric/link.h"
#include "fabric/lobby.h"
#include "fabric/tcp_socket.h"

/* Precedes the bytes of each WRITE. */
struct tcp_frame {
	uint32_t size;	 /* of the bytes that follow */
	uint32_t offset; /* where they go in the receiver's inbox */
	uint32_t immediate;
	uint32_t flags; /* enum tcp_flags */
};

enum tcp_flags {
	TCP_ANNOUNCED = 1,
};

static_assert(sizeof(struct tcp_frame) == 16, "no padding");

enum {
	RECEIVE_SIZE = 32768,
	GATHER_SIZE = 16384, /* so much is sent without being flushed */
	PIECES = 8,	     /* of the kept bytes that one call sends */
};

struct tcp_listener {
	struct fabric_listener base;
	struct fabric_lobby *lobby;
	uint32_t inbox_size;
};

struct tcp_link {
	struct fabric_link base;
	int fd;
	bool gone;	 /* the peer; what had come before is still there */
	bool unwritable; /* nothing goes out any more */
	bool full;	 /* the socket's buffer: it did not take all */

	struct evbuffer *kept; /* to be sent */
	size_t kept_max;

	/* The frame that is coming in, while bytes of it are missing. */
	struct tcp_frame frame;
	uint32_t missing;
	bool in_frame;

	/* Received and not yet looked at. */
	size_t begin, end;
	uint8_t received[RECEIVE_SIZE];
};

static int send_kept(struct tcp_link *tcp);

static struct tcp_link *tcp_of(const struct fabric_link *link)
{
	return (struct tcp_link *)link;
}

static void tcp_close(struct fabric_link *link)
{
	struct tcp_link *tcp = tcp_of(link);

	(void)send_kept(tcp);
	close(tcp->fd);
	evbuffer_free(tcp->kept);
	free(link->inbox);
	free(tcp);
}

/* Makes a link of a connected socket, which it takes over in any case. */
static struct tcp_link *new_link(int fd, uint32_t inbox_size)
{
	struct tcp_link *tcp = calloc(1, sizeof(*tcp));
	uint8_t *inbox = calloc(1, inbox_size);
	struct evbuffer *kept = evbuffer_new();

	if (!tcp || !inbox || !kept)
		goto no_memory;
	tcp->base.ops = &fabric_tcp_ops;
	tcp->base.inbox_size = inbox_size;
	tcp->base.inbox = inbox;
	tcp->kept = kept;
	tcp->fd = fd;
	return tcp;

no_memory:
	if (kept)
		evbuffer_free(kept);
	free(inbox);
	free(tcp);
	close(fd);
	err_set(ERR_NO_MEMORY, "no memory");
	return NULL;
}

/* A peer that keeps the rules has taken in all but an inbox's worth of
 * announced WRITEs; as much again may be silent ones. */
static void set_peer_inbox_size(struct tcp_link *tcp, uint32_t size)
{
	tcp->base.peer_inbox_size = size;
	tcp->kept_max =
		2 * (size + FABRIC_WRITES_MAX * sizeof(struct tcp_frame));
}

/* --- Server ------------------------------------------------------------- */

static int tcp_listen(const struct fabric_address *address,
		      const struct fabric_listen_options *options,
		      struct fabric_listener **base)
{
	int fd;

	struct tcp_listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return err_set(ERR_NO_MEMORY, "no memory");
	listener->base.ops = &fabric_tcp_ops;
	listener->inbox_size = options->inbox_size;
	int error = fabric_tcp_socket_listen(address, listener->base.address,
					     &listener->base.is_public, &fd);
	if (!error)
		error = fabric_lobby_open(fd, &listener->lobby);
	if (error) {
		free(listener);
		return error;
	}
	listener->base.fd = fabric_lobby_fd(listener->lobby);
	*base = &listener->base;
	return 0;
}

static int tcp_listener_next(struct fabric_listener *base,
			     struct fabric_link **link,
			     uint8_t hello[FABRIC_HELLO_SIZE])
{
	struct tcp_listener *listener = (struct tcp_listener *)base;
	struct fabric_ask ask;
	int fd;

	int error = fabric_lobby_next(listener->lobby, &fd, &ask);
	if (error)
		return error;
	struct tcp_link *tcp = new_link(fd, listener->inbox_size);
	if (!tcp)
		return ERR_NO_MEMORY;
	fabric_tcp_socket_tune(fd);
	tcp->base.is_server = true;
	set_peer_inbox_size(tcp, ask.inbox_size);
	memcpy(hello, ask.hello, FABRIC_HELLO_SIZE);
	*link = &tcp->base;
	return 0;
}

static void tcp_listener_close(struct fabric_listener *base)
{
	struct tcp_listener *listener = (struct tcp_listener *)base;

	fabric_lobby_close(listener->lobby);
	free(listener);
}

static int tcp_accept(struct fabric_link *link,
		      const uint8_t answer[FABRIC_HELLO_SIZE])
{
	struct fabric_reply reply = {
		.magic = FABRIC_MAGIC,
		.version = FABRIC_VERSION,
		.inbox_size = link->inbox_size,
		.accepted = 1,
	};

	memcpy(reply.hello, answer, FABRIC_HELLO_SIZE);
	return fabric_handshake_reply(tcp_of(link)->fd, &reply, NULL, 0);
}

static void tcp_refuse(struct fabric_link *link,
		       const uint8_t answer[FABRIC_HELLO_SIZE])
{
	fabric_handshake_refuse(tcp_of(link)->fd, answer);
	tcp_close(link);
}

/* --- Client ------------------------------------------------------------- */

static int tcp_connect(const struct fabric_address *address,
		       const struct fabric_call *call,
		       struct fabric_reply *reply, struct fabric_link **link)
{
	size_t fd_count;
	int fd;

	int error = fabric_tcp_socket_connect(address, call, &fd);
	if (error)
		return error;
	struct tcp_link *tcp = new_link(fd, call->inbox_size);
	if (!tcp)
		return ERR_NO_MEMORY;
	error = fabric_handshake_ask(fd, call, reply, NULL, &fd_count);
	if (error) {
		tcp_close(&tcp->base);
		return error;
	}
	set_peer_inbox_size(tcp, reply->inbox_size);
	*link = &tcp->base;
	return 0;
}

/* --- Writing ------------------------------------------------------------ */

/* Sends as much as the socket takes now; returns how much. */
static int send_some(struct tcp_link *tcp, struct iovec *pieces, int count,
		     size_t *sent)
{
	const struct msghdr message = {
		.msg_iov = pieces,
		.msg_iovlen = (size_t)count,
	};

	*sent = 0;
	ssize_t size = sendmsg(tcp->fd, &message, MSG_NOSIGNAL);
	if (size < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
			return 0;
		tcp->unwritable = true;
		return fabric_peer_has_gone(&tcp->base);
	}
	*sent = (size_t)size;
	return 0;
}

/* Sends kept bytes until all are sent or the socket takes no more. */
static int send_kept(struct tcp_link *tcp)
{
	struct evbuffer_iovec pieces[PIECES];
	size_t sent = 1;

	if (tcp->unwritable)
		return 0;
	while (sent && evbuffer_get_length(tcp->kept)) {
		int count = evbuffer_peek(tcp->kept, -1, NULL, pieces, PIECES);
		if (count > PIECES)
			count = PIECES;
		int error = send_some(tcp, pieces, count, &sent);
		if (error)
			return error;
		evbuffer_drain(tcp->kept, sent);
	}
	tcp->full = evbuffer_get_length(tcp->kept);
	return 0;
}

/* Keeps what follows the first 'sent' bytes of the pieces. */
static int keep_rest(struct tcp_link *tcp, const struct iovec *pieces,
		     int count, size_t sent)
{
	for (int i = 0; i < count; i++) {
		size_t size = pieces[i].iov_len;
		size_t done = sent < size ? sent : size;
		sent -= done;
		if (done < size &&
		    evbuffer_add(tcp->kept, (char *)pieces[i].iov_base + done,
				 size - done))
			return err_set(ERR_NO_MEMORY, "no memory");
	}
	return 0;
}

static int write_frame(struct tcp_link *tcp, struct tcp_frame *frame,
		       const void *bytes)
{
	struct iovec pieces[] = {
		{frame, sizeof(*frame)},
		{(void *)bytes, frame->size},
	};
	size_t kept = evbuffer_get_length(tcp->kept), sent = 0;

	if (tcp->unwritable)
		return fabric_peer_has_gone(&tcp->base);
	if (tcp->base.gathers && kept + frame->size < GATHER_SIZE)
		return keep_rest(tcp, pieces, 2, 0);
	int error = send_kept(tcp);
	if (!error && !tcp->full) {
		error = send_some(tcp, pieces, 2, &sent);
		tcp->full = sent < sizeof(*frame) + frame->size;
	}
	return error ? error : keep_rest(tcp, pieces, 2, sent);
}

static int tcp_flush(struct fabric_link *link)
{
	return send_kept(tcp_of(link));
}

static int tcp_write(struct fabric_link *link, uint32_t offset,
		     const void *bytes, uint32_t size, uint32_t immediate)
{
	struct tcp_link *tcp = tcp_of(link);
	struct tcp_frame frame = {size, offset, immediate, TCP_ANNOUNCED};

	if (evbuffer_get_length(tcp->kept) + sizeof(frame) + size >
	    tcp->kept_max)
		return err_set(ERR_PROTOCOL,
			       "the other end gives credit but takes nothing");
	return write_frame(tcp, &frame, bytes);
}

static int tcp_write_silently(struct fabric_link *link, uint32_t offset,
			      const void *bytes, uint32_t size)
{
	struct tcp_link *tcp = tcp_of(link);
	struct tcp_frame frame = {size, offset, 0, 0};

	if (evbuffer_get_length(tcp->kept) + sizeof(frame) + size >
	    tcp->kept_max / 2)
		return ERR_AGAIN;
	return write_frame(tcp, &frame, bytes);
}

/* --- Polling ------------------------------------------------------------ */

/* Starts on the frame whose header is the next that was received.  Returns 0
 * when that has not come whole yet, else 1. */
static int begin_frame(struct tcp_link *tcp)
{
	struct tcp_frame *frame = &tcp->frame;
	uint32_t inbox_size = tcp->base.inbox_size;

	if (tcp->end - tcp->begin < sizeof(*frame))
		return 0;
	memcpy(frame, tcp->received + tcp->begin, sizeof(*frame));
	if (frame->flags & ~(uint32_t)TCP_ANNOUNCED ||
	    frame->offset > inbox_size ||
	    frame->size > inbox_size - frame->offset)
		return err_set(ERR_PROTOCOL,
			       "the other end sent a frame that can't be: %u "
			       "bytes at %u, flags %#x",
			       frame->size, frame->offset, frame->flags);
	tcp->begin += sizeof(*frame);
	tcp->missing = frame->size;
	tcp->in_frame = true;
	return 1;
}

/* Puts received bytes of the frame where they belong. */
static void place_bytes(struct tcp_link *tcp)
{
	const struct tcp_frame *frame = &tcp->frame;
	size_t size = tcp->end - tcp->begin;

	if (size > tcp->missing)
		size = tcp->missing;
	memcpy(tcp->base.inbox + frame->offset + (frame->size - tcp->missing),
	       tcp->received + tcp->begin, size);
	tcp->begin += size;
	tcp->missing -= (uint32_t)size;
}

/* The next WRITE that has come whole and announced; returns 1, or 0 when there
 * is none among what was received. */
static int take_write(struct tcp_link *tcp, struct fabric_event *event)
{
	for (;;) {
		int begun = tcp->in_frame ? 1 : begin_frame(tcp);
		if (begun <= 0)
			return begun;
		place_bytes(tcp);
		if (tcp->missing)
			return 0;
		tcp->in_frame = false;
		if (tcp->frame.flags & TCP_ANNOUNCED)
			break;
	}
	*event = (struct fabric_event){
		.kind = FABRIC_WRITE,
		.immediate = tcp->frame.immediate,
	};
	return 1;
}

static int take_writes(struct tcp_link *tcp, struct fabric_event *events,
		       size_t max)
{
	size_t count = 0;

	while (count < max) {
		int taken = take_write(tcp, &events[count]);
		/* Broken rules are told after what came before them. */
		if (taken < 0 && !count)
			return taken;
		if (taken <= 0)
			break;
		count++;
	}
	return (int)count;
}

/* Receives once.  All that is left of before is the beginning of a header. */
static void receive(struct tcp_link *tcp)
{
	size_t left = tcp->end - tcp->begin;

	memmove(tcp->received, tcp->received + tcp->begin, left);
	tcp->begin = 0;
	tcp->end = left;
	ssize_t size = recv(tcp->fd, tcp->received + left,
			    sizeof(tcp->received) - left, 0);
	if (size > 0)
		tcp->end += (size_t)size;
	else if (size == 0 || (errno != EAGAIN && errno != EINTR))
		tcp->gone = true;
}

static int tcp_poll(struct fabric_link *link, struct fabric_event *events,
		    size_t max)
{
	struct tcp_link *tcp = tcp_of(link);

	int count = take_writes(tcp, events, max);
	if (count || !max)
		return count;
	/* When sending fails there may still be something to receive. */
	(void)send_kept(tcp);
	if (!tcp->gone)
		receive(tcp);
	count = take_writes(tcp, events, max);
	return !count && tcp->gone ? fabric_peer_has_gone(&tcp->base) : count;
}

/* The socket stays readable as long as there is anything to receive; what was
 * received before is for the poll that follows, as it is to say that the peer
 * has gone. */
static int tcp_arm(struct fabric_link *link)
{
	(void)send_kept(tcp_of(link));
	return 0;
}

static int tcp_fd(const struct fabric_link *link, short *events)
{
	const struct tcp_link *tcp = tcp_of(link);

	*events = tcp->full && !tcp->unwritable ? POLLIN | POLLOUT : POLLIN;
	return tcp->fd;
}

/* --- Not here ----------------------------------------------------------- */

static int tcp_read(struct fabric_link *link, const struct fabric_read *reads,
		    size_t count, uint64_t cookie)
{
	(void)link, (void)reads, (void)count, (void)cookie;
	return err_set(ERR_UNSUPPORTED,
		       "tcp has no one-sided READ; use messaging, or shm on "
		       "the same host");
}

static const void *tcp_map(const struct fabric_link *link, uint64_t *size)
{
	(void)link;
	*size = 0;
	return NULL;
}

const struct fabric_ops fabric_tcp_ops = {
	.name = "tcp",
	.listen = tcp_listen,
	.listener_next = tcp_listener_next,
	.listener_close = tcp_listener_close,
	.accept = tcp_accept,
	.refuse = tcp_refuse,
	.connect = tcp_connect,
	.write = tcp_write,
	.write_silently = tcp_write_silently,
	.flush = tcp_flush,
	.read = tcp_read,
	.map = tcp_map,
	.poll = tcp_poll,
	.arm = tcp_arm,
	.fd = tcp_fd,
	.close = tcp_close,
};
