/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_DOMAIN_H
#define FABRIC_VERBS_DOMAIN_H

/* A protection domain of an RDMA device, and memory that is registered in it.
 *
 * A server has one domain for each device, with the region registered once, for
 * READs only.  In it a key is good on every queue pair, so a client's inbox is
 * opened by a memory window, which is bound to the client's queue pair.  On a
 * device without such windows (type 2), and at a client, each link has a domain
 * of its own, and a plain key does.
 *
 * Registered memory starts at address 0, for this end's work requests as for
 * the peer's: both name bytes by offset.
 *
 * Thread-safety: domains are shared by links of several threads, and the last
 * to leave destroys it. */

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fabric/fabric.h"

struct verbs_domain {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_device_attr limits;
	bool is_shared; /* inboxes need windows */
	struct ibv_mr *region;
	uint64_t region_size;
	_Atomic unsigned users;
};

/* Makes a domain of a device, to be shared where the device can keep its users
 * apart.  'region' may be NULL.  ERR_NO_ROOM when more memory had to be locked
 * than this process may. */
int fabric_verbs_domain_create(struct ibv_context *context,
			       const struct fabric_region *region,
			       bool to_be_shared, struct verbs_domain **domain);

/* One user more, and one less; the last takes the domain along. */
struct verbs_domain *fabric_verbs_domain_join(struct verbs_domain *domain);
void fabric_verbs_domain_leave(struct verbs_domain *domain);

const char *fabric_verbs_domain_device(const struct verbs_domain *domain);

/* Memory of this process that the device reads and writes. */
struct verbs_memory {
	uint8_t *bytes;
	size_t size;
	struct ibv_mr *mr;
};

/* Allocates and registers memory, all zeros, with enum ibv_access_flags. */
int fabric_verbs_memory_create(const struct verbs_domain *domain, size_t size,
			       int access, struct verbs_memory *memory);
/* Harmless when nothing was created. */
void fabric_verbs_memory_destroy(struct verbs_memory *memory);

#endif
