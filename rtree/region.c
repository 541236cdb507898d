/* SPDX-License-Identifier: BSD-2-Clause */

/* Pages, pins, retirement and publication.  The order of every store and load
 * here is argued in rtree/README.md. */

#include "rtree/region.h"

#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/guard.h"
#include "base/random.h"

/* --- Memory ------------------------------------------------------------- */

/* Room for every page there is, so that no list of pages ever has to grow;
 * memory that is not touched costs nothing. */
static int allocate_lists(struct region *region)
{
	uint64_t count = region->page_count;

	region->free_pages = calloc(count, sizeof(*region->free_pages));
	region->retired.pages = calloc(count, sizeof(*region->retired.pages));
	region->held.pages = calloc(count, sizeof(*region->held.pages));
	region->pins =
		aligned_alloc(64, RTREE_PINS_MAX * sizeof(*region->pins));
	region->retired.size = region->held.size = count;
	if (region->free_pages && region->retired.pages && region->held.pages &&
	    region->pins) {
		memset(region->pins, 0, RTREE_PINS_MAX * sizeof(*region->pins));
		return 0;
	}
	return err_set(ERR_NO_MEMORY,
		       "no memory to manage a region of %llu "
		       "pages",
		       (unsigned long long)count);
}

static void free_lists(struct region *region)
{
	free(region->free_pages);
	free(region->retired.pages);
	free(region->held.pages);
	free(region->pins);
}

/* A mutex that tells everyone who has it mapped that this thread lives. */
static int own(struct root_page *page)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	int failed = pthread_mutex_init(&page->owner, &attributes);
	pthread_mutexattr_destroy(&attributes);
	if (!failed)
		failed = pthread_mutex_lock(&page->owner);
	return failed ? err_set(ERR_SYSTEM, "robust mutex: %s",
				strerror(failed))
		      : 0;
}

int region_init(struct region *region, uint64_t size, uint64_t lease_ns,
		bool is_mappable)
{
	memset(region, 0, sizeof(*region));
	region->page_count = size / RTREE_PAGE_SIZE;
	if (region->page_count > UINT32_MAX)
		region->page_count = UINT32_MAX;
	region->size = region->page_count * RTREE_PAGE_SIZE;
	region->lease_ns = lease_ns;
	region->fresh_page = 1;

	int error =
		region_memory_init(&region->memory, region->size, is_mappable);
	if (error)
		return error;
	region->pages = region->memory.bytes;
	region->root_page = region->memory.bytes;
	error = allocate_lists(region);
	if (error)
		goto free_lists;
	error = own(region->root_page);
	if (error)
		goto free_lists;
	region->identity = random_entropy();
	region->root_page->header = (struct region_header){
		.magic = REGION_MAGIC,
		.fingerprint = RTREE_LAYOUT_FINGERPRINT,
		.identity = region->identity,
		.page_count = region->page_count,
	};
	return 0;

free_lists:
	free_lists(region);
	region_memory_fini(&region->memory);
	return error;
}

void region_fini(struct region *region)
{
	pthread_mutex_unlock(&region->root_page->owner);
	pthread_mutex_destroy(&region->root_page->owner);
	free_lists(region);
	region_memory_fini(&region->memory);
}

/* --- Publication -------------------------------------------------------- */

