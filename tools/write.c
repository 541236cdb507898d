/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish insert, update and delete: one item by options, or many from CSV on
 * standard input.
 *
 * A stream is sent in batches as it comes, so there is no limit to it.  It
 * isn't one version: at a line that can't be used everything before the batch
 * of that line has been applied, and a message says how much that is. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/format.h"
#include "base/rect.h"
#include "tools/command.h"
#include "tools/csv_input.h"
#include "tools/server.h"

enum { BATCH_SIZE = 4096 };

enum write_kind {
	WRITE_INSERT,
	WRITE_UPDATE,
	WRITE_DELETE,
};

static struct {
	struct item item;
	bool has_id;
	bool has_box;
	struct rect to;
	bool has_to;
} options;

#define OPTION_ID                                                              \
	{                                                                      \
		.name = "id", .value = "ID",                                   \
		.help = "the item's id, a 64-bit signed integer",              \
		.take = options_take_int64, .to = &options.item.id,            \
		.given = &options.has_id,                                      \
	}
#define OPTION_BOX                                                             \
	{                                                                      \
		.name = "bbox", .value = RECT_VALUE,                           \
		.help = "the item's rectangle", .take = options_take_rect,     \
		.to = &options.item.rect, .given = &options.has_box,           \
	}

static const struct command_option item_options[] = {
	OPTION_ID,
	OPTION_BOX,
	{0},
};

static const struct command_option move_options[] = {
	OPTION_ID,
	OPTION_BOX,
	{
		.name = "to",
		.value = RECT_VALUE,
		.help = "the rectangle that it gets",
		.take = options_take_rect,
		.to = &options.to,
		.given = &options.has_to,
	},
	{0},
};

/* One run of a command. */
struct writes {
	enum write_kind kind;
	struct catfish *server;
	size_t count; /* gathered and not sent yet */
	union {
		struct catfish_item items[BATCH_SIZE];
		struct catfish_move moves[BATCH_SIZE]; /* WRITE_UPDATE */
	};
	uint64_t line[BATCH_SIZE]; /* that each came from; 0: from options */
	uint64_t applied;
	uint64_t not_found;
	uint64_t version;
};

static int check_options(enum write_kind kind);
static int write_one(struct writes *writes);
static int write_stream(struct writes *writes);
static void gather(struct writes *writes, const struct csv_move *move,
		   uint64_t line);
static int send_batch(struct writes *writes);
static catfish_missing note_missing;
static int say_how_far(const struct writes *writes, int error, size_t unsure);
static void show_result(const struct writes *writes);

static int write_run(enum write_kind kind)
{
	int error = check_options(kind);

	if (error)
		return error;

	struct writes *writes = calloc(1, sizeof(*writes));
	if (!writes)
		return err_set(ERR_NO_MEMORY, "no memory");
	writes->kind = kind;

	error = options.has_id ? write_one(writes) : write_stream(writes);
	if (!error)
		show_result(writes);
	int status = writes->not_found ? EXIT_NOTHING_FOUND : EXIT_OK;
	catfish_close(writes->server);
	free(writes);
	return error ? error : status;
}

static int check_options(enum write_kind kind)
{
	bool update = kind == WRITE_UPDATE;
	int given = options.has_id + options.has_box + options.has_to;

	if (given == 0 && isatty(STDIN_FILENO))
		return err_set(ERR_USAGE,
			       "give --id and --bbox%s, or CSV on standard "
			       "input",
			       update ? " and --to" : "");
	if (given != 0 && given != 2 + update)
		return err_set(ERR_USAGE, "--id%s --bbox%s need each other",
			       update ? "," : " and",
			       update ? " and --to" : "");
	return 0;
}

static int open_server(struct writes *writes)
{
	return server_open(NULL, &writes->server);
}

static int write_one(struct writes *writes)
{
	const struct csv_move move = {options.item, options.to};
	int error = open_server(writes);

	if (error)
		return error;
	gather(writes, &move, 0);
	return send_batch(writes);
}

static int next_move(struct csv_reader *reader, enum write_kind kind,
		     struct csv_move *move)
{
	return kind == WRITE_UPDATE ? csv_next_move(reader, move)
				    : csv_next_item(reader, &move->item);
}

static int send_lines(struct writes *writes, struct csv_reader *reader)
{
	struct csv_move move = {0};
	int more;

	while ((more = next_move(reader, writes->kind, &move)) > 0) {
		gather(writes, &move, csv_line(reader));
		if (writes->count < BATCH_SIZE)
			continue;
		int error = send_batch(writes);
		if (error)
			return error;
	}
	return more ? say_how_far(writes, more, 0) : send_batch(writes);
}

static int write_stream(struct writes *writes)
{
	struct csv_reader *reader;
	int error = csv_input_open(
		"-", writes->kind == WRITE_UPDATE ? CSV_MOVES : CSV_ITEMS,
		&reader);

	if (error)
		return error;
	error = open_server(writes);
	if (!error)
		error = send_lines(writes, reader);
	csv_close(reader);
	return error;
}

static void copy_rect(const struct rect *rect, double *box)
{
	memcpy(box, rect->min, sizeof(rect->min));
	memcpy(box + DIMENSIONS, rect->max, sizeof(rect->max));
}

static struct catfish_item *item_at(struct writes *writes, size_t index)
{
	return writes->kind == WRITE_UPDATE ? &writes->moves[index].item
					    : &writes->items[index];
}

static void gather(struct writes *writes, const struct csv_move *move,
		   uint64_t line)
{
	size_t index = writes->count++;
	struct catfish_item *item = item_at(writes, index);

	item->id = move->item.id;
	copy_rect(&move->item.rect, item->box);
	if (writes->kind == WRITE_UPDATE)
		copy_rect(&move->to, writes->moves[index].to);
	writes->line[index] = line;
}

