/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_DEVICES_H
#define FABRIC_DEVICES_H

/* The RDMA devices of a machine as its kernel shows them in sysfs, for those
 * who tell people what there is.  No device is opened, so it needs neither the
 * right to use one nor a build with verbs.
 *
 * 'root' stands before each path: "" for this machine, or a folder with a copy
 * of another one's /sys, /proc and /dev.
 *
 * Thread-safety: pure functions. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FABRIC_NAME_SIZE = 64 };

/* One of a port's addresses. */
struct fabric_gid {
	unsigned index;
	char address[INET6_ADDRSTRLEN]; /* IPv4 where it stands for that */
	char type[FABRIC_NAME_SIZE];	/* "RoCE v2", ... */
	bool is_link_local;
};

struct fabric_port {
	unsigned number;
	bool is_active;
	char state[FABRIC_NAME_SIZE];	  /* "ACTIVE", "DOWN", "INIT", ... */
	bool is_infiniband;		  /* its link; else Ethernet */
	char rate[FABRIC_NAME_SIZE];	  /* "100 Gb/sec (4X EDR)" */
	bool has_counters;		  /* of the bytes that it sent */
	char interface[FABRIC_NAME_SIZE]; /* of the network; "": none */
	int64_t interface_mtu;		  /* 0: not known */
	struct fabric_gid *gids;	  /* those that are set */
	size_t gid_count;
};

struct fabric_device {
	char name[FABRIC_NAME_SIZE];
	bool is_software;	     /* rxe or siw */
	char file[FABRIC_NAME_SIZE]; /* in /dev/infiniband; "": none */
	int file_error;		     /* errno that opening it would end with */
	int numa_node;		     /* -1: none, or not known */
	struct fabric_port *ports;
	size_t port_count;
};

struct fabric_devices {
	struct fabric_device *devices;
	size_t count;
	/* Whether rdma_cm, which sets up connections, can be asked; the errno
	 * if not. */
	int rdma_cm_error;
};

/* Lists them, none on a machine without.  ERR_NO_MEMORY. */
int fabric_devices_list(const char *root, struct fabric_devices *list);

void fabric_devices_fini(struct fabric_devices *list);

#endif
