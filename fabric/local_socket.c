/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

static int take_lock(struct fabric_local_socket *local);
static int bind_path(struct fabric_local_socket *local, unsigned mode);

static int in_use(const char *path)
{
	return err_set(ERR_BUSY, "address in use: another server listens at %s",
		       path);
}

int fabric_local_socket_open(const char *path, unsigned mode,
			     struct fabric_local_socket *local)
{
	strcpy(local->path, path);
	snprintf(local->lock_path, sizeof(local->lock_path), "%s.lock", path);
	int error = take_lock(local);
	if (error)
		return error;
	local->fd = fabric_local_socket();
	if (local->fd < 0) {
		error = err_set(ERR_SYSTEM, "can't make a socket: %s",
				strerror(errno));
		goto drop_lock;
	}
	error = bind_path(local, mode);
	if (error)
		goto close_socket;
	if (lstat(path, &local->made) || listen(local->fd, SOMAXCONN)) {
		error = err_set(ERR_SYSTEM, "can't listen at %s: %s", path,
				strerror(errno));
		goto close_socket;
	}
	return 0;

close_socket:
	close(local->fd);
drop_lock:
	unlink(local->lock_path);
	close(local->lock_fd);
	return error;
}

void fabric_local_socket_remove(struct fabric_local_socket *local)
{
	struct stat now;

	if (!lstat(local->path, &now) && now.st_dev == local->made.st_dev &&
	    now.st_ino == local->made.st_ino)
		unlink(local->path);
	/* While the lock is still held, so that nobody else's is removed. */
	unlink(local->lock_path);
	close(local->lock_fd);
}

int fabric_local_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

struct sockaddr_un fabric_local_sockaddr(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	return address;
}

/* Whether the locked file is still the one that the path names: whoever held
 * the lock before may have removed it on leaving. */
static bool is_current(int fd, const char *path)
{
	struct stat held, named;

	return !fstat(fd, &held) && !stat(path, &named) &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int take_lock(struct fabric_local_socket *local)
{
	for (;;) {
		int fd = open(local->lock_path,
			      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return err_set(ERR_USAGE, "can't make %s: %s",
				       local->lock_path, strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			int number = errno;
			close(fd);
			if (number == EINTR)
				continue;
			return number == EWOULDBLOCK
				       ? in_use(local->path)
				       : err_set(ERR_SYSTEM,
						 "can't lock %s: %s",
						 local->lock_path,
						 strerror(number));
		}
		if (is_current(fd, local->lock_path)) {
			local->lock_fd = fd;
			return 0;
		}
		close(fd);
	}
}

/* Whether anybody answers at the path.  A server with a full backlog does. */
static bool is_live(const char *path)
{
	const struct sockaddr_un address = fabric_local_sockaddr(path);

	int fd = fabric_local_socket();
	if (fd < 0)
		return true;
	bool refused = connect(fd, (const struct sockaddr *)&address,
			       sizeof(address)) &&
		       errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

/* Removes the socket of a server that was killed, and nothing else. */
static int clear_path(const char *path)
{
	struct stat found;

	if (lstat(path, &found))
		return errno == ENOENT ? 0
				       : err_set(ERR_USAGE, "%s: %s", path,
						 strerror(errno));
	if (!S_ISSOCK(found.st_mode))
		return err_set(ERR_USAGE,
			       "%s exists and is no socket; name another path",
			       path);
	if (is_live(path))
		return in_use(path);
	if (unlink(path) && errno != ENOENT)
		return err_set(ERR_USAGE, "can't replace %s: %s", path,
			       strerror(errno));
	return 0;
}

/* The entry gets the mode of the descriptor less the umask, so it is never
 * wider than asked for; what the umask took is given back before listen(). */
static int bind_path(struct fabric_local_socket *local, unsigned mode)
{
	const struct sockaddr_un address = fabric_local_sockaddr(local->path);

	int error = clear_path(local->path);
	if (error)
		return error;
	if (fchmod(local->fd, mode) ||
	    bind(local->fd, (const struct sockaddr *)&address,
		 sizeof(address)) ||
	    chmod(local->path, mode))
		return err_set(ERR_USAGE, "can't make the socket %s: %s",
			       local->path, strerror(errno));
	return 0;
}
