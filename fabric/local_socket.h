/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_LOCAL_SOCKET_H
#define FABRIC_LOCAL_SOCKET_H

/* Unix sockets by name: listening at a path, and what connecting needs.
 *
 * Whoever serves a path holds a lock on "PATH.lock", and the kernel drops the
 * lock of a server that is killed.  So of two that start at a time one is told
 * that the address is in use, and the socket of a dead one can be replaced
 * without replacing a live one's by mistake.
 *
 * Thread-safety: one socket, one thread at a time. */

#include <sys/stat.h>

#include "fabric/address.h"

enum { FABRIC_LOCK_PATH_SIZE = FABRIC_PATH_SIZE + sizeof(".lock") };

/* A path that is listened at. */
struct fabric_local_socket {
	int fd;
	int lock_fd;
	struct stat made; /* the socket's entry, as we made it */
	char path[FABRIC_PATH_SIZE];
	char lock_path[FABRIC_LOCK_PATH_SIZE];
};

/* Listens at a path; the socket has just the mode asked for from its first
 * moment.  ERR_BUSY when someone else does; ERR_USAGE when something that is no
 * socket stands there, which is left alone, or when it can't be made. */
int fabric_local_socket_listen(const char *path, unsigned mode,
			       struct fabric_local_socket *local);

/* Removes the socket, unless someone put another in its place, and the lock.
 * The descriptor 'fd' is the caller's to close. */
void fabric_local_socket_remove(struct fabric_local_socket *local);

/* A new non-blocking socket, or -1 with errno. */
int fabric_local_socket_new(void);

/* A path as bind() and connect() want it. */
struct sockaddr_un fabric_local_socket_address(const char *path);

#endif
