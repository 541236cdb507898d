/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"

/* A descriptor, or an error.  A symbolic link is followed, as it is when the
 * file is replaced: whatever it is called, one file has one lock. */
static int open_lock(const char *path)
{
	char *target = realpath(path, NULL), *name;

	int made = asprintf(&name, "%s.lock", target ? target : path);
	free(target);
	if (made < 0)
		return err_set(ERR_NO_MEMORY, "no memory");
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		fd = err_set(err_of_errno(errno), "can't open %s: %s", name,
			     strerror(errno));
	free(name);
	return fd;
}

int file_lock(const char *path, int *fd)
{
	int lock_fd = open_lock(path);

	if (lock_fd < 0)
		return lock_fd;
	if (flock(lock_fd, LOCK_EX | LOCK_NB) == 0) {
		*fd = lock_fd;
		return 0;
	}
	int error = errno == EWOULDBLOCK
			    ? err_set(ERR_BUSY,
				      "%s is in use: another process has "
				      "locked %s.lock; end it first, or name "
				      "another file",
				      path, path)
			    : err_set(ERR_SYSTEM, "can't lock %s.lock: %s",
				      path, strerror(errno));
	close(lock_fd);
	return error;
}
