/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_HANDSHAKE_H
#define FABRIC_HANDSHAKE_H

/* How a link over a stream socket starts: the client asks, the server replies.
 * Both shm and tcp do it, shm passing file descriptors with the reply.  The
 * bytes are drawn in docs/wire-protocol.md; all numbers are little-endian.
 *
 * The server's side never waits (fabric/lobby.h gathers what is asked); the
 * client's waits until a deadline on the clock of base/clock.h.
 *
 * Thread-safety: one socket, one thread at a time. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fabric/fabric.h"

enum {
	FABRIC_MAGIC = 0x62666663, /* "cffb" */
	FABRIC_VERSION = 1,
	/* File descriptors that can come with a reply. */
	FABRIC_FDS_MAX = 4,
};

/* What a client asks with. */
struct fabric_ask {
	uint32_t magic;
	uint32_t version;
	uint32_t inbox_size; /* of the client's end */
	uint32_t unused;
	uint8_t hello[FABRIC_HELLO_SIZE];
};

/* What it is told. */
struct fabric_reply {
	uint32_t magic;
	uint32_t version;
	uint32_t inbox_size; /* of the server's end */
	uint32_t accepted;   /* 1; or 0 and nothing follows */
	uint8_t hello[FABRIC_HELLO_SIZE];
	uint64_t region_size; /* shm; 0: nothing to READ */
	uint64_t owner_offset;
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "sent as they stand in memory");
static_assert(sizeof(struct fabric_ask) == 64, "no padding");
static_assert(sizeof(struct fabric_reply) == 80, "no padding");

/* --- Client ------------------------------------------------------------- */

/* Whom to ask, and until when. */
struct fabric_call {
	const char *address; /* for error texts */
	const uint8_t *hello;
	uint32_t inbox_size;
	const char *device; /* verbs; NULL: any */
	uint64_t silence_ns;
	uint64_t timeout_ns;
	uint64_t deadline_ns;
};

/* What to say, and which error it is, when an answer didn't come in time, the
 * server hung up before it, or it is none of ours. */
int fabric_call_timed_out(const struct fabric_call *call);
int fabric_call_hung_up(const struct fabric_call *call);
int fabric_call_not_understood(const struct fabric_call *call);
int fabric_call_refused(const struct fabric_call *call);

/* Waits for events of poll(2) on a descriptor, until the deadline: then it says
 * that no answer came in time. */
int fabric_call_await(const struct fabric_call *call, int fd, short events);

/* Connects a non-blocking socket.  ERR_CONNECTION. */
int fabric_handshake_connect(int fd, const struct sockaddr *to, socklen_t size,
			     const struct fabric_call *call);

/* Asks and waits for the reply.  The descriptors that came with it are the
 * caller's: 'fds' has room for FABRIC_FDS_MAX (NULL on tcp), '*fd_count' says
 * how many came, also when it fails.  'reply' is all zeros unless it came
 * whole; ERR_PROTOCOL when it says no, or nonsense. */
int fabric_handshake_ask(int fd, const struct fabric_call *call,
			 struct fabric_reply *reply, int *fds,
			 size_t *fd_count);

/* --- Server ------------------------------------------------------------- */

/* Whether a client asked as the rules have it. */
bool fabric_ask_is_valid(const struct fabric_ask *ask);

/* Sends a reply at once; on a new socket there is room for it. */
int fabric_handshake_reply(int fd, const struct fabric_reply *reply,
			   const int *fds, size_t fd_count);

/* Says no, if it can: a client that has left needs no answer. */
void fabric_handshake_refuse(int fd, const uint8_t answer[FABRIC_HELLO_SIZE]);

/* Whether an inbox may have that size. */
static inline bool fabric_inbox_size_is_valid(uint32_t size)
{
	return size >= FABRIC_INBOX_MIN && size <= FABRIC_INBOX_MAX;
}

#endif
