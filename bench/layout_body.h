/* SPDX-License-Identifier: BSD-2-Clause */

/* The body of one layout: included by layout_variants.c, each time after it has
 * defined
 *
 *	LAYOUT_NAME	u8_64: names the layout and all that belongs to it
 *	LAYOUT_CELL	u8: the kind of number of its boxes (bench/lanes.h)
 *	LAYOUT_FANOUT	entries of a node, leaf or not
 *	LAYOUT_PAGES	of a leaf: with 2, ids and exact boxes are in the second
 *	LAYOUT_BOXES	where the exact boxes of inner nodes are
 *
 * A field that a layout lacks is an array of no length. */

#define JOIN_(a, b)  a##_##b
#define JOIN(a, b)   JOIN_(a, b)
#define TEXT_(a)     #a
#define TEXT(a)	     TEXT_(a)
#define OWN(name)    JOIN(LAYOUT_NAME, name)
#define CELL(name)   JOIN(LAYOUT_CELL, name)
#define CELL_IS_F64  (sizeof(LAYOUT_CELL) == sizeof(f64))
#define LANES_CHUNK  (LAYOUT_FANOUT < 64 ? LAYOUT_FANOUT : 64)
#define BOXES_ARE(x) (LAYOUT_BOXES == (x))

/* What both kinds of node begin with. */
struct OWN(filter) {
	struct layout_header header;
	LAYOUT_CELL lower[DIMENSIONS][LAYOUT_FANOUT];
	LAYOUT_CELL upper[DIMENSIONS][LAYOUT_FANOUT];
};

/* A cache line of its own. */
struct OWN(bounds) {
	_Alignas(64) struct rect rect;
};

struct OWN(inner) {
	struct OWN(filter) filter;
	struct rect beside[BOXES_ARE(BOXES_IN_NODE) ? LAYOUT_FANOUT : 0];
	struct OWN(bounds) bounds[BOXES_ARE(BOXES_IN_CHILD)];
	uint64_t child[LAYOUT_FANOUT];
	struct rect behind[BOXES_ARE(BOXES_BEHIND) ? LAYOUT_FANOUT : 0];
};

struct OWN(exact) {
	struct layout_header header[LAYOUT_PAGES == 2]; /* of a second page */
	int64_t id[LAYOUT_FANOUT];
	struct rect rect[CELL_IS_F64 ? 0 : LAYOUT_FANOUT];
};

struct OWN(leaf) {
	struct OWN(filter) filter;
	struct OWN(bounds) bounds[BOXES_ARE(BOXES_IN_CHILD)];
	struct OWN(exact) exact[LAYOUT_PAGES == 1];
};

/* --- Filling ------------------------------------------------------------- */

static void *OWN(at)(const struct layout_tree *tree, uint64_t node)
{
	return tree->memory + node;
}

static struct rect OWN(fill)(struct OWN(filter) * filter,
			     const struct layout_entry *entries, unsigned count)
{
	struct layout_header *header = &filter->header;
	struct rect bounds = rect_empty();

	for (unsigned i = 0; i < count; i++)
		rect_extend(&bounds, &entries[i].rect);
	if (CELL(CELLS))
		layout_lay_grid(header, &bounds, CELL(CELLS));
	header->count = count;
	for (int d = 0; d < DIMENSIONS; d++) {
		double origin = header->origin[d], scale = header->scale[d];
		for (unsigned i = 0; i < count; i++) {
			const struct rect *rect = &entries[i].rect;
			filter->lower[d][i] =
				CELL(down)(rect->min[d], origin, scale);
			filter->upper[d][i] =
				CELL(up)(rect->max[d], origin, scale);
		}
	}
	return bounds;
}

static uint64_t OWN(add_leaf)(struct layout_tree *tree,
			      const struct layout_entry *entries,
			      unsigned count)
{
	uint64_t where = layout_take(tree, sizeof(struct OWN(leaf)));
	struct OWN(leaf) *leaf = OWN(at)(tree, where);
	struct rect bounds = OWN(fill)(&leaf->filter, entries, count);
	struct OWN(exact) *exact = leaf->exact;

	if (BOXES_ARE(BOXES_IN_CHILD))
		leaf->bounds->rect = bounds;
	if (LAYOUT_PAGES == 2) {
		uint64_t second = layout_take(tree, sizeof(*exact));
		leaf->filter.header.exact = second;
		exact = OWN(at)(tree, second);
	}
	for (unsigned i = 0; i < count; i++) {
		exact->id[i] = (int64_t)entries[i].value;
		if (!CELL_IS_F64)
			exact->rect[i] = entries[i].rect;
	}
	return where;
}

