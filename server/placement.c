/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/placement.h"

#include "base/err.h"

#ifdef HAVE_NUMA
#include <numa.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "fabric/devices.h"

static int find_node(const struct server_options *options);
static void settle_on(int node, const char *why);

int placement_apply(const struct server_options *options, int node)
{
	if (numa_available() < 0)
		return node < 0 ? 0
				: err_set(ERR_UNSUPPORTED,
					  "--numa-node: this machine's kernel "
					  "knows no NUMA nodes");
	if (node >= 0 &&
	    !(node <= numa_max_node() &&
	      numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)node)))
		return err_set(ERR_USAGE,
			       "--numa-node: there is no node %d with memory "
			       "that this process may use",
			       node);
	if (node >= 0) {
		settle_on(node, "as --numa-node says");
		return 0;
	}
	node = find_node(options);
	if (node >= 0)
		settle_on(node, "where the RDMA device is");
	return 0;
}

static void settle_on(int node, const char *why)
{
	if (numa_run_on_node(node)) {
		log_warn("can't keep to NUMA node %d: numa_run_on_node failed",
			 node);
		return;
	}
	numa_set_preferred(node);
	log_info("threads and memory are on NUMA node %d of %d, %s", node,
		 numa_num_configured_nodes(), why);
}

static bool uses_rdma(const struct server_options *options)
{
	for (size_t i = 0; i < options->address_count; i++)
		if (!strncmp(options->addresses[i], "verbs:", 6))
			return true;
	return false;
}

/* Someone else's choice, or nothing to choose. */
static bool is_settled(void)
{
	struct bitmask *mask = numa_get_run_node_mask();
	bool is_one = numa_num_task_nodes() < 2;
	bool is_whole = numa_bitmask_equal(mask, numa_all_nodes_ptr);

	numa_bitmask_free(mask);
	return is_one || !is_whole;
}

/* The node of the device that is named, or that all are on; -1: none. */
static int node_of(const struct fabric_devices *list, const char *name)
{
	int node = -1;

	for (size_t i = 0; i < list->count; i++) {
		const struct fabric_device *device = &list->devices[i];
		if (name && strcmp(name, device->name) != 0)
			continue;
		if (device->numa_node < 0 ||
		    (node >= 0 && node != device->numa_node))
			return -1;
		node = device->numa_node;
	}
	return node;
}

static int find_node(const struct server_options *options)
{
	struct fabric_devices list;

	if (!uses_rdma(options) || is_settled() ||
	    fabric_devices_list("", &list))
		return -1;
	int node = node_of(&list, options->device);
	fabric_devices_fini(&list);
	if (node < 0)
		log_info("no RDMA device tells which of the %d NUMA nodes it "
			 "is on: --numa-node N keeps the server to one",
			 numa_num_task_nodes());
	return node;
}

#else

int placement_apply(const struct server_options *options, int node)
{
	if (node < 0)
		return 0;
	return err_set(ERR_UNSUPPORTED, "--numa-node: this build has no "
					"libnuma; numactl can do it as well");
}

#endif
