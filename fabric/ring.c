/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* What an immediate says: the length of a message, or, with the highest bit
 * set, credits given back:
 *
 *	31	30 ... 24	23 ... 0
 *	0	length
 *	1	messages	slots
 */
enum {
	CREDIT_MESSAGES_SHIFT = 24,
	CREDIT_MESSAGES_MASK = 0x7f,
	CREDIT_SLOTS_MASK = (1 << CREDIT_MESSAGES_SHIFT) - 1,
	LENGTH_MASK = 0x7fffffff,
	/* Messages after which credits are given back. */
	MESSAGES_DUE = FABRIC_MESSAGES_MAX / 4,
	EVENTS_PER_POLL = 16,
};

#define CREDIT_FLAG UINT32_C(0x80000000)

static_assert(MESSAGES_DUE <= CREDIT_MESSAGES_MASK, "fits its bits");
static_assert((FABRIC_INBOX_MAX - FABRIC_RING_OFFSET) / FABRIC_SLOT_SIZE <=
		      CREDIT_SLOTS_MASK,
	      "fits its bits");
/* A credit gives back a quarter of the messages or of the slots. */
static_assert(FABRIC_MESSAGES_MAX + 8 <= FABRIC_WRITES_MAX,
	      "messages and credits on their way");

/* One direction.  Both ends keep its state by the same rules and so always know
 * where the next message goes. */
struct direction {
	uint32_t slots;	   /* of the ring */
	uint32_t position; /* slot where the next message goes if it fits */
};

struct fabric_ring {
	struct fabric_link *link;
	struct direction out;
	uint32_t out_slots;    /* taken by messages that are on their way */
	uint32_t out_messages; /* on their way */
	struct direction in;
	/* Lengths of messages that were announced and not received yet: a
	 * circle, since credits are looked for behind them. */
	uint32_t announced[FABRIC_MESSAGES_MAX];
	uint32_t announced_begin, announced_count;
	bool keeps_times;
	uint64_t announced_ns[FABRIC_MESSAGES_MAX]; /* each one's, then */
	uint64_t received_ns;			    /* the last one's */
	unsigned reads_done;			    /* not told yet */
	uint32_t due_slots;			    /* to be given back */
	uint32_t due_messages;
	int error; /* told when no message is left */
};

static void note_time(struct fabric_ring *ring, uint32_t known);
static int take_event(struct fabric_ring *ring,
		      const struct fabric_event *event);
static int take_announcement(struct fabric_ring *ring, uint32_t size);
static int64_t take_message(struct fabric_ring *ring, void *message);
static int take_credit(struct fabric_ring *ring, uint32_t immediate);

/* --- Where messages stand ----------------------------------------------- */

static void direction_init(struct direction *direction, uint32_t inbox_size)
{
	direction->slots = (inbox_size - FABRIC_RING_OFFSET) / FABRIC_SLOT_SIZE;
	direction->position = 0;
}

static uint32_t message_max(const struct direction *direction)
{
	return direction->slots / 4 * FABRIC_SLOT_SIZE;
}

static uint32_t slots_of(uint32_t size)
{
	return (size + FABRIC_SLOT_SIZE - 1) / FABRIC_SLOT_SIZE;
}

/* Slots that a message takes, those included that stay empty before the end
 * when it has to start at the beginning. */
static uint32_t slots_taken(const struct direction *direction, uint32_t size)
{
	uint32_t slots = slots_of(size);
	uint32_t left = direction->slots - direction->position;

	return slots <= left ? slots : left + slots;
}

/* Moves on by a message; returns its offset in the inbox. */
static uint32_t advance(struct direction *direction, uint32_t size)
{
	uint32_t slots = slots_of(size);
	uint32_t start = direction->position;

	if (slots > direction->slots - start)
		start = 0;
	direction->position = start + slots;
	return FABRIC_RING_OFFSET + start * FABRIC_SLOT_SIZE;
}

/* ------------------------------------------------------------------------ */

int fabric_ring_create(struct fabric_link *link, struct fabric_ring **ring)
{
	uint32_t inbox_size;

	struct fabric_ring *r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(ERR_NO_MEMORY, "no memory");
	fabric_inbox(link, &inbox_size);
	r->link = link;
	direction_init(&r->in, inbox_size);
	direction_init(&r->out, fabric_peer_inbox_size(link));
	*ring = r;
	return 0;
}

void fabric_ring_destroy(struct fabric_ring *ring)
{
	free(ring);
}

void fabric_ring_keep_times(struct fabric_ring *ring)
{
	ring->keeps_times = true;
}

uint64_t fabric_ring_announced_ns(const struct fabric_ring *ring)
{
	return ring->received_ns;
}

uint32_t fabric_ring_send_max(const struct fabric_ring *ring)
{
	return message_max(&ring->out);
}

uint32_t fabric_ring_receive_max(const struct fabric_ring *ring)
{
	return message_max(&ring->in);
}

bool fabric_ring_has_room(const struct fabric_ring *ring, uint32_t size)
{
	return ring->out_messages < FABRIC_MESSAGES_MAX &&
	       slots_taken(&ring->out, size) <=
		       ring->out.slots - ring->out_slots;
}

