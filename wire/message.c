/* SPDX-License-Identifier: BSD-2-Clause */

/* Sealing and checking messages; what they mean is decided by their users. */

#include "wire/message.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/parse.h"

enum { KNOWN_FLAGS = WIRE_ANSWER | WIRE_MORE | WIRE_ERROR | WIRE_PUSHED_BACK };

static void seal(struct wire_header *header, struct wire_header as);
static uint64_t checksum_of(const struct wire_header *header,
			    const void *message);
static int check_known(const struct wire_header *header);

void wire_seal(struct wire_header *header, enum wire_operation operation,
	       unsigned flags, uint64_t sequence, uint32_t count, uint32_t size)
{
	seal(header, (struct wire_header){
			     .operation = operation,
			     .flags = flags,
			     .size = size,
			     .count = count,
			     .sequence = sequence,
		     });
}

void wire_seal_request(struct wire_header *header,
		       enum wire_operation operation, uint64_t sequence,
		       uint32_t count, uint32_t size, uint32_t deadline_us)
{
	seal(header, (struct wire_header){
			     .operation = operation,
			     .size = size,
			     .count = count,
			     .sequence = sequence,
			     .deadline_us = deadline_us,
		     });
}

static void seal(struct wire_header *header, struct wire_header as)
{
	as.magic = WIRE_MAGIC;
	as.version = WIRE_VERSION;
	*header = as;
	header->checksum = checksum64(header, as.size);
}

int wire_check(const void *message, size_t size)
{
	struct wire_header header;

	if (size < sizeof(header))
		return err_set(
			ERR_PROTOCOL,
			"a message of %zu bytes has no room for a header",
			size);
	memcpy(&header, message, sizeof(header));
	if (header.magic != WIRE_MAGIC)
		return err_set(ERR_PROTOCOL,
			       "a message starts with %08" PRIx32 ", not %08x",
			       header.magic, WIRE_MAGIC);
	if (header.version != WIRE_VERSION)
		return err_set(ERR_PROTOCOL,
			       "a message is of protocol version %u, not %u",
			       header.version, WIRE_VERSION);
	if (header.size != size)
		return err_set(ERR_PROTOCOL,
			       "a message of %zu bytes says it has %" PRIu32,
			       size, header.size);
	if (header.checksum != checksum_of(&header, message))
		return err_set(ERR_PROTOCOL,
			       "a message's checksum doesn't match its bytes");
	return check_known(&header);
}

/* Over the message as it was before its checksum was filled in. */
static uint64_t checksum_of(const struct wire_header *header,
			    const void *message)
{
	struct wire_header unsealed = *header;

	unsealed.checksum = 0;
	return checksum64_pair(&unsealed, sizeof(unsealed),
			       (const char *)message + sizeof(unsealed),
			       header->size - sizeof(unsealed));
}

static int check_known(const struct wire_header *header)
{
	if (header->operation == 0 || header->operation > WIRE_OPERATION_MAX)
		return err_set(ERR_UNSUPPORTED, "operation %u is not known",
			       header->operation);
	if (header->flags & ~KNOWN_FLAGS)
		return err_set(ERR_UNSUPPORTED, "flags %#x are not known",
			       header->flags & ~KNOWN_FLAGS);
	return 0;
}

int wire_body(const void *message, void *fixed, size_t fixed_size,
	      size_t entry_size, const void **entries)
{
	const char *bytes = message;
	struct wire_header header;

	memcpy(&header, message, sizeof(header));
	/* A 32-bit count times the size of an entry can't overflow 64 bits. */
	uint64_t wanted = sizeof(header) + fixed_size +
			  (uint64_t)header.count * entry_size;
	if (header.size != wanted || (header.count && !entry_size))
		return err_set(ERR_PROTOCOL,
			       "a message of operation %u with %" PRIu32
			       " entries has %" PRIu32 " bytes, not %" PRIu64,
			       header.operation, header.count, header.size,
			       wanted);
	if (fixed_size)
		memcpy(fixed, bytes + sizeof(header), fixed_size);
	if (entries)
		*entries = bytes + sizeof(header) + fixed_size;
	return 0;
}

int wire_get_point(const double from[DIMENSIONS], double point[DIMENSIONS])
{
	int error = parse_check_point(from);

	if (!error)
		memcpy(point, from, DIMENSIONS * sizeof(*point));
	return error;
}

int wire_get_rect(const struct wire_rect *from, struct rect *rect)
{
	struct rect r;

	for (int d = 0; d < DIMENSIONS; d++) {
		r.min[d] = from->min[d];
		r.max[d] = from->max[d];
	}
	int error = parse_check_rect(&r);
	if (!error)
		*rect = r;
	return error;
}

int wire_get_item(const struct wire_item *from, struct item *item)
{
	int error = wire_get_rect(&from->rect, &item->rect);

	if (!error)
		item->id = from->id;
	return error;
}

/* A number that isn't one compares as false. */
static bool is_proper(const struct wire_rect *rect)
{
	bool proper = true;

	for (int d = 0; d < DIMENSIONS; d++)
		proper &= (rect->min[d] >= -DBL_MAX) &
			  (rect->min[d] <= rect->max[d]) &
			  (rect->max[d] <= DBL_MAX);
	return proper;
}

uint32_t wire_first_bad_item(const struct wire_item *items, uint32_t count)
{
	uint32_t i = 0;

	while (i < count && is_proper(&items[i].rect))
		i++;
	return i;
}

void wire_put_rect(const struct rect *rect, struct wire_rect *to)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		to->min[d] = rect->min[d];
		to->max[d] = rect->max[d];
	}
}

void wire_put_item(const struct item *item, struct wire_item *to)
{
	to->id = item->id;
	wire_put_rect(&item->rect, &to->rect);
}

void wire_seal_heartbeat(struct wire_heartbeat *heartbeat)
{
	heartbeat->checksum = checksum64(
		heartbeat, offsetof(struct wire_heartbeat, checksum));
}

bool wire_heartbeat_is_whole(const struct wire_heartbeat *heartbeat)
{
	return heartbeat->checksum ==
	       checksum64(heartbeat, offsetof(struct wire_heartbeat, checksum));
}

static const struct {
	int error;
	uint32_t code;
} codes[] = {
	{ERR_PROTOCOL, WIRE_E_PROTOCOL},
	{ERR_USAGE, WIRE_E_USAGE},
	{ERR_BUSY, WIRE_E_BUSY},
	{ERR_DATA, WIRE_E_DATA},
	{ERR_DAMAGED, WIRE_E_DAMAGED},
	{ERR_NO_ROOM, WIRE_E_NO_ROOM},
	{ERR_NO_MEMORY, WIRE_E_NO_MEMORY},
	{ERR_SYSTEM, WIRE_E_SYSTEM},
	{ERR_UNSUPPORTED, WIRE_E_UNSUPPORTED},
	{ERR_TIMEOUT, WIRE_E_TIMEOUT},
	{ERR_CONNECTION, WIRE_E_FORGOTTEN},
};

enum { CODES = sizeof(codes) / sizeof(codes[0]) };

uint32_t wire_error_code(int error)
{
	for (int i = 0; i < CODES; i++)
		if (codes[i].error == error)
			return codes[i].code;
	return WIRE_E_SYSTEM;
}

int wire_error_of_code(uint32_t code)
{
	for (int i = 0; i < CODES; i++)
		if (codes[i].code == code)
			return codes[i].error;
	return err_set(ERR_PROTOCOL, "error code %" PRIu32 " is not known",
		       code);
}
