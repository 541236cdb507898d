/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_CONNECT_H
#define FABRIC_VERBS_CONNECT_H

/* How a client makes a verbs link.
 *
 * Thread-safety: safe. */

#include "fabric/link.h"

/* Connects to the first of the host's addresses that answers. */
int fabric_verbs_connect(const struct fabric_address *address,
			 const struct fabric_call *call,
			 struct fabric_reply *reply, struct fabric_link **link);

#endif
