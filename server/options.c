/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/clock.h"
#include "base/dimensions.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "fabric/fabric.h"
#include "server/connection.h"
#include "server/placement.h"

#define LEASE_DEFAULT_NS      (50 * NS_PER_MS)
#define LEASE_MIN_NS	      (1 * NS_PER_MS)
#define LEASE_MAX_NS	      (60 * NS_PER_S)
#define HEARTBEAT_DEFAULT_NS  (10 * NS_PER_MS)
#define HEARTBEAT_MIN_NS      (1 * NS_PER_MS)
#define HEARTBEAT_MAX_NS      (60 * NS_PER_S)
#define PATIENCE_MIN_NS	      (100 * NS_PER_MS)
#define PATIENCE_MAX_NS	      (600 * NS_PER_S)
#define SPIN_DEFAULT_NS	      (50 * NS_PER_US)
#define SPIN_MAX_NS	      (1 * NS_PER_S)
#define STALL_DEFAULT_NS      (10 * NS_PER_S)
#define CLIENT_MEMORY_DEFAULT UINT64_C(2097152)

enum {
	SOCKET_MODE_DEFAULT = 0600,
	PUSH_BACK_DEFAULT = 64,
	THREADS_MAX = 1024,
	NODES_MAX = 1024,
};

static const char usage[] =
	"Usage: catfishd --listen ADDR [--listen ADDR ...] [options]\n"
	"\n"
	"Serves a spatial R-tree that clients search and change by messages, "
	"and, on\n"
	"the same host, search by reading its memory themselves.\n"
	"\n"
	"  --listen ADDR       shm:///path/to.sock, verbs://host:port or "
	"tcp://host:port\n"
	"                      (IPv6: [address]); may be given several times\n"
	"  --region FILE       read the items from FILE at the start and write "
	"them back\n"
	"                      at the end; a missing file is made\n"
	"  --no-save           don't write them back\n"
	"  --dimensions N      of the items, 2 or 3 [FILE's, or 2]\n"
	"  --memory SIZE       of the whole region [a quarter of this "
	"machine's]\n"
	"  --threads N         that search and answer [one for each processor]\n"
	"  --numa-node N       keep threads and memory to one node [the RDMA "
	"device's]\n"
	"  --lease TIME        for which replaced pages stay as they were "
	"[50ms]\n"
	"  --heartbeat TIME    between two reports of the load to clients "
	"[10ms]\n"
	"  --spin TIME         for which threads look for more requests before "
	"they sleep\n"
	"                      [50us; 0: they sleep at once]\n"
	"  --push-back N       clients that wait for a thread, from which on it "
	"leaves\n"
	"                      searches to clients that can read its memory [64; "
	"1000: never]\n"
	"  --max-clients N     connected at a time [1000]\n"
	"  --max-memory-per-client SIZE\n"
	"                      of rings and requests; a client that wants more is "
	"refused [2M]\n"
	"  --stall-timeout TIME\n"
	"                      after which a client that takes nothing of its "
	"answer is\n"
	"                      dropped [10s]\n"
	"  --socket-mode MODE  permissions of Unix sockets, in octal [0600]\n"
	"  --device NAME       RDMA device of verbs:// addresses [the address's]\n"
	"  --link-speed RATE   of its link, such as 100G, in bits per second [as "
	"it says]\n"
	"  --link-timeout TIME after which a silent client over RDMA has gone "
	"[3s]\n"
	"  --help              show this\n"
	"  --version           show the version\n"
	"\n"
	"TIME takes us, ms or s (bare: seconds); SIZE takes K, M or G, powers "
	"of 1024\n"
	"(bare: bytes).\n"
	"\n"
	"Example: catfishd --listen shm:///run/catfish.sock --region "
	"places.region\n";

