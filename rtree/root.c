/* SPDX-License-Identifier: BSD-2-Clause */

/* Reading the root record, from a READ or from mapped memory. */

#include "rtree/root.h"

#include <linux/futex.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/guard.h"

int root_decode(const void *line, struct root *root)
{
	uint64_t words[sizeof(struct root_record) / sizeof(uint64_t)];
	enum { CHECKSUM = sizeof(words) / sizeof(words[0]) - 1 };

	memcpy(words, line, sizeof(words));
	if (GUARD("record-checksum",
		  checksum64(words, CHECKSUM * sizeof(words[0])) !=
			  words[CHECKSUM]))
		return err_set(ERR_AGAIN, "the root record came torn");
	root->identity = words[0];
	root->version = words[1];
	root->ref = words[2];
	root->horizon = words[3];
	root->item_count = words[4];
	return 0;
}

/* The 64-bit version of which 'birth' has the low bits, given a version that
 * is the same or later, by less than these bits can count. */
static uint64_t version_of_birth(uint32_t birth, uint64_t version)
{
	return version - node_birth_kept(version - birth);
}

/* Loads the root between two looks at the version word, and says by how much
 * that word grew. */
static uint64_t load_between(const struct root_record *record,
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
	root->version = version_of_birth(node_ref_birth(root->ref), after);
	return after - before;
}

void root_load(const struct root_page *page, struct root *root)
{
	/* The root's version is one of before - 1 to after: with no more of
	 * them than births, its birth tells which. */
	const uint64_t wrap = node_birth_kept(UINT64_MAX);
	const struct root_record *record = &page->record;
	/* Who loses the processor in between for so long finds that out; it
	 * won't happen again and again but by the will of who writes there. */
	enum { TRIES = 16 };

	for (int i = 0; i < TRIES; i++) {
		uint64_t grown = load_between(record, root);
		if (!GUARD("birth-wrap", grown >= wrap))
			break;
	}
	root->identity =
		atomic_load_explicit(&record->identity, memory_order_relaxed);
	root->horizon =
		atomic_load_explicit(&record->horizon, memory_order_relaxed);
	root->item_count =
		atomic_load_explicit(&record->item_count, memory_order_relaxed);
}

uint64_t root_load_horizon(const struct root_page *page)
{
	/* All loads of nodes come before the load of the horizon.  Pairs with
	 * the fence in region_raise_horizon(): whoever saw a byte of a page's
	 * next life sees the horizon that was raised before it. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&page->record.horizon,
				    memory_order_relaxed);
}

bool root_owner_died(const struct root_page *page)
{
	/* The first word of a pthread mutex is its futex: the owner's thread
	 * id, with a bit that the kernel sets when the owner dies. */
	const _Atomic int *futex = (const _Atomic int *)&page->owner;
	unsigned word =
		(unsigned)atomic_load_explicit(futex, memory_order_acquire);

	return !(word & FUTEX_TID_MASK) || (word & FUTEX_OWNER_DIED);
}
