/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SYSTEM_MODEL_H
#define TESTS_SYSTEM_MODEL_H

/* The items of one version, as simply as they can be kept: a slot for each item
 * that may be, and a coarse grid to find them by place.  Replaying the writes
 * leads it from version to version.
 *
 * Each writer has slots of its own.  Two neighbouring slots share an id, and
 * now and then a rectangle as well, since ids need not be unique.
 *
 * Thread-safety: one model, one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/rect.h"

/* What became of a slot. */
struct change {
	uint32_t slot;
	uint32_t present; /* 0: the item is gone, otherwise it is at 'rect' */
	struct rect rect;
};

static inline int64_t model_id(unsigned writer, uint32_t slot)
{
	int64_t id = (int64_t)writer << 32 | slot >> 1;

	return writer % 2 ? -id : id;
}

struct model;

struct model *model_create(unsigned writers, uint32_t slots_each);
void model_destroy(struct model *model);

/* A change by one writer. */
void model_apply(struct model *model, unsigned writer,
		 const struct change *change);

/* Items there are. */
uint64_t model_size(const struct model *model);

/* Calls 'found' with each item that answers the query. */
struct model_query {
	struct rect rect;
	enum relation relation;
};
typedef void model_found(void *context, const struct item *item, bool ticked);
uint64_t model_search(const struct model *model,
		      const struct model_query *query, model_found *found,
		      void *context);

/* Ticks an item off: false when there is none like it that answers the query
 * and was not ticked since model_untick(). */
bool model_tick(struct model *model, const struct model_query *query,
		const struct item *item);
void model_untick(struct model *model);

#endif
