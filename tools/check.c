/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish check: verifies every invariant of a tree, of a server or in a region
 * file.  A file is read by the code that a server starts with, so what passes
 * here can be served. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dimensions.h"
#include "base/err.h"
#include "rtree/rtree.h"
#include "tools/command.h"
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

static int check_tree(struct rtree *tree)
{
	uint64_t nodes, version;
	int error = rtree_check(tree, &nodes, &version);

	if (!error)
		show(nodes, version);
	return error;
}

/* Loads the file into a region that is large enough whatever it holds: a
 * region takes memory only for the pages that are used. */
static int check_open_file(int fd)
{
	struct stat status;
	struct rtree *tree;

	if (fstat(fd, &status) < 0)
		return err_set(ERR_SYSTEM, "%s: %s", region, strerror(errno));
	const struct rtree_options options = {
		.size = rtree_size_min() + 2 * (uint64_t)status.st_size,
	};
	int error = rtree_create(&options, &tree);
	if (error)
		return error;
	error = rtree_load(tree, fd, region);
	if (!error)
		error = check_tree(tree);
	rtree_destroy(tree);
	return error;
}

static int check_file(void)
{
	int fd = open(region, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err_of_errno(errno), "can't open %s: %s", region,
			       strerror(errno));
	int error = check_open_file(fd);
	close(fd);
	return error;
}

static int check_run(const char *operand)
{
	if (region && server_is_named())
		return err_set(ERR_USAGE,
			       "--region and --server exclude each other");
	if (!region)
		return check_server();
	int error = dimensions_follow(rtree_file_dimensions(region));
	return error ? error : check_file();
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
