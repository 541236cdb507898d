/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_REGION_H
#define RTREE_REGION_H

/* The region: memory made of pages, which pages are free, which were retired
 * and wait to be used again, who has pinned what, and the publication of
 * versions.  It knows pages and versions, not what is in a node.
 *
 * A page is in one of these states, and only the writer moves it on:
 *
 *	free -> taken by a batch -> published -> retired -> free
 *
 * rtree/README.md argues why no reader ever sees a page change.
 *
 * Thread-safety: the writer's functions belong to the thread that holds the
 * batch; pins and the counts of readers are for any thread. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtree/region_memory.h"
#include "rtree/root.h"
#include "rtree/rtree.h"

/* A page that a published version dropped. */
struct retired_page {
	uint64_t version; /* that dropped it */
	uint64_t time_ns; /* read some time after that was published */
	uint32_t page;
};

/* A queue of retired pages, in the order of their versions; or those taken from
 * it that a pin still holds. */
struct retired_queue {
	struct retired_page *pages; /* circular, one for each page there is */
	uint64_t head, tail;	    /* count up; modulo the size */
	uint64_t size;
};

/* 0: free.  Otherwise a version that a thread reads. */
struct pin_slot {
	_Alignas(64) _Atomic uint64_t version;
};

struct region {
	struct region_memory memory;
	struct node *pages; /* but for page 0 */
	uint64_t size;
	uint64_t page_count;
	struct root_page *root_page;
	uint64_t lease_ns;

	/* The published state, as the writer knows it. */
	uint64_t identity;
	uint64_t version;
	node_ref root;
	uint64_t item_count;
	uint64_t horizon;

	/* Pages that can be taken: given back ones, the last first as it is the
	 * likeliest to be in the cache, and then those never used. */
	uint32_t *free_pages;
	uint64_t free_count;
	uint64_t fresh_page; /* all from here on were never used */

	struct retired_queue retired; /* wait for the lease */
	struct retired_queue held;    /* wait for a pin */
	uint64_t stamped; /* of the retired: those before it have their time */

	struct pin_slot *pins;
	_Atomic unsigned pin_slots_used; /* slots from here on were never */

	_Atomic unsigned readers; /* one-sided */
	_Atomic uint64_t last_reader_left_ns;

	/* What statistics show, from any thread. */
	_Atomic uint64_t free_shown;
	_Atomic uint64_t retired_shown;
};

/* Makes the memory; nothing is published yet. */
int region_init(struct region *region, uint64_t size, uint64_t lease_ns,
		bool is_mappable);
void region_fini(struct region *region);

static inline struct node *region_node(const struct region *region,
				       uint32_t page)
{
	return &region->pages[page];
}

/* --- Pages, for the writer ---------------------------------------------- */

/* Pages that can be taken at once. */
uint64_t region_pages_available(const struct region *region);

/* Frees the retired pages whose time has come, and raises the horizon over
 * them: all of them, or some. */
void region_reclaim_all(struct region *region);
void region_reclaim_some(struct region *region);

/* The same when batches are likely to need some soon.  What it costs to look, a
 * clock and fences, is shared by many small batches. */
void region_reclaim_in_time(struct region *region);

/* Takes a page; there must be one. */
uint32_t region_take_page(struct region *region);

/* Gives back a page that was never published. */
void region_give_back_page(struct region *region, uint32_t page);

/* Moves the pages that were used so far to 2 MiB pages of the system, if that
 * is possible: after many were written at once. */
void region_settle(const struct region *region);

/* Shows the numbers of free and retired pages to other threads. */
void region_show_pages(struct region *region);

/* Publishes a version: from here on readers that come find it. */
void region_publish(struct region *region, uint64_t version, node_ref root,
		    uint64_t item_count);

/* Retires pages that the version published last does not have any more. */
void region_retire(struct region *region, const uint32_t *pages, size_t count);

/* Whether pages will come back by waiting, and when to look. */
bool region_has_retired(const struct region *region);
uint64_t region_retry_ns(const struct region *region);

/* --- Pins, for any thread ----------------------------------------------- */

int region_pin(struct region *region, struct rtree_pin *pin);
void region_unpin(struct region *region, struct rtree_pin *pin);

#endif
