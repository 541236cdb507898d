/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_ADDRESS_H
#define FABRIC_ADDRESS_H

/* Addresses taken apart: "shm:///run/catfish.sock", "tcp://host:port",
 * "tcp://[v6]:port", "verbs://host:port".
 *
 * Thread-safety: safe. */

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

enum fabric_scheme {
	FABRIC_SCHEME_SHM,
	FABRIC_SCHEME_TCP,
	FABRIC_SCHEME_VERBS,
};

enum {
	/* With its terminating 0, as are the sizes below.  A DNS name has at
	 * most 253 characters. */
	FABRIC_ADDRESS_SIZE = 320,
	FABRIC_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path),
	FABRIC_HOST_SIZE = 256,
	FABRIC_PORT_SIZE = sizeof("65535"),
};

struct fabric_address {
	enum fabric_scheme scheme;
	char text[FABRIC_ADDRESS_SIZE]; /* the whole of it */
	char path[FABRIC_PATH_SIZE];	/* shm: absolute */
	char host[FABRIC_HOST_SIZE];	/* without the brackets */
	char port[FABRIC_PORT_SIZE];	/* 0 to 65535, in decimal */
	bool is_faulty;			/* fabric/faulty.c in between */
	uint64_t seed;			/* of its faults */
	uint64_t operations_per_break;	/* 0: it never breaks so */
	uint64_t break_at;		/* message; 0: it never breaks so */
};

/* ERR_USAGE when it can't be an address, ERR_UNSUPPORTED when it is one of a
 * fabric that is not built in. */
int fabric_address_parse(const char *text, struct fabric_address *address);

/* The addresses of its host and port, to listen at or to connect to, to be
 * freed by freeaddrinfo(); 'error' is what it is when there are none. */
int fabric_address_resolve(const struct fabric_address *address, bool to_listen,
			   int error, struct addrinfo **found);

#endif
