/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

/* The messages between client and server, byte by byte as they are drawn in
 * docs/wire-protocol.md.  All numbers are little-endian.
 *
 * A message is a header and a body.  Its decoder trusts nothing: wire_check()
 * before anything else, and the body's count against its length.  A header and
 * every fixed part of a body are multiples of 8 bytes, so what follows them is
 * aligned whenever the message is.
 *
 * Thread-safety: pure functions on the caller's bytes. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"

enum {
	WIRE_VERSION = 3,
	WIRE_MAGIC = 0x68736663, /* "cfsh" */
};

/* Values are never renumbered. */
enum wire_operation {
	WIRE_DESCRIBE = 1, /* what the server serves; the first request */
	WIRE_SEARCH = 2,
	WIRE_COUNT = 3,
	WIRE_INSERT = 4,
	WIRE_UPDATE = 5,
	WIRE_DELETE = 6,
	WIRE_LOAD_BEGIN = 7, /* one import, one version: begin, items, commit */
	WIRE_LOAD_ITEMS = 8,
	WIRE_LOAD_COMMIT = 9,
	WIRE_STAT = 10,
	WIRE_CHECK = 11,
	WIRE_SAVE = 12, /* the bytes of a snapshot */
	WIRE_LOAD_ABORT = 13,
	WIRE_NEAREST = 14,
	WIRE_STATISTICS = 15, /* the shape of the tree */
	WIRE_HEARTBEAT = 16,  /* for who has none in its inbox */
	WIRE_OPERATION_MAX = WIRE_HEARTBEAT,
};

enum wire_flags {
	WIRE_ANSWER = 1 << 0,
	WIRE_MORE = 1 << 1,  /* further segments of this answer follow */
	WIRE_ERROR = 1 << 2, /* the body is a struct wire_error */
	/* The search is the client's to make; a struct wire_pushed_back. */
	WIRE_PUSHED_BACK = 1 << 3,
};

struct wire_header {
	uint32_t magic;
	uint16_t version; /* WIRE_VERSION */
	uint8_t operation;
	uint8_t flags;
	uint32_t size;	   /* of the whole message, this header included */
	uint32_t count;	   /* entries of the body's array */
	uint64_t sequence; /* of the request, from 1; the answer repeats it */
	uint64_t checksum; /* checksum64 of the message with this field 0 */
	/* Of a request: it isn't worked on once the server has had it for so
	 * long, in microseconds; 0: no deadline. */
	uint32_t deadline_us;
	uint32_t unused;
};

/* --- Bodies ------------------------------------------------------------- */

struct wire_rect {
	double min[DIMENSIONS];
	double max[DIMENSIONS];
};

struct wire_item {
	int64_t id;
	struct wire_rect rect;
};

/* WIRE_DESCRIBE: which session the connection goes on with, or 0 for a new one.
 * The answer names the session that it has: another than was asked for when the
 * server doesn't know that one any more. */
struct wire_describe {
	uint64_t session;
};
struct wire_description {
	uint64_t identity;
	uint64_t region_size;
	uint64_t page_count;
	uint64_t root_record_offset;
	uint64_t lease_ns;
	uint64_t heartbeat_ns;
	uint32_t page_size;
	uint32_t process_id; /* for people */
	uint64_t session;
};

/* WIRE_SEARCH and WIRE_COUNT */
struct wire_query {
	struct wire_rect rect;
	uint64_t limit; /* items at most; 0: no limit (search only) */
	uint32_t relation;
	uint32_t flags; /* of enum wire_query_flags; others are ignored */
};
enum wire_query_flags {
	/* The client reads the region itself if it is told to. */
	WIRE_QUERY_MAY_PUSH_BACK = 1 << 0,
};

/* The answer, with WIRE_PUSHED_BACK, to a query with that flag, when too many
 * others wait: the root to walk from, of the version that was newest. */
struct wire_pushed_back {
	uint64_t identity;
	uint64_t version;
	uint64_t root; /* node_ref */
	uint64_t item_count;
};

/* Every answer to a search or count starts with it; then 'count' wire_items.
 * The last segment, the one without WIRE_MORE, has the totals. */
