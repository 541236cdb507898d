/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/region_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file_lock.h"
#include "base/log.h"

int region_file_open(const char *path, struct region_file *file)
{
	file->path = path;
	return file_lock(path, &file->lock_fd);
}

void region_file_close(struct region_file *file)
{
	close(file->lock_fd);
}

static uint64_t newest_version(struct rtree *tree)
{
	struct rtree_region region;
	struct root root;

	rtree_describe(tree, &region);
	root_load(region.memory, &root);
	return root.version;
}

static int load(const struct region_file *file, struct rtree *tree)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err_of_errno(errno), "can't open %s: %s",
			       file->path, strerror(errno));
	int error = rtree_load(tree, fd, file->path);
	close(fd);
	return error;
}

int region_file_load(const struct region_file *file, struct rtree *tree,
		     struct server_saved *saved)
{
	uint64_t began = clock_now_ns();
	int error = load(file, tree);

	if (error == ERR_NOT_FOUND) {
		error = rtree_save(tree, file->path, &saved->version);
		if (!error)
			log_info("%s is new", file->path);
	} else if (!error) {
		saved->version = newest_version(tree);
		log_info("%s was read in %" PRIu64 " ms", file->path,
			 (clock_now_ns() - began) / NS_PER_MS);
	}
	saved->is_saved = !error;
	saved->time_ns = clock_now_ns();
	return error;
}

int region_file_save(const struct region_file *file, struct rtree *tree,
		     const struct server_saved *saved)
{
	uint64_t began = clock_now_ns();
	uint64_t version;

	if (saved->is_saved && newest_version(tree) == saved->version) {
		log_info("%s is as it was", file->path);
		return 0;
	}
	int error = rtree_save(tree, file->path, &version);
	if (error)
		return err_prefix(error, "version %" PRIu64 " is lost",
				  newest_version(tree));
	log_info("%s has version %" PRIu64 ", written in %" PRIu64 " ms",
		 file->path, version, (clock_now_ns() - began) / NS_PER_MS);
	return 0;
}
