/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_PORT_H
#define FABRIC_VERBS_PORT_H

/* What the kernel says of a port of an RDMA device, in /sys.
 *
 * Thread-safety: pure functions. */

#include <net/if.h>
#include <stdint.h>

enum { FABRIC_INTERFACE_SIZE = IF_NAMESIZE };

/* The network interface that a port belongs to.  ERR_USAGE when there is no
 * such device, or it has none. */
int fabric_verbs_port_interface(const char *device, unsigned port,
				char interface[FABRIC_INTERFACE_SIZE]);

/* Bytes that a port has sent so far: its own counter, or that of its network
 * interface.  ERR_UNSUPPORTED when neither is there. */
int fabric_verbs_port_sent(const char *device, unsigned port, uint64_t *bytes);

/* What a port's link can carry, in bits per second.  ERR_UNSUPPORTED when that
 * is not known; what a device of software makes up is not believed. */
int fabric_verbs_port_speed(const char *device, unsigned port, uint64_t *speed);

#endif
