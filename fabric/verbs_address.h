/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_ADDRESS_H
#define FABRIC_VERBS_ADDRESS_H

/* Which addresses of a host a verbs link goes from and to, and which device
 * that takes.
 *
 * Thread-safety: pure functions. */

#include <netdb.h>
#include <stdbool.h>

#include "fabric/address.h"

/* The addresses of a host and port, to be freed by freeaddrinfo(); 'error' is
 * what it is when there are none. */
int fabric_verbs_address_resolve(const struct fabric_address *address,
				 bool passive, int error,
				 struct addrinfo **found);

/* An address of the network interface that an RDMA device uses, of a family, to
 * bind to; port 0.  ERR_USAGE when there is no such device or it has none. */
int fabric_verbs_address_of_device(const char *device, int family,
				   struct sockaddr_storage *at);

/* Whether that is every address of the host. */
bool fabric_verbs_address_is_any(const struct sockaddr *at);

#endif
