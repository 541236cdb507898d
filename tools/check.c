/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish check: verifies every invariant of a tree, of a server or in a region
 * file.  A file is read by the code that a server starts with, so what passes
 * here can be served. */

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "tools/command.h"
#include "tools/region.h"
#include "tools/server.h"

static const char *region;

static const struct command_option check_options[] = {
	{
		.name = "region",
		.value = "FILE",
		.help = "check this region file, not a server",
		.take = options_take_text,
		.to = &region,
	},
	{0},
};

static void show(uint64_t nodes, uint64_t version)
{
	printf("checked %" PRIu64 " node%s of version %" PRIu64
	       ": every invariant holds\n",
	       nodes, nodes == 1 ? "" : "s", version);
}

static int check_server(void)
{
	struct catfish *server;
	uint64_t nodes, version;
	int error = server_open(NULL, &server);

	if (error)
		return error;
	error = server_result(catfish_check(server, &nodes, &version));
	catfish_close(server);
	if (!error)
		show(nodes, version);
	return error;
}

static int check_file(void)
{
	struct rtree *tree;
	uint64_t nodes, version;
	int error = region_read(region, &tree);

	if (error)
		return error;
	error = rtree_check(tree, &nodes, &version);
	rtree_destroy(tree);
	if (!error)
		show(nodes, version);
	return error;
}

static int check_run(const char *operand)
{
	if (region && server_is_named())
		return err_set(ERR_USAGE,
			       "--region and --server exclude each other");
	return region ? check_file() : check_server();
}

const struct command check_command = {
	.name = "check",
	.summary = "verify every invariant of the tree",
	.usage = "[--server ADDR]\n"
		 "--region FILE",
	.text = "Verifies every invariant of the tree that a server holds, or "
		"of a region file.\n"
		"A damaged one is status 6, with what is wrong and where.\n",
	.example = "  catfish check --region shorelines.region\n",
	.options = check_options,
	.uses_server = true,
	.run = check_run,
};
