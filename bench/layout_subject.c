/* SPDX-License-Identifier: BSD-2-Clause */

/* The trees that are measured, all asked in the same way. */

#include "bench/layout_subject.h"

#include "base/err.h"
#include "rtree/kernel.h"
#include "rtree/rtree.h"

enum {
	FILTER_SIZE = offsetof(struct node, cell_max) +
		      sizeof(((struct node *)NULL)->cell_max)
};

static const struct layout real_layout = {
	.name = "rtree",
	.cells = "u8",
	.fanout = NODE_CAPACITY,
	.pages = 1,
	.boxes = BOXES_IN_CHILD,
	.inner_size = RTREE_INNER_SIZE,
	.inner_read = RTREE_INNER_SIZE,
	.leaf_size = RTREE_PAGE_SIZE,
	.filter_read = FILTER_SIZE,
	.exact_read = RTREE_PAGE_SIZE - FILTER_SIZE,
};

/* --- The real tree ------------------------------------------------------- */

static int load_real(struct subject *subject, const struct item *items,
		     uint64_t count, enum rtree_order order)
{
	const struct rtree_options options = {
		.size = rtree_size_forecast(count)};
	const struct rtree_pack_options pack = {.order = order, .threads = 1};
	struct rtree_batch *batch;
	struct rtree_stat stat;
	uint64_t version;
	int error = rtree_create(&options, &subject->rtree);

	if (!error)
		error = rtree_batch_begin(subject->rtree, &batch);
	if (error)
		return error;
	error = rtree_replace(batch, items, count, &pack);
	if (error) {
		rtree_batch_abort(batch);
		return error;
	}
	rtree_batch_commit(batch, &version);
	error = rtree_stat(subject->rtree, &stat);
	for (int level = 0; !error && level < stat.height; level++)
		subject->bytes += (double)stat.nodes[level] * RTREE_PAGE_SIZE;
	subject->height = stat.height;
	return error ? error : rtree_pin(subject->rtree, &subject->pin);
}

struct gathering {
	struct layout_answer *answer;
	size_t first;
};

static int gather(void *context, size_t query, const struct node *leaf,
		  uint64_t hits)
{
	struct gathering *g = context;
	uint64_t number = g->first + query + 1;

	for (; hits; hits &= hits - 1) {
		uint64_t id = (uint64_t)leaf->id[__builtin_ctzll(hits)];
		g->answer->hits++;
		g->answer->checksum += number * (id + 1);
	}
	return 0;
}

static int gather_one(void *context, const struct node *leaf, uint64_t hits)
{
	return gather(context, 0, leaf, hits);
}

static int search_real(struct subject *subject, const struct rect *queries,
		       size_t count, size_t first, struct layout_answer *answer)
{
	struct gathering g = {answer, first};
	const struct root *root = &subject->pin.root;

	if (count == 1)
		return rtree_search(subject->rtree, root, queries,
				    RELATION_INTERSECTS, gather_one, &g);
	return rtree_search_group(subject->rtree, root, queries, count,
				  RELATION_INTERSECTS, gather, &g);
}

/* Walks as a client would by READ, node by node. */
static int count_real(struct subject *subject, const struct rect *query,
		      struct layout_answer *answer)
{
	struct rtree_region region;
	struct walk walk;
	struct walk_wanted wanted;

	rtree_describe(subject->rtree, &region);
	int error = walk_begin(&walk, query, RELATION_INTERSECTS,
			       subject->pin.root.ref, region.page_count);
	if (error)
		return error;
	while (!error && walk_next(&walk, &wanted)) {
		const struct node *node =
			rtree_node(subject->rtree, wanted.ref);
		uint64_t hits;
		error = walk_feed(&walk, &wanted, node, &hits);
		if (node->header.level)
			continue;
		answer->leaf_matches +=
			kernel->select(node, node->header.count,
				       RELATION_INTERSECTS, query)
				.possible != 0;
	}
	answer->inner_visits += walk.nodes - walk.leaves;
	answer->leaf_visits += walk.leaves;
	walk_end(&walk);
	return error;
}

/* --- Any ----------------------------------------------------------------- */

int subject_init(struct subject *subject, const struct layout *layout,
		 const struct item *items, uint64_t count,
		 enum rtree_order order)
{
	*subject = (struct subject){.layout = layout ? layout : &real_layout};
	if (!layout)
		return load_real(subject, items, count, order);
	int error =
		layout_tree_init(&subject->tree, layout, items, count, order);
	subject->height = subject->tree.height;
	subject->bytes = (double)subject->tree.size;
	return error;
}

void subject_fini(struct subject *subject)
{
	if (subject->pin.root.ref)
		rtree_unpin(subject->rtree, &subject->pin);
	rtree_destroy(subject->rtree);
	layout_tree_fini(&subject->tree);
}

int subject_search(struct subject *subject, const struct rect *queries,
		   size_t count, size_t group, struct layout_answer *answer)
{
	const struct layout *layout = subject->layout;
	int error = 0;

	for (size_t q = 0; !error && q < count; q += group) {
		size_t size = count - q < group ? count - q : group;
		error = layout->search
				? layout->search(&subject->tree, queries + q,
						 size, q, answer)
				: search_real(subject, queries + q, size, q,
					      answer);
	}
	return error;
}

int subject_count(struct subject *subject, const struct rect *queries,
		  size_t count, struct layout_answer *answer)
{
	int error = subject_search(subject, queries, count, 1, answer);

	for (size_t q = 0; !error && subject->rtree && q < count; q++)
		error = count_real(subject, &queries[q], answer);
	return error;
}
