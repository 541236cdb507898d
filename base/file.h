/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_FILE_H
#define BASE_FILE_H

/* Files that are replaced whole or not at all.
 *
 * Thread-safety: one file_replacement, one thread. */

#include <stddef.h>

/* A file being written beside the one that it will replace. */
struct file_replacement {
	char *path;
	char *temporary;
	int fd;
};

/* Makes a temporary file in the folder of 'path', which need not exist yet. */
int file_replace_begin(struct file_replacement *file, const char *path);

/* Appends 'size' bytes. */
int file_replace_write(struct file_replacement *file, const void *bytes,
		       size_t size);

/* fsync, rename over 'path', fsync of the folder.  Ends the replacement, also
 * when it fails, and then leaves 'path' as it was. */
int file_replace_commit(struct file_replacement *file);

/* Removes the temporary file; harmless after a commit. */
void file_replace_abort(struct file_replacement *file);

/* Reads exactly 'size' bytes; ERR_DATA when the file ends before. */
int file_read_full(int fd, void *bytes, size_t size);

#endif
