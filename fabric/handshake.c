/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/handshake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

static int connect_retrying(int fd, const struct sockaddr *to, socklen_t size,
			    const struct fabric_call *call);
static int await_connected(int fd, const struct fabric_call *call);
static int receive_reply(int fd, const struct fabric_call *call,
			 struct fabric_reply *reply, int *fds,
			 size_t *fd_count);
static int check_reply(const struct fabric_call *call,
		       const struct fabric_reply *reply);

/* The control message that carries file descriptors, aligned as it must be. */
union fd_message {
	struct cmsghdr header;
	char space[CMSG_SPACE(FABRIC_FDS_MAX * sizeof(int))];
};

static int no_server(const struct fabric_call *call, int number)
{
	switch (number) {
	case ENOENT:
		return err_set(ERR_NOT_FOUND,
			       "no server at %s: there is no such socket (is "
			       "the server running, and the path right?)",
			       call->address);
	case ECONNREFUSED:
		return err_set(ERR_NOT_FOUND,
			       "no server at %s: connection refused (is the "
			       "server running?)",
			       call->address);
	case EACCES:
	case EPERM:
		return err_set(
			ERR_CONNECTION,
			"no access to the server at %s: %s (its socket's "
			"mode decides who may connect)",
			call->address, strerror(number));
	default:
		return err_set(ERR_CONNECTION, "no server at %s: %s",
			       call->address, strerror(number));
	}
}

int fabric_call_timed_out(const struct fabric_call *call)
{
	return err_set(ERR_CONNECTION,
		       "no answer from %s within %.3g s (is the server stopped "
		       "or overloaded?)",
		       call->address,
		       (double)call->timeout_ns / (double)NS_PER_S);
}

int fabric_call_hung_up(const struct fabric_call *call)
{
	return err_set(ERR_CONNECTION,
		       "the server at %s closed the connection before it "
		       "answered (try again)",
		       call->address);
}

int fabric_call_not_understood(const struct fabric_call *call)
{
	return err_set(ERR_PROTOCOL,
		       "what answers at %s is no Catfish server, or one of "
		       "another version",
		       call->address);
}

int fabric_call_refused(const struct fabric_call *call)
{
	return err_set(ERR_PROTOCOL, "the server at %s refused the connection",
		       call->address);
}

int fabric_call_await(const struct fabric_call *call, int fd, short events)
{
	struct pollfd wanted = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now = clock_now_ns();
		if (now >= call->deadline_ns)
			return fabric_call_timed_out(call);
		uint64_t left = call->deadline_ns - now;
		const struct timespec wait = {
			.tv_sec = (time_t)(left / NS_PER_S),
			.tv_nsec = (long)(left % NS_PER_S),
		};
		int ready = ppoll(&wanted, 1, &wait, NULL);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return err_set(ERR_SYSTEM, "poll: %s", strerror(errno));
	}
}

int fabric_handshake_connect(int fd, const struct sockaddr *to, socklen_t size,
			     const struct fabric_call *call)
{
	int number = connect_retrying(fd, to, size, call);
	if (number == EINPROGRESS)
		return await_connected(fd, call);
	if (number == ETIMEDOUT)
		return fabric_call_timed_out(call);
	return number ? no_server(call, number) : 0;
}

int fabric_handshake_ask(int fd, const struct fabric_call *call,
			 struct fabric_reply *reply, int *fds, size_t *fd_count)
{
	struct fabric_ask ask = {
		.magic = FABRIC_MAGIC,
		.version = FABRIC_VERSION,
		.inbox_size = call->inbox_size,
	};

	memset(reply, 0, sizeof(*reply));
	*fd_count = 0;
	memcpy(ask.hello, call->hello, sizeof(ask.hello));
	/* Nothing was sent before, so there is room for all of it. */
	if (send(fd, &ask, sizeof(ask), MSG_NOSIGNAL) != sizeof(ask))
		return fabric_call_hung_up(call);
	int error = receive_reply(fd, call, reply, fds, fd_count);
	return error ? error : check_reply(call, reply);
}

