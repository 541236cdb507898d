/* SPDX-License-Identifier: BSD-2-Clause */

/* The fabric of tests: a client's link over another fabric that does whatever a
 * network may do, as seldom as that happens there.
 *
 * A READ is torn into lines, words or bytes.  The pieces of a whole list are
 * READ in random order, some at each poll, so that what the server writes
 * meanwhile is seen in part, and lists are done in another order than they were
 * posted.  Announced WRITEs come late, though in order, as a reliable
 * connection has it.  If asked to, the link breaks at some random operation.
 *
 * Or it breaks at a message that is named: the N-th that the links of one
 * address send or receive, all together, so that it is one link that breaks,
 * and those after it live.  Another address begins to count anew.  What was to
 * be sent is lost then, or, by an odd seed, is the last that arrives; what came
 * is lost.
 *
 * The address says which numbers are drawn and how seldom the link breaks; a
 * seed of its own for each link makes it another one every time. */

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/random.h"
#include "fabric/link.h"

enum {
	EVENTS_MAX = 2 * FABRIC_WRITES_MAX,
	/* Larger READs are torn into lines but for one, which is torn into
	 * bytes; else a list would take thousands. */
	BYTES_MAX = 64,
	LINE = 64,
};

/* A list of READs in pieces. */
struct torn_list {
	bool in_use;
	bool waits; /* for pieces that were posted */
	uint64_t cookie;
	struct fabric_read *pieces;
	size_t count, posted;
};

struct faulty_link {
	struct fabric_link base;
	struct fabric_link *inner;
	struct random random;
	uint64_t operations_per_break; /* 0: never */
	uint64_t break_at;	       /* message; 0: none */
	bool delivers;		       /* that one, if it is sent */
	int error;		       /* of the link, told from here on */
	char text[256];		       /* and in words */
	int ready_fd;		       /* always readable */

	struct torn_list lists[FABRIC_READ_LISTS_MAX];
	/* What is kept back. */
	struct fabric_event events[EVENTS_MAX];
	size_t first, count;
};

static struct faulty_link *faulty_of(const struct fabric_link *link)
{
	return (struct faulty_link *)link;
}

static bool chance(struct faulty_link *faulty, uint64_t one_in)
{
	return random_below(&faulty->random, one_in) == 0;
}

/* --- Breaking ----------------------------------------------------------- */

static void note_error(struct faulty_link *faulty, int error)
{
	faulty->error = error;
	snprintf(faulty->text, sizeof(faulty->text), "%s", err_text());
}

static int fail(const struct faulty_link *faulty)
{
	return err_set(faulty->error, "%s", faulty->text);
}

static int maybe_break(struct faulty_link *faulty)
{
	if (faulty->operations_per_break &&
	    chance(faulty, faulty->operations_per_break))
		note_error(faulty, err_set(ERR_CONNECTION, "the link broke"));
	return faulty->error ? fail(faulty) : 0;
}

/* Messages of the links that break at a message. */
static _Atomic uint64_t messages;

static void count_messages_of(const struct fabric_address *address)
{
	static _Atomic uint64_t last_seed, last_break_at;

	if (!address->break_at)
		return;
	uint64_t seed = atomic_exchange(&last_seed, address->seed);
	uint64_t break_at = atomic_exchange(&last_break_at, address->break_at);
	if (seed != address->seed || break_at != address->break_at)
		atomic_store(&messages, 0);
}

/* Whether this message is the one to break at; the link is broken then. */
static bool breaks_at_message(struct faulty_link *faulty)
{
	if (!faulty->break_at ||
	    atomic_fetch_add(&messages, 1) + 1 != faulty->break_at)
		return false;
	note_error(faulty, err_set(ERR_CONNECTION, "the link broke"));
	return true;
}

/* --- Tearing READs ------------------------------------------------------ */

static void add_pieces(struct torn_list *list, const struct fabric_read *read,
		       uint32_t from, uint32_t to, uint32_t size)
{
	for (uint32_t at = from; at < to; at += size)
		list->pieces[list->count++] = (struct fabric_read){
			.offset = read->offset + at,
			.to = (char *)read->to + at,
			.size = to - at < size ? to - at : size,
		};
}

/* Whole, in lines, in words or in bytes. */
static void tear(struct faulty_link *faulty, struct torn_list *list,
		 const struct fabric_read *read)
{
	static const uint32_t words[] = {LINE, 8};
	uint64_t dice = random_below(&faulty->random, 4);

	if (dice == 0) {
		add_pieces(list, read, 0, read->size, read->size);
	} else if (dice < 3) {
		add_pieces(list, read, 0, read->size, words[dice - 1]);
	} else {
		uint32_t line = (uint32_t)random_below(&faulty->random,
						       read->size / LINE + 1) *
				LINE;
		uint32_t end = line + BYTES_MAX < read->size ? line + BYTES_MAX
							     : read->size;
		add_pieces(list, read, 0, line, LINE);
		add_pieces(list, read, line, end, 1);
		add_pieces(list, read, end, read->size, LINE);
	}
}

