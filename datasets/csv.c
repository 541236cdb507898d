/* SPDX-License-Identifier: BSD-2-Clause */

/* CSV, read in large pieces and taken apart line by line. */

#include "datasets/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "datasets/decimal.h"

enum {
	BUFFER_SIZE = 1 << 18, /* also the longest line */
	COLUMNS_MAX = 1 + 4 * DIMENSIONS,
	SHOWN_MAX = 40, /* bytes of the input in an error's words */
};

/* Where a column's number goes: the id, or one of the coordinates. */
struct column {
	const char *name;
	int slot; /* in struct record, SLOT_ID for the id */
};
enum { SLOT_ID = -1 };

struct record {
	int64_t id;
	double number[COLUMNS_MAX - 1];
};

struct csv_reader {
	char *name;
	int fd;
	bool owns_fd;
	bool at_end; /* of the file */
	int column_count;
	struct column column[COLUMNS_MAX]; /* in the file's order */
	uint64_t line;
	uint64_t bytes_read;
	uint64_t bytes_total;
	size_t begin; /* of what is in the buffer and not yet taken */
	size_t end;
	char buffer[BUFFER_SIZE + 1]; /* and a 0 behind the end */
};

/* In the order of the documentation, moves having more of them than items. */
static const struct column all_columns[COLUMNS_MAX] = {
#if CATFISH_DIMENSIONS == 2
	{"id", SLOT_ID}, {"xmin", 0},	  {"ymin", 1},
	{"xmax", 2},	 {"ymax", 3},	  {"new_xmin", 4},
	{"new_ymin", 5}, {"new_xmax", 6}, {"new_ymax", 7},
#else
	{"id", SLOT_ID},  {"xmin", 0},	   {"ymin", 1},	    {"zmin", 2},
	{"xmax", 3},	  {"ymax", 4},	   {"zmax", 5},	    {"new_xmin", 6},
	{"new_ymin", 7},  {"new_zmin", 8}, {"new_xmax", 9}, {"new_ymax", 10},
	{"new_zmax", 11},
#endif
};

static int create(int fd, const char *name, struct csv_reader **reader);
static int read_header(struct csv_reader *reader, enum csv_kind kind);
static int header_dimensions(struct csv_reader *reader);
static int next_record(struct csv_reader *reader, struct record *record);
static int set_rect(const struct csv_reader *reader, const double *number,
		    struct rect *rect);

int csv_open(const char *path, enum csv_kind kind, struct csv_reader **reader)
{
	if (!strcmp(path, "-"))
		return csv_open_fd(STDIN_FILENO, "standard input", kind,
				   reader);

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(err_of_errno(errno), "%s: %s", path,
			       strerror(errno));

	int error = csv_open_fd(fd, path, kind, reader);
	if (error)
		close(fd);
	else
		(*reader)->owns_fd = true;
	return error;
}

int csv_open_fd(int fd, const char *name, enum csv_kind kind,
		struct csv_reader **reader)
{
	struct csv_reader *new;
	int error = create(fd, name, &new);

	if (error)
		return error;
	error = read_header(new, kind);
	if (error)
		csv_close(new);
	else
		*reader = new;
	return error;
}

int csv_next_item(struct csv_reader *reader, struct item *item)
{
	struct record record;
	int more = next_record(reader, &record);

	if (more <= 0)
		return more;
	item->id = record.id;
	more = set_rect(reader, record.number, &item->rect);
	return more ? more : 1;
}

int csv_next_move(struct csv_reader *reader, struct csv_move *move)
{
	struct record record;
	int more = next_record(reader, &record);

	if (more <= 0)
		return more;
	move->item.id = record.id;
	more = set_rect(reader, record.number, &move->item.rect);
	if (!more)
		more = set_rect(reader, record.number + 2 * DIMENSIONS,
				&move->to);
	return more ? more : 1;
}

uint64_t csv_line(const struct csv_reader *reader)
{
	return reader->line;
}

void csv_progress(const struct csv_reader *reader, uint64_t *done,
		  uint64_t *total)
{
	*done = reader->bytes_read - (reader->end - reader->begin);
	*total = reader->bytes_total;
}

void csv_close(struct csv_reader *reader)
{
	if (!reader)
		return;
	if (reader->owns_fd)
		close(reader->fd);
	free(reader->name);
	free(reader);
}

int csv_dimensions(const char *path)
{
	struct csv_reader *reader = NULL;
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int dimensions = 0;

	if (fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode) &&
	    !create(fd, path, &reader))
		dimensions = header_dimensions(reader);

	csv_close(reader);
	if (fd >= 0)
		close(fd);
	return dimensions;
}

