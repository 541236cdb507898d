/* SPDX-License-Identifier: BSD-2-Clause */

/* link-bench: what the fabric itself takes, below trees and messages.
 *
 * Connects to itself at an address and times one operation after the other, as
 * perftest's ib_read_lat and ib_write_lat do: a READ of so many bytes until it
 * is told to the caller, whose server does nothing meanwhile; or a WRITE of so
 * many bytes that is announced and echoed, of which half is taken.  Both spin.
 * Prints a line of JSON. */

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "fabric/fabric.h"

enum {
	REGION_SIZE = 1 << 20,
	INBOX_SIZE = 1 << 17,
	BYTES_MAX = 1 << 16,
	WARM_UP = 100,
	ITERATIONS_MAX = 10000000,
};

struct bench {
	const char *address;
	uint64_t size, iterations;
	bool is_write;

	struct fabric_region region;
	struct fabric_listener *listener;
	struct fabric_link *server, *client;
	pthread_t thread;
	int server_error; /* the thread's */
	char why[256];
	uint64_t *ns; /* of each operation */
};

static int parse_options(struct bench *b, int argc, char **argv);
static int listen_here(struct bench *b);
static void *serve(void *bench);
static int connect_here(struct bench *b);
static int measure(struct bench *b);
static void report(struct bench *b);

int main(int argc, char **argv)
{
	static struct bench b = {.iterations = 1000};

	program_init("link-bench");
	int error = parse_options(&b, argc, argv);
	if (!error)
		error = listen_here(&b);
	if (error)
		return (int)program_fail(error);
	pthread_create(&b.thread, NULL, serve, &b);
	error = connect_here(&b);
	if (!error)
		error = measure(&b);
	if (error)
		return (int)program_fail(error);
	report(&b);
	fabric_close(b.client);
	pthread_join(b.thread, NULL);
	fabric_close(b.server);
	fabric_listener_close(b.listener);
	if (b.server_error)
		return (int)program_fail(err_set(b.server_error, "%s", b.why));
	error = program_finish_output();
	return error ? (int)program_fail(error) : EXIT_OK;
}

/* --- The server's end --------------------------------------------------- */

static int listen_here(struct bench *b)
{
	const struct fabric_listen_options options = {
		.region = &b->region,
		.inbox_size = INBOX_SIZE,
		.socket_mode = 0600,
	};

	b->ns = calloc(b->iterations, sizeof(*b->ns));
	b->region.fd =
		memfd_create("link-bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (!b->ns || b->region.fd < 0 ||
	    posix_fallocate(b->region.fd, 0, REGION_SIZE))
		return err_set(ERR_NO_MEMORY, "no memory");
	b->region.size = REGION_SIZE;
	uint32_t *memory = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED, b->region.fd, 0);
	if (memory == MAP_FAILED)
		return err_set(ERR_NO_MEMORY, "no memory");
	/* Clients that share memory look here whether the owner lives. */
	memory[0] = (uint32_t)gettid();
	b->region.memory = memory;
	return fabric_listen(b->address, &options, &b->listener);
}

static int accept_client(struct bench *b)
{
	struct pollfd ready = {fabric_listener_fd(b->listener), POLLIN, 0};
	uint8_t hello[FABRIC_HELLO_SIZE];
	int error;

	while ((error = fabric_listener_next(b->listener, &b->server, hello)) ==
	       ERR_AGAIN)
		poll(&ready, 1, -1);
	return error ? error : fabric_accept(b->server, hello);
}

/* Echoes every WRITE until the client has gone. */
static void echo(const struct bench *b)
{
	static uint8_t bytes[BYTES_MAX];
	struct fabric_event event;
	int count;

	while ((count = fabric_poll(b->server, &event, 1)) >= 0)
		if (count && fabric_write(b->server, 0, bytes,
					  (uint32_t)b->size, event.immediate))
			return;
}

