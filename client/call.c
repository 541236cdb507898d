/* SPDX-License-Identifier: BSD-2-Clause */

/* Sending requests and waiting for what comes of them. */

#include "client/call.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

enum {
	/* Going to sleep and being woken takes some ten microseconds; an
	 * answer that comes within that is better waited for awake. */
	SPIN_NS = 20 * 1000,
	/* Writes wait while the server waits for pages to come back, which in
	 * a region that is nearly full takes a lease for every few items;
	 * checks go through the whole tree, and others wait for them. */
	SLOW_FACTOR = 60,
};

static int read_and_wait(struct catfish *c, const struct fabric_read *reads,
			 size_t count);
static bool is_slow(enum wire_operation operation);
static int await_room(struct catfish *c, uint32_t size);
static int64_t await_message(struct catfish *c);
static int check_answer(struct catfish *c, size_t size,
			struct wire_header *header);
static int take_error(struct catfish *c, const struct wire_header *header);
static int take_push_back(struct catfish *c, const struct wire_header *header);
static int wait_more(const struct catfish *c, struct client_wait *wait);

void *client_request_body(struct catfish *c)
{
	return c->request + 1;
}

size_t client_request_room(const struct catfish *c)
{
	return fabric_ring_send_max(c->ring) - sizeof(struct wire_header);
}

int client_request(struct catfish *c, enum wire_operation operation,
		   size_t body_size, uint32_t count)
{
	uint32_t size = sizeof(struct wire_header) + body_size;

	assert(!c->more && body_size <= client_request_room(c));
	c->error_applied = 0;
	c->retry_us = 0;
	c->push_back.came = false;
	c->sent = false;
	c->answer_timeout_ns = client_request_timeout_ns(c, operation);
	wire_seal_request(c->request, operation, ++c->sequence, count, size,
			  client_deadline_us(c->answer_timeout_ns));
	int error = await_room(c, size);
	c->sent = !error;
	if (!error)
		error = fabric_ring_send(c->ring, c->request, size);
	if (error)
		return client_lose(c, error);
	c->more = true;
	return 0;
}

uint64_t client_request_timeout_ns(const struct catfish *c,
				   enum wire_operation operation)
{
	return c->timeout_ns * (is_slow(operation) ? SLOW_FACTOR : 1);
}

uint32_t client_deadline_us(uint64_t time_ns)
{
	uint64_t time_us = time_ns / NS_PER_US;

	if (!time_us)
		return 1;
	return time_us < UINT32_MAX ? (uint32_t)time_us : UINT32_MAX;
}

int client_answer(struct catfish *c, void *fixed, size_t fixed_size,
		  size_t entry_size, struct client_entries *entries)
{
	struct wire_header header;

	assert(c->more);
	int64_t size = await_message(c);
	int error = size < 0 ? (int)size : check_answer(c, size, &header);
	if (error)
		return client_lose(c, error);
	return client_open_segment(c, &header, fixed, fixed_size, entry_size,
				   entries);
}

int client_check_segment(struct catfish *c, size_t size,
			 struct wire_header *header)
{
	if (wire_check(c->segment, size))
		return ERR_PROTOCOL;
	memcpy(header, c->segment, sizeof(*header));
	return 0;
}

int client_open_segment(struct catfish *c, const struct wire_header *header,
			void *fixed, size_t fixed_size, size_t entry_size,
			struct client_entries *entries)
{
	const void *first = NULL;

	c->more = header->flags & WIRE_MORE;
	if (header->flags & WIRE_ERROR)
		return take_error(c, header);
	if (header->flags & WIRE_PUSHED_BACK)
		return take_push_back(c, header);
	/* What was begun isn't left to the client any more. */
	c->push_back.may_come = false;
	int error =
		wire_body(c->segment, fixed, fixed_size, entry_size, &first);
	if (error)
		return client_lose(c, error);
	if (entries)
		*entries = (struct client_entries){first, header->count};
	return 0;
}

int client_call(struct catfish *c, enum wire_operation operation,
		size_t body_size, uint32_t count, void *fixed,
		size_t fixed_size)
{
	int error = client_request(c, operation, body_size, count);

	if (!error)
		error = client_answer(c, fixed, fixed_size, 0, NULL);
	if (!error && c->more)
		return client_lose(
			c, err_set(ERR_PROTOCOL,
				   "an answer came in too many pieces"));
	return error;
}

void client_drain(struct catfish *c)
{
	struct wire_header header;

	while (c->more) {
		int64_t size = await_message(c);
		int error =
			size < 0 ? (int)size : check_answer(c, size, &header);
		if (error)
			client_lose(c, error);
		else
			c->more = header.flags & WIRE_MORE;
	}
}

int client_read(struct catfish *c, const struct fabric_read *reads,
		size_t count)
{
	int error = fabric_read_now(c->link, reads, count);

	if (error == ERR_UNSUPPORTED)
		error = read_and_wait(c, reads, count);
	return error ? client_lose(c, error) : 0;
}

static int read_and_wait(struct catfish *c, const struct fabric_read *reads,
			 size_t count)
{
	struct client_wait wait = {.timeout_ns = c->timeout_ns};
	unsigned done = 0;

	int error = fabric_read(c->link, reads, count, 0);
	while (!error && !done) {
		int64_t size = fabric_ring_receive(c->ring, c->segment, &done);
		if (size < 0)
			error = size;
		else if (size > 0)
			error = err_set(ERR_PROTOCOL,
					"a message came that nobody asked for");
		else if (!done)
			error = wait_more(c, &wait);
	}
	return error;
}

