/* SPDX-License-Identifier: BSD-2-Clause */

/* loop-client: one connection that does the same thing again and again until
 * something goes wrong, and then says what.
 *
 *	loop-client [--path PATH] [--step] ADDRESS FIRST COUNT
 *		searches for everything, and wants each time exactly the items
 *		FIRST ... FIRST + COUNT - 1.  Says "asked" after the first
 *		answer.  With --step each search waits for a line of input and
 *		says "asked" when it is answered.
 *	loop-client --write [--count N] ADDRESS FIRST
 *		inserts the items FIRST, FIRST + 1, ..., and says "asked" after
 *		the first request and "acknowledged N" at the end.
 *
 * Exit status: that of catfish for an error of the connection, 9 for a wrong
 * answer.  It never runs for more than two minutes. */

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "client/catfish.h"

enum {
	WRONG_ANSWER = 9,
	BATCH_MAX = 64,
	TIME_MAX_S = 120,
};

static struct catfish_options connect_options = {
	.reconnect_ms = CATFISH_NO_RECONNECT,
};
static bool step;
static volatile sig_atomic_t writes;
static const char *address;
static uint64_t first, count = UINT64_MAX;

/* What has come of one answer. */
struct seen {
	uint8_t *is_seen; /* by id - first */
	uint64_t count;
	bool is_wrong;
};

static int take_arguments(int argc, char **argv);
static int search_on(struct catfish *server);
static int write_on(struct catfish *server);
static struct catfish_item item_of(uint64_t id);
static int fail(int error);

static void stop_writing(int number)
{
	writes = false;
}

int main(int argc, char **argv)
{
	struct catfish *server;

	program_init("loop-client");
	int status = take_arguments(argc, argv);
	if (status)
		return status;
	signal(SIGTERM, stop_writing);
	signal(SIGPIPE, SIG_IGN);
	alarm(TIME_MAX_S);
	int error = catfish_connect(address, &connect_options, &server);
	if (error)
		return fail(error);
	status = writes ? write_on(server) : search_on(server);
	catfish_close(server);
	return status;
}

/* --- Arguments ---------------------------------------------------------- */

static int take_path(const char *name)
{
	connect_options.policy = CATFISH_POLICY_OFFLOAD;
	if (strcmp(name, "copy") == 0)
		connect_options.offload = CATFISH_OFFLOAD_COPY;
	else if (strcmp(name, "mapped") == 0)
		connect_options.offload = CATFISH_OFFLOAD_MAPPED;
	else if (strcmp(name, "messaging") == 0)
		connect_options.policy = CATFISH_POLICY_MESSAGING;
	else
		return err_set(ERR_USAGE, "there is no path '%s'", name);
	return 0;
}

static int take_option(int code, const char *value)
{
	uint64_t timeout_ms;
	int error;

	switch (code) {
	case 'p':
		return take_path(value);
	case 's':
		step = true;
		return 0;
	case 'w':
		writes = true;
		return 0;
	case 'c':
		return parse_uint64(value, &count);
	case 't':
		error = parse_uint64(value, &timeout_ms);
		connect_options.timeout_ms = (uint32_t)timeout_ms;
		return error;
	default:
		return err_set(ERR_USAGE, "no such option");
	}
}

static int take_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{"path", required_argument, NULL, 'p'},
		{"step", no_argument, NULL, 's'},
		{"write", no_argument, NULL, 'w'},
		{"count", required_argument, NULL, 'c'},
		{"timeout-ms", required_argument, NULL, 't'},
		{0},
	};
	int code, error = 0;

	while (!error &&
	       (code = getopt_long(argc, argv, "", options, NULL)) != -1)
		error = take_option(code, optarg);
	if (!error && argc - optind != (writes ? 2 : 3))
		error = err_set(ERR_USAGE, "an address and numbers are wanted");
	if (!error) {
		address = argv[optind];
		error = parse_uint64(argv[optind + 1], &first);
	}
	if (!error && !writes)
		error = parse_uint64(argv[optind + 2], &count);
	return error ? (int)program_usage_error("%s", err_text()) : EXIT_OK;
}

