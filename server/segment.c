/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/segment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int segment_init(struct segment *segment, uint32_t capacity)
{
	assert(capacity >= SEGMENT_MIN);
	*segment = (struct segment){
		.bytes = malloc(capacity),
		.capacity = capacity,
	};
	if (!segment->bytes)
		return err_set(ERR_NO_MEMORY, "no memory for an answer");
	return 0;
}

void segment_fini(struct segment *segment)
{
	free(segment->bytes);
	segment->bytes = NULL;
}

void *segment_begin(struct segment *segment, size_t size)
{
	assert(sizeof(struct wire_header) + size <= SEGMENT_MIN);
	segment->size = sizeof(struct wire_header) + size;
	segment->count = 0;
	return memset(segment_fixed(segment), 0, size);
}

void *segment_fixed(const struct segment *segment)
{
	return segment->bytes + sizeof(struct wire_header);
}

uint32_t segment_room(const struct segment *segment)
{
	return segment->capacity - segment->size;
}

void *segment_append(struct segment *segment, uint32_t count, size_t entry_size)
{
	void *entries = segment->bytes + segment->size;

	assert(count * entry_size <= segment_room(segment));
	segment->size += count * entry_size;
	segment->count += count;
	return entries;
}

void segment_seal(struct segment *segment, enum wire_operation operation,
		  unsigned flags, uint64_t sequence)
{
	wire_seal((struct wire_header *)(void *)segment->bytes, operation,
		  WIRE_ANSWER | flags, sequence, segment->count, segment->size);
	segment->sealed = true;
}

void segment_fail(struct segment *segment, enum wire_operation operation,
		  uint64_t sequence, int error, uint64_t applied,
		  uint32_t retry_us)
{
	struct wire_error *body = segment_begin(segment, sizeof(*body));
	const char *text = err_text();
	size_t length = strlen(text);

	*body = (struct wire_error){
		.code = wire_error_code(error),
		.applied = applied,
		.retry_us = retry_us,
	};
	if (length > segment_room(segment))
		length = segment_room(segment);
	memcpy(segment_append(segment, length, 1), text, length);
	segment_seal(segment, operation, WIRE_ERROR, sequence);
}