struct wire_found {
	uint64_t identity;
	uint64_t version;
	uint64_t total;	    /* items found, in all segments */
	uint64_t nodes;	    /* visited */
	uint32_t truncated; /* 1: the limit was reached and there are more */
	uint32_t unused;
};

/* WIRE_NEAREST: the 'k' items nearest to a point, or all when there are fewer.
 * The answer is a wire_found, never truncated, and 'count' wire_neighbours, in
 * order of distance through all segments. */
struct wire_nearest {
	double point[DIMENSIONS]; /* finite */
	uint64_t k;		  /* at least 1 */
	uint64_t unused;
};
struct wire_neighbour {
	struct wire_item item;
	double distance; /* not negative; infinite beyond some 1e154 */
};

/* Every request that changes the tree (WIRE_INSERT, WIRE_UPDATE, WIRE_DELETE
 * and WIRE_LOAD_COMMIT) starts with it.  A number that its session has had
 * before is not applied again: it has the answer that it had. */
struct wire_write {
	uint64_t number; /* in its session, rising; 0: nothing is remembered */
	uint64_t
		oldest; /* the oldest whose answer the client still waits for */
};

/* WIRE_INSERT and WIRE_DELETE: 'count' wire_items.  WIRE_UPDATE: 'count' of: */
struct wire_move {
	struct wire_item item;
	struct wire_rect to;
};

/* The answer: all were applied in this version; then 'count' 32-bit indices of
 * those that were not found, in all segments of the answer. */
struct wire_written {
	uint64_t identity;
	uint64_t version;
	uint64_t applied;
};

/* WIRE_LOAD_BEGIN.  LOAD_ITEMS has 'count' wire_items, LOAD_COMMIT a wire_write
 * and LOAD_ABORT no body.  The commit is answered by a wire_written, the
 * others by a message without body.  What was loaded is dropped by an abort,
 * another begin, an error, and when the connection ends before the commit. */
enum wire_load_mode {
	WIRE_LOAD_EMPTY = 0, /* refused when the tree holds items */
	WIRE_LOAD_APPEND = 1,
	WIRE_LOAD_REPLACE = 2,
};
struct wire_load {
	uint64_t item_count; /* to come, 0 when not known */
	uint32_t mode;
	uint32_t unused;
};

enum {
	WIRE_LEVELS = 16,
	/* Requests of a lower operation are counted, by that. */
	WIRE_KINDS = 16,
};

/* WIRE_STAT: request without body. */
struct wire_stat {
	uint64_t identity;
	uint64_t version;
	uint64_t item_count;
	uint64_t height;
	uint64_t nodes[WIRE_LEVELS];
	uint64_t entries[WIRE_LEVELS];
	uint64_t region_size;
	uint64_t page_size;
	uint64_t page_count;
	uint64_t free_pages;
	uint64_t retired_pages;
	uint64_t lease_ns;
	uint64_t heartbeat_ns;
	uint64_t uptime_ns;
	uint64_t since_save_ns;	   /* UINT64_MAX: never saved */
	uint64_t unsaved_versions; /* published since */
	uint64_t clients;
	uint64_t one_sided_clients;
	uint64_t threads;
	uint64_t requests[WIRE_KINDS]; /* by operation, by messaging */
	/* Searches that clients said they had answered by offloading. */
	uint64_t offloaded;
	uint64_t utilisation_ppm; /* of the worker threads, lately */
	/* Searches and counts that were left to the client. */
	uint64_t pushed_back;
};

/* WIRE_STATISTICS: request without body.  Of each level's nodes: */
struct wire_level {
	uint64_t nodes;
	uint64_t entries;
	uint32_t least; /* entries of one node */
	uint32_t most;
	double area;	/* of their bounds, summed */
	double margin;	/* summed edges of their bounds */
	double overlap; /* that each two children of a node share, summed */
};
struct wire_statistics {
	uint64_t identity;
	uint64_t version;
	uint64_t height;
	uint64_t unused;
	struct wire_level levels[WIRE_LEVELS];
};

/* WIRE_CHECK: request without body. */
struct wire_checked {
	uint64_t identity;
	uint64_t version;
	uint64_t nodes;
};

