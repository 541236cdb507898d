/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/search.h"

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/guard.h"
#include "base/log.h"

/* Nodes that are looked at in one step: some tens of microseconds. */
enum { NODES_PER_STEP = 256 };

static int check_query(const struct wire_query *query, struct rect *rect);
static int walk_on(struct search *search, bool *ended);
static bool hand_out(struct search *search, struct segment *segment);
static void put_totals(const struct search *search, struct segment *segment);

int search_begin(struct search *search, struct rtree *tree,
		 const struct wire_query *query, bool count_only)
{
	struct rtree_region region;

	int error = check_query(query, &search->query);
	if (error)
		return error;
	error = rtree_pin(tree, &search->pin);
	if (error)
		return error;

	rtree_describe(tree, &region);
	error = walk_begin(&search->walk, &search->query,
			   (enum relation)query->relation, search->pin.root.ref,
			   region.page_count);
	if (error) {
		rtree_unpin(tree, &search->pin);
		return error;
	}
	search->walk.pages = region.memory;
	search->tree = tree;
	search->leaf = NULL;
	search->hits = 0;
	search->limit = query->limit;
	search->total = 0;
	search->count_only = count_only;
	search->truncated = false;
	return 0;
}

static int check_query(const struct wire_query *query, struct rect *rect)
{
	if (query->relation > RELATION_WITHIN)
		return err_set(ERR_USAGE, "relation %" PRIu32 " is not known",
			       query->relation);
	return wire_get_rect(&query->rect, rect);
}

static int step(void *answer, struct segment *segment)
{
	struct search *search = answer;
	bool ended = false;

	if (!segment->size)
		segment_begin(segment, sizeof(struct wire_found));
	for (int nodes = 0; nodes < NODES_PER_STEP; nodes++) {
		if (!hand_out(search, segment)) {
			put_totals(search, segment);
			return ANSWER_SEGMENT;
		}
		int error = search->truncated ? 0 : walk_on(search, &ended);
		if (error)
			return error;
		if (ended || search->truncated) {
			put_totals(search, segment);
			return ANSWER_LAST;
		}
	}
	return ANSWER_WORKING;
}

/* Feeds the walk one node, or finds that it has ended. */
static int walk_on(struct search *search, bool *ended)
{
	struct walk_wanted wanted;

	if (!walk_next(&search->walk, &wanted)) {
		*ended = true;
		return 0;
	}
	search->leaf = rtree_node(search->tree, wanted.ref);
	int error =
		walk_feed(&search->walk, &wanted, search->leaf, &search->hits);
	if (error)
		log_error("a search of version %" PRIu64 " failed: %s",
			  search->pin.root.version, err_text());
	return error;
}

static bool limit_reached(const struct search *search)
{
	return search->limit && search->total == search->limit;
}

/* Asks memory for all that is about to be handed out at once, not one after the
 * other. */
static void prefetch_hits(const struct search *search)
{
	const struct node *leaf = search->leaf;

	for (uint64_t hits = search->hits; hits; hits &= hits - 1) {
		int i = __builtin_ctzll(hits);

		__builtin_prefetch(&leaf->rect[i]);
		__builtin_prefetch(&leaf->id[i]);
	}
}

/* Hands out the hits in the current leaf; false when the segment is full. */
static bool hand_out(struct search *search, struct segment *segment)
{
	if (search->count_only) {
		search->total += (uint64_t)__builtin_popcountll(search->hits);
		search->hits = 0;
	}
	if (search->hits)
		GUARD_PAUSE("hand-out");
	prefetch_hits(search);
	for (; search->hits; search->hits &= search->hits - 1) {
		int i = __builtin_ctzll(search->hits);

		if (limit_reached(search)) {
			search->truncated = true;
			return true;
		}
		if (segment_room(segment) < sizeof(struct wire_item))
			return false;
		struct wire_item *item =
			segment_append(segment, 1, sizeof(*item));
		item->id = search->leaf->id[i];
		wire_put_rect(&search->leaf->rect[i], &item->rect);
		search->total++;
	}
	return true;
}

static void put_totals(const struct search *search, struct segment *segment)
{
	struct wire_found *found = segment_fixed(segment);

	found->identity = search->pin.root.identity;
	found->version = search->pin.root.version;
	found->total = search->total;
	found->nodes = search->walk.nodes;
	found->truncated = search->truncated;
}

static void end(void *answer)
{
	struct search *search = answer;

	walk_end(&search->walk);
	rtree_unpin(search->tree, &search->pin);
}

const struct answer_ops search_answer = {
	.step = step,
	.end = end,
	.holds_pages = true,
};
