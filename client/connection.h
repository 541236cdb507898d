/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H

/* What a connection is inside the library.
 *
 * The public functions of catfish.h begin with client_begin(), speak with the
 * errors of base/err.h among themselves, and turn them into the public ones by
 * catfish_error_of() at the very end.
 *
 * Thread-safety: one connection, one thread at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/guard.h"
#include "client/catfish.h"
#include "client/policy.h"
#include "fabric/fabric.h"
#include "fabric/ring.h"
#include "rtree/node.h"
#include "rtree/root.h"
#include "rtree/walk.h"
#include "wire/message.h"

/* A search that the server left to the client: the root to walk from. */
struct client_push_back {
	bool may_come; /* in answer to the request that is under way */
	bool came;
	struct root root;
};

/* Items of an answer that is not yet known to be right. */
struct gathering {
	struct catfish_item *items;
	size_t count;
	size_t capacity;
};

struct catfish {
	char *address;
	uint64_t timeout_ns;
	struct fabric_link *link;
	struct fabric_ring *ring;
	bool broken; /* an error ended it; it can only be closed */

	/* The link is gone, and can be had again; see client/reconnect.h. */
	bool lost;
	bool gave_up;	       /* it was, since an answer took too long */
	uint64_t reconnect_ns; /* how long to try that; 0: not at all */
	char *device;
	uint64_t links;			/* that it has had */
	struct client_opening *opening; /* of another, or NULL */

	/* One request is under way at a time; see client/call.h. */
	uint64_t sequence;
	uint64_t answer_timeout_ns;
	uint64_t error_applied; /* of the last answer that was an error */
	uint32_t retry_us;	/* the same; 0: not to be repeated */
	struct client_push_back push_back;
	bool sent;   /* the request may have reached the server */
	bool more;   /* segments of its answer are to come */
	size_t room; /* for a request's body */
	struct wire_header *request; /* and its body */
	void *segment;		     /* the last message that came */

	/* What is served, and the version of the newest answer: an older one
	 * must not follow. */
	struct wire_description server;
	uint64_t version;

	/* The numbers of writes in the session: the newest that was sent, and
	 * the newest whose answer came. */
	uint64_t write_number;
	uint64_t write_answered;

	struct client_policy policy; /* chooses the path of each search */

	/* Offloading; see client/offload.h. */
	enum catfish_offload offload;	/* never AUTO */
	const struct root_page *region; /* mapped, or NULL */
	struct walk_pages pages;	/* of it */
	struct client_fetch *fetch;	/* to copy by, or NULL */
	uint64_t cache_size;		/* 0: none */
	struct gathering found;
	struct catfish_answer unasked; /* of a search that nobody asked about */
	struct client_group *group; /* to copy by, of many searches, or NULL */
	uint64_t offloaded;	    /* searches */

	struct client_requests *requests; /* see client/requests.h; or NULL */

	bool loading;	 /* between load_begin and its end */
	uint64_t loaded; /* items, since then */
};

/* Begins a call: checks that 'c' can be used and has no requests outstanding,
 * and restores a lost link. */
int client_begin_after_requests(struct catfish *c);
static inline int client_begin(struct catfish *c)
{
	return c && !c->broken && !c->lost && !c->requests
		       ? 0
		       : client_begin_after_requests(c);
}

/* Begins one that goes with requests outstanding and without a link: checks
 * that 'c' can be used. */
int client_begin_request(const struct catfish *c);

/* What catfish_outstanding() counts; and frees their table. */
size_t client_requests_outstanding(const struct catfish *c);
void client_requests_destroy(struct catfish *c);

/* Ends the link after ERR_CONNECTION, so that another can be made, and the
 * connection for good after other errors; the second, for good after any.  Both
 * return 'error'. */
int client_break(struct catfish *c, int error);
int client_end(struct catfish *c, int error);

/* Opens a new connection's link, and asks the server what it serves. */
int client_open(struct catfish *c, uint64_t timeout_ns);

/* Connects once more to the same server, in the same session if that is still
 * there.  When it fails the connection is lost, or broken, where it can't be
 * otherwise any more. */
int client_reopen(struct catfish *c, uint64_t timeout_ns);

/* The same without waiting for it: when it was begun c->opening is set, and
 * stays until the end, which is ERR_AGAIN before. */
int client_reopen_begin(struct catfish *c, uint64_t timeout_ns);
int client_reopen_end(struct catfish *c);

/* Checks what an answer says it comes from: the server that was connected to,
 * and a version that is not older than the last.  The second function says what
 * is wrong. */
int client_refuse_version(struct catfish *c, uint64_t identity,
			  uint64_t version);
static inline int client_check_version(struct catfish *c, uint64_t identity,
				       uint64_t version)
{
	return identity != c->server.identity ||
			       GUARD("version", version < c->version)
		       ? client_refuse_version(c, identity, version)
		       : 0;
}

/* The public error for one of base/err.h. */
enum catfish_error catfish_error_of(int error);

#endif