static int fail(int error)
{
	fprintf(stderr, "loop-client: %s\n", catfish_error_text());
	return error == CATFISH_ERROR_CONNECTION ||
			       error == CATFISH_ERROR_PROTOCOL
		       ? EXIT_NO_CONNECTION
	       : error == CATFISH_ERROR_BUSY	? EXIT_BUSY
	       : error == CATFISH_ERROR_DAMAGED ? EXIT_DAMAGED
	       : error == CATFISH_ERROR_NO_ROOM ? EXIT_NO_ROOM
						: EXIT_NOTHING_FOUND;
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

/* --- Searching ---------------------------------------------------------- */

static int see(void *context, int64_t id, const double box[4])
{
	struct seen *seen = context;
	uint64_t place = (uint64_t)id - first;
	struct catfish_item item = item_of((uint64_t)id);

	seen->count++;
	if (place >= count || seen->is_seen[place]++ ||
	    memcmp(item.box, box, sizeof(item.box)) != 0)
		seen->is_wrong = true;
	return 0;
}

/* A search of which nothing but what it handed out before it failed may have
 * been right. */
static int search_once(struct catfish *server, struct seen *seen)
{
	const struct catfish_query everything = {
		.box = {-1, -1, 2, 2},
		.relation = CATFISH_INTERSECTS,
	};
	struct catfish_answer answer = {0};

	memset(seen->is_seen, 0, count);
	seen->count = 0;
	int error = catfish_search(server, &everything, see, seen, &answer);
	if (!seen->is_wrong &&
	    (error || (seen->count == count && answer.count == count)))
		return error ? fail(error) : EXIT_OK;
	printf("WRONG ANSWER of identity %" PRIx64 ", version %" PRIu64
	       ": %" PRIu64 " items, %s of the %" PRIu64 " expected\n",
	       answer.identity, answer.version, seen->count,
	       seen->is_wrong ? "not all" : "not as many as", count);
	return WRONG_ANSWER;
}

static bool await_step(void)
{
	char line[64];

	return fgets(line, sizeof(line), stdin) != NULL;
}

static int search_on(struct catfish *server)
{
	struct seen seen = {.is_seen = calloc(count, 1)};
	uint64_t answers = 0;
	int status = EXIT_OK;

	if (!seen.is_seen)
		return EXIT_NO_ROOM;
	while (status == EXIT_OK && (!step || await_step())) {
		status = search_once(server, &seen);
		if (status == EXIT_OK && (step || answers++ == 0))
			say("asked");
	}
	free(seen.is_seen);
	return status;
}

/* --- Writing ------------------------------------------------------------ */

static struct catfish_item item_of(uint64_t id)
{
	/* Spread over the unit square by an odd number's multiples. */
	double x = (double)(uint32_t)(id * 2654435761u) / 4294967296.0;
	double y = (double)(uint32_t)(id * 2246822519u) / 4294967296.0;

	return (struct catfish_item){
		.id = (int64_t)id,
		.box = {x, y, x + 0x1p-10, y + 0x1p-11},
	};
}

static int write_on(struct catfish *server)
{
	struct catfish_item items[BATCH_MAX];
	uint64_t done = 0;
	int error = 0;

	while (!error && writes && done < count) {
		uint64_t batch = done % BATCH_MAX + 1;
		struct catfish_written written;

		if (batch > count - done)
			batch = count - done;
		for (uint64_t i = 0; i < batch; i++)
			items[i] = item_of(first + done + i);
		error = catfish_insert(server, items, batch, &written);
		if (!error && done == 0)
			say("asked");
		done += written.applied;
	}
	printf("acknowledged %" PRIu64 "\n", done);
	return error ? fail(error) : EXIT_OK;
}
