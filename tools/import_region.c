/* SPDX-License-Identifier: BSD-2-Clause */

/* An import into a region file: its items and the new ones are packed into a
 * new version of the tree, which replaces the file. */

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file_lock.h"
#include "rtree/rtree.h"
#include "tools/import_target.h"

struct region_target {
	struct import_target target;
	const char *path;
	enum catfish_load_mode mode;
	int lock_fd;
	int fd; /* -1: there is no such file yet */
	uint64_t file_size;
	struct item *items;
	uint64_t count;
	uint64_t capacity;
};

static int open_file(struct region_target *target);
static int check_mode(struct region_target *target);
static int load_old(struct region_target *target, uint64_t size,
		    struct rtree **tree);
static int keep_old_items(struct region_target *target, struct rtree *tree);
static int replace(struct rtree *tree, struct item *items, uint64_t count);
static int reserve(struct region_target *target, uint64_t count);
static import_put put_to_region;
static import_commit commit_to_region;
static import_close close_region;

int import_region_open(const char *path, enum catfish_load_mode mode,
		       struct import_target **target)
{
	struct region_target *new = calloc(1, sizeof(*new));

	if (!new)
		return err_set(ERR_NO_MEMORY, "no memory");
	new->target = (struct import_target){
		.put = put_to_region,
		.commit = commit_to_region,
		.close = close_region,
	};
	new->lock_fd = -1;
	new->fd = -1;
	new->path = path;
	new->mode = mode;

	int error = file_lock(path, &new->lock_fd);
	if (!error)
		error = open_file(new);
	if (!error)
		error = check_mode(new);
	if (error) {
		close_region(&new->target);
		return error;
	}
	*target = &new->target;
	return 0;
}

static int put_to_region(struct import_target *base, const struct item *items,
			 size_t count)
{
	struct region_target *target = (struct region_target *)base;
	int error = reserve(target, target->count + count);

	if (!error && count) {
		memcpy(target->items + target->count, items,
		       count * sizeof(*items));
		target->count += count;
	}
	return error;
}

/* The old nodes stay in the region until the new version is published, so it
 * must have room for both. */
static int commit_to_region(struct import_target *base, uint64_t *version)
{
	struct region_target *target = (struct region_target *)base;
	uint64_t old_most = target->file_size / sizeof(struct item);
	uint64_t most = target->count + old_most;
	struct rtree *tree;
	int error = load_old(
		target, target->file_size + rtree_size_forecast(most), &tree);

	if (error)
		return error;
	if (target->mode == CATFISH_LOAD_APPEND)
		error = keep_old_items(target, tree);
	if (!error)
		error = replace(tree, target->items, target->count);
	if (!error)
		error = rtree_save(tree, target->path, version);
	rtree_destroy(tree);
	return error;
}

static void close_region(struct import_target *base)
{
	struct region_target *target = (struct region_target *)base;

	if (target->fd >= 0)
		close(target->fd);
	if (target->lock_fd >= 0)
		close(target->lock_fd);
	free(target->items);
	free(target);
}

/* --- The file ----------------------------------------------------------- */

static int open_file(struct region_target *target)
{
	struct stat status;

	target->fd = open(target->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (target->fd < 0 && errno == ENOENT)
		return 0;
	if (target->fd < 0 || fstat(target->fd, &status))
		return err_set(err_of_errno(errno), "can't open %s: %s",
			       target->path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return err_set(ERR_USAGE, "%s is no regular file",
			       target->path);
	target->file_size = (uint64_t)status.st_size;
	return 0;
}

/* --- The tree ----------------------------------------------------------- */

/* Refuses to add to a file that holds items unless told to. */
static int check_mode(struct region_target *target)
{
	struct rtree_stat stat;
	struct rtree *tree;
	int error =
		load_old(target, target->file_size + rtree_size_min(), &tree);

	if (error)
		return error;
	error = rtree_stat(tree, &stat);
	if (!error && stat.root.item_count &&
	    target->mode == CATFISH_LOAD_EMPTY)
		error = err_set(ERR_USAGE,
				"%s holds %" PRIu64 " items already: add them "
				"with --append, or drop the old ones with "
				"--replace",
				target->path, stat.root.item_count);
	rtree_destroy(tree);
	return error;
}

/* Loads what the file holds into a region of that size. */
static int load_old(struct region_target *target, uint64_t size,
		    struct rtree **tree)
{
	const struct rtree_options options = {.size = size};
	int error = rtree_create(&options, tree);

	if (error || target->fd < 0)
		return error;
	if (lseek(target->fd, 0, SEEK_SET))
		error = err_set(ERR_SYSTEM, "%s: %s", target->path,
				strerror(errno));
	else
		error = rtree_load(*tree, target->fd, target->path);
	if (error)
		rtree_destroy(*tree);
	return error;
}

static int keep_leaf(void *context, const struct node *leaf, uint64_t hits)
{
	struct region_target *target = context;
	int error = reserve(target, target->count + leaf->header.count);

	for (int i = 0; !error && i < leaf->header.count; i++)
		if (hits >> i & 1)
			target->items[target->count++] =
				(struct item){leaf->id[i], leaf->rect[i]};
	return error;
}

/* Adds the items of the tree to those of the import. */
static int keep_old_items(struct region_target *target, struct rtree *tree)
{
	static const struct rect everywhere = {
		{[0 ... DIMENSIONS - 1] = -DBL_MAX},
		{[0 ... DIMENSIONS - 1] = DBL_MAX}};
	struct rtree_pin pin;
	int error = rtree_pin(tree, &pin);

	if (error)
		return error;
	error = rtree_search(tree, &pin.root, &everywhere, RELATION_INTERSECTS,
			     keep_leaf, target);
	rtree_unpin(tree, &pin);
	return error;
}

static int replace(struct rtree *tree, struct item *items, uint64_t count)
{
	struct rtree_batch *batch;
	uint64_t version;
	int error = rtree_batch_begin(tree, &batch);

	if (error)
		return error;
	error = rtree_replace(batch, items, count, NULL);
	if (error)
		rtree_batch_abort(batch);
	else
		rtree_batch_commit(batch, &version);
	return error;
}

static int reserve(struct region_target *target, uint64_t count)
{
	uint64_t capacity = target->capacity ? 2 * target->capacity : 4096;

	if (count <= target->capacity)
		return 0;
	if (capacity < count)
		capacity = count;
	struct item *more =
		realloc(target->items, capacity * sizeof(*target->items));
	if (!more)
		return err_set(ERR_NO_MEMORY, "no memory for %" PRIu64 " items",
			       count);
	target->items = more;
	target->capacity = capacity;
	return 0;
}
