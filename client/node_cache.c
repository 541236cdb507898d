/* SPDX-License-Identifier: BSD-2-Clause */

/* The cache of nodes: a hash table by page, and two queues, of inner nodes and
 * of leaf filters, from which the oldest go.
 *
 * Pages are dense numbers, and those of a node's children are often next to
 * each other, so a page's lowest bits are its bucket: neighbours share a cache
 * line, and what is looked at of the table is small enough to stay in the
 * processor's cache.  Of a page one inner node and one filter are kept, those
 * that were named by the newest version, or else pages that are used again and
 * again would fill their buckets with nodes that no version names any more.
 *
 * Lookups share a lock, so they can't move what they use to the end of a queue.
 * They write down when they used it, and whoever looks for something to drop
 * moves what was used since it was queued (second chance: Corbato, "A paging
 * experiment with the Multics system", 1969).  Time passes only when something
 * is dropped: as long as there is room lookups write nothing. */

#include "client/node_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum {
	/* A search looks at one inner node of the lowest level among hundreds,
	 * and at one leaf among ten thousands; to lose an inner node costs a
	 * round trip each time, to lose a filter some READs of a leaf. */
	INNER_WEIGHT = 16,
	BUCKETS_MIN = 64,
};

/* One kept node; its bytes follow, in lines of their own. */
struct node_cache_entry {
	node_ref ref;
	struct node_cache_entry *next;	 /* in its bucket, or fresh */
	struct node_cache_entry *queued; /* after it */
	_Atomic uint64_t version; /* the newest that was seen to name it */
	_Atomic uint64_t used;	  /* last, or before it was kept */
	uint64_t queued_used;	  /* 'used', when it was queued */
	uint32_t size;		  /* of its bytes */
	bool is_leaf;
	_Alignas(64) char bytes[];
};

/* The oldest first. */
struct queue {
	struct node_cache_entry *first, **end;
};

struct node_cache {
	/* Of all caches; under their lock. */
	struct node_cache *next;
	char *address;
	uint64_t identity;
	uint64_t size_max;
	unsigned users;

	pthread_rwlock_t lock;
	struct root root; /* the newest; version 0: none */
	uint64_t size;	  /* of all entries and the buckets */
	uint64_t time;	  /* counts what is dropped, from 1 on */
	size_t bucket_mask;
	struct node_cache_entry **buckets;
	struct queue inner, leaves;
};

static pthread_mutex_t caches_lock = PTHREAD_MUTEX_INITIALIZER;
static struct node_cache *caches;

static struct node_cache *find_cache(const char *address, uint64_t identity,
				     uint64_t size);
static struct node_cache *create(const char *address, uint64_t identity,
				 uint64_t size);
static void destroy(struct node_cache *cache);
static bool is_unambiguous(const struct node_cache_entry *entry,
			   uint64_t version);
static void keep_entry(struct node_cache *cache, struct node_cache_entry *entry,
		       uint64_t version);
static bool make_room(struct node_cache *cache, uint64_t size);

int node_cache_open(const char *address, uint64_t identity, uint64_t size,
		    struct node_cache **cache)
{
	int error = 0;

	pthread_mutex_lock(&caches_lock);
	*cache = find_cache(address, identity, size);
	if (!*cache)
		*cache = create(address, identity, size);
	if (*cache)
		(*cache)->users++;
	else
		error = err_set(ERR_NO_MEMORY, "no memory to cache nodes");
	pthread_mutex_unlock(&caches_lock);
	return error;
}

void node_cache_close(struct node_cache *cache)
{
	if (!cache)
		return;
	pthread_mutex_lock(&caches_lock);
	if (--cache->users == 0) {
		struct node_cache **at = &caches;
		while (*at != cache)
			at = &(*at)->next;
		*at = cache->next;
		destroy(cache);
	}
	pthread_mutex_unlock(&caches_lock);
}

/* --- Lookups ------------------------------------------------------------ */

static struct node_cache_entry **bucket_of(const struct node_cache *cache,
					   uint32_t page)
{
	return &cache->buckets[page & cache->bucket_mask];
}

void node_cache_read_begin(struct node_cache *cache)
{
	pthread_rwlock_rdlock(&cache->lock);
}

void node_cache_read_end(struct node_cache *cache)
{
	pthread_rwlock_unlock(&cache->lock);
}

const struct root *node_cache_root(const struct node_cache *cache)
{
	return &cache->root;
}

