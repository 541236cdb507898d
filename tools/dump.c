/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish dump: the nodes of a region file, one a line, each before those below
 * it. */

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/format.h"
#include "rtree/rtree.h"
#include "tools/command.h"
#include "tools/region.h"

enum dump_format {
	DUMP_TEXT,
	DUMP_CSV,
	DUMP_JSONL,
};

static const char *const formats[] = {"text", "csv", "jsonl", NULL};

static struct {
	int format;
	uint64_t level;
	bool has_level;
} options;

static const struct command_option dump_options[] = {
	{
		.name = "level",
		.value = "N",
		.help = "only the nodes of this level; leaves are level 0",
		.take = options_take_uint64,
		.to = &options.level,
		.given = &options.has_level,
	},
	{
		.name = "output",
		.letter = 'o',
		.value = "FORMAT",
		.help = "text (default), csv or jsonl",
		.take = options_take_choice,
		.to = &options.format,
		.choices = formats,
	},
	{0},
};

static void dump_tree(const struct rtree *tree, const struct root *root);

static int dump_run(const char *path)
{
	struct rtree_pin pin;
	struct rtree *tree;
	int error = region_read(path, &tree);

	if (error)
		return error;
	error = rtree_pin(tree, &pin);
	if (!error) {
		dump_tree(tree, &pin.root);
		rtree_unpin(tree, &pin);
	}
	rtree_destroy(tree);
	return error;
}

/* --- One node ------------------------------------------------------------- */

static void print_numbers(const double numbers[DIMENSIONS], const char *between)
{
	char text[FORMAT_DOUBLE_SIZE];

	for (int d = 0; d < DIMENSIONS; d++) {
		format_double(text, numbers[d]);
		printf("%s%s", d ? between : "", text);
	}
}

static void print_box(const struct rect *box)
{
	print_numbers(box->min, ",");
	putchar(',');
	print_numbers(box->max, ",");
}

static void dump_as_text(const struct node *node, int depth)
{
	printf("%*slevel %u page %" PRIu32 ": %u %s", 2 * depth, "",
	       node->header.level, node->header.page, node->header.count,
	       node->header.level ? "nodes" : "items");
	if (node->header.count) {
		printf("  (");
		print_numbers(node->bounds.min, ", ");
		printf(") - (");
		print_numbers(node->bounds.max, ", ");
		putchar(')');
	}
	putchar('\n');
}

static void dump_as_csv(const struct node *node, uint32_t parent)
{
	printf("%u,%" PRIu32 ",", node->header.level, node->header.page);
	if (parent)
		printf("%" PRIu32, parent);
	printf(",%u,", node->header.count);
	if (node->header.count)
		print_box(&node->bounds);
	else
		fputs(DIMENSIONAL(",,,", ",,,,,"), stdout);
	putchar('\n');
}

static void dump_as_json(const struct node *node, uint32_t parent)
{
	printf("{\"level\":%u,\"page\":%" PRIu32 ",\"parent\":",
	       node->header.level, node->header.page);
	if (parent)
		printf("%" PRIu32, parent);
	else
		printf("null");
	printf(",\"entries\":%u,\"bbox\":", node->header.count);
	if (node->header.count) {
		putchar('[');
		print_box(&node->bounds);
		puts("]}");
	} else {
		puts("null}");
	}
}

static void dump_node(const struct node *node, uint32_t parent, int depth)
{
	switch (options.format) {
	case DUMP_TEXT:
		dump_as_text(node, options.has_level ? 0 : depth);
		break;
	case DUMP_CSV:
		dump_as_csv(node, parent);
		break;
	default:
		dump_as_json(node, parent);
	}
}

/* --- All of them ---------------------------------------------------------- */

static void dump_below(const struct rtree *tree, const struct node *node,
		       uint32_t parent, int depth)
{
	uint64_t level = node->header.level;

	if (!options.has_level || level == options.level)
		dump_node(node, parent, depth);
	if (level == 0 || (options.has_level && level <= options.level))
		return;
	for (int i = 0; i < node->header.count; i++)
		dump_below(tree, rtree_node(tree, node->child[i]),
			   node->header.page, depth + 1);
}

static void dump_tree(const struct rtree *tree, const struct root *root)
{
	if (options.format == DUMP_CSV)
		puts("level,page,parent,entries," RECT_COLUMNS);
	dump_below(tree, rtree_node(tree, root->ref), 0, 0);
}

const struct command dump_command = {
	.name = "dump",
	.summary = "show the nodes of a region file",
	.usage = "FILE [options]",
	.text = "Shows the nodes of the tree in a region file, each before "
		"those below it: its\n"
		"level, its page in the file, how many entries it has, and "
		"the bounds of these.\n",
	.example = "  catfish save now.region && catfish dump now.region "
		   "--level 1 -o csv\n",
	.options = dump_options,
	.operand = "FILE",
	.run = dump_run,
};
