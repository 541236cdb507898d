/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_WIRE_H
#define FABRIC_VERBS_WIRE_H

/* How a verbs link starts, byte by byte as docs/wire-protocol.md draws it:
 *
 *	client				server
 *	struct verbs_private
 *	in rdma_cm's request	-->	accepts whoever speaks this version
 *	struct verbs_ask, a SEND -->	looks at hello and authentication
 *				<--	struct verbs_reply, a SEND: keys and
 *sizes
 *
 * Whom the server will not have learns no key.  Memory is addressed by offset,
 * so no address of either end is told.
 *
 * Thread-safety: pure declarations. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "fabric/fabric.h"

enum {
	VERBS_MAGIC = 0x76666663, /* "cffv" */
	VERBS_VERSION = 1,
};

/* What goes with the request for a connection.  A request carries 56 bytes. */
struct verbs_private {
	uint32_t magic;
	uint32_t version;
	uint8_t hello[FABRIC_HELLO_SIZE];
};

/* The client's first message. */
struct verbs_ask {
	uint32_t magic;
	uint32_t version;
	/* Bytes of authentication that follow the ask; there is none yet. */
	uint32_t authentication_size;
	uint32_t inbox_size; /* of the client's end */
	uint32_t inbox_key;
	uint32_t unused;
};

/* The server's answer; also what it rejects a request with that it doesn't
 * understand. */
struct verbs_reply {
	uint32_t magic;
	uint32_t version;
	uint32_t authentication_size; /* 0 */
	uint32_t accepted;	      /* 1; or 0 and all below is 0 */
	uint8_t hello[FABRIC_HELLO_SIZE];
	uint64_t region_size; /* 0: nothing to READ */
	uint32_t region_key;
	uint32_t inbox_size; /* of the server's end */
	uint32_t inbox_key;
	uint32_t unused;
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "sent as they stand in memory");
static_assert(sizeof(struct verbs_private) == 56, "what rdma_cm carries");
static_assert(sizeof(struct verbs_ask) == 24, "no padding");
static_assert(sizeof(struct verbs_reply) == 88, "no padding");

#endif