static void store_relaxed(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static void write_record(struct region *region)
{
	struct root_record *record = &region->root_page->record;
	const uint64_t words[7] = {region->identity, region->version,
				   region->root, region->horizon,
				   region->item_count};

	store_relaxed(&record->identity, region->identity);
	if (!GUARD("root-last", true)) {
		store_relaxed(&record->root, region->root);
		GUARD_PAUSE("publish");
	}
	/* Release: whoever loads this version sees the root before it, or a
	 * later one.  Pairs with the first acquire in load_between(). */
	atomic_store_explicit(&record->version, region->version,
			      memory_order_release);
	store_relaxed(&record->horizon, region->horizon);
	store_relaxed(&record->item_count, region->item_count);
	GUARD_PAUSE("publish");
	/* Release: whoever loads this root sees the nodes below it and the
	 * version.  Pairs with the second acquire in load_between(). */
	atomic_store_explicit(&record->root, region->root,
			      memory_order_release);
	store_relaxed(&record->checksum, checksum64(words, sizeof(words)));
}

void region_publish(struct region *region, uint64_t version, node_ref root,
		    uint64_t item_count)
{
	region->version = version;
	region->root = root;
	region->item_count = item_count;
	GUARD_PAUSE("commit");
	write_record(region);
}

/* To be called before the first byte of a page that 'version' retired is
 * written. */
static void region_raise_horizon(struct region *region, uint64_t version)
{
	if (version <= region->horizon)
		return;
	region->horizon = version;
	/* Without it the next publication tells, once pages were written. */
	if (!GUARD("horizon-raise", true))
		return;
	write_record(region);
	/* The horizon is seen before any byte that is written from here on.
	 * Pairs with the fence in root_load_horizon(). */
	atomic_thread_fence(memory_order_seq_cst);
}

/* --- Retirement --------------------------------------------------------- */

static bool queue_empty(const struct retired_queue *queue)
{
	return queue->head == queue->tail;
}

static struct retired_page *queue_head(const struct retired_queue *queue)
{
	return &queue->pages[queue->head % queue->size];
}

static void queue_push(struct retired_queue *queue, struct retired_page page)
{
	queue->pages[queue->tail++ % queue->size] = page;
}

void region_retire(struct region *region, const uint32_t *pages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		queue_push(&region->retired,
			   (struct retired_page){.version = region->version,
						 .page = pages[i]});
}

/* Without the guard: when it was done last, before their versions were
 * published. */
static uint64_t time_of_retirement(uint64_t now)
{
#ifdef CATFISH_SEEDED_FAULTS
	static uint64_t before;
	uint64_t time = GUARD("retire-time", true) ? now : before;

	before = now;
	return time;
#else
	return now;
#endif
}

/* Gives the pages that were retired since it was done last their time, which is
 * read after the roots without them could be seen: a writer that loses its
 * processor in between must not shorten the lease. */
static uint64_t stamp_retired(struct region *region)
{
	struct retired_queue *queue = &region->retired;

	atomic_thread_fence(memory_order_seq_cst);
	uint64_t now = clock_now_ns(), time = time_of_retirement(now);
	for (; region->stamped < queue->tail; region->stamped++)
		queue->pages[region->stamped % queue->size].time_ns = time;
	return now;
}

/* The versions that are pinned at one moment. */
struct pinned {
	unsigned count;
	uint64_t versions[RTREE_PINS_MAX];
};

static void look_at_pins(const struct region *region, struct pinned *pinned)
{
	/* Every page that is looked at was dropped by a published version.  A
	 * reader whose pin is not seen here stored it after this fence, and so
	 * sees that newer root when it looks again: the other half is in
	 * region_pin(). */
	atomic_thread_fence(memory_order_seq_cst);
	unsigned used = atomic_load_explicit(&region->pin_slots_used,
					     memory_order_relaxed);
	pinned->count = 0;
	for (unsigned i = 0; i < used; i++) {
		uint64_t version = atomic_load_explicit(
			&region->pins[i].version, memory_order_acquire);
		if (version)
			pinned->versions[pinned->count++] = version;
	}
}

static bool is_pinned(const struct region *region, const struct pinned *pinned,
		      const struct retired_page *page)
{
	if (!pinned->count)
		return false;
	uint64_t birth = region_node(region, page->page)->header.birth;
	for (unsigned i = 0; i < pinned->count; i++)
		if (birth <= pinned->versions[i] &&
		    pinned->versions[i] < page->version)
			return true;
	return false;
}

/* Whether a one-sided reader may still read what was retired at 'time_ns'. */
static bool is_leased(const struct region *region, uint64_t time_ns,
		      uint64_t now)
{
	if (now - time_ns >= region->lease_ns)
		return false;
	if (atomic_load(&region->readers))
		return true;
	/* 0: there never was one. */
	uint64_t left_ns = atomic_load(&region->last_reader_left_ns);
	return left_ns && now < left_ns + region->lease_ns;
}

static void free_page(struct region *region, const struct retired_page *page,
		      uint64_t *horizon)
{
	if (page->version > *horizon)
		*horizon = page->version;
	region->free_pages[region->free_count++] = page->page;
}

/* Frees what of the held pages is pinned no more, looking at 'most'. */
static void reclaim_held(struct region *region, const struct pinned *pinned,
			 uint64_t most, uint64_t *horizon)
{
	uint64_t count = region->held.tail - region->held.head;

	for (uint64_t i = 0; i < count && i < most; i++) {
		struct retired_page page = *queue_head(&region->held);
		region->held.head++;
		if (GUARD("pin", is_pinned(region, pinned, &page)))
			queue_push(&region->held, page);
		else
			free_page(region, &page, horizon);
	}
}

/* Takes up to 'most' pages off the queue of those whose lease has passed. */
static void reclaim_retired(struct region *region, const struct pinned *pinned,
			    uint64_t now, uint64_t most, uint64_t *horizon)
{
	for (; most && !queue_empty(&region->retired); most--) {
		struct retired_page page = *queue_head(&region->retired);
		if (GUARD("retire-wait", is_leased(region, page.time_ns, now)))
			return;
		region->retired.head++;
		if (GUARD("pin", is_pinned(region, pinned, &page)))
			queue_push(&region->held, page);
		else
			free_page(region, &page, horizon);
	}
}

enum { RETIRED_SOME = 64 };

static void reclaim(struct region *region, uint64_t most)
{
	uint64_t now = stamp_retired(region);
	uint64_t horizon = region->horizon;
	struct pinned pinned;

	look_at_pins(region, &pinned);
	reclaim_held(region, &pinned, most, &horizon);
	reclaim_retired(region, &pinned, now, most, &horizon);
	region_raise_horizon(region, horizon);
}

void region_settle(const struct region *region)
{
	region_memory_settle(&region->memory,
			     region->fresh_page * RTREE_PAGE_SIZE);
}

void region_reclaim_all(struct region *region)
{
	if (region_has_retired(region))
		reclaim(region, UINT64_MAX);
}

/* Pages at a time: faster than batches drop them, or the queue would only grow.
 */
static uint64_t some_pages(const struct region *region)
{
	uint64_t unstamped = region->retired.tail - region->stamped;

	return unstamped < RETIRED_SOME ? RETIRED_SOME : 4 * unstamped;
}

void region_reclaim_some(struct region *region)
{
	if (region_has_retired(region))
		reclaim(region, some_pages(region));
}

void region_reclaim_in_time(struct region *region)
{
	uint64_t unstamped = region->retired.tail - region->stamped;

	if (unstamped >= RETIRED_SOME && region->free_count < 2 * unstamped)
		region_reclaim_some(region);
}

bool region_has_retired(const struct region *region)
{
	return !queue_empty(&region->retired) || !queue_empty(&region->held);
}

uint64_t region_retry_ns(const struct region *region)
{
	uint64_t now = clock_now_ns(), soon = now + NS_PER_MS;

	if (queue_empty(&region->retired))
		return soon;
	uint64_t time_ns = queue_head(&region->retired)->time_ns;
	if (!is_leased(region, time_ns, now))
		return soon;
	uint64_t lease_ends = time_ns + region->lease_ns;
	return lease_ends > soon ? lease_ends : soon;
}

/* --- Pages -------------------------------------------------------------- */

uint64_t region_pages_available(const struct region *region)
{
	return region->free_count + (region->page_count - region->fresh_page);
}

uint32_t region_take_page(struct region *region)
{
	if (region->free_count)
		return region->free_pages[--region->free_count];
	return (uint32_t)region->fresh_page++;
}

void region_give_back_page(struct region *region, uint32_t page)
{
	region->free_pages[region->free_count++] = page;
}

void region_show_pages(struct region *region)
{
	store_relaxed(&region->free_shown, region_pages_available(region));
	store_relaxed(&region->retired_shown,
		      region->retired.tail - region->retired.head +
			      region->held.tail - region->held.head);
}

/* --- Pins --------------------------------------------------------------- */

/* Claims a free slot by putting 'version' into it. */
static int claim_slot(struct region *region, uint64_t version, unsigned *slot)
{
	for (unsigned i = 0; i < RTREE_PINS_MAX; i++) {
		_Atomic uint64_t *word = &region->pins[i].version;
		uint64_t none = 0;
		if (atomic_load_explicit(word, memory_order_relaxed) ||
		    !atomic_compare_exchange_strong(word, &none, version))
			continue;
		unsigned used = atomic_load(&region->pin_slots_used);
		while (used <= i &&
		       !atomic_compare_exchange_weak(&region->pin_slots_used,
						     &used, i + 1))
			;
		*slot = i;
		return 0;
	}
	return err_set(ERR_BUSY, "%d searches hold a version already",
		       RTREE_PINS_MAX);
}

int region_pin(struct region *region, struct rtree_pin *pin)
{
	struct root again;

	root_load(region->root_page, &pin->root);
	GUARD_PAUSE("pin");
	int error = claim_slot(region, pin->root.version, &pin->slot);
	if (error)
		return error;
	for (;;) {
		/* Either the writer, looking for pins, sees this one, or this
		 * thread sees the version that the writer published before.
		 * Pairs with the fence in look_at_pins(). */
		atomic_thread_fence(memory_order_seq_cst);
		root_load(region->root_page, &again);
		if (!GUARD("pin-again", again.version != pin->root.version))
			return 0;
		pin->root = again;
		atomic_store(&region->pins[pin->slot].version, again.version);
	}
}

void region_unpin(struct region *region, struct rtree_pin *pin)
{
	/* Release: this thread's loads of nodes come before the writer's next
	 * look at the pins, and so before it writes to their pages. */
	atomic_store_explicit(&region->pins[pin->slot].version, 0,
			      memory_order_release);
}
