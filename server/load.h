/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_LOAD_H
#define SERVER_LOAD_H

/* An import that is being sent: its items are staged in ordinary memory until
 * the commit hands them to the writer all at once.
 *
 * What all clients together may stage is what the region could hold, so that
 * imports can't take more memory than a full region of items does.
 *
 * Thread-safety: a load belongs to one thread at a time, a struct load_budget
 * to all. */

#include <stdatomic.h>
#include <stdint.h>

#include "base/rect.h"
#include "wire/message.h"

/* Items that are staged, by all clients. */
struct load_budget {
	uint64_t region_size;
	_Atomic uint64_t items;
};

struct load {
	struct load_budget *budget;
	enum wire_load_mode mode;
	struct item *items;
	uint64_t count;
	uint64_t capacity;
	uint64_t reserved; /* items, in the budget */
	uint64_t others;   /* items that the tree must hold besides */
};

/* Starts an import into a tree that holds 'present' items now.  ERR_USAGE for a
 * mode that isn't one or when the tree should be empty, ERR_NO_ROOM at once
 * when what is announced can't fit, ERR_NO_MEMORY. */
int load_create(struct load_budget *budget, const struct wire_load *request,
		uint64_t present, struct load **load);

/* Stages 'count' items.  ERR_NO_ROOM and ERR_NO_MEMORY as above, ERR_DATA,
 * ERR_BUSY when other imports are staged and leave no room; after an error a
 * load can only be destroyed. */
int load_append(struct load *load, const struct wire_item *items,
		uint32_t count);

/* ERR_USAGE when the import wants an empty tree and there are items. */
int load_check_mode(const struct load *load, uint64_t present);

void load_destroy(struct load *load);

#endif