/* A reader that has read nothing yet. */
static int create(int fd, const char *name, struct csv_reader **reader)
{
	struct csv_reader *new = malloc(sizeof(*new));
	char *name_copy = strdup(name);
	struct stat status;

	if (!new || !name_copy) {
		free(name_copy);
		free(new);
		return err_set(ERR_NO_MEMORY, "no memory");
	}
	memset(new, 0, offsetof(struct csv_reader, buffer));
	new->name = name_copy;
	new->fd = fd;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode))
		new->bytes_total = (uint64_t)status.st_size;
	*reader = new;
	return 0;
}

/* --- Lines -------------------------------------------------------------- */

static int fill(struct csv_reader *reader);

/* Takes the next line, without its end; the byte behind it is no part of any
 * number.  1, 0 at the end of the file, or an error. */
static int take_line(struct csv_reader *reader, char **line, char **line_end)
{
	char *end;

	for (;;) {
		char *begin = reader->buffer + reader->begin;
		size_t size = reader->end - reader->begin;

		end = memchr(begin, '\n', size);
		if (end)
			break;
		if (reader->at_end) {
			end = begin + size;
			break;
		}
		int error = fill(reader);
		if (error)
			return error;
	}
	*line = reader->buffer + reader->begin;
	*line_end = end;
	if (*line == reader->buffer + reader->end)
		return 0;
	reader->line++;
	reader->begin = (size_t)(end - reader->buffer);
	reader->begin += reader->begin < reader->end;
	if (end > *line && end[-1] == '\r')
		--*line_end;
	return 1;
}

/* Moves what is left to the front of the buffer and reads more behind it. */
static int fill(struct csv_reader *reader)
{
	size_t left = reader->end - reader->begin;

	if (left == BUFFER_SIZE)
		return err_set(ERR_DATA,
			       "%s:%" PRIu64 ": longer than %d bytes, so it is "
			       "hardly CSV",
			       reader->name, reader->line + 1, BUFFER_SIZE);
	memmove(reader->buffer, reader->buffer + reader->begin, left);
	ssize_t got;
	do
		got = read(reader->fd, reader->buffer + left,
			   BUFFER_SIZE - left);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_set(ERR_SYSTEM, "%s: %s", reader->name,
			       strerror(errno));
	reader->at_end = !got;
	reader->bytes_read += (uint64_t)got;
	reader->begin = 0;
	reader->end = left + (size_t)got;
	reader->buffer[reader->end] = '\0';
	return 0;
}

static bool is_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p == end;
}

/* --- Errors ------------------------------------------------------------- */

/* An error about the line that was taken last. */
static int __attribute__((format(printf, 2, 3)))
bad_line(const struct csv_reader *reader, const char *format, ...)
{
	char what[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return err_set(ERR_DATA, "%s:%" PRIu64 ": %s", reader->name,
		       reader->line, what);
}

/* The field at 'text' as it can be shown: short, without control characters. */
static const char *show(char shown[SHOWN_MAX + 1], const char *text,
			const char *end)
{
	size_t n = 0;

	for (; text < end && *text != ',' && n < SHOWN_MAX; text++)
		shown[n++] = (unsigned char)*text < ' ' ? '?' : *text;
	shown[n] = '\0';
	return shown;
}

/* --- The header --------------------------------------------------------- */

static int take_header(struct csv_reader *reader, char **line, char **line_end);
static bool next_name(char **line, char *line_end, const char **name,
		      const char **end);
static const char *trim(const char *text, const char **end);
static int add_column(struct csv_reader *reader, int wanted, const char *name,
		      const char *end);

static int read_header(struct csv_reader *reader, enum csv_kind kind)
{
	int wanted = kind == CSV_MOVES ? COLUMNS_MAX : 1 + 2 * DIMENSIONS;
	char *line, *line_end;
	const char *name, *end;
	int more = take_header(reader, &line, &line_end);

	if (more < 0)
		return more;
	if (!more)
		return err_set(ERR_DATA, "%s: empty, not even a header",
			       reader->name);
	while (next_name(&line, line_end, &name, &end)) {
		int error = add_column(reader, wanted, name, end);
		if (error)
			return error;
	}
	if (reader->column_count < wanted)
		return bad_line(reader,
				"%d columns; it needs all of "
				"id," RECT_COLUMNS "%s",
				reader->column_count,
				kind == CSV_MOVES ? "," CSV_NEW_COLUMNS : "");
	return 0;
}

static bool is_name(const char *name, const char *end, const char *wanted)
{
	size_t size = strlen(wanted);

	return (size_t)(end - name) == size && !memcmp(name, wanted, size);
}

static int header_dimensions(struct csv_reader *reader)
{
	char *line, *line_end;
	const char *name, *end;
	bool has_x = false, has_z = false;

	if (take_header(reader, &line, &line_end) <= 0)
		return 0;
	while (next_name(&line, line_end, &name, &end)) {
		has_x |= is_name(name, end, "xmin");
		has_z |= is_name(name, end, "zmin");
	}
	return has_x ? 2 + has_z : 0;
}

/* Takes the first line, without its byte order mark. */
static int take_header(struct csv_reader *reader, char **line, char **line_end)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	int more = take_line(reader, line, line_end);

	if (more > 0 && *line_end - *line >= 3 &&
	    !memcmp(*line, byte_order_mark, 3))
		*line += 3;
	return more;
}