bool fabric_ask_is_valid(const struct fabric_ask *ask)
{
	return ask->magic == FABRIC_MAGIC && ask->version == FABRIC_VERSION &&
	       fabric_inbox_size_is_valid(ask->inbox_size);
}

static void put_fds(struct msghdr *message, union fd_message *control,
		    const int *fds, size_t fd_count)
{
	size_t size = fd_count * sizeof(*fds);

	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(size);
	control->header.cmsg_level = SOL_SOCKET;
	control->header.cmsg_type = SCM_RIGHTS;
	control->header.cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(&control->header), fds, size);
}

int fabric_handshake_reply(int fd, const struct fabric_reply *reply,
			   const int *fds, size_t fd_count)
{
	struct iovec bytes = {(void *)reply, sizeof(*reply)};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	union fd_message control = {0};

	assert(fd_count <= FABRIC_FDS_MAX);
	if (fd_count)
		put_fds(&message, &control, fds, fd_count);
	ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent == (ssize_t)sizeof(*reply))
		return 0;
	return err_set(ERR_CONNECTION,
		       "the client left before it was accepted: %s",
		       sent < 0 ? strerror(errno) : "short write");
}

void fabric_handshake_refuse(int fd, const uint8_t answer[FABRIC_HELLO_SIZE])
{
	struct fabric_reply reply = {
		.magic = FABRIC_MAGIC,
		.version = FABRIC_VERSION,
	};

	memcpy(reply.hello, answer, sizeof(reply.hello));
	(void)fabric_handshake_reply(fd, &reply, NULL, 0);
}

/* Calls connect() and returns its errno.  A Unix socket whose backlog is full
 * says EAGAIN and can't be waited for. */
static int connect_retrying(int fd, const struct sockaddr *to, socklen_t size,
			    const struct fabric_call *call)
{
	const struct timespec pause = {.tv_nsec = 2 * NS_PER_MS};

	while (connect(fd, to, size)) {
		if (errno != EAGAIN && errno != EINTR)
			return errno;
		if (clock_now_ns() >= call->deadline_ns)
			return ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int await_connected(int fd, const struct fabric_call *call)
{
	int number = 0;
	socklen_t size = sizeof(number);

	int error = fabric_call_await(call, fd, POLLOUT);
	if (error)
		return error;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size))
		number = errno;
	return number ? no_server(call, number) : 0;
}

static void take_fds(struct msghdr *message, int *fds, size_t *fd_count)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c;
	     c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t size = c->cmsg_len - CMSG_LEN(0);
		memcpy(fds + *fd_count, CMSG_DATA(c), size);
		*fd_count += size / sizeof(int);
	}
}

/* Receives what is there; descriptors come with the first byte of a reply, so
 * later pieces have no room for any. */
static ssize_t receive_some(int fd, void *bytes, size_t size, int *fds,
			    size_t *fd_count)
{
	union fd_message control;
	struct iovec piece = {bytes, size};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

	if (fds && !*fd_count) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	if (received > 0 && message.msg_control)
		take_fds(&message, fds, fd_count);
	return received;
}

static int receive_reply(int fd, const struct fabric_call *call,
			 struct fabric_reply *reply, int *fds, size_t *fd_count)
{
	struct fabric_reply incoming;
	size_t done = 0;

	while (done < sizeof(incoming)) {
		int error = fabric_call_await(call, fd, POLLIN);
		if (error)
			return error;
		ssize_t received =
			receive_some(fd, (char *)&incoming + done,
				     sizeof(incoming) - done, fds, fd_count);
		if (received < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (received <= 0)
			return fabric_call_hung_up(call);
		done += (size_t)received;
	}
	if (incoming.magic != FABRIC_MAGIC)
		return fabric_call_not_understood(call);
	*reply = incoming;
	return 0;
}

static int check_reply(const struct fabric_call *call,
		       const struct fabric_reply *reply)
{
	if (reply->version != FABRIC_VERSION)
		return fabric_call_not_understood(call);
	if (!reply->accepted)
		return fabric_call_refused(call);
	if (!fabric_inbox_size_is_valid(reply->inbox_size))
		return fabric_call_not_understood(call);
	return 0;
}
