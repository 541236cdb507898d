/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SYSTEM_SERVE_H
#define TESTS_SYSTEM_SERVE_H

/* A catfishd of a test's own, in a folder of its own that goes away with it.
 *
 * Thread-safety: for the main thread. */

#include <stdbool.h>
#include <sys/types.h>

enum { SERVE_TEXT_SIZE = 128, SERVE_OPTIONS_MAX = 32 };

struct serve {
	char folder[SERVE_TEXT_SIZE];
	char socket[SERVE_TEXT_SIZE];  /* path of the Unix socket */
	char address[SERVE_TEXT_SIZE]; /* for clients */
	pid_t pid;
};

/* Starts 'program' with 'options' (ended by NULL), with the settings
 * "NAME=VALUE" of 'environment' (ended by NULL), and waits until it is ready.
 * It listens by 'fabric': "shm", "tcp", or an address whose port may
 * be 0.  False when it doesn't get there; it has said why.  The server dies
 * with the calling process. */
bool serve_start(struct serve *serve, const char *program, const char *fabric,
		 char *const options[], char *const environment[]);

/* Ends it with SIGTERM, or a quarter of a minute later with SIGKILL; true when
 * it ended by itself with status 0. */
bool serve_stop(struct serve *serve);

#endif
