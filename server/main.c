/* SPDX-License-Identifier: BSD-2-Clause */

/* catfishd: makes the tree, fills it from its file, serves it, and writes it
 * back. */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/dimensions.h"
#include "base/err.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/parse.h"
#include "base/program.h"
#include "server/notify.h"
#include "server/options.h"
#include "server/placement.h"
#include "server/region_file.h"

static void prepare_process(void);
static int place(struct options *options);
static int follow_file(const struct options *options);
static int open_and_serve(const struct options *options);
static int serve_file(const struct options *options, struct rtree *tree,
		      const struct region_file *file);
static int serve(const struct options *options, struct rtree *tree,
		 const struct server_saved *saved,
		 const struct region_file *file);
static int say_ready(const struct options *options,
		     const struct server *server);

int main(int argc, char **argv)
{
	struct options options;

	program_init("catfishd");
	dimensions_init(argv);
	int status = options_parse(argc, argv, &options);
	if (status == EXIT_OK && !options.is_done) {
		prepare_process();
		int error = follow_file(&options);
		if (!error)
			error = place(&options);
		if (!error)
			error = open_and_serve(&options);
		if (error)
			status = (int)program_fail(error);
	}
	options_free(&options);
	return status;
}

/* Each client takes some file descriptors, so as many are wanted as may be. */
static void prepare_process(void)
{
	struct rlimit limit;

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("only %ju files can be open",
			 (uintmax_t)limit.rlim_cur);
}

/* Threads are as many as the processors that are left for them. */
static int place(struct options *options)
{
	int error = placement_apply(&options->server, options->numa_node);

	if (!options->server.threads)
		options->server.threads = parallel_processors();
	return error;
}

/* A region file tells by itself what its items are. */
static int follow_file(const struct options *options)
{
	if (!options->region)
		return 0;
	return dimensions_follow(rtree_file_dimensions(options->region));
}

static int open_and_serve(const struct options *options)
{
	struct region_file file;
	struct rtree *tree;

	if (options->region) {
		int error = region_file_open(options->region, &file);
		if (error)
			return error;
	}
	int error = rtree_create(&options->tree, &tree);
	if (!error) {
		error = serve_file(options, tree,
				   options->region ? &file : NULL);
		rtree_destroy(tree);
	}
	if (options->region)
		region_file_close(&file);
	return error;
}

static int serve_file(const struct options *options, struct rtree *tree,
		      const struct region_file *file)
{
	struct server_saved saved = {0};

	if (file) {
		int error = region_file_load(file, tree, &saved);
		if (error)
			return error;
	}
	return serve(options, tree, &saved, file);
}

/* Signals stay caught until the file is written. */
static int serve(const struct options *options, struct rtree *tree,
		 const struct server_saved *saved,
		 const struct region_file *file)
{
	struct server *server;

	int error = server_start(tree, &options->server, saved, &server);
	if (error)
		return error;
	error = say_ready(options, server);
	if (!error) {
		notify("READY=1");
		server_run(server);
	}
	notify("STOPPING=1");
	server_stop(server);
	if (file && !options->no_save) {
		int failed = region_file_save(file, tree, saved);
		error = error ? error : failed;
	}
	server_destroy(server);
	return error;
}

static const char *pages_word(const struct rtree_region *region)
{
	if (region->fd < 0)
		return "transparent";
	return region->is_reserved ? "2MiB" : "4KiB";
}

/* What is lost with the process, in the words of the ready line. */
static void print_region(const struct options *options)
{
	if (!options->region)
		printf("region=none (all items are lost when the server "
		       "ends)\n");
	else if (options->no_save)
		printf("region=%s (not saved: writes are lost when the server "
		       "ends)\n",
		       options->region);
	else
		printf("region=%s (saved at SIGTERM; writes since the last "
		       "save are lost if killed)\n",
		       options->region);
}

/* A size without the space, so that a script can split the line. */
static const char *size_word(char text[FORMAT_SIZE_SIZE], uint64_t size)
{
	format_size(text, size);
	char *space = strchr(text, ' ');
	if (space)
		memmove(space, space + 1, strlen(space));
	return text;
}

static int say_ready(const struct options *options, const struct server *server)
{
	struct root root = server_root(server);
	char memory[FORMAT_SIZE_SIZE];

	printf("catfishd ready:");
	for (size_t i = 0; i < options->server.address_count; i++)
		printf(" %s", server_address(server, i));
	printf(" items=%" PRIu64 " version=%" PRIu64
	       " memory=%s pages=%s threads=%u lease=%gms ",
	       root.item_count, root.version,
	       size_word(memory, server->region.size),
	       pages_word(&server->region), options->server.threads,
	       (double)server->region.lease_ns / 1e6);
	print_region(options);
	return program_finish_output();
}
