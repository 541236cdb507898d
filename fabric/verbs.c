/* SPDX-License-Identifier: BSD-2-Clause */

/* The fabric of RDMA devices, by libibverbs and librdmacm: InfiniBand, RoCE,
 * and soft-RoCE, which is RoCE without a device.
 *
 *	verbs_listener.c	where a server takes links in
 *	verbs_guest.c		who comes there, until it is accepted
 *	verbs_connect.c		how a client makes one
 *	verbs_wire.h		what the two say to each other then
 *	verbs_link.c		a link that stands
 *	verbs_send.c		sending over it
 *	verbs_read.c		READing over it
 *	verbs_endpoint.c	what it is made of
 *	verbs_domain.c		registered memory, and who may reach it
 *	verbs_device.c		what devices report by themselves
 *	verbs_port.c		what the kernel says of their ports
 *	verbs_address.c		names, addresses, devices
 *	verbs_error.c		what failed, in our words
 *
 * Here is the table of all that. */

#include "fabric/verbs_connect.h"
#include "fabric/verbs_endpoint.h"
#include "fabric/verbs_guest.h"
#include "fabric/verbs_listener.h"

/* A region that another machine has can't be mapped. */
static const void *verbs_map(const struct fabric_link *link, uint64_t *size)
{
	(void)link;
	*size = 0;
	return NULL;
}

const struct fabric_ops fabric_verbs_ops = {
	.name = "verbs",
	.listen = fabric_verbs_listen,
	.listener_next = fabric_verbs_listener_next,
	.listener_sent = fabric_verbs_listener_sent,
	.listener_close = fabric_verbs_listener_close,
	.accept = fabric_verbs_accept,
	.refuse = fabric_verbs_refuse,
	.connect = fabric_verbs_connect,
	.write = fabric_verbs_write,
	.write_silently = fabric_verbs_write_silently,
	.read = fabric_verbs_read,
	.map = verbs_map,
	.poll = fabric_verbs_poll,
	.arm = fabric_verbs_arm,
	.fd = fabric_verbs_fd,
	.close = fabric_verbs_close,
};