static uint64_t OWN(add_inner)(struct layout_tree *tree,
			       const struct layout_entry *entries,
			       unsigned count)
{
	uint64_t where = layout_take(tree, sizeof(struct OWN(inner)));
	struct OWN(inner) *inner = OWN(at)(tree, where);
	struct rect bounds = OWN(fill)(&inner->filter, entries, count);

	if (BOXES_ARE(BOXES_IN_CHILD))
		inner->bounds->rect = bounds;
	for (unsigned i = 0; i < count; i++) {
		inner->child[i] = entries[i].value;
		if (BOXES_ARE(BOXES_IN_NODE))
			inner->beside[i] = entries[i].rect;
		if (BOXES_ARE(BOXES_BEHIND))
			inner->behind[i] = entries[i].rect;
	}
	return where;
}

/* --- Searching ----------------------------------------------------------- */

/* Up to 64 entries of a node, from 'first' on. */
struct OWN(chunk) {
	const struct OWN(filter) * filter;
	unsigned first;
	uint64_t all; /* a bit for each */
};

/* Entries that may intersect the query. */
static inline uint64_t OWN(possible)(const struct OWN(chunk) * chunk,
				     const struct rect *query)
{
	const struct layout_header *header = &chunk->filter->header;
	uint64_t bits = chunk->all;

	for (int d = 0; d < DIMENSIONS; d++) {
		double origin = header->origin[d], scale = header->scale[d];
		bits &= CELL(at_most)(chunk->filter->lower[d] + chunk->first,
				      LANES_CHUNK,
				      CELL(up)(query->max[d], origin, scale));
		bits &= CELL(at_least)(
			chunk->filter->upper[d] + chunk->first, LANES_CHUNK,
			CELL(down)(query->min[d], origin, scale));
	}
	return bits;
}

/* Entries that intersect it if they may: strictly so when rounded the other
 * way. */
static inline uint64_t OWN(certain)(const struct OWN(chunk) * chunk,
				    const struct rect *query)
{
	const struct layout_header *header = &chunk->filter->header;
	uint64_t open = 0;

	for (int d = 0; d < DIMENSIONS; d++) {
		double origin = header->origin[d], scale = header->scale[d];
		open |= CELL(at_least)(
			chunk->filter->lower[d] + chunk->first, LANES_CHUNK,
			CELL(down)(query->max[d], origin, scale));
		open |= CELL(at_most)(chunk->filter->upper[d] + chunk->first,
				      LANES_CHUNK,
				      CELL(up)(query->min[d], origin, scale));
	}
	return ~open;
}

static inline struct rect OWN(rect)(const struct OWN(filter) * filter,
				    const struct OWN(exact) * exact, unsigned i)
{
	struct rect rect;

	if (!CELL_IS_F64)
		return exact->rect[i];
	for (int d = 0; d < DIMENSIONS; d++) {
		rect.min[d] = filter->lower[d][i];
		rect.max[d] = filter->upper[d][i];
	}
	return rect;
}

/* Takes the items of a leaf that match. */
static inline void OWN(match)(const struct OWN(chunk) * chunk,
			      const struct OWN(exact) * exact, uint64_t bits,
			      const struct rect *query, size_t index,
			      struct layout_answer *answer)
{
	uint64_t sure = OWN(certain)(chunk, query);

	for (; bits; bits &= bits - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(bits);
		unsigned i = chunk->first + bit;
		if (!(sure >> bit & 1)) {
			struct rect rect = OWN(rect)(chunk->filter, exact, i);
			if (!rect_intersects(&rect, query))
				continue;
		}
		answer->hits++;
		answer->checksum += (index + 1) * ((uint64_t)exact->id[i] + 1);
	}
}

/* Asks for all that rules out children or items. */
static inline void OWN(prefetch)(const struct layout_tree *tree, uint64_t node)
{
	const char *line = OWN(at)(tree, node);

	for (size_t i = 0; i < sizeof(struct OWN(filter)); i += 64)
		__builtin_prefetch(line + i);
}