static size_t pieces_at_most(const struct fabric_read *reads, size_t count)
{
	size_t pieces = 1;

	for (size_t i = 0; i < count; i++)
		pieces += reads[i].size / 8 + BYTES_MAX + 3;
	return pieces;
}

static void shuffle(struct faulty_link *faulty, struct torn_list *list)
{
	for (size_t i = list->count; i > 1; i--) {
		size_t other = random_below(&faulty->random, i);
		struct fabric_read piece = list->pieces[i - 1];
		list->pieces[i - 1] = list->pieces[other];
		list->pieces[other] = piece;
	}
}

static struct torn_list *free_list(struct faulty_link *faulty)
{
	for (int i = 0; i < FABRIC_READ_LISTS_MAX; i++)
		if (!faulty->lists[i].in_use)
			return &faulty->lists[i];
	return NULL;
}

/* All that the caller has to be told at once. */
static int check_reads(const struct faulty_link *faulty,
		       const struct fabric_read *reads, size_t count)
{
	uint64_t size = UINT64_MAX;

	if (!faulty->inner->ops->map(faulty->inner, &size))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (reads[i].offset > size ||
		    reads[i].size > size - reads[i].offset)
			return err_set(ERR_USAGE, "a READ leaves the region");
	return 0;
}

static int faulty_read(struct fabric_link *link,
		       const struct fabric_read *reads, size_t count,
		       uint64_t cookie)
{
	struct faulty_link *faulty = faulty_of(link);

	if (!link->one_sided)
		return faulty->inner->ops->read(faulty->inner, reads, count,
						cookie);
	struct torn_list *list = free_list(faulty);
	if (!list)
		return ERR_AGAIN;
	int error = check_reads(faulty, reads, count);
	if (!error)
		error = maybe_break(faulty);
	if (error)
		return error;
	list->pieces =
		calloc(pieces_at_most(reads, count), sizeof(*list->pieces));
	if (!list->pieces)
		return err_set(ERR_NO_MEMORY, "no memory to tear READs");
	list->in_use = true;
	list->waits = false;
	list->cookie = cookie;
	list->count = list->posted = 0;
	for (size_t i = 0; i < count; i++) {
		tear(faulty, list, &reads[i]);
		link->counters.read_bytes += reads[i].size;
	}
	shuffle(faulty, list);
	link->counters.reads += count;
	link->counters.read_lists++;
	return 0;
}

static void keep(struct faulty_link *faulty, const struct fabric_event *event)
{
	if (faulty->count == EVENTS_MAX)
		note_error(faulty, err_set(ERR_PROTOCOL, "too many WRITEs"));
	else
		faulty->events[(faulty->first + faulty->count++) % EVENTS_MAX] =
			*event;
}

static void finish_list(struct faulty_link *faulty, struct torn_list *list)
{
	const struct fabric_event done = {
		.kind = FABRIC_READ,
		.cookie = list->cookie,
	};

	free(list->pieces);
	list->pieces = NULL;
	list->in_use = false;
	keep(faulty, &done);
}

/* Posts some more pieces of a list, or finds it done. */
static void go_on(struct faulty_link *faulty, struct torn_list *list)
{
	size_t left = list->count - list->posted;
	size_t count = 1 + random_below(&faulty->random, FABRIC_READS_MAX);

	if (left == 0) {
		finish_list(faulty, list);
		return;
	}
	count = count < left ? count : left;
	int error = faulty->inner->ops->read(faulty->inner,
					     list->pieces + list->posted, count,
					     (uint64_t)(list - faulty->lists));
	if (error == ERR_AGAIN)
		return;
	if (error) {
		note_error(faulty, error);
		return;
	}
	list->posted += count;
	list->waits = true;
}

static void go_on_with_some(struct faulty_link *faulty)
{
	for (int i = 0; i < FABRIC_READ_LISTS_MAX; i++) {
		struct torn_list *list = &faulty->lists[i];
		if (list->in_use && !list->waits && !chance(faulty, 4))
			go_on(faulty, list);
	}
}

/* Whether another poll may bring something.  What the link below has done may
 * wait there for the next poll: who sleeps on this fabric is woken too often.
 */
static bool is_busy(const struct faulty_link *faulty)
{
	bool busy = faulty->count || faulty->error;

	for (int i = 0; i < FABRIC_READ_LISTS_MAX; i++)
		busy |= faulty->lists[i].in_use;
	return busy;
}

/* --- Polling ------------------------------------------------------------ */

/* Takes in what the link below has. */
static void take_in(struct faulty_link *faulty)
{
	struct fabric_event events[16];
	int count = faulty->inner->ops->poll(faulty->inner, events, 16);

	if (count < 0)
		note_error(faulty, count);
	for (int i = 0; i < count; i++)
		if (events[i].kind == FABRIC_READ)
			faulty->lists[events[i].cookie].waits = false;
		else if (!faulty->error && !breaks_at_message(faulty))
			keep(faulty, &events[i]);
}

