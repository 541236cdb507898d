/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DATASETS_CSV_H
#define DATASETS_CSV_H

/* Items and moves from CSV.
 *
 * The first line names the columns, in any order, each of them once and no
 * others:
 *
 *	items: id,xmin,ymin,xmax,ymax
 *	moves: id,xmin,ymin,xmax,ymax,new_xmin,new_ymin,new_xmax,new_ymax
 *
 * In three dimensions there are zmin and zmax, and new_zmin and new_zmax, too.
 *
 * Every further line has one number per column.  Lines end with LF or CRLF, the
 * last may end with the file; a number may stand in double quotes and between
 * spaces; empty lines and a byte order mark are skipped.  Everything else is
 * ERR_DATA, "FILE:LINE: " and what is wrong: a missing or additional field, an
 * id beyond 64 bits, a number that is not a finite one, a rectangle whose
 * minimum is above its maximum.
 *
 * Thread-safety: one reader, one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/rect.h"

#define CSV_NEW_COLUMNS                                                        \
	DIMENSIONAL("new_xmin,new_ymin,new_xmax,new_ymax",                     \
		    "new_xmin,new_ymin,new_zmin,new_xmax,new_ymax,new_zmax")

enum csv_kind {
	CSV_ITEMS,
	CSV_MOVES,
};

/* An item, and the rectangle that it shall have. */
struct csv_move {
	struct item item;
	struct rect to;
};

struct csv_reader;

/* Opens a file, or standard input when 'path' is "-", and reads its header.
 * ERR_NOT_FOUND when the file can't be opened, ERR_DATA when it has another
 * header or none. */
int csv_open(const char *path, enum csv_kind kind, struct csv_reader **reader);

/* The same for a descriptor, which stays the caller's; 'name' is what errors
 * call it. */
int csv_open_fd(int fd, const char *name, enum csv_kind kind,
		struct csv_reader **reader);

/* Reads the next item, or move, of a reader of that kind: 1, 0 at the end, or
 * an error, after which the reader is only good for csv_close(). */
int csv_next_item(struct csv_reader *reader, struct item *item);
int csv_next_move(struct csv_reader *reader, struct csv_move *move);

/* The line that was read last, counted from 1, the header being the first. */
uint64_t csv_line(const struct csv_reader *reader);

/* How far the reader is: bytes read, and bytes of the file, 0 when that is not
 * known. */
void csv_progress(const struct csv_reader *reader, uint64_t *done,
		  uint64_t *total);

/* Closes the reader; NULL is fine. */
void csv_close(struct csv_reader *reader);

/* The dimensions of a file whose first line names the column xmin, so that it
 * is meant to be read here: 3 when it names zmin, too, else 2.  0 for other
 * files, also those that can't be read or are no regular files. */
int csv_dimensions(const char *path);

#endif
