/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/rtree/model.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct rect model_everywhere(void)
{
	struct rect r;

	for (int d = 0; d < DIMENSIONS; d++) {
		r.min[d] = -DBL_MAX;
		r.max[d] = DBL_MAX;
	}
	return r;
}

/* --- The array ---------------------------------------------------------- */

static void reserve(struct model *model, size_t capacity)
{
	if (capacity <= model->capacity)
		return;
	model->capacity = capacity + capacity / 2 + 16;
	model->items = realloc(model->items,
			       model->capacity * sizeof(model->items[0]));
	if (!model->items)
		abort();
}

void model_fini(struct model *model)
{
	free(model->items);
	*model = (struct model){0};
}

void model_clear(struct model *model)
{
	model->count = 0;
}

void model_insert(struct model *model, const struct item *item)
{
	reserve(model, model->count + 1);
	model->items[model->count++] = *item;
}

static struct item *find(const struct model *model, const struct item *item)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->items[i].id == item->id &&
		    rect_equal(&model->items[i].rect, &item->rect))
			return &model->items[i];
	return NULL;
}

bool model_delete(struct model *model, const struct item *item)
{
	struct item *found = find(model, item);

	if (found)
		*found = model->items[--model->count];
	return found;
}

bool model_update(struct model *model, const struct item *item,
		  const struct rect *to)
{
	struct item *found = find(model, item);

	if (found)
		found->rect = *to;
	return found;
}

void model_replace(struct model *model, const struct item *items, size_t count)
{
	reserve(model, count);
	if (count)
		memcpy(model->items, items, count * sizeof(items[0]));
	model->count = count;
}

void model_search(const struct model *model, const struct rect *query,
		  enum relation relation, struct model *answer)
{
	for (size_t i = 0; i < model->count; i++)
		if (rect_relation_holds(relation, &model->items[i].rect, query))
			model_insert(answer, &model->items[i]);
}

int model_add_hits(void *model, const struct node *leaf, uint64_t hits)
{
	for (; hits; hits &= hits - 1) {
		int i = __builtin_ctzll(hits);
		model_insert(model, &(struct item){.id = leaf->id[i],
						   .rect = leaf->rect[i]});
	}
	return 0;
}

/* --- Comparing ---------------------------------------------------------- */

static int compare_double(double a, double b)
{
	return (a > b) - (a < b);
}

static int compare_item(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = (x->id > y->id) - (x->id < y->id);

	for (int d = 0; !order && d < DIMENSIONS; d++) {
		order = compare_double(x->rect.min[d], y->rect.min[d]);
		if (!order)
			order = compare_double(x->rect.max[d], y->rect.max[d]);
	}
	return order;
}

static void sort(struct model *model)
{
	if (model->count)
		qsort(model->items, model->count, sizeof(model->items[0]),
		      compare_item);
}

static int complain(const char *what, const struct item *item,
		    const struct model *expected, const struct model *answer)
{
	const struct rect *r = &item->rect;

	return err_set(ERR_DAMAGED,
		       "item %lld [%.17g, %.17g, %.17g, %.17g] %s: "
		       "%zu items instead of %zu",
		       (long long)item->id, r->min[0], r->min[1], r->max[0],
		       r->max[1], what, answer->count, expected->count);
}