enum option_id {
	OPTION_LISTEN = 1,
	OPTION_REGION,
	OPTION_NO_SAVE,
	OPTION_DIMENSIONS,
	OPTION_MEMORY,
	OPTION_THREADS,
	OPTION_NUMA_NODE,
	OPTION_LEASE,
	OPTION_HEARTBEAT,
	OPTION_SPIN,
	OPTION_PUSH_BACK,
	OPTION_MAX_CLIENTS,
	OPTION_MAX_MEMORY,
	OPTION_STALL_TIMEOUT,
	OPTION_SOCKET_MODE,
	OPTION_DEVICE,
	OPTION_LINK_SPEED,
	OPTION_LINK_TIMEOUT,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"region", required_argument, NULL, OPTION_REGION},
	{"no-save", no_argument, NULL, OPTION_NO_SAVE},
	{"dimensions", required_argument, NULL, OPTION_DIMENSIONS},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"threads", required_argument, NULL, OPTION_THREADS},
	{"numa-node", required_argument, NULL, OPTION_NUMA_NODE},
	{"lease", required_argument, NULL, OPTION_LEASE},
	{"heartbeat", required_argument, NULL, OPTION_HEARTBEAT},
	{"spin", required_argument, NULL, OPTION_SPIN},
	{"push-back", required_argument, NULL, OPTION_PUSH_BACK},
	{"max-clients", required_argument, NULL, OPTION_MAX_CLIENTS},
	{"max-memory-per-client", required_argument, NULL, OPTION_MAX_MEMORY},
	{"stall-timeout", required_argument, NULL, OPTION_STALL_TIMEOUT},
	{"socket-mode", required_argument, NULL, OPTION_SOCKET_MODE},
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"link-speed", required_argument, NULL, OPTION_LINK_SPEED},
	{"link-timeout", required_argument, NULL, OPTION_LINK_TIMEOUT},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

static void set_defaults(struct options *options);
static int read_option(struct options *options, int id, const char *value);
static int show(struct options *options, int id);
static int refuse_option(char **argv);
static int check(const struct options *options, int argc, char **argv);

int options_parse(int argc, char **argv, struct options *options)
{
	int id, index = 0;

	set_defaults(options);
	options->server.addresses = calloc((size_t)argc, sizeof(char *));
	if (!options->server.addresses)
		return program_fail(err_set(ERR_NO_MEMORY, "no memory"));
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":", long_options, &index)) >= 0) {
		if (id == OPTION_HELP || id == OPTION_VERSION)
			return show(options, id);
		if (id == ':')
			return program_usage_error("%s needs a value",
						   argv[optind - 1]);
		if (id == '?')
			return refuse_option(argv);
		if (read_option(options, id, optarg))
			return program_usage_error("--%s: %s",
						   long_options[index].name,
						   err_text());
	}
	return check(options, argc, argv);
}

void options_free(struct options *options)
{
	free(options->server.addresses);
}

/* Bytes of memory, and of swap too if it is asked for. */
static uint64_t machine_memory(bool with_swap)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return UINT64_C(1) << 30;
	return ((uint64_t)info.totalram + (with_swap ? info.totalswap : 0)) *
	       info.mem_unit;
}

static void set_defaults(struct options *options)
{
	*options = (struct options){
		.server =
			{
				.socket_mode = SOCKET_MODE_DEFAULT,
				.heartbeat_ns = HEARTBEAT_DEFAULT_NS,
				.spin_ns = SPIN_DEFAULT_NS,
				.push_back = PUSH_BACK_DEFAULT,
				.stall_ns = STALL_DEFAULT_NS,
				.max_clients = CLIENTS_MAX,
				.memory_per_client = CLIENT_MEMORY_DEFAULT,
			},
		.tree =
			{
				.size = machine_memory(false) / 4,
				.lease_ns = LEASE_DEFAULT_NS,
			},
		.numa_node = PLACEMENT_BY_DEVICE,
	};
}

static int show(struct options *options, int id)
{
	options->is_done = true;
	if (id == OPTION_HELP)
		fputs(usage, stdout);
	else
		program_print_version();
	int error = program_finish_output();
	return error ? (int)program_fail(error) : EXIT_OK;
}

static int refuse_option(char **argv)
{
	/* getopt_long() has gone past a long option, but not always past a
	 * short one, and there is none. */
	if (optopt > ' ')
		return program_usage_error("unknown option '-%c'", optopt);
	return program_usage_error("unknown option '%s'", argv[optind - 1]);
}

/* --- Values ------------------------------------------------------------- */

static int read_time(const char *text, uint64_t min, uint64_t max,
		     uint64_t *time)
{
	uint64_t value;

	int error = parse_time_ns(text, &value);
	if (!error && (value < min || value > max))
		error = err_set(ERR_USAGE, "%s is not from %ums to %us", text,
				(unsigned)(min / NS_PER_MS),
				(unsigned)(max / NS_PER_S));
	if (!error)
		*time = value;
	return error;
}

static int read_number(const char *text, unsigned min, unsigned max,
		       unsigned *number)
{
	uint64_t value;

	int error = parse_uint64(text, &value);
	if (!error && (value < min || value > max))
		error = err_set(ERR_USAGE, "%s is not from %u to %u", text, min,
				max);
	if (!error)
		*number = (unsigned)value;
	return error;
}

static int read_node(const char *text, int *node)
{
	unsigned value;

	int error = read_number(text, 0, NODES_MAX - 1, &value);
	if (!error)
		*node = (int)value;
	return error;
}

