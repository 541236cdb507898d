/* SPDX-License-Identifier: BSD-2-Clause */

/* Geometry queries on GEOS.  Each geometry has a context of its own, whose
 * messages are kept in it until they become an error's words. */

#include "datasets/geometry.h"

#include <float.h>
#include <geos_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct geometry {
	GEOSContextHandle_t context;
	GEOSGeometry *geometry;
	const GEOSPreparedGeometry *prepared;
	enum relation relation;
	struct rect envelope;
	char message[256]; /* GEOS's last */
};

/* What GEOS's predicates return when they fail. */
enum { PREDICATE_FAILED = 2 };

static void keep_message(const char *message, void *geometry);
static int check_relation(enum relation relation);
static int parse(struct geometry *geometry, const char *wkt);
static int check(struct geometry *geometry);
static int find_envelope(struct geometry *geometry);

int geometry_create(const char *wkt, enum relation relation,
		    struct geometry **geometry)
{
	struct geometry *new = calloc(1, sizeof(*new));

	if (new)
		new->context = GEOS_init_r();
	if (!new || !new->context) {
		free(new);
		return err_set(ERR_NO_MEMORY, "no memory");
	}
	GEOSContext_setErrorMessageHandler_r(new->context, keep_message, new);
	new->relation = relation;

	int error = check_relation(relation);
	if (!error)
		error = parse(new, wkt);
	if (!error)
		error = check(new);
	if (!error)
		error = find_envelope(new);
	if (error) {
		geometry_destroy(new);
		return error;
	}
	*geometry = new;
	return 0;
}

void geometry_destroy(struct geometry *geometry)
{
	if (!geometry)
		return;
	GEOSPreparedGeom_destroy_r(geometry->context, geometry->prepared);
	GEOSGeom_destroy_r(geometry->context, geometry->geometry);
	GEOS_finish_r(geometry->context);
	free(geometry);
}

struct rect geometry_envelope(const struct geometry *geometry)
{
	return geometry->envelope;
}

static int ask_geos(struct geometry *geometry, const struct rect *rect);

/* A rectangle covers what it covers the envelope of, so GEOS needn't be asked
 * for that. */
int geometry_matches(struct geometry *geometry, const struct rect *rect)
{
	if (geometry->relation == RELATION_CONTAINS)
		return rect_contains(rect, &geometry->envelope);
	return ask_geos(geometry, rect);
}

static GEOSGeometry *make_box(GEOSContextHandle_t context,
			      const struct rect *rect);

static int ask_geos(struct geometry *geometry, const struct rect *rect)
{
	GEOSContextHandle_t context = geometry->context;
	GEOSGeometry *box = make_box(context, rect);

	if (!box)
		return err_set(ERR_NO_MEMORY, "GEOS: %s", geometry->message);

	int yes = geometry->relation == RELATION_INTERSECTS
			  ? GEOSPreparedIntersects_r(context,
						     geometry->prepared, box)
			  : GEOSPreparedCovers_r(context, geometry->prepared,
						 box);
	GEOSGeom_destroy_r(context, box);
	return yes == PREDICATE_FAILED
		       ? err_set(ERR_DATA, "GEOS: %s", geometry->message)
		       : yes;
}

/* A rectangle's corners, against the clock: 2 * (upper y) + (right x). */
static GEOSCoordSequence *make_corners(GEOSContextHandle_t context,
				       const struct rect *rect,
				       const char *corners)
{
	unsigned count = (unsigned)strlen(corners);
	GEOSCoordSequence *sequence = GEOSCoordSeq_create_r(context, count, 2);

	for (unsigned i = 0; sequence && i < count; i++) {
		int corner = corners[i] - '0';
		GEOSCoordSeq_setXY_r(context, sequence, i,
				     corner & 1 ? rect->max[0] : rect->min[0],
				     corner & 2 ? rect->max[1] : rect->min[1]);
	}
	return sequence;
}

