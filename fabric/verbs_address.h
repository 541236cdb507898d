/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_ADDRESS_H
#define FABRIC_VERBS_ADDRESS_H

/* Which addresses of this machine an RDMA device has.
 *
 * Thread-safety: pure functions. */

#include <stdbool.h>
#include <sys/socket.h>

/* An address of the network interface that an RDMA device uses, of a family, to
 * bind to; port 0.  ERR_USAGE when there is no such device or it has none. */
int fabric_verbs_address_of_device(const char *device, int family,
				   struct sockaddr_storage *at);

/* Whether that is every address of the host. */
bool fabric_verbs_address_is_any(const struct sockaddr *at);

#endif
