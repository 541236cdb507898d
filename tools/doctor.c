/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish doctor: says whether a server can use RDMA on this machine, what is
 * in the way, and the command that mends it.  What there is comes from
 * fabric/devices.h and tools/host.h; here it is judged. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/format.h"
#include "fabric/devices.h"
#include "tools/command.h"
#include "tools/host.h"

/* Something is wrong in the way of verbs; else EXIT_OK. */
enum { EXIT_SOMETHING_WRONG = 1 };

/* What an RDMA packet has around what it carries, at most (as the kernel
 * counts), and what it carries at most. */
enum { PACKET_OVERHEAD = 96, PACKET_SIZE_MAX = 4096, PACKET_SIZE_MIN = 256 };

static const char *root = "";
static uint64_t memory;
static bool memory_is_given;
static int wrong_count;

static const struct command_option doctor_options[] = {
	{
		.name = "memory",
		.value = "SIZE",
		.help = "what catfishd --memory will be; by default\n"
			"a quarter of the machine's, as there",
		.take = options_take_size,
		.to = &memory,
		.given = &memory_is_given,
	},
	{
		.name = "sysroot",
		.value = "DIR",
		.help = "look at DIR/sys, DIR/proc and DIR/dev, a copy\n"
			"of another machine's",
		.take = options_take_text,
		.to = &root,
	},
	{0},
};

static void judge_devices(const struct fabric_devices *list);
static void judge_locked_memory(void);
static void judge_huge_pages(const struct fabric_devices *list);
static int show_verdict(void);

static int doctor_run(const char *operand)
{
	struct fabric_devices list;

	int error = fabric_devices_list(root, &list);
	if (error)
		return error;
	if (!memory_is_given)
		memory = host_memory(root) / 4;
	judge_devices(&list);
	judge_locked_memory();
	judge_huge_pages(&list);
	fabric_devices_fini(&list);
	return show_verdict();
}

/* --- Words -------------------------------------------------------------- */

enum mark {
	OK,
	NOTE,  /* works, and could be better */
	WRONG, /* in the way */
};

