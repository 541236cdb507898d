/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_REGION_FILE_H
#define SERVER_REGION_FILE_H

/* The file that the items come from and go back to.  While it is served it is
 * locked as base/file_lock.h says.
 *
 * Thread-safety: for the main thread. */

#include "rtree/rtree.h"
#include "server/server.h"

struct region_file {
	const char *path;
	int lock_fd;
};

/* Locks the file, which need not exist; ERR_BUSY when another process serves
 * it. */
int region_file_open(const char *path, struct region_file *file);
void region_file_close(struct region_file *file);

/* Reads it into an empty tree, or makes it when it is missing. */
int region_file_load(const struct region_file *file, struct rtree *tree,
		     struct server_saved *saved);

/* Replaces it by the newest version, unless that is what it has. */
int region_file_save(const struct region_file *file, struct rtree *tree,
		     const struct server_saved *saved);

#endif
