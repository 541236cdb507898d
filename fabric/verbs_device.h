/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_DEVICE_H
#define FABRIC_VERBS_DEVICE_H

/* What an RDMA device reports by itself: ports that go down and come back,
 * paths that migrate, faults.
 *
 * Thread-safety: safe, while the device is open. */

#include <infiniband/verbs.h>

/* Takes an event of the device, of which there may be none: context->async_fd
 * doesn't block. */
void fabric_verbs_device_look(struct ibv_context *context);

#endif