__attribute__((format(printf, 2, 3))) static void say(enum mark mark,
						      const char *format, ...)
{
	static const char *const words[] = {"ok", "note", "wrong"};
	va_list arguments;

	wrong_count += mark == WRONG;
	printf("  %-6s ", words[mark]);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* A command that helps, or a line with something else to do. */
__attribute__((format(printf, 1, 2))) static void mend(const char *format, ...)
{
	va_list arguments;

	printf("           ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static int show_verdict(void)
{
	if (!wrong_count) {
		puts("\nverbs:// can be used here.");
		return EXIT_OK;
	}
	printf("\nverbs:// can't be used as things are: %d %s wrong.  shm:// "
	       "and tcp:// can.\n",
	       wrong_count, wrong_count == 1 ? "thing is" : "things are");
	return EXIT_SOMETHING_WRONG;
}

/* --- Ports -------------------------------------------------------------- */

static void judge_state(const struct fabric_device *device,
			const struct fabric_port *port, bool others_are_active)
{
	if (port->is_active && device->is_software)
		say(OK, "port %u is active on %s; how fast, it can't tell",
		    port->number, port->interface);
	else if (port->is_active)
		say(OK, "port %u is active: %s%s%s, %s", port->number,
		    port->is_infiniband ? "InfiniBand" : "RoCE",
		    *port->interface ? " on " : "", port->interface,
		    port->rate);
	else
		say(others_are_active ? NOTE : WRONG,
		    "port %u is not active but %s", port->number, port->state);
	if (port->is_active)
		return;
	if (port->is_infiniband && !strcmp(port->state, "INIT"))
		mend("systemctl start opensm   # here or anywhere in its "
		     "network: a subnet manager");
	else if (*port->interface)
		mend("ip link set %s up   # or see to its cable",
		     port->interface);
	else
		mend("# see to its cable");
}

/* rdma_cm finds a port by an IP address, which a port of RoCE has a GID for. */
static bool is_for_ip(const struct fabric_gid *gid)
{
	return !gid->is_link_local && strcmp(gid->type, "IB/RoCE v1") != 0;
}

static void judge_gids(const struct fabric_port *port)
{
	bool found = false;

	for (size_t i = 0; i < port->gid_count; i++) {
		const struct fabric_gid *gid = &port->gids[i];
		found |= is_for_ip(gid);
		say(OK, "GID %u is %s%s%s", gid->index, gid->address,
		    *gid->type ? ", " : "", gid->type);
	}
	if (found)
		return;
	say(WRONG, "port %u has no IP address that clients could connect to",
	    port->number);
	mend("ip addr add ADDRESS/PREFIX dev %s",
	     *port->interface ? port->interface : "INTERFACE");
}

static void judge_ipoib(const struct fabric_port *port)
{
	if (*port->interface) {
		say(OK, "clients find it by the IP address of %s",
		    port->interface);
		return;
	}
	say(WRONG,
	    "port %u has no network interface, by whose IP address "
	    "clients find it",
	    port->number);
	mend("modprobe ib_ipoib   # and then: ip addr add ADDRESS/PREFIX dev "
	     "ib0");
}

static void judge_mtu(const struct fabric_port *port)
{
	int64_t size = PACKET_SIZE_MAX;

	if (!port->interface_mtu)
		return;
	while (size > PACKET_SIZE_MIN &&
	       size + PACKET_OVERHEAD > port->interface_mtu)
		size /= 2;
	if (size == PACKET_SIZE_MAX)
		return;
	say(NOTE,
	    "with the MTU of %s, %" PRId64 ", a packet carries %" PRId64
	    " bytes rather than %d",
	    port->interface, port->interface_mtu, size, PACKET_SIZE_MAX);
	mend("ip link set %s mtu %d   # on switches and on the other machines, "
	     "too",
	     port->interface, PACKET_SIZE_MAX + PACKET_OVERHEAD + 8);
}

static void judge_port(const struct fabric_device *device,
		       const struct fabric_port *port, bool others_are_active)
{
	judge_state(device, port, others_are_active);
	if (!port->is_active)
		return;
	if (port->is_infiniband) {
		judge_ipoib(port);
	} else {
		judge_gids(port);
		judge_mtu(port);
	}
	if (!port->has_counters && !*port->interface)
		say(NOTE,
		    "nobody counts what port %u sends, so a server can't "
		    "tell its load",
		    port->number);
}

/* --- Devices ------------------------------------------------------------ */

static void judge_file(const struct fabric_device *device)
{
	if (!device->file_error) {
		say(OK, "this user may open /dev/infiniband/%s", device->file);
	} else if (!*device->file || device->file_error == ENOENT) {
		say(WRONG, "there is no file in /dev/infiniband to open it by");
		mend("modprobe ib_uverbs");
	} else {
		say(WRONG, "this user may not open /dev/infiniband/%s: %s",
		    device->file, strerror(device->file_error));
		mend("chmod a+rw /dev/infiniband/*   # what the package "
		     "rdma-core does at each start");
	}
}

static void judge_node(const struct fabric_device *device)
{
	int nodes = host_node_count(root);

	if (nodes == 1)
		return;
	if (device->numa_node < 0) {
		say(NOTE, "it doesn't tell which of the %d NUMA nodes it is on",
		    nodes);
		return;
	}
	say(NOTE, "it is on NUMA node %d of %d, where a server does best",
	    device->numa_node, nodes);
	mend("numactl --cpunodebind=%d --membind=%d catfishd ...",
	     device->numa_node, device->numa_node);
}

static size_t count_active(const struct fabric_devices *list)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < list->devices[i].port_count; j++)
			count += list->devices[i].ports[j].is_active;
	return count;
}

static void judge_device(const struct fabric_device *device,
			 bool others_are_active)
{
	printf("%s%s\n", device->name,
	       device->is_software ? ", a device made by software" : "");
	judge_file(device);
	for (size_t i = 0; i < device->port_count; i++)
		judge_port(device, &device->ports[i], others_are_active);
	judge_node(device);
}

static void advise_soft_roce(void)
{
	char interface[HOST_WORD_SIZE];

	host_ethernet_interface(root, interface);
	say(WRONG, "there is none");
	if (host_has_module(root, "rdma_rxe")) {
		mend("modprobe rdma_rxe && rdma link add rxe0 type rxe netdev "
		     "%s   # soft-RoCE",
		     *interface ? interface : "INTERFACE");
		return;
	}
	mend("# The kernel has no module rdma_rxe, which would make one by "
	     "software;");
	mend("# that of Debian's package linux-image-amd64 has.");
}

static void judge_devices(const struct fabric_devices *list)
{
	if (!list->count) {
		puts("RDMA devices");
		advise_soft_roce();
		return;
	}
	for (size_t i = 0; i < list->count; i++)
		judge_device(&list->devices[i], count_active(list) > 0);
	puts("connections");
	if (!list->rdma_cm_error) {
		say(OK, "this user may open /dev/infiniband/rdma_cm");
		return;
	}
	say(WRONG, "/dev/infiniband/rdma_cm: %s",
	    strerror(list->rdma_cm_error));
	mend(list->rdma_cm_error == ENOENT
		     ? "modprobe rdma_ucm"
		     : "chmod a+rw /dev/infiniband/rdma_cm");
}

/* --- Memory ------------------------------------------------------------- */

static void judge_locked_memory(void)
{
	char needed[FORMAT_SIZE_SIZE], allowed[FORMAT_SIZE_SIZE];
	struct host_lock_limit limit;

	puts("locked memory");
	host_lock_limit(root, &limit);
	format_size(needed, memory);
	if (limit.is_privileged) {
		say(OK, "this user may lock as much as there is");
	} else if (limit.soft >= memory) {
		say(OK,
		    limit.soft == UINT64_MAX
			    ? "no limit"
			    : "%s may be locked; a server's region is %s, and "
			      "its clients' rings are besides",
		    format_size(allowed, limit.soft), needed);
	} else {
		say(WRONG,
		    "%s may be locked, and a server locks its region, "
		    "%s, and its clients' rings",
		    format_size(allowed, limit.soft), needed);
		if (limit.hard >= memory)
			mend("ulimit -l %s   # in the shell that starts it",
			     limit.hard == UINT64_MAX ? "unlimited" : "hard");
		else
			mend("echo '* - memlock unlimited' >"
			     "/etc/security/limits.d/catfish.conf   # and log "
			     "in again");
		mend("LimitMEMLOCK=infinity   # in a unit of systemd's");
	}
}

static uint64_t huge_pages_wanted(void)
{
	return (memory + HOST_HUGE_PAGE_SIZE - 1) / HOST_HUGE_PAGE_SIZE;
}

/* Whether those that there are stand where the device is. */
static void judge_huge_pages_of_node(const struct fabric_device *device)
{
	char free[FORMAT_SIZE_SIZE];

	if (device->numa_node < 0 || host_node_count(root) == 1)
		return;
	uint64_t have = host_free_huge_pages(root, device->numa_node);
	if (have >= memory)
		return;
	say(NOTE, "%s of them are on NUMA node %d, where %s is",
	    format_size(free, have), device->numa_node, device->name);
	mend("echo %" PRIu64 " >/sys/devices/system/node/node%d/hugepages/"
	     "hugepages-2048kB/nr_hugepages",
	     huge_pages_wanted(), device->numa_node);
}

static void judge_huge_pages(const struct fabric_devices *list)
{
	char needed[FORMAT_SIZE_SIZE], free[FORMAT_SIZE_SIZE];
	uint64_t have = host_free_huge_pages(root, -1);

	puts("huge pages");
	format_size(needed, memory);
	format_size(free, have);
	if (have < memory) {
		say(NOTE,
		    "%s are free; a region of %s would be read faster on them",
		    free, needed);
		mend("sysctl vm.nr_hugepages=%" PRIu64, huge_pages_wanted());
		return;
	}
	say(OK, "%s are free for a region of %s", free, needed);
	for (size_t i = 0; i < list->count; i++)
		judge_huge_pages_of_node(&list->devices[i]);
}

const struct command doctor_command = {
	.name = "doctor",
	.summary = "say whether RDMA can be used here, and what is in the way",
	.usage = "[options]",
	.text = "Lists the RDMA devices of this machine, their ports and "
		"addresses, and what\n"
		"a server needs besides: memory that it may lock, huge pages, "
		"the right NUMA\n"
		"node.  Each line begins with ok, with note (it could be "
		"better) or with wrong\n"
		"(it is in the way), and below is what mends it.  Status 1 "
		"when something is\n"
		"wrong.\n",
	.example = "  catfish doctor --memory 16G\n",
	.options = doctor_options,
	.run = doctor_run,
};
