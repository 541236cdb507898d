/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_HOST_H
#define TOOLS_HOST_H

/* What a machine gives to a server besides RDMA devices, as its kernel tells:
 * memory, how much of it a process may lock, huge pages, NUMA nodes.
 *
 * 'root' stands before each path, as in fabric/devices.h.
 *
 * Thread-safety: pure functions. */

#include <stdbool.h>
#include <stdint.h>

enum { HOST_WORD_SIZE = 64, HOST_HUGE_PAGE_SIZE = 2 << 20 };

/* Memory of the machine; 0 when it isn't told. */
uint64_t host_memory(const char *root);

struct host_lock_limit {
	uint64_t soft, hard; /* bytes; UINT64_MAX: no limit */
	bool is_privileged;  /* this process is not bound by them */
};

/* Of this process, and of those that the same user starts in the same way. */
void host_lock_limit(const char *root, struct host_lock_limit *limit);

/* Bytes of free pages of 2 MiB, in all or of one NUMA node (node >= 0). */
uint64_t host_free_huge_pages(const char *root, int node);

/* NUMA nodes; 1 on a machine that tells of none. */
int host_node_count(const char *root);

/* The name of an Ethernet interface that is up; "" when there is none. */
void host_ethernet_interface(const char *root, char name[HOST_WORD_SIZE]);

/* Whether the kernel has a module by this name, loaded or to be loaded. */
bool host_has_module(const char *root, const char *name);

#endif