/* A server whose memory is READ has nothing to do, as it should. */
static void *serve(void *bench)
{
	struct bench *b = bench;

	b->server_error = accept_client(b);
	if (b->server_error)
		snprintf(b->why, sizeof(b->why), "%s", err_text());
	else if (b->is_write)
		echo(b);
	return NULL;
}

/* --- The client's ------------------------------------------------------- */

static int connect_here(struct bench *b)
{
	const struct fabric_connect_options options = {
		.inbox_size = INBOX_SIZE,
		.timeout_ns = 10 * NS_PER_S,
	};
	const uint8_t hello[FABRIC_HELLO_SIZE] = {0};
	uint8_t answer[FABRIC_HELLO_SIZE];

	return fabric_connect(fabric_listener_address(b->listener), hello,
			      &options, answer, &b->client);
}

static int await_event(struct bench *b)
{
	struct fabric_event event;
	int count;

	while (!(count = fabric_poll(b->client, &event, 1)))
		;
	return count < 0 ? count : 0;
}

static int operate(struct bench *b)
{
	static uint8_t bytes[BYTES_MAX];
	const struct fabric_read read = {0, bytes, (uint32_t)b->size};

	int error = b->is_write ? fabric_write(b->client, 0, bytes,
					       (uint32_t)b->size, 1)
				: fabric_read(b->client, &read, 1, 1);
	return error ? error : await_event(b);
}

static int measure(struct bench *b)
{
	int error = 0;

	for (int i = 0; !error && i < WARM_UP; i++)
		error = operate(b);
	for (uint64_t i = 0; !error && i < b->iterations; i++) {
		uint64_t begin = clock_now_ns();
		error = operate(b);
		b->ns[i] = clock_now_ns() - begin;
	}
	return error;
}

/* --- Figures ------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* In microseconds; an echo is there and back. */
static double figure(const struct bench *b, double part)
{
	uint64_t at = (uint64_t)(part * (double)(b->iterations - 1));

	return (double)b->ns[at] / (b->is_write ? 2e3 : 1e3);
}

static void report(struct bench *b)
{
	qsort(b->ns, b->iterations, sizeof(*b->ns), compare);
	printf("{\"operation\":\"%s\",\"bytes\":%" PRIu64
	       ",\"iterations\":%" PRIu64
	       ",\"least_us\":%.2f,\"median_us\":%.2f,\"p99_us\":%.2f}\n",
	       b->is_write ? "write" : "read", b->size, b->iterations,
	       figure(b, 0), figure(b, 0.5), figure(b, 0.99));
}

/* --- The command line --------------------------------------------------- */

static const char help[] =
	"usage: link-bench --address ADDR --read SIZE | --write SIZE\n"
	"                  [--iterations N]\n"
	"\n"
	"Listens at ADDR (verbs://10.0.0.1:0, shm:///tmp/link.sock, ...), "
	"connects to\n"
	"itself and times READs of SIZE bytes, or WRITEs that are echoed, "
	"halved, one\n"
	"after the other (1000).\n";

static int parse_options(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		{"address", required_argument, NULL, 'a'},
		{"read", required_argument, NULL, 'r'},
		{"write", required_argument, NULL, 'w'},
		{"iterations", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option, error = 0;

	while (!error &&
	       (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'a':
			b->address = optarg;
			break;
		case 'r':
		case 'w':
			b->is_write = option == 'w';
			error = parse_size(optarg, &b->size);
			break;
		case 'n':
			error = parse_uint64(optarg, &b->iterations);
			break;
		case 'h':
			fputs(help, stdout);
			exit(program_finish_output() ? EXIT_NO_ROOM : EXIT_OK);
		default:
			return err_set(ERR_USAGE, "see link-bench --help");
		}
	}
	if (!error &&
	    (!b->address || optind < argc || !b->size || b->size > BYTES_MAX ||
	     !b->iterations || b->iterations > ITERATIONS_MAX))
		return err_set(ERR_USAGE, "see link-bench --help");
	return error;
}