static int read_client_memory(const char *text, uint64_t *size)
{
	char least[FORMAT_SIZE_SIZE];
	uint64_t min = connection_memory(FABRIC_INBOX_MIN);

	int error = parse_size(text, size);
	if (!error && *size < min)
		error = err_set(ERR_USAGE,
				"%s is less than any client takes: %s", text,
				format_size(least, min));
	return error;
}

static int read_mode(const char *text, unsigned *mode)
{
	char *end;
	unsigned long value = strtoul(text, &end, 8);

	if (!*text || strspn(text, "01234567") != strlen(text) || *end ||
	    value > 0777)
		return err_set(ERR_USAGE,
			       "expected an octal mode such as 0660, not '%s'",
			       text);
	*mode = (unsigned)value;
	return 0;
}

static int read_memory(const char *text, uint64_t *size)
{
	char have[FORMAT_SIZE_SIZE], need[FORMAT_SIZE_SIZE];
	uint64_t value;

	int error = parse_size(text, &value);
	if (error)
		return error;
	if (value < rtree_size_min())
		return err_set(ERR_USAGE, "%s is too little, the least is %s",
			       text, format_size(need, rtree_size_min()));
	if (value > machine_memory(true))
		return err_set(ERR_USAGE,
			       "%s is more than this machine has: %s", text,
			       format_size(have, machine_memory(true)));
	*size = value;
	return 0;
}

/* Bits per second, "100G": what speeds of links are named in, so its letters
 * are powers of 1000. */
static int read_rate(const char *text, uint64_t *rate)
{
	char *end;
	double value = strtod(text, &end);
	double unit = *end == 'G' ? 1e9 : *end == 'M' ? 1e6 : 1;

	if (end == text || (*end && (unit == 1 || end[1])) ||
	    !(value * unit >= 1) || value * unit > 1e15)
		return err_set(ERR_USAGE,
			       "expected a rate such as 100G or 2.5G, not '%s'",
			       text);
	*rate = (uint64_t)(value * unit);
	return 0;
}

static int read_option(struct options *options, int id, const char *value)
{
	struct server_options *server = &options->server;

	switch ((enum option_id)id) {
	case OPTION_LISTEN:
		options->tree.is_mappable |= fabric_maps_region(value);
		server->addresses[server->address_count++] = value;
		return 0;
	case OPTION_REGION:
		options->region = value;
		return *value ? 0 : err_set(ERR_USAGE, "a file has a name");
	case OPTION_NO_SAVE:
		options->no_save = true;
		return 0;
	case OPTION_DIMENSIONS:
		return dimensions_take(value);
	case OPTION_MEMORY:
		return read_memory(value, &options->tree.size);
	case OPTION_THREADS:
		return read_number(value, 1, THREADS_MAX, &server->threads);
	case OPTION_NUMA_NODE:
		return read_node(value, &options->numa_node);
	case OPTION_LEASE:
		return read_time(value, LEASE_MIN_NS, LEASE_MAX_NS,
				 &options->tree.lease_ns);
	case OPTION_HEARTBEAT:
		return read_time(value, HEARTBEAT_MIN_NS, HEARTBEAT_MAX_NS,
				 &server->heartbeat_ns);
	case OPTION_SPIN:
		return read_time(value, 0, SPIN_MAX_NS, &server->spin_ns);
	case OPTION_MAX_CLIENTS:
		return read_number(value, 1, CLIENTS_MAX, &server->max_clients);
	case OPTION_PUSH_BACK:
		return read_number(value, 0, CLIENTS_MAX, &server->push_back);
	case OPTION_MAX_MEMORY:
		return read_client_memory(value, &server->memory_per_client);
	case OPTION_STALL_TIMEOUT:
		return read_time(value, PATIENCE_MIN_NS, PATIENCE_MAX_NS,
				 &server->stall_ns);
	case OPTION_SOCKET_MODE:
		return read_mode(value, &server->socket_mode);
	case OPTION_DEVICE:
		server->device = value;
		return 0;
	case OPTION_LINK_SPEED:
		return read_rate(value, &server->link_speed);
	case OPTION_LINK_TIMEOUT:
		return read_time(value, PATIENCE_MIN_NS, PATIENCE_MAX_NS,
				 &server->silence_ns);
	case OPTION_HELP:
	case OPTION_VERSION:
		break;
	}
	return 0;
}

static int check(const struct options *options, int argc, char **argv)
{
	if (optind < argc)
		return program_usage_error("'%s' is no option", argv[optind]);
	if (!options->server.address_count)
		return program_usage_error("--listen ADDR is missing");
	if (options->no_save && !options->region)
		return program_usage_error("--no-save needs --region FILE");
	return EXIT_OK;
}
