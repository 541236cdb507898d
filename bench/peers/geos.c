/* SPDX-License-Identifier: BSD-2-Clause */

/* GEOS's STRtree: packed on the first query, and only then. */

#include "peer.h"

#include <geos_c.h>
#include <stdarg.h>
#include <stdlib.h>

static GEOSContextHandle_t geos;
static GEOSSTRtree *tree;

static GEOSGeometry *to_geometry(const struct peer_box *b)
{
	return GEOSGeom_createRectangle_r(geos, b->min[0], b->min[1], b->max[0],
					  b->max[1]);
}

static void ignore(void *item, void *context)
{
	(void)item;
	(void)context;
}

static void bulk(const struct peer_box *items, size_t count)
{
	if (!geos)
		geos = GEOS_init_r();
	if (tree)
		GEOSSTRtree_destroy_r(geos, tree);
	tree = GEOSSTRtree_create_r(geos, 10);
	for (size_t i = 0; i < count; i++) {
		GEOSGeometry *g = to_geometry(&items[i]);
		GEOSSTRtree_insert_r(geos, tree, g, (void *)(i + 1));
		GEOSGeom_destroy_r(geos, g);
	}
	/* The first query builds the tree. */
	GEOSGeometry *nowhere =
		to_geometry(&(struct peer_box){{-1e9, -1e9}, {-1e9, -1e9}});
	GEOSSTRtree_query_r(geos, tree, nowhere, ignore, NULL);
	GEOSGeom_destroy_r(geos, nowhere);
}

static void store(void *item, void *context)
{
	int64_t **to = context;
	*(*to)++ = (int64_t)(intptr_t)item - 1;
}

static size_t search(const struct peer_box *query, int64_t *ids)
{
	GEOSGeometry *g = to_geometry(query);
	int64_t *to = ids;

	GEOSSTRtree_query_r(geos, tree, g, store, &to);
	GEOSGeom_destroy_r(geos, g);
	return (size_t)(to - ids);
}

const char *const peer_name = "geos";
const struct peer peer = {.bulk = bulk, .search = search};
