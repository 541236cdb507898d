/* SPDX-License-Identifier: BSD-2-Clause */

/* Features of GDAL as items.  What GDAL complains about is kept and becomes the
 * words of an error; its warnings are logged as debug. */

#include "datasets/ogr.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <errno.h>
#include <gdal.h>
#include <math.h>
#include <ogr_api.h>
#include <ogr_srs_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "base/parse.h"

/* What is worked out once for each layer. */
struct layer {
	OGRLayerH handle;
	const char *name;
	int id_index; /* of the id field; ID_IS_FID */
	OGRCoordinateTransformationH transformation;
};
enum { ID_IS_FID = -1 };

struct ogr_source {
	GDALDatasetH dataset;
	bool reads_by_layer; /* else GDAL hands out all layers' features */
	bool segments;
	bool ids_given;
	OGRSpatialReferenceH target;
	struct layer *layers;
	int layer_count;
	int current; /* layer, when reading by layer */
	uint64_t feature_count;
	uint64_t segments_made;

	/* Of the feature that was read last. */
	struct item *items;
	size_t count;
	size_t capacity;
	double (*points)[DIMENSIONS];
	size_t points_capacity;

	bool complained;
	char complaint[256]; /* GDAL's first */
};

static void CPL_STDCALL keep_complaint(CPLErr class, CPLErrorNum number,
				       const char *message);
static int open_dataset(struct ogr_source *source, const char *name);
static int choose_layers(struct ogr_source *source,
			 const struct ogr_options *options);
static void count_features(struct ogr_source *source);
static OGRFeatureH next_feature(struct ogr_source *source,
				const struct layer **layer);
static int take_feature(struct ogr_source *source, const struct layer *layer,
			OGRFeatureH feature, struct ogr_feature *out);

const char *ogr_verdict_text(enum ogr_verdict verdict)
{
	static const char *const texts[OGR_VERDICTS] = {
		[OGR_USABLE] = "usable",
		[OGR_NO_GEOMETRY] = "no geometry",
		[OGR_EMPTY] = "empty geometry",
		[OGR_NOT_FINITE] = "a coordinate that is not finite",
		[OGR_NO_Z] = "no z",
		[OGR_NOT_TRANSFORMED] = "can't be transformed",
		[OGR_NO_SEGMENTS] = "no line segments",
		[OGR_NO_ID] = "no 64-bit id",
	};
	return texts[verdict];
}

int ogr_open(const struct ogr_options *options, struct ogr_source **source)
{
	struct ogr_source *new = calloc(1, sizeof(*new));

	if (!new)
		return err_set(ERR_NO_MEMORY, "no memory");
	new->segments = options->segments;
	new->ids_given = options->id_field != NULL;
	CPLPushErrorHandlerEx(keep_complaint, new);

	int error = open_dataset(new, options->source);
	if (!error)
		error = choose_layers(new, options);
	if (error) {
		ogr_close(new);
		return error;
	}
	count_features(new);
	*source = new;
	return 0;
}

int ogr_next(struct ogr_source *source, struct ogr_feature *feature)
{
	const struct layer *layer;

	source->complained = false;
	OGRFeatureH handle = next_feature(source, &layer);
	if (!handle)
		return source->complained
			       ? err_set(ERR_DATA, "%s", source->complaint)
			       : 0;

	int error = take_feature(source, layer, handle, feature);
	OGR_F_Destroy(handle);
	return error ? error : 1;
}

uint64_t ogr_feature_count(const struct ogr_source *source)
{
	return source->feature_count;
}

void ogr_close(struct ogr_source *source)
{
	if (!source)
		return;
	for (int i = 0; i < source->layer_count; i++)
		OCTDestroyCoordinateTransformation(
			source->layers[i].transformation);
	OSRDestroySpatialReference(source->target);
	if (source->dataset)
		GDALClose(source->dataset);
	CPLPopErrorHandler();
	free(source->layers);
	free(source->items);
	free(source->points);
	free(source);
}

static void CPL_STDCALL keep_complaint(CPLErr class, CPLErrorNum number,
				       const char *message)
{
	struct ogr_source *source = CPLGetErrorHandlerUserData();

	(void)number;
	log_debug("GDAL: %s", message);
	if (class < CE_Failure || source->complained)
		return;
	source->complained = true;
	snprintf(source->complaint, sizeof(source->complaint), "%s", message);
}

/* --- Opening ------------------------------------------------------------ */

static int open_dataset(struct ogr_source *source, const char *name)
{
	struct stat status;

	GDALAllRegister();
	source->dataset = GDALOpenEx(
		name, GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR,
		NULL, NULL, NULL);
	if (source->dataset)
		return 0;
	if (stat(name, &status) && errno == ENOENT)
		return err_set(ERR_NOT_FOUND, "%s: %s", name, strerror(ENOENT));
	return err_set(ERR_DATA, "GDAL can't read %s: %s", name,
		       source->complained ? source->complaint
					  : "no reason given");
}

