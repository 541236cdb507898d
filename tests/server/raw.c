/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/server/raw.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "rtree/node.h"

/* How long a test waits for what must come. */
#define PATIENCE_NS (30 * NS_PER_S)

static const struct rect everything = {{-1e300, -1e300}, {1e300, 1e300}};

void raw_open(struct raw *raw, const char *address, uint32_t inbox_size)
{
	const struct wire_hello hello = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.fingerprint = RTREE_LAYOUT_FINGERPRINT,
	};
	const struct fabric_connect_options options = {
		.inbox_size = inbox_size,
		.timeout_ns = PATIENCE_NS,
	};
	struct wire_hello answer;

	memset(raw, 0, sizeof(*raw));
	int error = fabric_connect(address, (const uint8_t *)&hello, &options,
				   (uint8_t *)&answer, &raw->link);
	ck_assert_msg(!error, "%s: %s", address, err_text());
	ck_assert_uint_eq(answer.status, WIRE_HELLO_ACCEPTED);
	ck_assert_int_eq(fabric_ring_create(raw->link, &raw->ring), 0);
	raw->in = malloc(fabric_ring_receive_max(raw->ring));
	ck_assert_ptr_nonnull(raw->in);
	raw->max = fabric_ring_send_max(raw->ring);
	if (raw->max > sizeof(raw->out))
		raw->max = sizeof(raw->out);
}

void raw_close(struct raw *raw)
{
	fabric_ring_destroy(raw->ring);
	fabric_close(raw->link);
	free(raw->in);
}

/* --- Requests ----------------------------------------------------------- */

static void await_event(struct raw *raw)
{
	struct pollfd fd;

	fd.fd = fabric_fd(raw->link, &fd.events);
	poll(&fd, 1, 100);
}

int raw_send_bytes(struct raw *raw, const void *bytes, uint32_t size)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	int error;

	while ((error = fabric_ring_send(raw->ring, bytes, size)) ==
		       ERR_AGAIN &&
	       clock_now_ns() < until) {
		fabric_arm(raw->link);
		if (!fabric_ring_poll(raw->ring))
			await_event(raw);
	}
	return error;
}

static bool has_write(enum wire_operation operation)
{
	return operation == WIRE_INSERT || operation == WIRE_UPDATE ||
	       operation == WIRE_DELETE || operation == WIRE_LOAD_COMMIT;
}

void raw_send(struct raw *raw, enum wire_operation operation, const void *fixed,
	      size_t fixed_size, const void *entries, uint32_t count,
	      size_t entry_size)
{
	struct wire_header *header = (struct wire_header *)(void *)raw->out;

	if (!fixed && has_write(operation)) {
		fixed = &raw->write;
		fixed_size = sizeof(raw->write);
	}
	size_t size = sizeof(*header) + fixed_size + count * entry_size;

	ck_assert_uint_le(size, raw->max);
	if (fixed_size)
		memcpy(raw->out + sizeof(*header), fixed, fixed_size);
	if (count)
		memcpy(raw->out + sizeof(*header) + fixed_size, entries,
		       count * entry_size);
	wire_seal_request(header, operation, ++raw->sequence, count, size,
			  raw->deadline_us);
	ck_assert_int_eq(raw_send_bytes(raw, raw->out, size), 0);
}

void raw_send_query(struct raw *raw, enum wire_operation operation,
		    const struct rect *rect, enum relation relation,
		    uint64_t limit)
{
	struct wire_query query = {.limit = limit, .relation = relation};

	wire_put_rect(rect, &query.rect);
	raw_send(raw, operation, &query, sizeof(query), NULL, 0, 0);
}

void raw_send_items(struct raw *raw, enum wire_operation operation,
		    const struct item *items, uint32_t count)
{
	/* The same bytes, as the sizes say. */
	static_assert(sizeof(struct item) == sizeof(struct wire_item),
		      "an item");
	raw_send(raw, operation, NULL, 0, items, count, sizeof(*items));
}

/* --- Answers ------------------------------------------------------------ */