/* WIRE_SAVE: request without body; each segment is this and 'count' bytes of a
 * region file. */
struct wire_saved {
	uint64_t identity;
	uint64_t version;
	uint64_t total; /* bytes of the whole file */
};

/* An answer with WIRE_ERROR; then 'count' bytes of text. */
enum wire_error_code {
	WIRE_E_PROTOCOL = 1,
	WIRE_E_USAGE = 2,
	WIRE_E_BUSY = 3,
	WIRE_E_DATA = 4,
	WIRE_E_DAMAGED = 5,
	WIRE_E_NO_ROOM = 6,
	WIRE_E_NO_MEMORY = 7,
	WIRE_E_SYSTEM = 8,
	WIRE_E_UNSUPPORTED = 9, /* an operation that this server doesn't know */
	/* The deadline of the request passed before it was worked on. */
	WIRE_E_TIMEOUT = 10,
	/* Whether a write was applied is not known any more. */
	WIRE_E_FORGOTTEN = 11,
};
struct wire_error {
	uint32_t code;
	uint32_t retry_us; /* busy: when to come back; 0: not known */
	uint64_t applied;  /* entries of a write that were applied before it */
};

#define WIRE_TRANSMIT_UNKNOWN UINT32_MAX

/* Written silently to the start of a one-sided client's inbox every heartbeat;
 * may be read torn, hence its checksum.  Who has none there asks by
 * WIRE_HEARTBEAT, without body, which is answered by one. */
struct wire_heartbeat {
	uint64_t beat; /* counts up */
	uint64_t version;
	uint64_t lease_ns;
	uint32_t utilisation_ppm; /* useful work of the worker threads */
	uint32_t queued;	  /* requests waiting */
	uint32_t draining;
	/* What the server's network devices send, of what they can; or
	 * WIRE_TRANSMIT_UNKNOWN. */
	uint32_t transmit_ppm;
	uint32_t unused[4];
	uint64_t checksum; /* checksum64 of the 56 bytes before */
};

/* Written silently to the start of the server's inbox by a client that
 * offloads, so that the server can say how much is searched without it. */
struct wire_report {
	uint64_t offloaded;  /* searches answered by offloading so far */
	uint64_t complement; /* ~offloaded: tells a torn one */
};

/* --- Hello -------------------------------------------------------------- */

/* What a client says when it connects, and what it is told. */
struct wire_hello {
	uint64_t magic;	      /* WIRE_MAGIC */
	uint32_t version;     /* WIRE_VERSION */
	uint32_t status;      /* answer: enum wire_hello_status */
	uint64_t fingerprint; /* RTREE_LAYOUT_FINGERPRINT of the sender */
	uint64_t limit;	      /* answer: that it would pass; 0: none */
	uint64_t unused[2];
};
enum wire_hello_status {
	WIRE_HELLO_ACCEPTED = 0,
	WIRE_HELLO_OTHER_VERSION = 1,
	WIRE_HELLO_OTHER_LAYOUT = 2,
	WIRE_HELLO_BUSY = 3,		/* the limit is a number of clients */
	WIRE_HELLO_INBOX_TOO_LARGE = 4, /* the client's; of bytes */
};

/* --- The layout holds --------------------------------------------------- */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "messages are written as they stand in memory");
static_assert(sizeof(struct wire_header) == 40, "header");
static_assert(offsetof(struct wire_header, checksum) == 24, "header");
static_assert(DIMENSIONS != 2 || sizeof(struct wire_rect) == 32, "rect");
static_assert(DIMENSIONS != 2 || sizeof(struct wire_item) == 40, "item");
static_assert(DIMENSIONS != 2 || sizeof(struct wire_move) == 72, "move");
static_assert(DIMENSIONS != 2 || sizeof(struct wire_query) == 48, "query");
static_assert(DIMENSIONS != 3 || sizeof(struct wire_rect) == 48, "rect");
static_assert(DIMENSIONS != 3 || sizeof(struct wire_item) == 56, "item");
static_assert(DIMENSIONS != 3 || sizeof(struct wire_move) == 104, "move");
static_assert(DIMENSIONS != 3 || sizeof(struct wire_query) == 64, "query");
static_assert(DIMENSIONS != 3 || sizeof(struct wire_nearest) == 40, "nearest");
static_assert(DIMENSIONS != 3 || sizeof(struct wire_neighbour) == 64,
	      "neighbour");
