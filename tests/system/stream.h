/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SYSTEM_STREAM_H
#define TESTS_SYSTEM_STREAM_H

/* Records on their way from one process to another, in order: a bounded ring
 * in memory that both inherit from the parent which made it.  The ring is
 * mapped twice in a row, so a record always stands in one piece.
 *
 * Thread-safety: one thread puts records in, one thread takes them out. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every record starts with. */
struct record {
	uint64_t size;	  /* of the whole record, a multiple of 8 */
	uint64_t version; /* of the tree; never falls from record to record */
};

struct stream {
	char *bytes;
	uint64_t size;
	_Alignas(64) _Atomic uint64_t put; /* bytes so far */
	_Atomic bool ended;
	_Alignas(64) _Atomic uint64_t taken;
};

/* Makes a ring of at least 'size' bytes; dies when it can't. */
void stream_init(struct stream *stream, uint64_t size);

/* Where the next record goes: room for 'size' bytes, which is waited for.  At
 * most half of the ring. */
void *stream_room(struct stream *stream, uint64_t size);

/* Hands over the record that stands there, complete with its size. */
void stream_put(struct stream *stream);

/* Nothing more will come. */
void stream_end(struct stream *stream);

/* The oldest record that wasn't taken; NULL when there is none now.  Whether
 * more may come must be asked before. */
const struct record *stream_next(const struct stream *stream);
bool stream_ended(const struct stream *stream);

/* Takes that record, whose bytes may be written over from here on. */
void stream_take(struct stream *stream);

#endif