/* A polygon, or the line or point that a rectangle without area is.  Each maker
 * of GEOS takes over what it is given, also when it fails. */
static GEOSGeometry *make_box(GEOSContextHandle_t context,
			      const struct rect *rect)
{
	bool wide = rect->min[0] < rect->max[0];
	bool high = rect->min[1] < rect->max[1];
	const char *corners = wide && high   ? "01320"
			      : wide || high ? "03"
					     : "0";
	GEOSCoordSequence *sequence = make_corners(context, rect, corners);

	if (!sequence)
		return NULL;
	if (!wide && !high)
		return GEOSGeom_createPoint_r(context, sequence);
	if (!wide || !high)
		return GEOSGeom_createLineString_r(context, sequence);

	GEOSGeometry *ring = GEOSGeom_createLinearRing_r(context, sequence);
	return ring ? GEOSGeom_createPolygon_r(context, ring, NULL, 0) : NULL;
}

/* GEOS begins with the name of its exception, which tells a user nothing. */
static void keep_message(const char *message, void *geometry_pointer)
{
	struct geometry *geometry = geometry_pointer;
	const char *text = strstr(message, "Exception: ");

	text = text ? text + strlen("Exception: ") : message;
	snprintf(geometry->message, sizeof(geometry->message), "%s", text);
}

static int check_relation(enum relation relation)
{
	if (DIMENSIONS == 2 || relation != RELATION_CONTAINS)
		return 0;
	return err_set(ERR_USAGE, "a geometry stands for all heights, which no "
				  "item contains");
}

static int parse(struct geometry *geometry, const char *wkt)
{
	GEOSWKTReader *reader = GEOSWKTReader_create_r(geometry->context);

	if (!reader)
		return err_set(ERR_NO_MEMORY, "no memory");
	geometry->geometry =
		GEOSWKTReader_read_r(geometry->context, reader, wkt);
	GEOSWKTReader_destroy_r(geometry->context, reader);
	return geometry->geometry
		       ? 0
		       : err_set(ERR_USAGE, "not well-known text: %s",
				 geometry->message);
}

/* An invalid geometry would give answers that mean nothing. */
static int check(struct geometry *geometry)
{
	GEOSContextHandle_t context = geometry->context;

	if (GEOSisEmpty_r(context, geometry->geometry))
		return err_set(ERR_USAGE, "an empty geometry");
	if (GEOSGeomTypeId_r(context, geometry->geometry) ==
	    GEOS_GEOMETRYCOLLECTION)
		return err_set(ERR_USAGE,
			       "a GEOMETRYCOLLECTION can't be a query; make it "
			       "a MULTIPOLYGON, or several queries");
	if (GEOSisValid_r(context, geometry->geometry) == 1)
		return 0;

	char *reason = GEOSisValidReason_r(context, geometry->geometry);
	int error = err_set(ERR_USAGE, "not a valid geometry: %s",
			    reason ? reason : geometry->message);
	GEOSFree_r(context, reason);
	return error;
}

static int find_envelope(struct geometry *geometry)
{
	GEOSContextHandle_t context = geometry->context;
	const GEOSGeometry *g = geometry->geometry;
	struct rect *envelope = &geometry->envelope;

	for (int d = 2; d < DIMENSIONS; d++) {
		envelope->min[d] = -DBL_MAX;
		envelope->max[d] = DBL_MAX;
	}
	if (!GEOSGeom_getXMin_r(context, g, &envelope->min[0]) ||
	    !GEOSGeom_getYMin_r(context, g, &envelope->min[1]) ||
	    !GEOSGeom_getXMax_r(context, g, &envelope->max[0]) ||
	    !GEOSGeom_getYMax_r(context, g, &envelope->max[1]) ||
	    !rect_valid(envelope))
		return err_set(ERR_USAGE, "a geometry without finite bounds");
	geometry->prepared = GEOSPrepare_r(context, g);
	return geometry->prepared
		       ? 0
		       : err_set(ERR_NO_MEMORY, "GEOS: %s", geometry->message);
}