static inline void OWN(descend)(struct layout_tree *tree,
				const struct OWN(chunk) * chunk, uint64_t bits,
				size_t query)
{
	const struct OWN(inner) *inner = (const void *)chunk->filter;

	for (; bits; bits &= bits - 1) {
		unsigned i = chunk->first + (unsigned)__builtin_ctzll(bits);
		uint64_t child = inner->child[i];
		OWN(prefetch)(tree, child);
		tree->next.wanted[tree->next.count++] =
			(struct layout_wanted){child, query};
	}
}

static inline uint64_t OWN(first_bits)(unsigned count)
{
	return count < 64 ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
}

/* Looks at one node, which is a leaf if that is what 'is_leaf' says. */
static inline void OWN(look)(struct layout_tree *tree, uint64_t node,
			     bool is_leaf, const struct rect *query,
			     size_t number, size_t first,
			     struct layout_answer *answer)
{
	struct OWN(chunk) chunk = {.filter = OWN(at)(tree, node)};
	unsigned count = chunk.filter->header.count;
	bool matches = false;

	for (; chunk.first < count; chunk.first += LANES_CHUNK) {
		chunk.all = OWN(first_bits)(count - chunk.first);
		uint64_t bits = OWN(possible)(&chunk, query);
		if (!is_leaf) {
			OWN(descend)(tree, &chunk, bits, number);
			continue;
		}
		if (!bits)
			continue;
		const struct OWN(leaf) *leaf = (const void *)chunk.filter;
		const struct OWN(exact) *exact =
			LAYOUT_PAGES == 1
				? leaf->exact
				: OWN(at)(tree, leaf->filter.header.exact);
		OWN(match)(&chunk, exact, bits, query, first + number, answer);
		matches = true;
	}
	answer->inner_visits += !is_leaf;
	answer->leaf_visits += is_leaf;
	answer->leaf_matches += matches;
}

/* Looks at all nodes of a level that are wanted, and gathers what is wanted of
 * the one below. */
static int OWN(advance)(struct layout_tree *tree, bool is_leaf,
			const struct rect *queries, size_t first,
			struct layout_answer *answer)
{
	tree->next.count = 0;
	for (size_t i = 0; i < tree->now.count; i++) {
		struct layout_wanted w = tree->now.wanted[i];
		int error =
			is_leaf ? 0
				: layout_reserve(&tree->next, LAYOUT_FANOUT);
		if (error)
			return error;
		OWN(look)
		(tree, w.node, is_leaf, &queries[w.query], w.query, first,
		 answer);
	}
	struct layout_frontier done = tree->now;
	tree->now = tree->next;
	tree->next = done;
	return 0;
}

static int OWN(search)(struct layout_tree *tree, const struct rect *queries,
		       size_t count, size_t first, struct layout_answer *answer)
{
	tree->now.count = 0;
	int error = layout_reserve(&tree->now, count);

	for (size_t q = 0; !error && q < count; q++)
		tree->now.wanted[tree->now.count++] =
			(struct layout_wanted){tree->root, q};
	for (int level = tree->height - 1; !error && level > 0; level--)
		error = OWN(advance)(tree, false, queries, first, answer);
	return error ? error : OWN(advance)(tree, true, queries, first, answer);
}

static const struct layout OWN(layout) = {
	.name = TEXT(LAYOUT_NAME),
	.cells = TEXT(LAYOUT_CELL),
	.fanout = LAYOUT_FANOUT,
	.pages = LAYOUT_PAGES,
	.boxes = LAYOUT_BOXES,
	.inner_size = sizeof(struct OWN(inner)),
	.inner_read = offsetof(struct OWN(inner), behind),
	.leaf_size = sizeof(struct OWN(leaf)) +
		     (LAYOUT_PAGES == 2 ? sizeof(struct OWN(exact)) : 0),
	.filter_read = sizeof(struct OWN(filter)),
	.exact_read = LAYOUT_PAGES == 2 ? sizeof(struct OWN(exact))
					: sizeof(struct OWN(leaf)) -
						  sizeof(struct OWN(filter)),
	.add_leaf = OWN(add_leaf),
	.add_inner = OWN(add_inner),
	.search = OWN(search),
};

#undef JOIN_
#undef JOIN
#undef TEXT_
#undef TEXT
#undef OWN
#undef CELL
#undef CELL_IS_F64
#undef LANES_CHUNK
#undef BOXES_ARE
#undef LAYOUT_NAME
#undef LAYOUT_CELL
#undef LAYOUT_FANOUT
#undef LAYOUT_PAGES
#undef LAYOUT_BOXES