static int add_layer(struct ogr_source *source, OGRLayerH handle,
		     const struct ogr_options *options);
static int no_such_layer(const struct ogr_source *source, const char *name);

static int choose_layers(struct ogr_source *source,
			 const struct ogr_options *options)
{
	GDALDatasetH dataset = source->dataset;
	int count = GDALDatasetGetLayerCount(dataset);

	source->reads_by_layer =
		!GDALDatasetTestCapability(dataset, ODsCRandomLayerRead);
	source->layers = calloc((size_t)count + 1, sizeof(*source->layers));
	if (!source->layers)
		return err_set(ERR_NO_MEMORY, "no memory");
	if (options->layer) {
		OGRLayerH layer =
			GDALDatasetGetLayerByName(dataset, options->layer);
		if (!layer)
			return no_such_layer(source, options->layer);
		return add_layer(source, layer, options);
	}
	for (int i = 0; i < count; i++) {
		int error = add_layer(source, GDALDatasetGetLayer(dataset, i),
				      options);
		if (error)
			return error;
	}
	return 0;
}

/* Appends a name to a list that is shown in an error. */
static void append_name(char *list, size_t size, const char *name)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

static int no_such_layer(const struct ogr_source *source, const char *name)
{
	char names[256] = "";

	for (int i = 0; i < GDALDatasetGetLayerCount(source->dataset); i++)
		append_name(
			names, sizeof(names),
			OGR_L_GetName(GDALDatasetGetLayer(source->dataset, i)));
	return err_set(ERR_USAGE, "no layer '%s'; there is %s", name, names);
}

static int find_id_field(struct layer *layer, const char *name);
static int set_target(struct ogr_source *source, struct layer *layer,
		      const char *t_srs);

static int add_layer(struct ogr_source *source, OGRLayerH handle,
		     const struct ogr_options *options)
{
	struct layer *layer = &source->layers[source->layer_count++];
	int error = 0;

	layer->handle = handle;
	layer->name = OGR_L_GetName(handle);
	layer->id_index = ID_IS_FID;
	if (options->id_field)
		error = find_id_field(layer, options->id_field);
	if (!error && options->t_srs)
		error = set_target(source, layer, options->t_srs);
	if (error || !options->where)
		return error;
	if (OGR_L_SetAttributeFilter(handle, options->where))
		return err_set(ERR_USAGE, "layer '%s', filter \"%s\": %s",
			       layer->name, options->where,
			       source->complained ? source->complaint
						  : "not understood");
	return 0;
}

static int no_such_field(const struct layer *layer, OGRFeatureDefnH definition,
			 const char *name);

static int find_id_field(struct layer *layer, const char *name)
{
	OGRFeatureDefnH definition = OGR_L_GetLayerDefn(layer->handle);
	int index = OGR_FD_GetFieldIndex(definition, name);

	if (index < 0) {
		const char *fid = OGR_L_GetFIDColumn(layer->handle);
		if (*name && EQUAL(fid, name))
			return 0;
		return no_such_field(layer, definition, name);
	}
	switch (OGR_Fld_GetType(OGR_FD_GetFieldDefn(definition, index))) {
	case OFTInteger:
	case OFTInteger64:
	case OFTReal:
	case OFTString:
		layer->id_index = index;
		return 0;
	default:
		return err_set(ERR_USAGE,
			       "layer '%s': field '%s' doesn't hold numbers",
			       layer->name, name);
	}
}

static int no_such_field(const struct layer *layer, OGRFeatureDefnH definition,
			 const char *name)
{
	char names[256] = "";

	for (int i = 0; i < OGR_FD_GetFieldCount(definition); i++)
		append_name(
			names, sizeof(names),
			OGR_Fld_GetNameRef(OGR_FD_GetFieldDefn(definition, i)));
	return err_set(ERR_USAGE, "layer '%s' has no field '%s'; it has %s",
		       layer->name, name, *names ? names : "none");
}

/* Coordinates are x, y throughout, also where an authority orders them as
 * latitude, longitude. */
static int set_target(struct ogr_source *source, struct layer *layer,
		      const char *t_srs)
{
	OGRSpatialReferenceH from = OGR_L_GetSpatialRef(layer->handle);

	if (!source->target) {
		source->target = OSRNewSpatialReference(NULL);
		if (OSRSetFromUserInput(source->target, t_srs))
			return err_set(ERR_USAGE,
				       "no spatial reference system '%s'",
				       t_srs);
		OSRSetAxisMappingStrategy(source->target,
					  OAMS_TRADITIONAL_GIS_ORDER);
	}
	if (!from)
		return err_set(ERR_USAGE,
			       "layer '%s' doesn't say its spatial reference "
			       "system, so it can't be transformed to %s",
			       layer->name, t_srs);
	layer->transformation =
		OCTNewCoordinateTransformation(from, source->target);
	if (!layer->transformation)
		return err_set(ERR_USAGE, "layer '%s' to %s: %s", layer->name,
			       t_srs, source->complaint);
	return 0;
}