/* What has come is told late at times, and before any error. */
static int faulty_poll(struct fabric_link *link, struct fabric_event *events,
		       size_t max)
{
	struct faulty_link *faulty = faulty_of(link);
	int count = 0;

	if (!faulty->error) {
		take_in(faulty);
		go_on_with_some(faulty);
	}
	if (faulty->count && !faulty->error && chance(faulty, 4))
		return 0;
	while (faulty->count && (size_t)count < max) {
		events[count++] = faulty->events[faulty->first];
		faulty->first = (faulty->first + 1) % EVENTS_MAX;
		faulty->count--;
	}
	return count || !faulty->error ? count : fail(faulty);
}

static int faulty_arm(struct fabric_link *link)
{
	struct faulty_link *faulty = faulty_of(link);

	return faulty->error ? 0 : faulty->inner->ops->arm(faulty->inner);
}

static int faulty_fd(const struct fabric_link *link, short *events)
{
	const struct faulty_link *faulty = faulty_of(link);

	*events = POLLIN;
	return is_busy(faulty) ? faulty->ready_fd
			       : faulty->inner->ops->fd(faulty->inner, events);
}

/* --- WRITEs ------------------------------------------------------------- */

static int faulty_write(struct fabric_link *link, uint32_t offset,
			const void *bytes, uint32_t size, uint32_t immediate)
{
	struct faulty_link *faulty = faulty_of(link);
	int error = maybe_break(faulty);

	if (error)
		return error;
	bool breaks = breaks_at_message(faulty);
	if (!breaks || faulty->delivers)
		error = faulty->inner->ops->write(faulty->inner, offset, bytes,
						  size, immediate);
	return breaks ? fail(faulty) : error;
}

static int faulty_write_silently(struct fabric_link *link, uint32_t offset,
				 const void *bytes, uint32_t size)
{
	struct faulty_link *faulty = faulty_of(link);
	int error = maybe_break(faulty);

	return error ? error
		     : faulty->inner->ops->write_silently(faulty->inner, offset,
							  bytes, size);
}

static int faulty_flush(struct fabric_link *link)
{
	struct faulty_link *faulty = faulty_of(link);

	return faulty->error ? 0 : fabric_flush(faulty->inner);
}

/* Loads from a map can't be torn here. */
static const void *faulty_map(const struct fabric_link *link, uint64_t *size)
{
	(void)link;
	*size = 0;
	return NULL;
}

/* --- Connecting --------------------------------------------------------- */

static void faulty_close(struct fabric_link *link)
{
	struct faulty_link *faulty = faulty_of(link);

	/* First: until then READs may come in. */
	fabric_close(faulty->inner);
	for (int i = 0; i < FABRIC_READ_LISTS_MAX; i++)
		free(faulty->lists[i].pieces);
	close(faulty->ready_fd);
	free(faulty);
}

static struct faulty_link *wrap(const struct fabric_address *address)
{
	static _Atomic uint64_t links;
	struct faulty_link *faulty = calloc(1, sizeof(*faulty));

	if (!faulty)
		return NULL;
	faulty->ready_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (faulty->ready_fd < 0) {
		free(faulty);
		return NULL;
	}
	faulty->base.ops = &fabric_faulty_ops;
	faulty->operations_per_break = address->operations_per_break;
	count_messages_of(address);
	faulty->break_at = address->break_at;
	faulty->delivers = address->seed % 2;
	random_seed(&faulty->random,
		    address->seed + (atomic_fetch_add(&links, 1) << 32));
	return faulty;
}

static int faulty_connect(const struct fabric_address *address,
			  const struct fabric_call *call,
			  struct fabric_reply *reply, struct fabric_link **link)
{
	struct faulty_link *faulty = wrap(address);

	if (!faulty)
		return err_set(ERR_NO_MEMORY, "no room for a faulty link");
	int error = fabric_ops_of(address)->connect(address, call, reply,
						    &faulty->inner);
	if (error) {
		close(faulty->ready_fd);
		free(faulty);
		return error;
	}
	faulty->base.inbox = faulty->inner->inbox;
	faulty->base.inbox_size = faulty->inner->inbox_size;
	faulty->base.peer_inbox_size = faulty->inner->peer_inbox_size;
	faulty->base.one_sided = faulty->inner->one_sided;
	*link = &faulty->base;
	return 0;
}

const struct fabric_ops fabric_faulty_ops = {
	.name = "faulty",
	.connect = faulty_connect,
	.write = faulty_write,
	.write_silently = faulty_write_silently,
	.flush = faulty_flush,
	.read = faulty_read,
	.map = faulty_map,
	.poll = faulty_poll,
	.arm = faulty_arm,
	.fd = faulty_fd,
	.close = faulty_close,
};
