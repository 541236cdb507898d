/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CLIENT_DAEMON_H
#define TESTS_CLIENT_DAEMON_H

/* A real catfishd in a folder of its own, listening on shm and on a network:
 * tcp, or verbs where CATFISH_TEST_RDMA_ADDRESS is the IP address of an RDMA
 * device, as it is in the virtual machine of tests/softroce.  It dies with the
 * test that started it. */

#include <stdbool.h>
#include <sys/types.h>

/* For calls that are answered in the end, however busy the machine. */
enum { DAEMON_PATIENCE_MS = 120000 };

struct daemon {
	pid_t pid;
	char folder[64];
	char shm[128];
	char network[64];
};

/* Whether the network is verbs. */
bool daemon_uses_rdma(void);

/* The program: the environment's CATFISHD, or that of the build tree. */
const char *daemon_program(void);

/* Starts it in a new folder, with these options besides the addresses and a
 * region of 32 MiB (ended by NULL), and waits until it is ready. */
void daemon_start(struct daemon *daemon, const char *const *options);

/* The same in the folder where the last one was, at the same addresses. */
void daemon_start_again(struct daemon *daemon, const char *const *options);

/* Stops it for a while; SIGCONT lets it go on. */
void daemon_pause(struct daemon *daemon);

/* Sends a signal and waits for its end. */
int daemon_end(struct daemon *daemon, int signal);

/* Ends it, if that has not been done, and removes its folder. */
void daemon_stop(struct daemon *daemon);

#endif
