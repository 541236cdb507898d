/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/random.h"

static int name_target(struct file_replacement *file, const char *path,
		       mode_t *mode);
static int open_temporary(struct file_replacement *file, mode_t mode);
static int open_folder(const char *path, int *fd);

int file_replace_begin(struct file_replacement *file, const char *path)
{
	mode_t mode = 0;

	*file = (struct file_replacement){.fd = -1};
	int error = name_target(file, path, &mode);
	if (!error)
		error = open_temporary(file, mode);
	if (error)
		file_replace_abort(file);
	return error;
}

int file_replace_write(struct file_replacement *file, const void *bytes,
		       size_t size)
{
	const char *next = bytes;

	while (size > 0) {
		ssize_t written = write(file->fd, next, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return err_set(err_of_errno(errno),
				       "can't write %s: %s", file->temporary,
				       strerror(errno));
		next += written;
		size -= written;
	}
	return 0;
}

static int sync_and_rename(struct file_replacement *file, int folder)
{
	if (fsync(file->fd) < 0)
		return err_set(err_of_errno(errno), "can't write %s: %s",
			       file->temporary, strerror(errno));
	if (rename(file->temporary, file->path) < 0)
		return err_set(err_of_errno(errno), "can't rename %s to %s: %s",
			       file->temporary, file->path, strerror(errno));
	/* Not every file system can do this to a folder. */
	if (fsync(folder) < 0 && errno != EINVAL)
		return err_set(ERR_SYSTEM,
			       "%s is replaced, but may be the old one after a "
			       "power failure: %s",
			       file->path, strerror(errno));
	return 0;
}

int file_replace_commit(struct file_replacement *file)
{
	int folder = -1;

	int error = open_folder(file->path, &folder);
	if (!error) {
		error = sync_and_rename(file, folder);
		close(folder);
	}
	file_replace_abort(file);
	return error;
}

void file_replace_abort(struct file_replacement *file)
{
	if (file->fd >= 0)
		close(file->fd);
	/* After a rename there is nothing by that name. */
	if (file->temporary)
		unlink(file->temporary);
	free(file->temporary);
	free(file->path);
	*file = (struct file_replacement){.fd = -1};
}

/* A file that is there keeps its mode, and a symbolic link to it stays one. */
static int name_target(struct file_replacement *file, const char *path,
		       mode_t *mode)
{
	struct stat stat_buffer;

	if (stat(path, &stat_buffer) < 0) {
		file->path = strdup(path);
		return file->path ? 0 : err_set(ERR_NO_MEMORY, "no memory");
	}
	if (!S_ISREG(stat_buffer.st_mode))
		return err_set(ERR_USAGE, "%s is not a regular file", path);
	*mode = stat_buffer.st_mode & 07777;
	file->path = realpath(path, NULL);
	if (!file->path)
		return err_set(err_of_errno(errno), "%s: %s", path,
			       strerror(errno));
	return 0;
}

/* 'mode' is 0 for what a new file has. */
static int open_temporary(struct file_replacement *file, mode_t mode)
{
	if (asprintf(&file->temporary, "%s.%016" PRIx64 ".tmp", file->path,
		     random_entropy()) < 0) {
		file->temporary = NULL;
		return err_set(ERR_NO_MEMORY, "no memory");
	}
	file->fd = open(file->temporary,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (file->fd < 0)
		return err_set(err_of_errno(errno), "can't create %s: %s",
			       file->temporary, strerror(errno));
	if (mode && fchmod(file->fd, mode) < 0)
		return err_set(err_of_errno(errno),
			       "can't set the mode of %s: %s", file->temporary,
			       strerror(errno));
	return 0;
}

static int open_folder(const char *path, int *fd)
{
	char *copy = strdup(path);

	if (!copy)
		return err_set(ERR_NO_MEMORY, "no memory");
	*fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (*fd < 0)
		return err_set(err_of_errno(errno),
			       "can't open the folder of %s: %s", path,
			       strerror(errno));
	return 0;
}

int file_read_full(int fd, void *bytes, size_t size)
{
	char *next = bytes;

	while (size > 0) {
		ssize_t got = read(fd, next, size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err_of_errno(errno), "can't read: %s",
				       strerror(errno));
		if (got == 0)
			return err_set(ERR_DATA,
				       "the file ends %zu bytes too early",
				       size);
		next += got;
		size -= got;
	}
	return 0;
}
