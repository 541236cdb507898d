/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_ROOT_H
#define RTREE_ROOT_H

/* Page 0 of a region: what the region is, and the root record that publishes
 * its versions.  The bytes are drawn in docs/memory-format.md; in which order
 * they are written and read, and why that suffices, is argued in
 * rtree/README.md.
 *
 * Thread-safety: one writer, any number of readers in any process. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/guard.h"
#include "rtree/node.h"

/* "catfish" and a format number. */
#define REGION_MAGIC UINT64_C(0x0168736966746163)

/* Written once, before anyone else can see the region. */
struct region_header {
	uint64_t magic;
	uint64_t fingerprint; /* RTREE_LAYOUT_FINGERPRINT */
	uint64_t identity;    /* drawn at random at every start */
	uint64_t page_count;  /* pages of the region, this one included */
	uint64_t unused[4];
};

/* One cache line, rewritten in place by each publication and each time the
 * horizon rises.  A local reader needs 'root' alone; one over a network gets
 * the line torn at times and believes it only with its checksum. */
struct root_record {
	_Atomic uint64_t identity;
	_Atomic uint64_t version;
	_Atomic uint64_t root; /* node_ref */
	_Atomic uint64_t horizon;
	_Atomic uint64_t item_count;
	_Atomic uint64_t unused[2];
	_Atomic uint64_t checksum; /* of the 56 bytes before */
};

struct root_page {
	struct region_header header;
	struct root_record record;
	/* Held by the server's main thread as long as it lives: the kernel
	 * marks it when that thread dies, before anyone else can take its
	 * place. */
	pthread_mutex_t owner;
	uint8_t owner_padding[64 - sizeof(pthread_mutex_t)];
};

static_assert(sizeof(struct region_header) == 64, "one cache line");
static_assert(sizeof(struct root_record) == 64, "one cache line");
static_assert(sizeof(pthread_mutex_t) < 64, "one cache line");
static_assert(sizeof(struct root_page) == 192, "three cache lines");

/* Offset of the root record in the region: what a READ of it names. */
enum { ROOT_RECORD_OFFSET = offsetof(struct root_page, record) };

/* A published version, as a reader holds it. */
struct root {
	uint64_t identity;
	uint64_t version;
	node_ref ref;
	uint64_t horizon;
	uint64_t item_count;
};

/* Takes apart a root record that a READ brought.  ERR_AGAIN when its checksum
 * says that it came torn: READ that line again. */
int root_decode(const void *line, struct root *root);

/* Loads the newest published version from memory that is mapped, without a
 * checksum: the 8-byte root ref is loaded whole, and 'version' follows from its
 * birth, however long the thread is stopped meanwhile.  'horizon' and
 * 'item_count' may be of a later version. */
void root_load(const struct root_page *page, struct root *root);

/* The same for 'version' and 'ref' alone. */
static inline void root_load_version(const struct root_page *page,
				     struct root *root);

/* Loads the horizon after everything that was read of the region before.
 * Pairs with the fence in region_raise_horizon(). */
static inline uint64_t root_load_horizon(const struct root_page *page);

/* --- Inline, for searches of mapped memory ------------------------------- */

/* The 64-bit version of which 'birth' has the low bits, given a version that
 * is the same or later, by less than these bits can count. */
static inline uint64_t root_version_of_birth(uint32_t birth, uint64_t version)
{
	return version - node_birth_kept(version - birth);
}

/* Loads the root between two looks at the version word, and says by how much
 * that word grew. */
static inline uint64_t root_load_between(const struct root_record *record,
					 struct root *root)
{
	/* Acquire: the root is not older than the one before this version.
	 * Pairs with the release of the version in write_record(). */
	uint64_t before =
		atomic_load_explicit(&record->version, memory_order_acquire);
	/* Acquire: the nodes below the root, and the version word, are at least
	 * as new as the root.  Pairs with the release of the root in
	 * write_record(). */
	root->ref = atomic_load_explicit(&record->root, memory_order_acquire);
	GUARD_PAUSE("root");
	uint64_t after =
		atomic_load_explicit(&record->version, memory_order_relaxed);
	root->version = root_version_of_birth(node_ref_birth(root->ref), after);
	return after - before;
}

static inline void root_load_version(const struct root_page *page,
				     struct root *root)
{
	/* The root's version is one of before - 1 to after: with no more of
	 * them than births, its birth tells which. */
	const uint64_t wrap = node_birth_kept(UINT64_MAX);
	const struct root_record *record = &page->record;
	/* Who loses the processor in between for so long finds that out; it
	 * won't happen again and again but by the will of who writes there. */
	enum { TRIES = 16 };

	for (int i = 0; i < TRIES; i++) {
		uint64_t grown = root_load_between(record, root);
		if (!GUARD("birth-wrap", grown >= wrap))
			break;
	}
}

static inline uint64_t root_load_horizon(const struct root_page *page)
{
	/* All loads of nodes come before the load of the horizon.  Pairs with
	 * the fence in region_raise_horizon(): whoever saw a byte of a page's
	 * next life sees the horizon that was raised before it. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&page->record.horizon,
				    memory_order_relaxed);
}

#endif
