/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_TCP_SOCKET_H
#define FABRIC_TCP_SOCKET_H

/* TCP sockets by name: listening, connecting, and the options that each one
 * gets.
 *
 * Thread-safety: pure functions, but for the sockets that they make. */

#include <stdbool.h>

#include "fabric/address.h"
#include "fabric/handshake.h"

/* Listens at the first of the host's addresses that can be had; 'text' is the
 * address with the port that it got, 'is_public' whether anyone beyond this
 * machine can reach it.  ERR_BUSY when the port is in use, ERR_USAGE when the
 * host is not this machine or not known. */
int fabric_tcp_socket_listen(const struct fabric_address *address,
			     char text[FABRIC_ADDRESS_SIZE], bool *is_public,
			     int *fd);

/* Connects to the first of the host's addresses that answers.  ERR_CONNECTION.
 * Looking up the host's name may take longer than the deadline allows. */
int fabric_tcp_socket_connect(const struct fabric_address *address,
			      const struct fabric_call *call, int *fd);

/* Sends small messages at once, and notices a peer that has silently gone. */
void fabric_tcp_socket_tune(int fd);

#endif
