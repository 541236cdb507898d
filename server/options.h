/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

/* The command line of catfishd.
 *
 * Thread-safety: for the main thread. */

#include <stdbool.h>
#include <stdint.h>

#include "rtree/rtree.h"
#include "server/server.h"

struct options {
	struct server_options server;
	struct rtree_options tree;
	const char *region; /* file, or NULL */
	bool no_save;
	int numa_node; /* or PLACEMENT_BY_DEVICE */
	bool is_done;  /* --help or --version: nothing else is wanted */
};

/* Reads the options, and says what is wrong with them; returns an exit status.
 */
int options_parse(int argc, char **argv, struct options *options);
void options_free(struct options *options);

#endif
