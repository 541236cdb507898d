/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_FABRIC_H
#define FABRIC_FABRIC_H

/* How bytes travel between a client and a server, whatever carries them.
 *
 * A link is one connection.  Each end has an inbox: memory that only the other
 * end writes.  What can be done with a link is what RDMA can do: WRITE into the
 * peer's inbox and announce it with 32 bits, READ a list of pieces of the
 * server's region without the server's doing anything, poll for what has
 * completed, sleep on a file descriptor until something might have.  Messages
 * are made of this by fabric/ring.h.
 *
 *	shm	same host: a sealed memfd for the inboxes, the region mapped
 *		read-only, eventfds to wake a sleeper
 *	verbs	RDMA by libibverbs and librdmacm: InfiniBand, RoCE, soft-RoCE
 *	tcp	a socket: WRITEs travel as frames; no READ
 *
 * An address says which: "shm:///run/catfish.sock", "verbs://host:port",
 * "tcp://host:port", "tcp://[v6]:port".
 *
 * Errors: ERR_USAGE for an address that can't be, ERR_CONNECTION when the peer
 * is not there or has gone (also when the owner of an shm region has died),
 * ERR_PROTOCOL when it breaks the rules, ERR_UNSUPPORTED for a READ without
 * one-sided access.  After an error other than ERR_AGAIN a link can only be
 * closed.
 *
 * Thread-safety: a listener or a link is used by one thread at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fabric_listener;
struct fabric_link;

enum {
	/* What a client says when it asks for a connection (rdma_cm carries 56
	 * bytes there) and what it is told when it is accepted or refused. */
	FABRIC_HELLO_SIZE = 48,
	FABRIC_INBOX_MIN = 4096,
	FABRIC_INBOX_MAX = 1 << 26,
	/* WRITEs with an immediate that may be on their way to one end. */
	FABRIC_WRITES_MAX = 512,
	/* READs in one list at most. */
	FABRIC_READS_MAX = 64,
	/* Bytes that one list may READ. */
	FABRIC_READ_LIST_SIZE_MAX = 1 << 18,
	/* Lists of READs that may be on their way. */
	FABRIC_READ_LISTS_MAX = 16,
};

/* "faulty:SEED:ADDRESS" connects to an address by a link that tears, delays and
 * reorders what it carries, to test with; by "faulty:SEED:N:ADDRESS" it breaks
 * too, once in N operations, and by "faulty:SEED:@N:ADDRESS" at the N-th message.
 * See fabric/faulty.c. */

/* The memory that a server lets its clients READ. */
struct fabric_region {
	const void *memory;
	uint64_t size;
	int fd; /* of the sealed memfd behind it */
	/* A word of it that no longer holds the owner's thread id, or has
	 * FUTEX_OWNER_DIED set, once the server has ended. */
	uint64_t owner_offset;
};

struct fabric_listen_options {
	const struct fabric_region *region; /* NULL: nothing to READ */
	uint32_t inbox_size;		    /* of each link's server end */
	unsigned socket_mode;		    /* of a Unix socket: 0600 */
	/* verbs: the RDMA device; NULL: whichever the address belongs to. */
	const char *device;
	/* verbs: a peer that is silent for so long has gone; 0: 3 s. */
	uint64_t silence_ns;
};

/* --- Server ------------------------------------------------------------- */

/* Whether the clients of a listener at this address map the region, so that it
 * has to be in a memfd. */
bool fabric_maps_region(const char *address);

/* Listens at an address.  A Unix socket that a killed server left is replaced;
 * a live one, or a port in use, is ERR_BUSY. */
int fabric_listen(const char *address,
		  const struct fabric_listen_options *options,
		  struct fabric_listener **listener);

/* The address that it listens at, with the port that was given for port 0. */
const char *fabric_listener_address(const struct fabric_listener *listener);

/* Whether anyone beyond this machine can reach it. */
bool fabric_listener_is_public(const struct fabric_listener *listener);

/* Bytes that the network devices of a listener have sent so far, whoever sent
 * them, and what their links can carry in bits per second, 0 where that is not
 * known.  ERR_UNSUPPORTED where there is no such device, or it doesn't count.
 */
int fabric_listener_sent(const struct fabric_listener *listener,
			 uint64_t *bytes, uint64_t *speed);

/* Readable when fabric_listener_next() might have something. */
int fabric_listener_fd(const struct fabric_listener *listener);

/* The next client that asks for a connection, with its hello.  ERR_AGAIN when
 * there is none; ERR_NO_ROOM when there is one and no file descriptor for it,
 * which may pass.  A client that is slow to say hello holds up nobody and is
 * dropped after a few seconds. */
int fabric_listener_next(struct fabric_listener *listener,
			 struct fabric_link **link,
			 uint8_t hello[FABRIC_HELLO_SIZE]);

/* Accepts it, or fails and leaves a link that can only be closed.  Before the
 * listener is closed, each client is accepted, refused or closed.  From here on
 * the link may belong to another thread. */
int fabric_accept(struct fabric_link *link,
		  const uint8_t answer[FABRIC_HELLO_SIZE]);

/* Refuses it and closes the link. */
void fabric_refuse(struct fabric_link *link,
		   const uint8_t answer[FABRIC_HELLO_SIZE]);

/* Stops listening and removes the Unix socket.  Links live on. */
void fabric_listener_close(struct fabric_listener *listener);

/* --- Client ------------------------------------------------------------- */