static void count_features(struct ogr_source *source)
{
	for (int i = 0; i < source->layer_count; i++) {
		GIntBig count =
			OGR_L_GetFeatureCount(source->layers[i].handle, FALSE);
		if (count < 0) {
			source->feature_count = 0;
			return;
		}
		source->feature_count += (uint64_t)count;
	}
}

/* --- Features ----------------------------------------------------------- */

static const struct layer *find_layer(const struct ogr_source *source,
				      OGRLayerH handle);

/* Formats such as OpenStreetMap's hold the features of all layers mixed; there
 * a layer can't be read on its own. */
static OGRFeatureH next_feature(struct ogr_source *source,
				const struct layer **layer)
{
	OGRFeatureH feature;
	OGRLayerH handle;

	while (source->reads_by_layer) {
		if (source->current == source->layer_count)
			return NULL;
		*layer = &source->layers[source->current];
		feature = OGR_L_GetNextFeature((*layer)->handle);
		if (feature || source->complained)
			return feature;
		source->current++;
	}
	while ((feature = GDALDatasetGetNextFeature(source->dataset, &handle,
						    NULL, NULL, NULL))) {
		*layer = find_layer(source, handle);
		if (*layer)
			return feature;
		OGR_F_Destroy(feature);
	}
	return NULL;
}

static const struct layer *find_layer(const struct ogr_source *source,
				      OGRLayerH handle)
{
	for (int i = 0; i < source->layer_count; i++)
		if (source->layers[i].handle == handle)
			return &source->layers[i];
	return NULL;
}

static enum ogr_verdict judge(const struct layer *layer, OGRGeometryH geometry);
static int collect(struct ogr_source *source, OGRGeometryH geometry,
		   struct ogr_feature *out);
static int finish_items(struct ogr_source *source, OGRGeometryH geometry,
			const int64_t *id, struct ogr_feature *out);
static bool get_id(const struct layer *layer, OGRFeatureH feature, int64_t *id);

static int take_feature(struct ogr_source *source, const struct layer *layer,
			OGRFeatureH feature, struct ogr_feature *out)
{
	OGRGeometryH geometry = OGR_F_GetGeometryRef(feature);
	int64_t id;
	int error = 0;

	*out = (struct ogr_feature){
		.layer = layer->name,
		.fid = OGR_F_GetFID(feature),
		.verdict = judge(layer, geometry),
	};
	source->count = 0;
	if (out->verdict != OGR_USABLE)
		return 0;
	if (OGR_G_HasCurveGeometry(geometry, TRUE)) {
		OGRGeometryH linear =
			OGR_G_GetLinearGeometry(geometry, 0, NULL);
		error = collect(source, linear, out);
		OGR_G_DestroyGeometry(linear);
	} else {
		error = collect(source, geometry, out);
	}
	if (!error && out->verdict == OGR_USABLE &&
	    !get_id(layer, feature, &id))
		out->verdict = OGR_NO_ID;
	if (error || out->verdict != OGR_USABLE)
		return error;
	return finish_items(source, geometry, &id, out);
}

static enum ogr_verdict judge(const struct layer *layer, OGRGeometryH geometry)
{
	if (!geometry)
		return OGR_NO_GEOMETRY;
	if (OGR_G_IsEmpty(geometry))
		return OGR_EMPTY;
	if (DIMENSIONS == 3 && !OGR_G_Is3D(geometry))
		return OGR_NO_Z;
	if (layer->transformation &&
	    OGR_G_Transform(geometry, layer->transformation))
		return OGR_NOT_TRANSFORMED;
	return OGR_USABLE;
}

static bool get_id(const struct layer *layer, OGRFeatureH feature, int64_t *id)
{
	int index = layer->id_index;

	if (index == ID_IS_FID) {
		*id = OGR_F_GetFID(feature);
		return true;
	}
	if (!OGR_F_IsFieldSetAndNotNull(feature, index))
		return false;

	OGRFieldDefnH field = OGR_F_GetFieldDefnRef(feature, index);
	double number;
	switch (OGR_Fld_GetType(field)) {
	case OFTString:
		return !parse_int64(OGR_F_GetFieldAsString(feature, index), id);
	case OFTReal:
		number = OGR_F_GetFieldAsDouble(feature, index);
		if (!(fabs(number) <= 0x1p53) || number != trunc(number))
			return false;
		*id = (int64_t)number;
		return true;
	default:
		*id = OGR_F_GetFieldAsInteger64(feature, index);
		return true;
	}
}

