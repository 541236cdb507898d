/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CLIENT_MODEL_H
#define TESTS_CLIENT_MODEL_H

/* What a server must answer: items in an array, searched one by one. */

#include <stdbool.h>
#include <stddef.h>

#include "base/random.h"
#include "client/catfish.h"

/* Items in no order; the same item may be there several times. */
struct model {
	struct catfish_item *items;
	size_t count;
	size_t capacity;
};

void model_clear(struct model *model);
void model_add(struct model *model, const struct catfish_item *item);

/* Removes one such item; false when there is none. */
bool model_remove(struct model *model, const struct catfish_item *item);

/* Adds items with ids and rectangles that repeat, some of them points or
 * lines, in the square from (0, 0) to (1, 1). */
void model_add_random(struct model *model, struct random *random, size_t count);

/* A query of up to that edge; some are points that are corners of items. */
struct catfish_query model_random_query(const struct model *model,
					struct random *random, double edge);

/* All that the query must find, whatever its limit. */
void model_search(const struct model *model, const struct catfish_query *query,
		  struct model *found);

/* Whether both hold the same items, equally often.  Puts both in order. */
bool model_equal(struct model *a, struct model *b);

/* Whether everything in 'part' is in 'whole', equally often or less. */
bool model_includes(struct model *whole, struct model *part);

/* A catfish_found that adds to the model that is its context. */
catfish_found model_take;

#endif
