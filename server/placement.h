/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_PLACEMENT_H
#define SERVER_PLACEMENT_H

/* On which NUMA node of the machine the server works: threads and memory, the
 * region's above all, do best where the network device is.
 *
 * Thread-safety: for the main thread, before it has started others or touched
 * memory that is to be placed: these and that inherit what is set for it. */

#include "server/server.h"

enum { PLACEMENT_BY_DEVICE = -1 };

/* Keeps the process to the processors of one node, and has its memory come from
 * there as long as there is some: 'node' if that is named, else that of the
 * RDMA device, unless nobody asks for RDMA, the machine has one node, the
 * device doesn't tell, or someone (numactl) has chosen processors already. Says
 * what it did.  ERR_USAGE when there is no such node, ERR_UNSUPPORTED when a
 * node is named and this build can't. */
int placement_apply(const struct server_options *options, int node);

#endif
