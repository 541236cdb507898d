/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SERVER_RAW_H
#define TESTS_SERVER_RAW_H

/* A client that sends whatever a test wants, over a link and a ring alone.
 * What fails without being asked for fails the test. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "fabric/fabric.h"
#include "fabric/ring.h"
#include "wire/message.h"

struct raw {
	struct fabric_link *link;
	struct fabric_ring *ring;
	uint64_t sequence;	 /* of the last request */
	uint32_t deadline_us;	 /* of the next requests */
	struct wire_write write; /* what the next writes begin with */
	uint32_t max;		 /* bytes of a request */
	_Alignas(8) uint8_t out[1 << 16];

	/* The message that came last. */
	uint8_t *in;
	struct wire_header header;
};

enum { RAW_INBOX_SIZE = 1 << 16 };

void raw_open(struct raw *raw, const char *address, uint32_t inbox_size);
void raw_close(struct raw *raw);

/* --- Requests ----------------------------------------------------------- */

/* Sends bytes as one message; returns what the ring did. */
int raw_send_bytes(struct raw *raw, const void *bytes, uint32_t size);

/* Sends a request with the next sequence: a fixed part and entries.  That of a
 * write may be NULL: it is raw->write then. */
void raw_send(struct raw *raw, enum wire_operation operation, const void *fixed,
	      size_t fixed_size, const void *entries, uint32_t count,
	      size_t entry_size);

void raw_send_query(struct raw *raw, enum wire_operation operation,
		    const struct rect *rect, enum relation relation,
		    uint64_t limit);
void raw_send_items(struct raw *raw, enum wire_operation operation,
		    const struct item *items, uint32_t count);

/* --- Answers ------------------------------------------------------------ */

/* Waits for the next message, checks that it is an answer, and keeps it;
 * ERR_CONNECTION when the server has closed the link. */
int raw_receive(struct raw *raw);

/* The body of the message that came last. */
const void *raw_fixed(const struct raw *raw);
const void *raw_entries(const struct raw *raw, size_t fixed_size);

/* Receives the answer to the last request, which has one segment and is no
 * error, and returns its fixed part. */
const void *raw_expect(struct raw *raw, enum wire_operation operation);

/* Receives the answer to the last request, an error with this code. */
const struct wire_error *raw_expect_error(struct raw *raw,
					  enum wire_error_code code);

/* Receives all segments of an answer to a search: the items, which the caller
 * frees, and the totals. */
struct item *raw_expect_items(struct raw *raw, struct wire_found *found);

/* Request and answer in one.  To describe is to go on with that session, or
 * with a new one (0); returns its id. */
uint64_t raw_open_session(struct raw *raw, uint64_t session);
struct wire_written raw_write(struct raw *raw, enum wire_operation operation,
			      const struct item *items, uint32_t count);
struct wire_stat raw_stat(struct raw *raw);
uint64_t raw_count(struct raw *raw);

#endif
