/* SPDX-License-Identifier: BSD-2-Clause */

/* crowd: connections that do nothing, or that stop reading in the middle of a
 * large answer, so that bench/many-clients can see what the others have of
 * them.  Says "ready" once all stand, and holds them until its standard input
 * ends, or it does. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "client/catfish.h"

enum { TAKEN = 100 };

struct crowd {
	const char *address;
	uint64_t count;
	bool is_stuck;
};

static int parse_options(struct crowd *crowd, int argc, char **argv);
static int gather(const struct crowd *crowd);
static int read_some(struct catfish *server);
static void hold(void);

int main(int argc, char **argv)
{
	struct crowd crowd = {.count = 1};

	program_init("crowd");
	int error = parse_options(&crowd, argc, argv);
	if (!error)
		error = gather(&crowd);
	return error ? (int)program_fail(error) : 0;
}

static int parse_options(struct crowd *crowd, int argc, char **argv)
{
	static const struct option names[] = {
		{"server", required_argument, NULL, 'a'},
		{"count", required_argument, NULL, 'n'},
		{"stuck", no_argument, NULL, 's'},
		{0},
	};
	int option, error = 0;

	while (!error &&
	       (option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'a')
			crowd->address = optarg;
		else if (option == 'n')
			error = parse_uint64(optarg, &crowd->count);
		else if (option == 's')
			crowd->is_stuck = true;
		else
			error = ERR_USAGE;
	}
	if (error || !crowd->address || optind < argc)
		return err_set(ERR_USAGE, "usage: bench/crowd --server ADDR "
					  "[--count N] [--stuck]");
	return 0;
}

/* A connection over shared memory has a handful of descriptors. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* None is closed: the process's end does that. */
static int gather(const struct crowd *crowd)
{
	static const struct catfish_options messaging = {
		.policy = CATFISH_POLICY_MESSAGING,
	};

	allow_descriptors();
	for (uint64_t i = 0; i < crowd->count; i++) {
		struct catfish *server;
		int error =
			catfish_connect(crowd->address, &messaging, &server);
		if (error)
			return err_set(
				ERR_CONNECTION,
				"connection %" PRIu64 " of %" PRIu64 ": %s",
				i + 1, crowd->count, catfish_error_text());
		if (crowd->is_stuck && i + 1 == crowd->count)
			return read_some(server);
	}
	hold();
	return 0;
}

static void hold(void)
{
	char byte;

	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

/* The rest of the answer is left where it is, until this process ends. */
static int stop_reading(void *context, int64_t id, const double *box)
{
	int *taken = context;

	if (++*taken < TAKEN)
		return 0;
	hold();
	exit(0);
}

static int read_some(struct catfish *server)
{
	const struct catfish_query all = {
		.box = {-1e300, -1e300, 1e300, 1e300}};
	int taken = 0;

	if (catfish_search(server, &all, stop_reading, &taken, NULL))
		return err_set(ERR_CONNECTION, "%s", catfish_error_text());
	return err_set(ERR_USAGE, "the server has fewer than %d items", TAKEN);
}
