/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/nearest.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/log.h"

enum {
	/* Nodes that are looked at in one step.  Each entry of a leaf may have
	 * to find its place among those found: some tens of microseconds. */
	NODES_PER_STEP = 16,
	/* Items that are put in order in one step, for as long. */
	SORTED_PER_STEP = 128,
	/* Items that one search gathers: some 100 MB with what the list that
	 * holds them has in reserve. */
	GATHERED_MAX = 1000000,
};

static int check_size(uint64_t k, uint64_t item_count);
static int gather(struct nearest_search *search);
static int send_some(struct nearest_search *search, struct segment *segment);
static bool hand_out(struct nearest_search *search, struct segment *segment);
static void put_totals(const struct nearest_search *search,
		       struct segment *segment);

int nearest_search_begin(struct nearest_search *search, struct rtree *tree,
			 const struct wire_nearest *query)
{
	struct rtree_region region;
	double point[DIMENSIONS];

	int error = wire_get_point(query->point, point);
	if (error)
		return error;
	if (!query->k)
		return err_set(ERR_USAGE, "the nearest 0 items are none");
	error = rtree_pin(tree, &search->pin);
	if (error)
		return error;

	rtree_describe(tree, &region);
	error = check_size(query->k, search->pin.root.item_count);
	if (!error)
		error = nearest_begin(&search->nearest, point, query->k,
				      search->pin.root.ref, region.page_count);
	if (error) {
		rtree_unpin(tree, &search->pin);
		return error;
	}
	search->tree = tree;
	search->stage = NEAREST_GATHERS;
	search->sent = 0;
	return 0;
}

/* Each client could otherwise make the server hold a copy of the tree. */
static int check_size(uint64_t k, uint64_t item_count)
{
	if (k <= GATHERED_MAX || item_count <= GATHERED_MAX)
		return 0;
	return err_set(ERR_NO_ROOM,
		       "the nearest %" PRIu64 " of %" PRIu64
		       " items are more than the %d that are gathered for one "
		       "request",
		       k, item_count, GATHERED_MAX);
}

static int step(void *answer, struct segment *segment)
{
	struct nearest_search *search = answer;

	switch (search->stage) {
	case NEAREST_GATHERS:
		return gather(search);
	case NEAREST_SORTS:
		if (nearest_sort_some(&search->nearest, SORTED_PER_STEP))
			search->stage = NEAREST_SENDS;
		return ANSWER_WORKING;
	case NEAREST_SENDS:
		break;
	}
	return send_some(search, segment);
}

static int gather(struct nearest_search *search)
{
	struct walk_wanted wanted;

	for (int nodes = 0; nodes < NODES_PER_STEP; nodes++) {
		if (!nearest_next(&search->nearest, &wanted)) {
			search->stage = NEAREST_SORTS;
			break;
		}
		int error = nearest_feed(&search->nearest, &wanted,
					 rtree_node(search->tree, wanted.ref));
		if (!error)
			continue;
		log_error("a search of version %" PRIu64
			  " for the nearest failed: %s",
			  search->pin.root.version, err_text());
		return error;
	}
	return ANSWER_WORKING;
}

static int send_some(struct nearest_search *search, struct segment *segment)
{
	segment_begin(segment, sizeof(struct wire_found));
	bool all = hand_out(search, segment);
	put_totals(search, segment);
	return all ? ANSWER_LAST : ANSWER_SEGMENT;
}

/* Fills a segment; true when nothing is left for another. */
static bool hand_out(struct nearest_search *search, struct segment *segment)
{
	const struct nearest *nearest = &search->nearest;

	for (; search->sent < nearest->found_count; search->sent++) {
		const struct neighbour *found = &nearest->found[search->sent];

		if (segment_room(segment) < sizeof(struct wire_neighbour))
			return false;
		struct wire_neighbour *neighbour =
			segment_append(segment, 1, sizeof(*neighbour));
		wire_put_item(&found->item, &neighbour->item);
		neighbour->distance = sqrt(found->distance2);
	}
	return true;
}

static void put_totals(const struct nearest_search *search,
		       struct segment *segment)
{
	struct wire_found *found = segment_fixed(segment);

	found->identity = search->pin.root.identity;
	found->version = search->pin.root.version;
	found->total = search->sent;
	found->nodes = search->nearest.nodes;
}

static void end(void *answer)
{
	struct nearest_search *search = answer;

	nearest_end(&search->nearest);
	rtree_unpin(search->tree, &search->pin);
}

const struct answer_ops nearest_answer = {
	.step = step,
	.end = end,
	.holds_pages = true,
};
