/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FABRIC_PAIR_H
#define TESTS_FABRIC_PAIR_H

/* What the tests of every fabric need: a place to listen at, with a region to
 * READ, and two ends that are connected.  Whatever fails here fails the test;
 * whatever doesn't come within TEST_PATIENCE_MS fails it too. */

#include <pthread.h>
#include <sys/types.h>

#include "fabric/fabric.h"
#include "tests/lib/test.h"

enum {
	TEST_PATIENCE_MS = 30000,
	TEST_INBOX_SERVER = 65536,
	TEST_INBOX_CLIENT = 32768,
	/* Not a whole number of pages. */
	TEST_REGION_SIZE = 3 * 4096 + 100,
	TEST_OWNER_OFFSET = 128,
};

#define TEST_PATIENCE_NS (TEST_PATIENCE_MS * UINT64_C(1000000))

/* Where a test listens: a folder of its own and a region. */
struct place {
	char folder[64];
	char path[96];	   /* of the Unix socket */
	char address[128]; /* as given to fabric_listen() */
	struct fabric_region region;
	uint8_t *memory; /* the region, to be written */
	struct fabric_listener *listener;
	char client_address[160];
	const char *carrier; /* the fabric, or what a faulty one wraps */
	bool is_faulty;
	/* May be set before listening and before connecting. */
	bool without_region;
	uint32_t server_inbox_size;
	uint32_t client_inbox_size;
};

/* An address of an RDMA device: the one that CATFISH_TEST_RDMA_ADDRESS names,
 * or the first that there is; NULL when there is none. */
const char *rdma_address(void);

/* Why tests of a fabric can't run here; NULL when they can. */
const char *why_no_fabric(const char *fabric);

/* Makes a place of a fabric, "shm", "verbs" or "tcp", and listens at it; with
 * "faulty:" before that, the links of its clients are faulty. */
void place_open(struct place *place, const char *fabric);

/* The same without listening. */
void place_prepare(struct place *place, const char *fabric);
void place_listen(struct place *place);
void place_close(struct place *place);

/* The address that clients connect to. */
const char *place_address(const struct place *place);

/* A client that connects in a thread of its own, as connecting waits for the
 * server to accept.  Fields up to the first result may be set before. */
struct dial {
	char address[128];
	uint8_t hello[FABRIC_HELLO_SIZE];
	uint32_t inbox_size;
	uint64_t timeout_ns;

	uint8_t answer[FABRIC_HELLO_SIZE];
	struct fabric_link *link;
	int error;
	char text[512];
	pthread_t thread;
};

void dial_init(struct dial *dial, const char *address);
void dial_begin(struct dial *dial);
/* Waits for the result and returns 'error'. */
int dial_end(struct dial *dial);

/* Waits for the next client. */
struct fabric_link *await_client(struct place *place,
				 uint8_t hello[FABRIC_HELLO_SIZE]);

/* Connects a client and accepts it. */
void connect_pair(struct place *place, struct fabric_link **server,
		  struct fabric_link **client);

/* Waits, spinning or sleeping, for the next event; returns what fabric_poll()
 * returned. */
int spin_for_event(struct fabric_link *link, struct fabric_event *event);
int sleep_for_event(struct fabric_link *link, struct fabric_event *event);

/* Sleeps until the link's descriptor is ready; false after 'timeout_ms'. */
bool wait_ready(struct fabric_link *link, int timeout_ms);

/* Waits for an announced WRITE and returns its immediate. */
uint32_t await_immediate(struct fabric_link *link);

/* Descriptors that are open in this process. */
int count_fds(void);

/* Fails the test when it is the test's own process, ends a child. */
#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			must_failed(__FILE__, __LINE__, #condition);           \
	} while (0)
void must_failed(const char *file, int line, const char *condition)
	__attribute__((noreturn));

/* Runs a function in a child process, which then waits to be killed unless the
 * function ends it. */
pid_t start_child(void (*run)(void *), void *context);
void kill_child(pid_t child);

#endif