/* The first item that is in one and not in the other. */
static int find_difference(struct model *expected, struct model *answer)
{
	sort(expected);
	sort(answer);
	for (size_t i = 0; i < expected->count || i < answer->count; i++) {
		int order = i == expected->count ? 1
			    : i == answer->count
				    ? -1
				    : compare_item(&expected->items[i],
						   &answer->items[i]);
		if (order < 0)
			return complain("is missing", &expected->items[i],
					expected, answer);
		if (order > 0)
			return complain("is one too many", &answer->items[i],
					expected, answer);
	}
	return err_set(ERR_DAMAGED, "searches differ from time to time");
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t mix_double(uint64_t hash, double value)
{
	double zero_is_positive = value + 0.0;
	uint64_t bits;

	memcpy(&bits, &zero_is_positive, sizeof(bits));
	return mix(hash, bits);
}

static uint64_t hash_item(int64_t id, const struct rect *rect)
{
	uint64_t hash = mix(0, (uint64_t)id);

	for (int d = 0; d < DIMENSIONS; d++)
		hash = mix_double(mix_double(hash, rect->min[d]), rect->max[d]);
	return hash;
}

/* Tells sets of items apart, whatever their order is. */
struct tally {
	uint64_t count;
	uint64_t hash;
};

static void tally_add(struct tally *tally, int64_t id, const struct rect *rect)
{
	tally->count++;
	tally->hash += hash_item(id, rect);
}

static int tally_hits(void *tally, const struct node *leaf, uint64_t hits)
{
	for (; hits; hits &= hits - 1) {
		int i = __builtin_ctzll(hits);
		tally_add(tally, leaf->id[i], &leaf->rect[i]);
	}
	return 0;
}

static bool tallies_equal(const struct tally *a, const struct tally *b)
{
	return a->count == b->count && a->hash == b->hash;
}

static struct tally tally_items(const struct model *model)
{
	struct tally tally = {0};

	for (size_t i = 0; i < model->count; i++)
		tally_add(&tally, model->items[i].id, &model->items[i].rect);
	return tally;
}

static struct tally tally_search(const struct model *model,
				 const struct rect *query,
				 enum relation relation)
{
	struct tally tally = {0};

	for (size_t i = 0; i < model->count; i++) {
		const struct item *item = &model->items[i];
		if (rect_relation_holds(relation, &item->rect, query))
			tally_add(&tally, item->id, &item->rect);
	}
	return tally;
}

int model_expect(struct model *expected, struct model *answer)
{
	struct tally wanted = tally_items(expected);
	struct tally got = tally_items(answer);

	return tallies_equal(&wanted, &got) ? 0
					    : find_difference(expected, answer);
}

/* Says what is different, once it is known that something is. */
static int explain(const struct model *model, const struct rtree *tree,
		   const struct root *root, const struct rect *query,
		   enum relation relation)
{
	struct model expected = {0}, answer = {0};

	model_search(model, query, relation, &expected);
	int error = rtree_search(tree, root, query, relation, model_add_hits,
				 &answer);
	if (!error)
		error = find_difference(&expected, &answer);
	model_fini(&expected);
	model_fini(&answer);
	return error;
}

static int compare_relation(const struct model *model, const struct rtree *tree,
			    const struct root *root, const struct rect *query,
			    enum relation relation)
{
	struct tally wanted = tally_search(model, query, relation), got = {0};
	int error = rtree_search(tree, root, query, relation, tally_hits, &got);

	if (!error && tallies_equal(&wanted, &got))
		return 0;
	if (!error)
		error = explain(model, tree, root, query, relation);
	return err_prefix(error,
			  "relation %d to [%.17g, %.17g, %.17g, %.17g], "
			  "version %llu",
			  relation, query->min[0], query->min[1], query->max[0],
			  query->max[1], (unsigned long long)root->version);
}

int model_compare_query(const struct model *model, const struct rtree *tree,
			const struct root *root, const struct rect *query)
{
	int error = 0;

	for (int relation = RELATION_INTERSECTS;
	     !error && relation <= RELATION_WITHIN; relation++)
		error = compare_relation(model, tree, root, query, relation);
	return error;
}

static int compare_counts(const struct model *model,
			  const struct rtree_stat *stat, uint64_t checked)
{
	uint64_t nodes = 0;

	for (int level = 0; level < stat->height; level++)
		nodes += stat->nodes[level];
	if (stat->root.item_count != model->count ||
	    stat->entries[0] != model->count)
		return err_set(ERR_DAMAGED, "%llu items, not %zu",
			       (unsigned long long)stat->root.item_count,
			       model->count);
	if (nodes != checked)
		return err_set(ERR_DAMAGED, "%llu nodes, of which %llu checked",
			       (unsigned long long)nodes,
			       (unsigned long long)checked);
	if (nodes + stat->free_pages + stat->retired_pages + 1 !=
	    stat->page_count)
		return err_set(
			ERR_DAMAGED,
			"of %llu pages %llu are nodes, %llu free, %llu retired",
			(unsigned long long)stat->page_count,
			(unsigned long long)nodes,
			(unsigned long long)stat->free_pages,
			(unsigned long long)stat->retired_pages);
	return 0;
}

int model_compare(const struct model *model, struct rtree *tree)
{
	struct rtree_stat stat;
	const struct rect everywhere = model_everywhere();
	uint64_t checked, version;
	int error = rtree_check(tree, &checked, &version);

	if (!error)
		error = rtree_stat(tree, &stat);
	if (!error)
		error = compare_counts(model, &stat, checked);
	if (!error)
		error = compare_relation(model, tree, &stat.root, &everywhere,
					 RELATION_WITHIN);
	return error;
}
