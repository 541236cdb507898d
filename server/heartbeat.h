/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_HEARTBEAT_H
#define SERVER_HEARTBEAT_H

/* How busy the server is: sampled by the main thread, and written into the
 * memory of one-sided clients by their workers.
 *
 * Thread-safety: heartbeat_fill() is for any thread. */

#include <stdint.h>
#include <sys/time.h>

#include "wire/message.h"

struct server;
struct heartbeat;

/* Samples once per heartbeat interval on the server's event base. */
int heartbeat_start(struct server *server, struct heartbeat **heartbeat);
void heartbeat_stop(struct heartbeat *heartbeat);

/* Between two heartbeats. */
struct timeval heartbeat_interval(const struct server *server);

/* What a client is told now. */
void heartbeat_fill(const struct server *server, uint64_t beat,
		    struct wire_heartbeat *heartbeat);

#endif
