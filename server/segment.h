/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_SEGMENT_H
#define SERVER_SEGMENT_H

/* One message of an answer while it is being written: a header, a fixed part,
 * and as many entries as fit into what one message may be.
 *
 * Thread-safety: one segment, one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

struct segment {
	uint8_t *bytes;
	uint32_t capacity;
	uint32_t size;	/* so far; 0: not begun */
	uint32_t count; /* entries so far */
	bool sealed;	/* waits to be sent */
};

enum {
	/* A segment that every connection must have room for: any fixed part
	 * and a useful piece of text. */
	SEGMENT_MIN = 896,
	/* More would only make others wait. */
	SEGMENT_MAX = 1 << 16,
};

int segment_init(struct segment *segment, uint32_t capacity);
void segment_fini(struct segment *segment);

/* Starts over with a fixed part of 'size' zero bytes, and returns it. */
void *segment_begin(struct segment *segment, size_t size);

/* The fixed part of a segment that was begun. */
void *segment_fixed(const struct segment *segment);

/* Room for entries, in bytes. */
uint32_t segment_room(const struct segment *segment);

/* Appends 'count' entries of 'entry_size' bytes, for which there is room;
 * returns where they go. */
void *segment_append(struct segment *segment, uint32_t count,
		     size_t entry_size);

/* Makes it a message; 'flags' besides WIRE_ANSWER. */
void segment_seal(struct segment *segment, enum wire_operation operation,
		  unsigned flags, uint64_t sequence);

/* Makes it the answer that says this thread's error text; 'retry_us' is when to
 * come back, where that is known. */
void segment_fail(struct segment *segment, enum wire_operation operation,
		  uint64_t sequence, int error, uint64_t applied,
		  uint32_t retry_us);

#endif