int fabric_ring_send(struct fabric_ring *ring, const void *message,
		     uint32_t size)
{
	if (!size || size > message_max(&ring->out))
		return err_set(ERR_USAGE,
			       "a message has 1 to %u bytes here, not %u",
			       message_max(&ring->out), size);
	if (!fabric_ring_has_room(ring, size)) {
		int came = fabric_ring_poll(ring);
		if (came < 0)
			return came;
		if (!fabric_ring_has_room(ring, size))
			return ERR_AGAIN;
	}
	ring->out_messages++;
	ring->out_slots += slots_taken(&ring->out, size);
	return fabric_write(ring->link, advance(&ring->out, size), message,
			    size, size);
}

int fabric_ring_poll(struct fabric_ring *ring)
{
	struct fabric_event events[EVENTS_PER_POLL];

	if (ring->error)
		return ring->error;
	int count = fabric_poll(ring->link, events, EVENTS_PER_POLL);
	uint32_t known = ring->announced_count;
	for (int i = 0; i < count && !ring->error; i++)
		ring->error = take_event(ring, &events[i]);
	if (ring->keeps_times && known < ring->announced_count)
		note_time(ring, known);
	return ring->error ? ring->error : count;
}

/* Of the announced messages but the first 'known'. */
static void note_time(struct fabric_ring *ring, uint32_t known)
{
	uint64_t now = clock_now_ns();

	for (uint32_t i = known; i < ring->announced_count; i++)
		ring->announced_ns[(ring->announced_begin + i) %
				   FABRIC_MESSAGES_MAX] = now;
}

int64_t fabric_ring_receive(struct fabric_ring *ring, void *message,
			    unsigned *reads_done)
{
	int came = 1;

	while (!ring->announced_count && came > 0)
		came = fabric_ring_poll(ring);
	if (reads_done)
		*reads_done += ring->reads_done;
	ring->reads_done = 0;
	/* What came before an error is good. */
	return ring->announced_count ? take_message(ring, message) : came;
}

static int take_event(struct fabric_ring *ring,
		      const struct fabric_event *event)
{
	if (event->kind == FABRIC_READ) {
		ring->reads_done++;
		return 0;
	}
	if (event->immediate & CREDIT_FLAG)
		return take_credit(ring, event->immediate);
	return take_announcement(ring, event->immediate);
}

/* Its length is all that the peer says of a message. */
static int take_announcement(struct fabric_ring *ring, uint32_t size)
{
	if (!size || size > message_max(&ring->in))
		return err_set(ERR_PROTOCOL,
			       "the other end announced a message of %u bytes, "
			       "1 to %u are possible",
			       size, message_max(&ring->in));
	if (ring->announced_count == FABRIC_MESSAGES_MAX)
		return err_set(ERR_PROTOCOL,
			       "the other end sent more than %d messages "
			       "without credit",
			       FABRIC_MESSAGES_MAX);
	ring->announced[(ring->announced_begin + ring->announced_count++) %
			FABRIC_MESSAGES_MAX] = size;
	return 0;
}

/* Gives back what is due.  The message that was received is good whether or not
 * this succeeds.  That the peer has gone is told by fabric_poll() when nothing
 * is left to be received. */
static void give_credit(struct fabric_ring *ring)
{
	uint32_t immediate = CREDIT_FLAG |
			     ring->due_messages << CREDIT_MESSAGES_SHIFT |
			     ring->due_slots;

	ring->due_messages = 0;
	ring->due_slots = 0;
	int error = fabric_write(ring->link, 0, NULL, 0, immediate);
	if (!ring->error && error != ERR_CONNECTION)
		ring->error = error;
}

/* Copies the oldest message out and returns its size.  A peer that sends
 * without credit overwrites only what it sent itself. */
static int64_t take_message(struct fabric_ring *ring, void *message)
{
	uint32_t inbox_size;
	const uint8_t *inbox = fabric_inbox(ring->link, &inbox_size);
	uint32_t size = ring->announced[ring->announced_begin];

	ring->received_ns = ring->announced_ns[ring->announced_begin];

	ring->announced_begin =
		(ring->announced_begin + 1) % FABRIC_MESSAGES_MAX;
	ring->announced_count--;
	ring->due_messages++;
	ring->due_slots += slots_taken(&ring->in, size);
	memcpy(message, inbox + advance(&ring->in, size), size);
	if (ring->due_messages >= MESSAGES_DUE ||
	    ring->due_slots >= ring->in.slots / 4)
		give_credit(ring);
	return size;
}

static int take_credit(struct fabric_ring *ring, uint32_t immediate)
{
	uint32_t slots = immediate & CREDIT_SLOTS_MASK;
	uint32_t messages =
		immediate >> CREDIT_MESSAGES_SHIFT & CREDIT_MESSAGES_MASK;

	/* A credit always is for some message, so no peer can keep this busy
	 * with empty ones. */
	if (!messages || messages > ring->out_messages ||
	    slots > ring->out_slots)
		return err_set(ERR_PROTOCOL,
			       "the other end gives credit for %u messages in "
			       "%u slots, %u in %u were sent",
			       messages, slots, ring->out_messages,
			       ring->out_slots);
	ring->out_messages -= messages;
	ring->out_slots -= slots;
	return 0;
}