/* Most find what they stored last time. */
static void note(_Atomic uint64_t *word, uint64_t value)
{
	if (atomic_load_explicit(word, memory_order_relaxed) != value)
		atomic_store_explicit(word, value, memory_order_relaxed);
}

const struct node *node_cache_find(const struct node_cache *cache, node_ref ref,
				   uint64_t version)
{
	struct node_cache_entry *entry = *bucket_of(cache, node_ref_page(ref));

	while (entry && entry->ref != ref)
		entry = entry->next;
	if (!entry || !is_unambiguous(entry, version))
		return NULL;
	for (size_t line = 0; line < RTREE_FILTER_SIZE; line += 64)
		__builtin_prefetch(entry->bytes + line);
	note(&entry->version, version);
	note(&entry->used, cache->time);
	return (const struct node *)(const void *)entry->bytes;
}

/* Whether this is the node that 'version' names by its ref, and no other that
 * was born in the same page and has the same bits of its birth. */
static bool is_unambiguous(const struct node_cache_entry *entry,
			   uint64_t version)
{
	const struct node_header *header = (const void *)entry->bytes;
	uint64_t seen =
		atomic_load_explicit(&entry->version, memory_order_relaxed);
	uint32_t to_next =
		node_birth_kept(node_ref_birth(entry->ref) - seen - 1);

	/* The page was this node's from its birth to the version that was last
	 * seen to name it.  The next with the same bits is seen + to_next + 1.
	 */
	return version <= seen ? version >= header->birth
			       : version - seen <= to_next;
}

/* --- Keeping ------------------------------------------------------------ */

static uint64_t entry_size(uint32_t size)
{
	return sizeof(struct node_cache_entry) + size;
}

void node_cache_add(const struct node_cache *cache,
		    struct node_cache_fresh *fresh, node_ref ref,
		    const struct node *node)
{
	bool is_leaf = node->header.level == 0;
	uint32_t size = is_leaf ? RTREE_FILTER_SIZE : RTREE_INNER_SIZE;

	if (fresh->size + entry_size(size) > cache->size_max)
		return;
	struct node_cache_entry *entry = aligned_alloc(64, entry_size(size));
	if (!entry)
		return;
	memset(entry, 0, sizeof(*entry));
	entry->ref = ref;
	entry->size = size;
	entry->is_leaf = is_leaf;
	memcpy(entry->bytes, node, size);
	entry->next = fresh->first;
	fresh->first = entry;
	fresh->size += entry_size(size);
}

void node_cache_drop(struct node_cache_fresh *fresh)
{
	while (fresh->first) {
		struct node_cache_entry *entry = fresh->first;
		fresh->first = entry->next;
		free(entry);
	}
	fresh->size = 0;
}

void node_cache_keep(struct node_cache *cache, struct node_cache_fresh *fresh,
		     const struct root *root)
{
	pthread_rwlock_wrlock(&cache->lock);
	while (fresh->first) {
		struct node_cache_entry *entry = fresh->first;
		fresh->first = entry->next;
		keep_entry(cache, entry, root->version);
	}
	if (root->version > cache->root.version)
		cache->root = *root;
	pthread_rwlock_unlock(&cache->lock);
	fresh->size = 0;
}

static void queue_put(struct node_cache *cache, struct node_cache_entry *entry)
{
	struct queue *queue = entry->is_leaf ? &cache->leaves : &cache->inner;

	entry->queued_used = entry->used;
	entry->queued = NULL;
	*queue->end = entry;
	queue->end = &entry->queued;
}

static struct node_cache_entry *queue_take(struct queue *queue)
{
	struct node_cache_entry *entry = queue->first;

	queue->first = entry->queued;
	if (!queue->first)
		queue->end = &queue->first;
	return entry;
}

/* What is kept of this kind of node in this page. */
static struct node_cache_entry *find_page(const struct node_cache *cache,
					  uint32_t page, bool is_leaf)
{
	struct node_cache_entry *entry = *bucket_of(cache, page);

	while (entry &&
	       (node_ref_page(entry->ref) != page || entry->is_leaf != is_leaf))
		entry = entry->next;
	return entry;
}

/* Takes the place of a node that was in the page before, or of the same one:
 * whoever else READ it at the same time may have kept it already, or it was
 * ambiguous. */
