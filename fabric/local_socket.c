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
static int clear_path(const char *path);
static int bind_to_path(struct fabric_local_socket *local, unsigned mode);

int fabric_local_socket_listen(const char *path, unsigned mode,
			       struct fabric_local_socket *local)
{
	strcpy(local->path, path);
	snprintf(local->lock_path, sizeof(local->lock_path), "%s.lock", path);
	int error = take_lock(local);
	if (error)
		return error;
	error = clear_path(path);
	if (!error)
		error = bind_to_path(local, mode);
	if (error) {
		unlink(local->lock_path);
		close(local->lock_fd);
	}
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

int fabric_local_socket_new(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

struct sockaddr_un fabric_local_socket_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	return address;
}

static int in_use(const char *path)
{
	return err_set(ERR_BUSY, "address in use: another server listens at %s",
		       path);
}

/* Whether the locked file is still the one that the path names: whoever held
 * the lock before may have removed it on leaving. */
static bool is_current(int fd, const char *path)
{
	struct stat held, named;

	return !fstat(fd, &held) && !stat(path, &named) &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int try_lock(int fd, const struct fabric_local_socket *local)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return is_current(fd, local->lock_path) ? 0 : ERR_AGAIN;
	if (errno == EWOULDBLOCK)
		return in_use(local->path);
	return err_set(ERR_SYSTEM, "can't lock %s: %s", local->lock_path,
		       strerror(errno));
}

static int take_lock(struct fabric_local_socket *local)
{
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	int error;

	do {
		local->lock_fd = open(local->lock_path, flags, 0600);
		if (local->lock_fd < 0)
			return err_set(ERR_USAGE, "can't make %s: %s",
				       local->lock_path, strerror(errno));
		error = try_lock(local->lock_fd, local);
		if (error)
			close(local->lock_fd);
	} while (error == ERR_AGAIN);
	return error;
}

/* Whether anybody answers at the path.  A server with a full backlog does. */
static bool is_live(const char *path)
{
	const struct sockaddr_un address = fabric_local_socket_address(path);

	int fd = fabric_local_socket_new();
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
		return 0; /* bind() says what is wrong, if anything */
	if (!S_ISSOCK(found.st_mode))
		return err_set(ERR_USAGE,
			       "%s exists and is no socket; name another path",
			       path);
	if (is_live(path))
		return in_use(path);
	if (unlink(path) && errno != ENOENT)
		return err_set(ERR_USAGE, "can't replace the socket %s: %s",
			       path, strerror(errno));
	return 0;
}

/* The entry gets the mode of the descriptor less the umask, so it is never
 * wider than asked for; what the umask took is given back before anyone can
 * connect. */
static int bind_to_path(struct fabric_local_socket *local, unsigned mode)
{
	const struct sockaddr_un address =
		fabric_local_socket_address(local->path);
	int number;

	local->fd = fabric_local_socket_new();
	if (local->fd < 0)
		return err_set(ERR_SYSTEM, "can't make a socket: %s",
			       strerror(errno));
	if (fchmod(local->fd, mode) ||
	    bind(local->fd, (const struct sockaddr *)&address,
		 sizeof(address))) {
		number = errno;
		goto close_socket;
	}
	if (chmod(local->path, mode) || lstat(local->path, &local->made) ||
	    listen(local->fd, SOMAXCONN)) {
		number = errno;
		goto remove_path;
	}
	return 0;

remove_path:
	unlink(local->path);
close_socket:
	close(local->fd);
	return err_set(ERR_USAGE, "can't make the socket %s: %s", local->path,
		       strerror(number));
}
