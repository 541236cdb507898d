/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SYSTEM_OPTIONS_H
#define TESTS_SYSTEM_OPTIONS_H

/* The command line of version-checker.
 *
 * Thread-safety: for the main thread. */

#include <stdbool.h>
#include <stdint.h>

#include "tests/system/stage.h"

enum { ENVIRONMENT_MAX = 8 };

/* Settings "NAME=VALUE", ended by NULL. */
struct environment {
	char *setting[ENVIRONMENT_MAX + 1];
	int count;
};

struct options {
	uint64_t time_ns;
	uint64_t answers; /* that are enough; 0: however many come */
	uint64_t seed;
	uint64_t writers, readers, items, changes, together;
	bool fills;	    /* the region, so that writes are refused */
	uint64_t stops;	    /* of the readers, for ten leases each */
	bool is_faulty;	    /* readers connect by faulty links, which break */
	const char *fabric; /* "shm", "tcp", or an address to listen at */
	bool paths[PATH_COUNT];
	char *server; /* the program, and what it is told */
	char *memory, *lease, *threads;
	char *push_back; /* or NULL */
	struct environment of_server, of_clients;
	bool is_done; /* --help or --version: nothing else is wanted */
};

/* Reads the options, and says what is wrong with them; returns an exit status.
 */
int options_parse(int argc, char **argv, struct options *options);

#endif
