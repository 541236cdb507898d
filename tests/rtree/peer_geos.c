/* SPDX-License-Identifier: BSD-2-Clause */

/* GEOS's STRtree, which finds what intersects. */

#include "tests/rtree/peer.h"

#include <geos_c.h>
#include <stdlib.h>

struct peer_tree {
	GEOSContextHandle_t geos;
	GEOSSTRtree *tree;
};

static GEOSGeometry *to_geometry(const struct peer_tree *t,
				 const struct peer_item *item)
{
	return GEOSGeom_createRectangle_r(t->geos, item->min[0], item->min[1],
					  item->max[0], item->max[1]);
}

static struct peer_tree *create(const struct peer_item *items, size_t count)
{
	enum { CAPACITY = 10 };
	struct peer_tree *t = malloc(sizeof(*t));

	if (!t)
		abort();
	t->geos = GEOS_init_r();
	t->tree = GEOSSTRtree_create_r(t->geos, CAPACITY);
	for (size_t i = 0; i < count; i++) {
		GEOSGeometry *g = to_geometry(t, &items[i]);
		GEOSSTRtree_insert_r(t->geos, t->tree, g, (void *)&items[i]);
		GEOSGeom_destroy_r(t->geos, g);
	}
	return t;
}

static void destroy(struct peer_tree *t)
{
	GEOSSTRtree_destroy_r(t->geos, t->tree);
	GEOS_finish_r(t->geos);
	free(t);
}

static int knows(enum peer_relation relation)
{
	return relation == PEER_INTERSECTS;
}

static void store_id(void *item, void *context)
{
	int64_t **to = context;
	const struct peer_item *found = item;

	*(*to)++ = found->id;
}

static size_t search(struct peer_tree *t, enum peer_relation relation,
		     const struct peer_item *query, int64_t *ids)
{
	GEOSGeometry *g = to_geometry(t, query);
	int64_t *to = ids;

	(void)relation;
	GEOSSTRtree_query_r(t->geos, t->tree, g, store_id, &to);
	GEOSGeom_destroy_r(t->geos, g);
	return (size_t)(to - ids);
}

const struct peer peer = {
	.name = "GEOS",
	.create = create,
	.destroy = destroy,
	.knows = knows,
	.search = search,
};
