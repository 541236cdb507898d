/* SPDX-License-Identifier: BSD-2-Clause */

/* Items as text.  Each item becomes one line in a buffer, which is then written
 * whole, so formats don't differ in how they fail. */

#include "datasets/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "base/format.h"

/* Room for the longest line: a few words, two ids, a polygon, a distance, and a
 * box. */
enum { LINE_SIZE = 256 + 17 * FORMAT_DOUBLE_SIZE };

struct line {
	char text[LINE_SIZE];
	size_t size;
};

/* The decimals of a rectangle, and of its distance when there is one. */
struct decimals {
	char min[DIMENSIONS][FORMAT_DOUBLE_SIZE];
	char max[DIMENSIONS][FORMAT_DOUBLE_SIZE];
	char distance[FORMAT_DOUBLE_SIZE]; /* "": none */
};

/* What the items are, for their header. */
enum content { ITEMS, ANSWERS, NEIGHBOURS, CONTENTS };

/* How a format begins, puts an item, and ends. */
struct format {
	const char *name;
	const char *begin[CONTENTS];
	void (*put)(struct line *line, const struct writer *writer,
		    const int64_t *query, const struct item *item,
		    const struct decimals *decimals);
	const char *end;
};

static const struct format formats[WRITER_WKT + 1];

static int begin(struct writer *writer, enum content content);
static int put_item(struct writer *writer, const int64_t *query,
		    const struct item *item, struct decimals *decimals);
static int put_text(struct writer *writer, const char *text, size_t size);
static int cannot_write(void);

int writer_format_parse(const char *text, enum writer_format *format)
{
	for (int i = WRITER_TEXT; i <= WRITER_WKT; i++)
		if (!strcmp(formats[i].name, text)) {
			*format = (enum writer_format)i;
			return 0;
		}
	return err_set(ERR_USAGE,
		       "no format '%s'; there are text, csv, jsonl, geojson "
		       "and wkt",
		       text);
}

void writer_begin(struct writer *writer, FILE *file, enum writer_format format,
		  bool several_queries)
{
	*writer = (struct writer){.file = file,
				  .format = format,
				  .several_queries = several_queries};
	begin(writer, several_queries ? ANSWERS : ITEMS);
}

void writer_begin_neighbours(struct writer *writer, FILE *file,
			     enum writer_format format)
{
	*writer = (struct writer){.file = file, .format = format};
	begin(writer, NEIGHBOURS);
}

int writer_item(struct writer *writer, int64_t query, const struct item *item)
{
	struct decimals decimals = {.distance = ""};

	return put_item(writer, writer->several_queries ? &query : NULL, item,
			&decimals);
}

int writer_neighbour(struct writer *writer, const struct item *item,
		     double distance)
{
	struct decimals decimals;

	format_double(decimals.distance, distance);
	return put_item(writer, NULL, item, &decimals);
}

int writer_end(struct writer *writer)
{
	const char *text = formats[writer->format].end;
	int error = put_text(writer, text, strlen(text));

	if (!error && (fflush(writer->file) || ferror(writer->file)))
		error = cannot_write();
	return error;
}

static int begin(struct writer *writer, enum content content)
{
	const char *text = formats[writer->format].begin[content];

	return put_text(writer, text, strlen(text));
}

static int put_item(struct writer *writer, const int64_t *query,
		    const struct item *item, struct decimals *decimals)
{
	struct line line = {.size = 0};

	for (int d = 0; d < DIMENSIONS; d++) {
		format_double(decimals->min[d], item->rect.min[d]);
		format_double(decimals->max[d], item->rect.max[d]);
	}
	formats[writer->format].put(&line, writer, query, item, decimals);
	writer->items++;
	return put_text(writer, line.text, line.size);
}

static int put_text(struct writer *writer, const char *text, size_t size)
{
	if (fwrite(text, 1, size, writer->file) != size)
		return cannot_write();
	return 0;
}

static int cannot_write(void)
{
	return err_set(errno == ENOSPC ? ERR_NO_ROOM : ERR_SYSTEM,
		       "can't write the results: %s", strerror(errno));
}

/* --- Lines -------------------------------------------------------------- */

static void put(struct line *line, const char *text)
{
	size_t size = strlen(text);

	memcpy(line->text + line->size, text, size);
	line->size += size;
}

/* Puts the texts up to NULL one after the other. */
static void __attribute__((sentinel)) put_all(struct line *line, ...)
{
	va_list texts;

	va_start(texts, line);
	for (const char *text; (text = va_arg(texts, const char *));)
		put(line, text);
	va_end(texts);
}

static void put_int64(struct line *line, int width, int64_t value)
{
	int size = snprintf(line->text + line->size, LINE_SIZE - line->size,
			    "%*" PRId64, width, value);
	line->size += (size_t)size;
}

/* --- Numbers ------------------------------------------------------------ */

static void put_list(struct line *line,
		     const char decimals[DIMENSIONS][FORMAT_DOUBLE_SIZE],
		     const char *between)
{
	for (int d = 0; d < DIMENSIONS; d++)
		put_all(line, d ? between : "", decimals[d], NULL);
}

static void put_box(struct line *line, const struct decimals *decimals)
{
	put_list(line, decimals->min, ",");
	put(line, ",");
	put_list(line, decimals->max, ",");
}

/* --- Shapes ------------------------------------------------------------- */

/* What a rectangle is as a geometry, and the corners that it is drawn by:
 * 2 * (upper y) + (right x), against the clock. */
struct shape {
	const char *wkt;  /* with its opening brackets */
	const char *json; /* the same */
	const char *wkt_end;
	const char *json_end;
	int count;
	unsigned char corner[5];
};

