/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RTREE_MODEL_H
#define TESTS_RTREE_MODEL_H

/* What a tree must be equal to: an array of items, searched from one end to the
 * other.
 *
 * The comparisons return 0, or ERR_DAMAGED with what is wrong as error text, so
 * that a test can add its seed to it.
 *
 * Thread-safety: one model, one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "rtree/rtree.h"

/* The rectangle that all others lie in. */
struct rect model_everywhere(void);

/* Items in any order; all 0 is none. */
struct model {
	struct item *items;
	size_t count;
	size_t capacity;
};

void model_fini(struct model *model);
void model_clear(struct model *model);

void model_insert(struct model *model, const struct item *item);

/* One item with this id and rectangle; false when there is none. */
bool model_delete(struct model *model, const struct item *item);
bool model_update(struct model *model, const struct item *item,
		  const struct rect *to);

/* Makes 'model' hold these items and nothing else. */
void model_replace(struct model *model, const struct item *items, size_t count);

/* Adds the items that stand to the query in that relation to 'answer'. */
void model_search(const struct model *model, const struct rect *query,
		  enum relation relation, struct model *answer);

/* Adds the entries of a leaf that 'hits' has bits for: a walk_found, whose
 * context is the model. */
int model_add_hits(void *model, const struct node *leaf, uint64_t hits);

/* Whether 'answer' has the items of 'expected', each as often.  Names one that
 * is missing, or is there once too often; sorts both then. */
int model_expect(struct model *expected, struct model *answer);

/* Whether the tree, in the version that 'root' is of, gives the same answer to
 * this query, in each of the three relations. */
int model_compare_query(const struct model *model, const struct rtree *tree,
			const struct root *root, const struct rect *query);

/* Whether the newest version is a tree that rtree_check() finds right, holds
 * exactly the items of the model, and together with the pages that are free or
 * retired fills the region. */
int model_compare(const struct model *model, struct rtree *tree);

#endif
