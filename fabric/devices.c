/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/devices.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/kernel_file.h"

/* A folder's entries in the order of people: port 2 before port 10. */
struct entries {
	struct dirent **entry;
	int count;
};

static int list_device(const char *root, const char *name,
		       struct fabric_device *device);
static int list_port(const char *class, unsigned number,
		     struct fabric_port *port);

/* --- Folders ------------------------------------------------------------ */

static int is_no_dot(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* A folder that isn't there is empty. */
__attribute__((format(printf, 2, 3))) static int
entries_read(struct entries *entries, const char *format, ...)
{
	char path[PATH_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	entries->entry = NULL;
	entries->count = scandir(path, &entries->entry, is_no_dot, versionsort);
	if (entries->count >= 0)
		return 0;
	entries->count = 0;
	if (errno == ENOMEM)
		return err_set(ERR_NO_MEMORY, "no memory to list %s", path);
	return 0;
}

static void entries_free(struct entries *entries)
{
	while (entries->count > 0)
		free(entries->entry[--entries->count]);
	free(entries->entry);
}

static const char *name_of(const struct entries *entries, int i)
{
	return entries->entry[i]->d_name;
}

static void set_name(char to[FABRIC_NAME_SIZE], const char *name)
{
	snprintf(to, FABRIC_NAME_SIZE, "%.*s", FABRIC_NAME_SIZE - 1, name);
}

static void *allocate(int count, size_t size)
{
	return calloc(count > 0 ? (size_t)count : 1, size);
}

/* --- Devices ------------------------------------------------------------ */

/* 0, or the errno that opening a file for reading and writing would give. */
static int file_error(const char *root, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/infiniband/%s", root, name);
	return access(path, R_OK | W_OK) ? errno : 0;
}

int fabric_devices_list(const char *root, struct fabric_devices *list)
{
	struct entries entries;

	memset(list, 0, sizeof(*list));
	list->rdma_cm_error = file_error(root, "rdma_cm");
	int error = entries_read(&entries, "%s/sys/class/infiniband", root);
	if (error)
		return error;
	list->devices = allocate(entries.count, sizeof(*list->devices));
	if (!list->devices)
		error = err_set(ERR_NO_MEMORY, "no memory to list devices");
	for (int i = 0; i < entries.count && !error; i++)
		error = list_device(root, name_of(&entries, i),
				    &list->devices[list->count++]);
	entries_free(&entries);
	if (error)
		fabric_devices_fini(list);
	return error;
}

static void port_fini(struct fabric_port *port)
{
	free(port->gids);
}

void fabric_devices_fini(struct fabric_devices *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct fabric_device *device = &list->devices[i];
		for (size_t j = 0; j < device->port_count; j++)
			port_fini(&device->ports[j]);
		free(device->ports);
	}
	free(list->devices);
	memset(list, 0, sizeof(*list));
}

/* The file by which processes use a device has a number of its own. */
static int find_file(const char *root, struct fabric_device *device)
{
	struct entries entries;
	char name[FABRIC_NAME_SIZE];

	int error =
		entries_read(&entries, "%s/sys/class/infiniband_verbs", root);
	device->file_error = ENOENT;
	for (int i = 0; i < entries.count; i++) {
		const char *file = name_of(&entries, i);
		if (kernel_file_read(name, sizeof(name),
				     "%s/sys/class/infiniband_verbs/%s/ibdev",
				     root, file) ||
		    strcmp(name, device->name) != 0)
			continue;
		set_name(device->file, file);
		device->file_error = file_error(root, file);
	}
	entries_free(&entries);
	return error;
}

/* A device made by software is on the node of the interface that it uses. */
static int find_numa_node(const char *root, const char *class,
			  const char *interface)
{
	int64_t node;

	if (kernel_file_read_number(&node, "%s/device/numa_node", class) &&
	    (!*interface ||
	     kernel_file_read_number(&node,
				     "%s/sys/class/net/%s/device/numa_node",
				     root, interface)))
		return -1;
	return node >= 0 && node <= INT_MAX ? (int)node : -1;
}

static void find_interface(const char *root, const char *class,
			   struct fabric_port *port)
{
	struct entries entries;

	if (!*port->interface &&
	    kernel_file_read(port->interface, sizeof(port->interface),
			     "%s/parent", class))
		*port->interface = '\0';
	if (!*port->interface &&
	    !entries_read(&entries, "%s/device/net", class)) {
		if (entries.count)
			set_name(port->interface, name_of(&entries, 0));
		entries_free(&entries);
	}
	if (!*port->interface ||
	    kernel_file_read_number(&port->interface_mtu,
				    "%s/sys/class/net/%s/mtu", root,
				    port->interface))
		port->interface_mtu = 0;
}

static int list_ports(const char *root, const char *class,
		      struct fabric_device *device)
{
	struct entries entries;

	int error = entries_read(&entries, "%s/ports", class);
	if (error)
		return error;
	device->ports = allocate(entries.count, sizeof(*device->ports));
	if (!device->ports)
		error = err_set(ERR_NO_MEMORY, "no memory to list ports");
	for (int i = 0; i < entries.count && !error; i++) {
		struct fabric_port *port = &device->ports[device->port_count++];
		error = list_port(
			class,
			(unsigned)strtoul(name_of(&entries, i), NULL, 10),
			port);
		find_interface(root, class, port);
	}
	entries_free(&entries);
	return error;
}

static int list_device(const char *root, const char *name,
		       struct fabric_device *device)
{
	char class[PATH_MAX], path[PATH_MAX + 8];

	set_name(device->name, name);
	snprintf(class, sizeof(class), "%s/sys/class/infiniband/%s", root,
		 name);
	snprintf(path, sizeof(path), "%s/device", class);
	device->is_software = access(path, F_OK) != 0;
	int error = find_file(root, device);
	if (!error)
		error = list_ports(root, class, device);
	device->numa_node = find_numa_node(
		root, class,
		device->port_count ? device->ports[0].interface : "");
	return error;
}

/* --- Ports and their GIDs ------------------------------------------------ */

/* What follows "4: " in "4: ACTIVE". */
static void read_state(const char *path, char state[FABRIC_NAME_SIZE])
{
	char text[FABRIC_NAME_SIZE];
	const char *word;

	if (kernel_file_read(text, sizeof(text), "%s/state", path))
		strcpy(text, "unknown");
	word = strstr(text, ": ");
	strcpy(state, word ? word + 2 : text);
}

static bool has_counters(const char *path)
{
	char text[FABRIC_NAME_SIZE];

	return !kernel_file_read(text, sizeof(text),
				 "%s/counters/port_xmit_data", path);
}

/* True when there is a GID at this index of the port's table. */
static bool read_gid(const char *path, unsigned index, struct fabric_gid *gid)
{
	static const struct in6_addr zero;
	char text[FABRIC_NAME_SIZE];
	struct in6_addr address;

	if (kernel_file_read(text, sizeof(text), "%s/gids/%u", path, index) ||
	    inet_pton(AF_INET6, text, &address) != 1 ||
	    !memcmp(&address, &zero, sizeof(zero)))
		return false;
	gid->index = index;
	gid->is_link_local = IN6_IS_ADDR_LINKLOCAL(&address);
	if (IN6_IS_ADDR_V4MAPPED(&address))
		inet_ntop(AF_INET, &address.s6_addr[12], gid->address,
			  sizeof(gid->address));
	else
		inet_ntop(AF_INET6, &address, gid->address,
			  sizeof(gid->address));
	if (kernel_file_read(gid->type, sizeof(gid->type),
			     "%s/gid_attrs/types/%u", path, index))
		*gid->type = '\0';
	return true;
}

static int list_gids(const char *path, struct fabric_port *port)
{
	struct entries entries;

	int error = entries_read(&entries, "%s/gids", path);
	if (error)
		return error;
	port->gids = allocate(entries.count, sizeof(*port->gids));
	if (!port->gids)
		error = err_set(ERR_NO_MEMORY, "no memory to list GIDs");
	for (int i = 0; i < entries.count && !error; i++) {
		unsigned index =
			(unsigned)strtoul(name_of(&entries, i), NULL, 10);
		if (read_gid(path, index, &port->gids[port->gid_count]))
			port->gid_count++;
	}
	entries_free(&entries);
	return error;
}

static int list_port(const char *class, unsigned number,
		     struct fabric_port *port)
{
	char path[PATH_MAX + 32], link[FABRIC_NAME_SIZE];

	snprintf(path, sizeof(path), "%s/ports/%u", class, number);
	port->number = number;
	read_state(path, port->state);
	port->is_active = !strcmp(port->state, "ACTIVE");
	port->is_infiniband =
		!kernel_file_read(link, sizeof(link), "%s/link_layer", path) &&
		!strcmp(link, "InfiniBand");
	if (kernel_file_read(port->rate, sizeof(port->rate), "%s/rate", path))
		*port->rate = '\0';
	port->has_counters = has_counters(path);
	int error = list_gids(path, port);
	if (!error && port->gid_count &&
	    kernel_file_read(port->interface, sizeof(port->interface),
			     "%s/gid_attrs/ndevs/%u", path,
			     port->gids[0].index))
		*port->interface = '\0';
	return error;
}