struct fabric_connect_options {
	uint32_t inbox_size; /* of this end */
	uint64_t timeout_ns; /* of the wait to be connected */
	/* As in struct fabric_listen_options; a device that is not named is
	 * chosen by the route to the server. */
	const char *device;
	uint64_t silence_ns;
};

/* Connects.  'answer' is set when the server answered at all; ERR_PROTOCOL when
 * it refused, ERR_NOT_FOUND when it is certain that nobody listens there. */
int fabric_connect(const char *address, const uint8_t hello[FABRIC_HELLO_SIZE],
		   const struct fabric_connect_options *options,
		   uint8_t answer[FABRIC_HELLO_SIZE],
		   struct fabric_link **link);

/* --- Either end --------------------------------------------------------- */

/* "shm", "verbs" or "tcp". */
const char *fabric_link_name(const struct fabric_link *link);

/* This end's inbox, which the peer writes at any time: copy before checking. */
const void *fabric_inbox(const struct fabric_link *link, uint32_t *size);

/* Size of the peer's inbox. */
uint32_t fabric_peer_inbox_size(const struct fabric_link *link);

/* WRITEs 'size' bytes (0: none, 'bytes' may be NULL) to 'offset' of the peer's
 * inbox and then announces them with 'immediate'.  The bytes may be used again
 * at once.  The caller keeps within the inbox and within FABRIC_WRITES_MAX
 * announced and not yet known to be polled by the peer: fabric/ring.h counts
 * that. */
int fabric_write(struct fabric_link *link, uint32_t offset, const void *bytes,
		 uint32_t size, uint32_t immediate);

/* The same, unannounced: for memory that the peer looks at when it likes.  On
 * tcp it comes in order with the others; ERR_AGAIN, and nothing is written,
 * when the peer is far behind in taking what was sent. */
int fabric_write_silently(struct fabric_link *link, uint32_t offset,
			  const void *bytes, uint32_t size);

/* Lets the link gather announced WRITEs from here on, to post many at once, until
 * fabric_flush(), fabric_arm(), or a poll that has to look for what came.
 * Without it each is posted as it is made, as it is on fabrics where that
 * costs less than to wait. */
void fabric_gather(struct fabric_link *link);

/* Posts what was gathered. */
int fabric_flush(struct fabric_link *link);

/* One piece of the server's region, wanted in the caller's memory. */
struct fabric_read {
	uint64_t offset;
	void *to;
	uint32_t size;
};

/* Whether READs are possible: for the client by this link, or at the server,
 * before it accepts already, for the client at the other end.  A server has
 * nothing to READ itself. */
bool fabric_is_one_sided(const struct fabric_link *link);

/* Posts a list of READs, in any order, as one round trip.  When all are done,
 * one FABRIC_READ event brings 'cookie'; until then what 'to' points to is not
 * touched, or all the time.  What is read may be torn down to single bytes
 * where the server writes at the same time.  ERR_USAGE when a piece is out of
 * the region or there are more than FABRIC_READ_LIST_SIZE_MAX bytes, ERR_AGAIN
 * when FABRIC_READ_LISTS_MAX lists, or lists of twice as many bytes, are on
 * their way. */
int fabric_read(struct fabric_link *link, const struct fabric_read *reads,
		size_t count, uint64_t cookie);

/* The same where READs are copies, which are done on return: no event comes of
 * them.  ERR_UNSUPPORTED, without a text, on other fabrics. */
int fabric_read_now(struct fabric_link *link, const struct fabric_read *reads,
		    size_t count);

/* The region mapped into this process, or NULL where the fabric can't.  It
 * stays until the link is closed. */
const void *fabric_map(const struct fabric_link *link, uint64_t *size);

/* Whether the server had closed its end, or died, when what the caller read of
 * a mapped region before was read.  Takes no poll to find out.  Only for a link
 * with a map. */
bool fabric_server_has_left(const struct fabric_link *link);

struct fabric_event {
	enum fabric_event_kind {
		FABRIC_WRITE, /* the peer announced a WRITE */
		FABRIC_READ,  /* a list of READs is done */
	} kind;
	uint32_t immediate; /* FABRIC_WRITE */
	uint64_t cookie;    /* FABRIC_READ */
};

/* Takes what has completed, in order, at most 'max' events; returns how many,
 * 0 when there is nothing.  Never blocks. */
int fabric_poll(struct fabric_link *link, struct fabric_event *events,
		size_t max);

/* Asks to be woken once by what completes: after it, poll once more before
 * sleeping, or a completion in between is slept over.  It stays asked for until
 * something has, also when that poll finds something.  Ask again after each
 * sleep: until then the file descriptor stays readable. */
int fabric_arm(struct fabric_link *link);

/* What to sleep on: the file descriptor, and in '*events' POLLIN or POLLIN |
 * POLLOUT, which may change after each call on the link. */
int fabric_fd(const struct fabric_link *link, short *events);

/* What went over the link so far, counted here. */
struct fabric_counters {
	uint64_t read_lists; /* round trips */
	uint64_t reads;
	uint64_t read_bytes;
	uint64_t writes;
	uint64_t written_bytes;
};
const struct fabric_counters *
fabric_link_counters(const struct fabric_link *link);

/* Closes the link; NULL is fine.  The peer may still poll what was announced
 * before, but for what waits to be sent as long as fabric_fd() asks for
 * POLLOUT. At a client no list of READs is done once its server's end has been
 * closed. */
void fabric_close(struct fabric_link *link);

#endif
