/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_LOCAL_SOCKET_H
#define FABRIC_LOCAL_SOCKET_H

/* A listening Unix socket and its name in the file system.
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
int fabric_local_socket_open(const char *path, unsigned mode,
			     struct fabric_local_socket *local);

/* Removes the socket, unless someone put another in its place, and the lock.
 * The descriptor 'fd' is not closed here. */
void fabric_local_socket_remove(struct fabric_local_socket *local);

/* A new non-blocking Unix stream socket, or -1 with errno. */
int fabric_local_socket(void);

/* The address of a path for bind() and connect(). */
struct sockaddr_un fabric_local_sockaddr(const char *path);

#endif