static const struct shape *shape_of(const struct rect *rect)
{
	static const struct shape point = {
		"POINT(", "\"Point\",\"coordinates\":", ")", "", 1, {0}};
	static const struct shape line = {
		"LINESTRING(", "\"LineString\",\"coordinates\":[", ")", "]", 2,
		{0, 3}};
	static const struct shape polygon = {
		"POLYGON((",	"\"Polygon\",\"coordinates\":[[", "))", "]]", 5,
		{0, 1, 3, 2, 0}};
	int extended =
		(rect->min[0] < rect->max[0]) + (rect->min[1] < rect->max[1]);

	return extended == 2 ? &polygon : extended ? &line : &point;
}

/* Puts each corner of a shape as "open x between y close", with commas.  In
 * three dimensions that is what one sees from above. */
static void put_corners(struct line *line, const struct shape *shape,
			const struct decimals *decimals, const char *open,
			const char *between, const char *close)
{
	for (int i = 0; i < shape->count; i++) {
		int corner = shape->corner[i];
		put_all(line, i ? "," : "", open,
			corner & 1 ? decimals->max[0] : decimals->min[0],
			between,
			corner & 2 ? decimals->max[1] : decimals->min[1], close,
			NULL);
	}
}

/* --- Formats ------------------------------------------------------------ */

static void put_as_text(struct line *line, const struct writer *writer,
			const int64_t *query, const struct item *item,
			const struct decimals *c)
{
	(void)writer;
	if (query) {
		put_int64(line, 1, *query);
		put(line, ": ");
	}
	put_int64(line, 10, item->id);
	put(line, "  (");
	put_list(line, c->min, ", ");
	put(line, ") - (");
	put_list(line, c->max, ", ");
	put_all(line, ")", c->distance[0] ? "  distance " : "", c->distance,
		"\n", NULL);
}

static void put_as_csv(struct line *line, const struct writer *writer,
		       const int64_t *query, const struct item *item,
		       const struct decimals *c)
{
	(void)writer;
	if (query) {
		put_int64(line, 1, *query);
		put(line, ",");
	}
	put_int64(line, 1, item->id);
	put(line, ",");
	put_box(line, c);
	put_all(line, c->distance[0] ? "," : "", c->distance, "\n", NULL);
}

/* JSON has no word for the infinite. */
static const char *json_number(const char *decimal)
{
	return strcmp(decimal, "inf") ? decimal : "null";
}

static void put_as_jsonl(struct line *line, const struct writer *writer,
			 const int64_t *query, const struct item *item,
			 const struct decimals *c)
{
	(void)writer;
	put(line, "{");
	if (query) {
		put(line, "\"query\":");
		put_int64(line, 1, *query);
		put(line, ",");
	}
	put(line, "\"id\":");
	put_int64(line, 1, item->id);
	put(line, ",\"bbox\":[");
	put_box(line, c);
	put(line, "]");
	if (c->distance[0])
		put_all(line, ",\"distance\":", json_number(c->distance), NULL);
	put(line, "}\n");
}

static void put_as_geojson(struct line *line, const struct writer *writer,
			   const int64_t *query, const struct item *item,
			   const struct decimals *decimals)
{
	const struct shape *shape = shape_of(&item->rect);

	put_all(line, writer->items ? ",\n" : "\n",
		"{\"type\":\"Feature\",\"id\":", NULL);
	put_int64(line, 1, item->id);
	put(line, ",\"properties\":{");
	if (query) {
		put(line, "\"query\":");
		put_int64(line, 1, *query);
	}
	if (decimals->distance[0])
		put_all(line, "\"distance\":", json_number(decimals->distance),
			NULL);
	put(line, "}");
	if (DIMENSIONS == 3) { /* the geometry is flat */
		put(line, ",\"bbox\":[");
		put_box(line, decimals);
		put(line, "]");
	}
	put_all(line, ",\"geometry\":{\"type\":", shape->json, NULL);
	put_corners(line, shape, decimals, "[", ",", "]");
	put_all(line, shape->json_end, "}}", NULL);
}

static void put_as_wkt(struct line *line, const struct writer *writer,
		       const int64_t *query, const struct item *item,
		       const struct decimals *decimals)
{
	const struct shape *shape = shape_of(&item->rect);

	(void)writer;
	if (query) {
		put_int64(line, 1, *query);
		put(line, " ");
	}
	put_int64(line, 1, item->id);
	put_all(line, " ", shape->wkt, NULL);
	put_corners(line, shape, decimals, "", " ", "");
	put_all(line, shape->wkt_end, "\n", NULL);
}

#define CSV_COLUMNS   "id," RECT_COLUMNS
#define GEOJSON_BEGIN "{\"type\":\"FeatureCollection\",\"features\":["

static const struct format formats[WRITER_WKT + 1] = {
	[WRITER_TEXT] = {"text", {"", "", ""}, put_as_text, ""},
	[WRITER_CSV] = {"csv",
			{CSV_COLUMNS "\n", "query," CSV_COLUMNS "\n",
			 CSV_COLUMNS ",distance\n"},
			put_as_csv,
			""},
	[WRITER_JSONL] = {"jsonl", {"", "", ""}, put_as_jsonl, ""},
	[WRITER_GEOJSON] = {"geojson",
			    {GEOJSON_BEGIN, GEOJSON_BEGIN, GEOJSON_BEGIN},
			    put_as_geojson,
			    "\n]}\n"},
	[WRITER_WKT] = {"wkt", {"", "", ""}, put_as_wkt, ""},
};