/* Takes the next name of a header; false when there is none. */
static bool next_name(char **line, char *line_end, const char **name,
		      const char **end)
{
	if (*line > line_end)
		return false;
	char *comma = memchr(*line, ',', (size_t)(line_end - *line));
	*end = comma ? comma : line_end;
	*name = trim(*line, end);
	*line = (comma ? comma : line_end) + 1;
	return true;
}

static int add_column(struct csv_reader *reader, int wanted, const char *name,
		      const char *end)
{
	char shown[SHOWN_MAX + 1];

	show(shown, name, end);
	for (int i = 0; i < reader->column_count; i++)
		if (!strcmp(reader->column[i].name, shown))
			return bad_line(reader, "column '%s' twice", shown);
	for (int i = 0; i < wanted; i++)
		if (!strcmp(all_columns[i].name, shown)) {
			reader->column[reader->column_count++] = all_columns[i];
			return 0;
		}
	if (DIMENSIONS == 2 && (strstr(shown, "zmin") || strstr(shown, "zmax")))
		return bad_line(reader,
				"column '%s': give --dimensions 3 for "
				"rectangles with a z",
				shown);
	return bad_line(reader, "unknown column '%s'", shown);
}

/* Without the blanks and quotes around it. */
static const char *trim(const char *text, const char **end)
{
	while (text < *end && (*text == ' ' || *text == '\t' || *text == '"'))
		text++;
	while (text < *end &&
	       ((*end)[-1] == ' ' || (*end)[-1] == '\t' || (*end)[-1] == '"'))
		--*end;
	return text;
}

/* --- Records ------------------------------------------------------------ */

static const char *read_field(const struct column *column, const char *p,
			      const char *end, struct record *record);
static int explain_field(const struct csv_reader *reader,
			 const struct column *column, const char *p,
			 const char *end);

static int next_record(struct csv_reader *reader, struct record *record)
{
	char *p, *end;
	int more;

	do
		more = take_line(reader, &p, &end);
	while (more > 0 && is_blank(p, end));
	if (more <= 0)
		return more;

	const char *field = p;
	int last = reader->column_count - 1;
	for (int i = 0; i <= last; i++) {
		const struct column *column = &reader->column[i];
		const char *after = read_field(column, field, end, record);
		if (!after)
			return explain_field(reader, column, field, end);
		if (after == end && i < last)
			return bad_line(reader, "%d fields; the header has %d",
					i + 1, last + 1);
		if (after != end && i == last)
			return bad_line(reader,
					"more fields than the header's %d",
					last + 1);
		field = after + 1;
	}
	return 1;
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Reads one field and returns where its comma is, or the line's end; NULL when
 * it is not as it must be. */
static inline const char *read_field(const struct column *column, const char *p,
				     const char *end, struct record *record)
{
	p = skip_blanks(p);
	bool quoted = *p == '"';
	p += quoted;
	if (column->slot == SLOT_ID) {
		p = decimal_read_int64(p, &record->id);
	} else {
		double *number = &record->number[column->slot];
		p = decimal_read_double(p, number);
		if (p && !isfinite(*number))
			return NULL;
	}
	if (!p)
		return NULL;
	if (quoted && *p++ != '"')
		return NULL;
	p = skip_blanks(p);
	return p == end || *p == ',' ? p : NULL;
}

static int explain_field(const struct csv_reader *reader,
			 const struct column *column, const char *p,
			 const char *end)
{
	char shown[SHOWN_MAX + 1];

	show(shown, p, end);
	if (is_blank(shown, shown + strlen(shown)))
		return bad_line(reader, "%s is missing", column->name);
	return bad_line(reader, "%s: '%s' is not %s", column->name, shown,
			column->slot == SLOT_ID ? "a 64-bit integer"
						: "a finite number");
}

static int set_rect(const struct csv_reader *reader, const double *number,
		    struct rect *rect)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		rect->min[d] = number[d];
		rect->max[d] = number[DIMENSIONS + d];
		if (rect->min[d] > rect->max[d])
			return bad_line(reader, "%cmin %g is above %cmax %g",
					"xyz"[d], rect -> min[d], "xyz"[d],
					rect -> max[d]);
	}
	return 0;
}