/* Whether it may wait its turn behind something long: a write behind an import,
 * and what looks at the whole tree behind a check. */
static bool is_slow(enum wire_operation operation)
{
	switch (operation) {
	case WIRE_INSERT:
	case WIRE_UPDATE:
	case WIRE_DELETE:
	case WIRE_LOAD_COMMIT:
	case WIRE_CHECK:
	case WIRE_STAT:
	case WIRE_STATISTICS:
	case WIRE_SAVE:
		return true;
	default:
		return false;
	}
}

/* Waits until the server has given enough room back for a request. */
static int await_room(struct catfish *c, uint32_t size)
{
	struct client_wait wait = {.timeout_ns = c->timeout_ns};
	int error = 0;

	while (!error && !fabric_ring_has_room(c->ring, size)) {
		error = fabric_ring_poll(c->ring);
		if (error == 0)
			error = wait_more(c, &wait);
		else if (error > 0)
			error = 0;
	}
	return error;
}

/* The size of the next message, which is then in c->segment. */
static int64_t await_message(struct catfish *c)
{
	struct client_wait wait = {.timeout_ns = c->answer_timeout_ns};

	for (;;) {
		int64_t size = fabric_ring_receive(c->ring, c->segment, NULL);
		if (size)
			return size;
		int error = wait_more(c, &wait);
		if (error)
			return error;
	}
}

/* Checks that the message in c->segment is whole and answers the request that
 * is under way. */
static int check_answer(struct catfish *c, size_t size,
			struct wire_header *header)
{
	if (client_check_segment(c, size, header))
		return ERR_PROTOCOL;

	uint8_t asked = c->request->operation;
	if (!(header->flags & WIRE_ANSWER) || header->sequence != c->sequence ||
	    header->operation != asked)
		return err_set(ERR_PROTOCOL,
			       "an answer to request %" PRIu64
			       " of kind %u came where %" PRIu64
			       " of kind %u was asked",
			       header->sequence, header->operation, c->sequence,
			       asked);
	return 0;
}

/* Takes up what the server said went wrong, in its words. */
static int take_error(struct catfish *c, const struct wire_header *header)
{
	struct wire_error wire;
	const void *text;

	int error = wire_body(c->segment, &wire, sizeof(wire), 1, &text);
	if (error)
		return client_lose(c, error);
	error = wire_error_of_code(wire.code);
	c->error_applied = wire.applied;
	c->retry_us = wire.retry_us;
	c->more = false;

	if (header->count)
		err_set(error, "%.*s", (int)header->count, (const char *)text);
	else
		err_set(error, "%s", err_name(error));
	return error == ERR_PROTOCOL ? client_lose(c, error) : error;
}

/* ERR_AGAIN: the search is to be made in another way. */
static int take_push_back(struct catfish *c, const struct wire_header *header)
{
	struct client_push_back *push_back = &c->push_back;
	struct wire_pushed_back wire;

	int error = wire_body(c->segment, &wire, sizeof(wire), 0, NULL);
	if (!error && (!push_back->may_come || c->more))
		error = err_set(ERR_PROTOCOL, "a request was left to this "
					      "client that can't be");
	if (!error &&
	    node_ref_birth(wire.root) != node_birth_kept(wire.version))
		error = err_set(ERR_PROTOCOL,
				"the root that is to be read is not that of "
				"version %" PRIu64,
				wire.version);
	if (error)
		return client_lose(c, error);
	push_back->came = true;
	push_back->root = (struct root){
		.identity = wire.identity,
		.version = wire.version,
		.ref = wire.root,
		.item_count = wire.item_count,
	};
	return ERR_AGAIN;
}

int client_lose(struct catfish *c, int error)
{
	/* Whether it comes later, or never, nobody knows. */
	c->gave_up = error == ERR_TIMEOUT;
	if (c->gave_up)
		error = ERR_CONNECTION;
	return client_break(c, err_prefix(error, "%s", c->address));
}

static void start_waiting(struct client_wait *wait, uint64_t now)
{
	wait->started = true;
	wait->spin_until_ns = now + SPIN_NS;
	wait->deadline_ns = now + wait->timeout_ns;
}

static int sleep_on_link(const struct catfish *c, uint64_t left_ns)
{
	struct pollfd fd = {0};
	struct timespec left = {
		.tv_sec = left_ns / NS_PER_S,
		.tv_nsec = left_ns % NS_PER_S,
	};

	fd.fd = fabric_fd(c->link, &fd.events);
	if (ppoll(&fd, 1, &left, NULL) < 0 && errno != EINTR)
		return err_set(ERR_SYSTEM, "ppoll: %s", strerror(errno));
	return 0;
}

static void relax_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static int wait_more(const struct catfish *c, struct client_wait *wait)
{
	uint64_t now = clock_now_ns();

	if (wait->started && now >= wait->deadline_ns)
		return err_set(ERR_TIMEOUT, "no answer within %.3g s",
			       (double)wait->timeout_ns / NS_PER_S);
	return client_wait_step(c, wait, now);
}

int client_wait_step(const struct catfish *c, struct client_wait *wait,
		     uint64_t now)
{
	if (!wait->started)
		start_waiting(wait, now);
	if (now >= wait->deadline_ns)
		return 0;
	if (now < wait->spin_until_ns) {
		relax_processor();
		return 0;
	}
	wait->armed = !wait->armed;
	return wait->armed ? fabric_arm(c->link)
			   : sleep_on_link(c, wait->deadline_ns - now);
}