static void replace(struct node_cache_entry *old,
		    const struct node_cache_entry *entry, uint64_t version)
{
	if (version < old->version)
		return;
	old->ref = entry->ref;
	old->version = version;
	memcpy(old->bytes, entry->bytes, entry->size);
}

static void keep_entry(struct node_cache *cache, struct node_cache_entry *entry,
		       uint64_t version)
{
	struct node_cache_entry *old =
		find_page(cache, node_ref_page(entry->ref), entry->is_leaf);

	if (old)
		replace(old, entry, version);
	if (old || !make_room(cache, entry_size(entry->size))) {
		free(entry);
		return;
	}
	struct node_cache_entry **bucket =
		bucket_of(cache, node_ref_page(entry->ref));
	entry->next = *bucket;
	*bucket = entry;
	entry->version = version;
	entry->used = cache->time - 1; /* not found yet */
	cache->size += entry_size(entry->size);
	queue_put(cache, entry);
}

/* --- Dropping ----------------------------------------------------------- */

static void drop_entry(struct node_cache *cache, struct node_cache_entry *entry)
{
	struct node_cache_entry **at =
		bucket_of(cache, node_ref_page(entry->ref));

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	cache->size -= entry_size(entry->size);
	cache->time++;
	free(entry);
}

/* How long ago the first of a queue was used, once those that were used after
 * they were queued have been queued again. */
static uint64_t age_of_first(struct node_cache *cache, struct queue *queue)
{
	while (queue->first && queue->first->used != queue->first->queued_used)
		queue_put(cache, queue_take(queue));
	return queue->first ? cache->time - queue->first->used : 0;
}

static bool make_room(struct node_cache *cache, uint64_t size)
{
	while (cache->size + size > cache->size_max) {
		uint64_t inner_age = age_of_first(cache, &cache->inner);
		uint64_t leaf_age = age_of_first(cache, &cache->leaves);
		bool is_leaf = cache->leaves.first &&
			       (!cache->inner.first ||
				inner_age <= leaf_age * INNER_WEIGHT);
		struct queue *queue = is_leaf ? &cache->leaves : &cache->inner;

		if (!queue->first)
			return false;
		drop_entry(cache, queue_take(queue));
	}
	return true;
}

/* --- Caches ------------------------------------------------------------- */

static struct node_cache *find_cache(const char *address, uint64_t identity,
				     uint64_t size)
{
	struct node_cache *cache = caches;

	while (cache &&
	       (cache->identity != identity || cache->size_max != size ||
		strcmp(cache->address, address) != 0))
		cache = cache->next;
	return cache;
}

/* Readers come and go all the time: whoever has something to keep, which is
 * rare and quick, goes first. */
static int init_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;

	if (pthread_rwlockattr_init(&attributes))
		return ERR_NO_MEMORY;
	pthread_rwlockattr_setkind_np(
		&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	int error = pthread_rwlock_init(lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return error ? ERR_NO_MEMORY : 0;
}

/* As many buckets as filters fit in, to a power of two. */
static size_t bucket_count(uint64_t size)
{
	size_t count = BUCKETS_MIN;

	while (count < size / entry_size(RTREE_FILTER_SIZE))
		count *= 2;
	return count;
}

static struct node_cache *create(const char *address, uint64_t identity,
				 uint64_t size)
{
	struct node_cache *cache = calloc(1, sizeof(*cache));
	size_t count = bucket_count(size);

	if (!cache)
		return NULL;
	cache->address = strdup(address);
	cache->buckets = calloc(count, sizeof(cache->buckets[0]));
	if (!cache->address || !cache->buckets || init_lock(&cache->lock)) {
		free(cache->address);
		free(cache->buckets);
		free(cache);
		return NULL;
	}
	cache->identity = identity;
	cache->time = 1;
	cache->size_max = size;
	cache->size = count * sizeof(cache->buckets[0]);
	cache->bucket_mask = count - 1;
	cache->inner.end = &cache->inner.first;
	cache->leaves.end = &cache->leaves.first;
	cache->next = caches;
	caches = cache;
	return cache;
}

static void destroy_queue(struct queue *queue)
{
	while (queue->first)
		free(queue_take(queue));
}

static void destroy(struct node_cache *cache)
{
	destroy_queue(&cache->inner);
	destroy_queue(&cache->leaves);
	pthread_rwlock_destroy(&cache->lock);
	free(cache->buckets);
	free(cache->address);
	free(cache);
}