static int call(struct writes *writes, struct catfish_written *written)
{
	switch (writes->kind) {
	case WRITE_INSERT:
		return catfish_insert(writes->server, writes->items,
				      writes->count, written);
	case WRITE_UPDATE:
		return catfish_update(writes->server, writes->moves,
				      writes->count, note_missing, writes,
				      written);
	case WRITE_DELETE:
		return catfish_delete(writes->server, writes->items,
				      writes->count, note_missing, writes,
				      written);
	}
	return CATFISH_ERROR_USAGE;
}

/* Sends what was gathered.  When that fails on the way, what was acknowledged
 * is known, and the rest of the batch may or may not have been applied if the
 * connection broke. */
static int send_batch(struct writes *writes)
{
	struct catfish_written written = {0};
	size_t count = writes->count;

	if (!count)
		return 0;
	int error = server_result(call(writes, &written));
	writes->count = 0;
	writes->applied += written.applied;
	writes->not_found += written.not_found;
	writes->version = written.version;
	if (!error)
		return 0;
	return say_how_far(writes, error,
			   error == ERR_CONNECTION
				   ? count - written.applied - written.not_found
				   : 0);
}

static void note_missing(void *context, size_t index)
{
	struct writes *writes = context;
	const struct catfish_item *item = item_at(writes, index);
	char numbers[2 * DIMENSIONS * FORMAT_DOUBLE_SIZE];
	char line[32] = "";
	size_t size = 0;

	for (int i = 0; i < 2 * DIMENSIONS; i++) {
		if (i)
			numbers[size++] = ',';
		size += format_double(numbers + size, item->box[i]);
	}
	if (writes->line[index])
		snprintf(line, sizeof(line), "line %" PRIu64 ": ",
			 writes->line[index]);
	command_note("%snot found: id %" PRId64 ", rectangle %s", line,
		     item->id, numbers);
}

static const char *const done[] = {
	[WRITE_INSERT] = "inserted",
	[WRITE_UPDATE] = "updated",
	[WRITE_DELETE] = "deleted",
};

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* Adds to the words of an error what had been applied before it, and how many
 * items' fate is unknown. */
static int say_how_far(const struct writes *writes, int error, size_t unsure)
{
	char words[256];

	snprintf(words, sizeof(words), "%s", err_text());
	if (unsure)
		return err_set(error,
			       "%s (%" PRIu64 " item%s %s before that, and any "
			       "of the next %zu may be)",
			       words, writes->applied, plural(writes->applied),
			       done[writes->kind], unsure);
	return err_set(error, "%s (%" PRIu64 " item%s %s before that)", words,
		       writes->applied, plural(writes->applied),
		       done[writes->kind]);
}

static void show_result(const struct writes *writes)
{
	printf("%s %" PRIu64 " item%s, version %" PRIu64 "\n",
	       done[writes->kind], writes->applied, plural(writes->applied),
	       writes->version);
	if (writes->not_found)
		command_note("%" PRIu64 " not found", writes->not_found);
}

static int insert_run(const char *operand)
{
	return write_run(WRITE_INSERT);
}

static int update_run(const char *operand)
{
	return write_run(WRITE_UPDATE);
}

static int delete_run(const char *operand)
{
	return write_run(WRITE_DELETE);
}

/* The boxes of the examples. */
#define BOX	  DIMENSIONAL("10.5,55,11,55.25", "10.5,55,0,11,55.25,9")
#define OTHER_BOX DIMENSIONAL("10.5,56,11,56.25", "10.5,56,0,11,56.25,9")

const struct command insert_command = {
	.name = "insert",
	.summary = "add items",
	.usage = "--id ID --bbox " RECT_VALUE " [options]\n"
		 "[options] < ITEMS.csv",
	.text = "Adds one item, or all of a CSV file with the columns\n"
		"id," RECT_COLUMNS ".\n"
		"Several items may have the same id or rectangle.\n",
	.example = "  catfish insert --id 7 --bbox " BOX "\n"
		   "  catfish insert < items.csv\n",
	.options = item_options,
	.uses_server = true,
	.run = insert_run,
};

const struct command update_command = {
	.name = "update",
	.summary = "move items to other rectangles",
	.usage = "--id ID --bbox " RECT_VALUE "\n"
		 "\t--to " RECT_VALUE " [options]\n"
		 "[options] < MOVES.csv",
	.text = "Gives another rectangle to one item with this id and exactly "
		"this rectangle,\n"
		"or to many, by a CSV file with the columns\n"
		"id," RECT_COLUMNS ",\n" CSV_NEW_COLUMNS ".\n"
		"Items that were not found are named and make the status 1.\n",
	.example = "  catfish update --id 7 --bbox " BOX " "
		   "--to " OTHER_BOX "\n"
		   "  catfish update < moves.csv\n",
	.options = move_options,
	.uses_server = true,
	.run = update_run,
};

const struct command delete_command = {
	.name = "delete",
	.summary = "remove items",
	.usage = "--id ID --bbox " RECT_VALUE " [options]\n"
		 "[options] < ITEMS.csv",
	.text = "Removes one item with this id and exactly this rectangle, or "
		"many, by a CSV\n"
		"file with the columns id," RECT_COLUMNS ".\n"
		"Items that were not found are named and make the status 1.\n",
	.example = "  catfish delete --id 7 --bbox " BOX "\n"
		   "  catfish delete < items.csv\n",
	.options = item_options,
	.uses_server = true,
	.run = delete_run,
};
