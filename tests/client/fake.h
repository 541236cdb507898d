/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CLIENT_FAKE_H
#define TESTS_CLIENT_FAKE_H

/* A server in a thread of the test, with a real region and answers that the
 * test makes up: what a client must not believe.
 *
 * It serves one client at a time.  Requests that no handler was given for are
 * answered as a server does that is honest and holds nothing but one item,
 * FAKE_ITEM, so that an answer by messaging can be told from one by offloading.
 */

#include <stdint.h>

#include "fabric/fabric.h"
#include "rtree/rtree.h"
#include "wire/message.h"

enum { FAKE_ITEM = 777, FAKE_VERSION = 1000 };

struct fake;
typedef void fake_handler(struct fake *fake, const struct wire_header *request);

struct fake {
	char address[128];
	struct rtree *tree;
	struct rtree_region region;

	/* Changed by the test before it connects. */
	struct wire_description description;
	struct wire_hello hello;
	bool refuses;

	_Atomic(fake_handler *) handle;
	_Atomic uint64_t offloaded; /* that a client has reported */
	struct fake_threads *threads;
};

/* Starts it, with a tree of 'count' items in a region with that lease: item i
 * is the point (i, i). */
void fake_start(struct fake *fake, int64_t count, uint64_t lease_ns);
void fake_stop(struct fake *fake);

/* From here on requests are answered by this handler. */
void fake_answer_with(struct fake *fake, fake_handler *handle);

/* One segment of an answer, for handlers. */
struct fake_segment {
	unsigned flags; /* besides WIRE_ANSWER */
	uint64_t sequence;
	enum wire_operation operation;
	const void *fixed;
	uint32_t fixed_size;
	const void *entries;
	uint32_t entries_size;
	uint32_t count;
	bool spoilt; /* a byte of it is wrong */
};
struct fake_segment fake_segment_to(const struct wire_header *request);
void fake_send(struct fake *fake, const struct fake_segment *segment);

/* Answers a search with one segment of items, which may lie. */
void fake_send_found(struct fake *fake, struct fake_segment segment,
		     const struct wire_found *found,
		     const struct wire_item *items, uint32_t count);

/* The region's pages, to spoil them. */
struct root_page *fake_root_page(const struct fake *fake);
struct node *fake_page(const struct fake *fake, uint32_t page);

/* Writes the root record whole, with its checksum. */
void fake_write_record(const struct fake *fake, const struct root *root);

#endif
