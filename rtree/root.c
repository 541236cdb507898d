/* SPDX-License-Identifier: BSD-2-Clause */

/* Reading the root record, from a READ or from mapped memory. */

#include "rtree/root.h"

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

void root_load(const struct root_page *page, struct root *root)
{
	const struct root_record *record = &page->record;

	root_load_version(page, root);
	root->identity =
		atomic_load_explicit(&record->identity, memory_order_relaxed);
	root->horizon =
		atomic_load_explicit(&record->horizon, memory_order_relaxed);
	root->item_count =
		atomic_load_explicit(&record->item_count, memory_order_relaxed);
}