/* --- Geometries --------------------------------------------------------- */

static int collect_part(struct ogr_source *source, OGRGeometryH part,
			size_t count, struct ogr_feature *out);

/* Looks at all points of a geometry, whose innermost parts are points, lines
 * and rings, and makes items of their segments when these are wanted. */
static int collect(struct ogr_source *source, OGRGeometryH geometry,
		   struct ogr_feature *out)
{
	int parts = OGR_G_GetGeometryCount(geometry);
	int count = parts ? 0 : OGR_G_GetPointCount(geometry);

	if (count)
		return collect_part(source, geometry, (size_t)count, out);
	for (int i = 0; i < parts; i++) {
		int error =
			collect(source, OGR_G_GetGeometryRef(geometry, i), out);
		if (error)
			return error;
	}
	return 0;
}

static int grow(void *array, size_t *capacity, size_t wanted, size_t size);
static struct rect segment_rect(const double a[DIMENSIONS],
				const double b[DIMENSIONS]);

static int collect_part(struct ogr_source *source, OGRGeometryH part,
			size_t count, struct ogr_feature *out)
{
	const int stride = sizeof(*source->points);

	if (grow(&source->points, &source->points_capacity, count, stride) ||
	    (source->segments &&
	     grow(&source->items, &source->capacity, source->count + count,
		  sizeof(*source->items))))
		return ERR_NO_MEMORY;
	OGR_G_GetPoints(part, &source->points[0][0], stride,
			&source->points[0][1], stride,
			DIMENSIONS == 3 ? &source->points[0][DIMENSIONS - 1]
					: NULL,
			DIMENSIONS == 3 ? stride : 0);
	out->vertices += count;
	for (size_t i = 0; i < count; i++) {
		const double *point = source->points[i];
		for (int d = 0; d < DIMENSIONS; d++)
			if (!isfinite(point[d])) {
				out->verdict = OGR_NOT_FINITE;
				return 0;
			}
		if (source->segments && i)
			source->items[source->count++].rect =
				segment_rect(source->points[i - 1], point);
	}
	return 0;
}

static struct rect segment_rect(const double a[DIMENSIONS],
				const double b[DIMENSIONS])
{
	struct rect rect;

	for (int d = 0; d < DIMENSIONS; d++) {
		rect.min[d] = a[d] < b[d] ? a[d] : b[d];
		rect.max[d] = a[d] < b[d] ? b[d] : a[d];
	}
	return rect;
}

/* Makes room for 'wanted' elements in the array that '*array' points to. */
static int grow(void *array, size_t *capacity, size_t wanted, size_t size)
{
	void **elements = array;

	if (wanted <= *capacity)
		return 0;
	void *more = realloc(*elements, 2 * wanted * size);
	if (!more)
		return err_set(ERR_NO_MEMORY, "no memory");
	*elements = more;
	*capacity = 2 * wanted;
	return 0;
}

static struct rect envelope_rect(OGRGeometryH geometry);
static int finish_segments(struct ogr_source *source, const int64_t *id,
			   struct ogr_feature *out);

/* Gives the items of a usable feature their ids. */
static int finish_items(struct ogr_source *source, OGRGeometryH geometry,
			const int64_t *id, struct ogr_feature *out)
{
	if (source->segments)
		return finish_segments(source, id, out);
	if (grow(&source->items, &source->capacity, 1, sizeof(*source->items)))
		return ERR_NO_MEMORY;
	source->items[0] = (struct item){*id, envelope_rect(geometry)};
	if (!rect_valid(&source->items[0].rect)) {
		out->verdict = OGR_NOT_FINITE;
		return 0;
	}
	out->items = source->items;
	out->count = 1;
	return 0;
}

static struct rect envelope_rect(OGRGeometryH geometry)
{
	OGREnvelope3D envelope;
	struct rect rect;

	OGR_G_GetEnvelope3D(geometry, &envelope);
	const double min[] = {envelope.MinX, envelope.MinY, envelope.MinZ};
	const double max[] = {envelope.MaxX, envelope.MaxY, envelope.MaxZ};
	memcpy(rect.min, min, sizeof(rect.min));
	memcpy(rect.max, max, sizeof(rect.max));
	return rect;
}

static int finish_segments(struct ogr_source *source, const int64_t *id,
			   struct ogr_feature *out)
{
	if (!source->count) {
		out->verdict = OGR_NO_SEGMENTS;
		return 0;
	}
	for (size_t i = 0; i < source->count; i++)
		source->items[i].id =
			source->ids_given ? *id
					  : (int64_t)++source->segments_made;
	out->items = source->items;
	out->count = source->count;
	return 0;
}
