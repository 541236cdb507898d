/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/region.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dimensions.h"
#include "base/err.h"

/* Into a region that is large enough whatever the file holds: a region takes
 * memory only for the pages that are used. */
static int read_open_file(int fd, const char *path, struct rtree **tree)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return err_set(ERR_SYSTEM, "%s: %s", path, strerror(errno));
	const struct rtree_options options = {
		.size = rtree_size_min() + 2 * (uint64_t)status.st_size,
	};
	struct rtree *read;
	int error = rtree_create(&options, &read);
	if (error)
		return error;
	error = rtree_load(read, fd, path);
	if (error)
		rtree_destroy(read);
	else
		*tree = read;
	return error;
}

int region_read(const char *path, struct rtree **tree)
{
	int error = dimensions_follow(rtree_file_dimensions(path));
	if (error)
		return error;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err_of_errno(errno), "can't open %s: %s", path,
			       strerror(errno));
	error = read_open_file(fd, path, tree);
	close(fd);
	return error;
}