static int64_t receive(struct raw *raw)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS;

	while (clock_now_ns() < until) {
		int64_t size = fabric_ring_receive(raw->ring, raw->in, NULL);
		if (size)
			return size;
		fabric_arm(raw->link);
		size = fabric_ring_receive(raw->ring, raw->in, NULL);
		if (size)
			return size;
		await_event(raw);
	}
	ck_abort_msg("no answer came");
	return 0;
}

int raw_receive(struct raw *raw)
{
	int64_t size = receive(raw);

	if (size < 0)
		return (int)size;
	/* An answer repeats an operation that nobody knows. */
	int error = wire_check(raw->in, (size_t)size);
	ck_assert_msg(!error || error == ERR_UNSUPPORTED, "%s", err_text());
	memcpy(&raw->header, raw->in, sizeof(raw->header));
	ck_assert(raw->header.flags & WIRE_ANSWER);
	return 0;
}

const void *raw_fixed(const struct raw *raw)
{
	return raw->in + sizeof(struct wire_header);
}

const void *raw_entries(const struct raw *raw, size_t fixed_size)
{
	return raw->in + sizeof(struct wire_header) + fixed_size;
}

static void receive_answer(struct raw *raw)
{
	ck_assert_int_eq(raw_receive(raw), 0);
	ck_assert_uint_eq(raw->header.sequence, raw->sequence);
}

const void *raw_expect(struct raw *raw, enum wire_operation operation)
{
	receive_answer(raw);
	const struct wire_error *error = raw_fixed(raw);
	ck_assert_msg(raw->header.flags == WIRE_ANSWER, "flags %x, error %u",
		      raw->header.flags, error->code);
	ck_assert_uint_eq(raw->header.operation, operation);
	return error;
}

const struct wire_error *raw_expect_error(struct raw *raw,
					  enum wire_error_code code)
{
	struct wire_error error;
	const void *text;

	receive_answer(raw);
	ck_assert_uint_eq(raw->header.flags, WIRE_ANSWER | WIRE_ERROR);
	ck_assert_int_eq(wire_body(raw->in, &error, sizeof(error), 1, &text),
			 0);
	ck_assert_uint_eq(error.code, code);
	ck_assert_uint_gt(raw->header.count, 0);
	return raw_fixed(raw);
}

struct item *raw_expect_items(struct raw *raw, struct wire_found *found)
{
	struct item *items = NULL;
	uint64_t count = 0;

	do {
		const void *entries;

		receive_answer(raw);
		ck_assert(!(raw->header.flags & WIRE_ERROR));
		ck_assert_int_eq(wire_body(raw->in, found, sizeof(*found),
					   sizeof(struct wire_item), &entries),
				 0);
		items = realloc(items, (count + raw->header.count + 1) *
					       sizeof(*items));
		ck_assert_ptr_nonnull(items);
		memcpy(items + count, entries,
		       raw->header.count * sizeof(*items));
		count += raw->header.count;
	} while (raw->header.flags & WIRE_MORE);
	ck_assert_uint_eq(found->total, count);
	return items;
}

/* --- Both --------------------------------------------------------------- */

uint64_t raw_open_session(struct raw *raw, uint64_t session)
{
	const struct wire_describe request = {.session = session};
	struct wire_description description;

	raw_send(raw, WIRE_DESCRIBE, &request, sizeof(request), NULL, 0, 0);
	memcpy(&description, raw_expect(raw, WIRE_DESCRIBE),
	       sizeof(description));
	return description.session;
}

struct wire_written raw_write(struct raw *raw, enum wire_operation operation,
			      const struct item *items, uint32_t count)
{
	struct wire_written written;

	raw_send_items(raw, operation, items, count);
	memcpy(&written, raw_expect(raw, operation), sizeof(written));
	return written;
}

struct wire_stat raw_stat(struct raw *raw)
{
	struct wire_stat stat;

	raw_send(raw, WIRE_STAT, NULL, 0, NULL, 0, 0);
	memcpy(&stat, raw_expect(raw, WIRE_STAT), sizeof(stat));
	return stat;
}

uint64_t raw_count(struct raw *raw)
{
	struct wire_found found;

	raw_send_query(raw, WIRE_COUNT, &everything, RELATION_INTERSECTS, 0);
	memcpy(&found, raw_expect(raw, WIRE_COUNT), sizeof(found));
	return found.total;
}