static_assert(sizeof(struct wire_describe) == 8, "describe");
static_assert(sizeof(struct wire_description) == 64, "description");
static_assert(sizeof(struct wire_write) == 16, "write");
static_assert(sizeof(struct wire_found) == 40, "found");
static_assert(sizeof(struct wire_pushed_back) == 32, "pushed back");
static_assert(DIMENSIONS != 2 || sizeof(struct wire_nearest) == 32, "nearest");
static_assert(DIMENSIONS != 2 || sizeof(struct wire_neighbour) == 48,
	      "neighbour");
static_assert(sizeof(struct wire_written) == 24, "written");
static_assert(sizeof(struct wire_load) == 16, "load");
static_assert(sizeof(struct wire_stat) == 544, "stat");
static_assert(sizeof(struct wire_level) == 48, "level");
static_assert(sizeof(struct wire_statistics) == 800, "statistics");
static_assert(sizeof(struct wire_checked) == 24, "checked");
static_assert(sizeof(struct wire_saved) == 24, "saved");
static_assert(sizeof(struct wire_error) == 16, "error");
static_assert(sizeof(struct wire_heartbeat) == 64, "one cache line");
static_assert(offsetof(struct wire_heartbeat, checksum) == 56, "heartbeat");
static_assert(sizeof(struct wire_report) == 16, "report");
static_assert(sizeof(struct wire_hello) == 48, "fits rdma_cm's private data");

/* --- Making and checking messages --------------------------------------- */

/* Fills in a header for a message of 'size' bytes that starts at 'header', and
 * then, over all of it, the checksum: the last thing before it is sent.
 * 'flags' are of enum wire_flags. */
void wire_seal(struct wire_header *header, enum wire_operation operation,
	       unsigned flags, uint64_t sequence, uint32_t count,
	       uint32_t size);

/* The same for a request, whose deadline may be 0. */
void wire_seal_request(struct wire_header *header,
		       enum wire_operation operation, uint64_t sequence,
		       uint32_t count, uint32_t size, uint32_t deadline_us);

/* Checks a message of 'size' bytes from a peer: magic, version, length,
 * checksum.  ERR_PROTOCOL says what is wrong; after it nothing that comes from
 * this peer can be believed.  ERR_UNSUPPORTED when the message is whole and
 * only its operation or a flag is not known here: it can be answered. */
int wire_check(const void *message, size_t size);

/* The body of a checked message: a fixed part of 'fixed_size' bytes, which is
 * copied to 'fixed', and then header.count entries of 'entry_size' each, which
 * '*entries' points to.  ERR_PROTOCOL when the length isn't exactly that.
 * 'fixed' and 'entries' may be NULL for parts of size 0. */
int wire_body(const void *message, void *fixed, size_t fixed_size,
	      size_t entry_size, const void **entries);

/* Rectangles and items from a peer: ERR_DATA unless finite with min <= max; and
 * points, which must be finite. */
int wire_get_point(const double from[DIMENSIONS], double point[DIMENSIONS]);
int wire_get_rect(const struct wire_rect *from, struct rect *rect);
int wire_get_item(const struct wire_item *from, struct item *item);

/* The first of so many items that wire_get_item() would refuse; 'count' when
 * none is. */
uint32_t wire_first_bad_item(const struct wire_item *items, uint32_t count);

void wire_put_rect(const struct rect *rect, struct wire_rect *to);
void wire_put_item(const struct item *item, struct wire_item *to);

/* A heartbeat's checksum, and whether what stands in an inbox is a whole one:
 * copy it first. */
void wire_seal_heartbeat(struct wire_heartbeat *heartbeat);
bool wire_heartbeat_is_whole(const struct wire_heartbeat *heartbeat);

/* A wire_error_code for an error of base/err.h, and back; a code that is not
 * known here is ERR_PROTOCOL. */
uint32_t wire_error_code(int error);
int wire_error_of_code(uint32_t code);

#endif
