/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

/* Listening: whoever asks for a connection is accepted or refused by what it
 * says of itself, and given to a worker.
 *
 * Thread-safety: for the main thread. */

#include <stdint.h>

struct server;

/* Listens at all addresses of the server's options, on its event base. */
int listeners_start(struct server *server);
void listeners_stop(struct server *server);

/* What the busiest listener's network devices have sent since the last call,
 * 'time_ns' ago, of what they can, in parts per million; or
 * WIRE_TRANSMIT_UNKNOWN when no listener knows both. */
uint32_t listeners_transmit_ppm(struct server *server, uint64_t time_ns);

#endif
