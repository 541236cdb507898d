/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

/* Listening: whoever asks for a connection is accepted or refused by what it
 * says of itself, and given to a worker.
 *
 * Thread-safety: for the main thread. */

struct server;

/* Listens at all addresses of the server's options, on its event base. */
int listeners_start(struct server *server);
void listeners_stop(struct server *server);

#endif
