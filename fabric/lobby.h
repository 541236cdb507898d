/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_LOBBY_H
#define FABRIC_LOBBY_H

/* Where those who connect to a stream socket wait until they have said hello,
 * so that a slow one holds up nobody.
 *
 * At most FABRIC_LOBBY_GUESTS wait at a time; while all places are taken the
 * others stay in the kernel's backlog.  Who hasn't said hello within
 * FABRIC_LOBBY_PATIENCE_MS is turned out, as is who says it wrongly.
 *
 * Thread-safety: one lobby, one thread at a time. */

#include "fabric/handshake.h"

enum {
	FABRIC_LOBBY_GUESTS = 256,
	FABRIC_LOBBY_PATIENCE_MS = 3000,
};

struct fabric_lobby;

/* Opens the door of a listening, non-blocking socket, which is the lobby's
 * from then on. */
int fabric_lobby_open(int listening_fd, struct fabric_lobby **lobby);

/* Readable when fabric_lobby_next() has something to do. */
int fabric_lobby_fd(const struct fabric_lobby *lobby);

/* The next guest who has said hello: a connected, non-blocking socket, the
 * caller's, and what was asked.  ERR_AGAIN when there is none now, ERR_NO_ROOM
 * when the process has no file descriptor left for one: go on later. */
int fabric_lobby_next(struct fabric_lobby *lobby, int *fd,
		      struct fabric_ask *ask);

/* Turns out all guests and closes the door. */
void fabric_lobby_close(struct fabric_lobby *lobby);

#endif
