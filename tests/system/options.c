/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/system/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"

static const char help[] =
	"Usage: version-checker [OPTION...]\n"
	"Starts a server, writes and searches at full speed, and compares "
	"every answer\n"
	"with the items of exactly the version that it names.\n"
	"\n"
	"  --seconds TIME     how long [20]\n"
	"  --answers N        end once so many are compared; fewer in that time\n"
	"                     are too few\n"
	"  --seed N           of writes and queries [1]\n"
	"  --writers N        connections that write [2]\n"
	"  --readers N        connections that search, by each path [1]\n"
	"  --fabric shm|tcp|faulty|ADDR\n"
	"                     that all connect by [shm]; an address, such as\n"
	"                     verbs://HOST:0, is one more for the server\n"
	"  --paths LIST       of messaging,copy,mapped [all of the fabric]\n"
	"  --fill             with --changes 1: more items than there is "
	"room for\n"
	"  --stops N          times that each reading process is stopped for "
	"ten leases [0]\n"
	"  --items N          at most at a time [3000]\n"
	"  --changes N        of items in a request, at most [64]\n"
	"  --together N       searches that a reader has under way at most "
	"[6]\n"
	"  --server PATH      catfishd, or another build of it [catfishd]\n"
	"  --memory SIZE      of the server's region [8M]\n"
	"  --lease TIME       of the server [5ms]\n"
	"  --threads N        of the server [2]\n"
	"  --push-back N      of the server; searches by messaging may be left "
	"to the\n"
	"                     clients then\n"
	"  --server-env NAME=VALUE\n"
	"  --client-env NAME=VALUE\n"
	"                     a setting for these processes alone\n"
	"      --help, --version\n"
	"\n"
	"Exit status: 0 all answers were right, 1 some were not, 2 usage, 3 all "
	"were right,\n"
	"but in this run hardly one could have been wrong.\n";

enum option_code {
	OPTION_SECONDS = 1,
	OPTION_ANSWERS,
	OPTION_SEED,
	OPTION_WRITERS,
	OPTION_READERS,
	OPTION_FABRIC,
	OPTION_PATHS,
	OPTION_FILL,
	OPTION_STOPS,
	OPTION_ITEMS,
	OPTION_CHANGES,
	OPTION_TOGETHER,
	OPTION_SERVER,
	OPTION_MEMORY,
	OPTION_LEASE,
	OPTION_THREADS,
	OPTION_PUSH_BACK,
	OPTION_SERVER_ENV,
	OPTION_CLIENT_ENV,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"answers", required_argument, NULL, OPTION_ANSWERS},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"writers", required_argument, NULL, OPTION_WRITERS},
	{"readers", required_argument, NULL, OPTION_READERS},
	{"fabric", required_argument, NULL, OPTION_FABRIC},
	{"paths", required_argument, NULL, OPTION_PATHS},
	{"fill", no_argument, NULL, OPTION_FILL},
	{"stops", required_argument, NULL, OPTION_STOPS},
	{"items", required_argument, NULL, OPTION_ITEMS},
	{"changes", required_argument, NULL, OPTION_CHANGES},
	{"together", required_argument, NULL, OPTION_TOGETHER},
	{"server", required_argument, NULL, OPTION_SERVER},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"lease", required_argument, NULL, OPTION_LEASE},
	{"threads", required_argument, NULL, OPTION_THREADS},
	{"push-back", required_argument, NULL, OPTION_PUSH_BACK},
	{"server-env", required_argument, NULL, OPTION_SERVER_ENV},
	{"client-env", required_argument, NULL, OPTION_CLIENT_ENV},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static int take(struct options *options, enum option_code code, char *value);
static int take_fabric(struct options *options, const char *name);
static int take_paths(struct options *options, const char *list);
static int take_setting(struct environment *environment, char *setting);
static int check(struct options *options);

int options_parse(int argc, char **argv, struct options *options)
{
	static char server[] = "catfishd", memory[] = "8M", lease[] = "5ms",
		    threads[] = "2";
	int code, error = 0;

	*options = (struct options){
		.time_ns = 20 * NS_PER_S,
		.seed = 1,
		.writers = 2,
		.readers = 1,
		.items = 3000,
		.changes = CHANGES_MAX,
		.together = 6,
		.fabric = "shm",
		.server = server,
		.memory = memory,
		.lease = lease,
		.threads = threads,
	};
	while (!error &&
	       (code = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		error = code == '?' ? err_set(ERR_USAGE, "no such option")
				    : take(options, code, optarg);
	if (!error && optind < argc)
		error = err_set(ERR_USAGE, "what is '%s'?", argv[optind]);
	if (!error)
		error = check(options);
	return error ? (int)program_usage_error("%s", err_text()) : EXIT_OK;
}

static int take(struct options *options, enum option_code code, char *value)
{
	switch (code) {
	case OPTION_SECONDS:
		return parse_time_ns(value, &options->time_ns);
	case OPTION_ANSWERS:
		return parse_uint64(value, &options->answers);
	case OPTION_SEED:
		return parse_uint64(value, &options->seed);
	case OPTION_WRITERS:
		return parse_uint64(value, &options->writers);
	case OPTION_READERS:
		return parse_uint64(value, &options->readers);
	case OPTION_FABRIC:
		return take_fabric(options, value);
	case OPTION_PATHS:
		return take_paths(options, value);
	case OPTION_FILL:
		options->fills = true;
		break;
	case OPTION_STOPS:
		return parse_uint64(value, &options->stops);
	case OPTION_ITEMS:
		return parse_uint64(value, &options->items);
	case OPTION_CHANGES:
		return parse_uint64(value, &options->changes);
	case OPTION_TOGETHER:
		return parse_uint64(value, &options->together);
	case OPTION_SERVER:
		options->server = value;
		break;
	case OPTION_MEMORY:
		options->memory = value;
		break;
	case OPTION_LEASE:
		options->lease = value;
		break;
	case OPTION_THREADS:
		options->threads = value;
		break;
	case OPTION_PUSH_BACK:
		options->push_back = value;
		break;
	case OPTION_SERVER_ENV:
		return take_setting(&options->of_server, value);
	case OPTION_CLIENT_ENV:
		return take_setting(&options->of_clients, value);
	case OPTION_HELP:
		fputs(help, stdout);
		options->is_done = true;
		break;
	case OPTION_VERSION:
		program_print_version();
		options->is_done = true;
		break;
	}
	return 0;
}

static int take_fabric(struct options *options, const char *name)
{
	options->is_faulty = strcmp(name, "faulty") == 0;
	options->fabric = options->is_faulty ? "shm" : name;
	if (options->is_faulty || strstr(name, "://") || !strcmp(name, "shm") ||
	    !strcmp(name, "tcp"))
		return 0;
	return err_set(ERR_USAGE, "there is no fabric '%s'", name);
}

static int take_paths(struct options *options, const char *list)
{
	while (*list) {
		size_t length = strcspn(list, ",");
		int path = 0;

		while (path < PATH_COUNT &&
		       (strlen(path_name[path]) != length ||
			strncmp(list, path_name[path], length) != 0))
			path++;
		if (path == PATH_COUNT)
			return err_set(ERR_USAGE, "there is no path '%.*s'",
				       (int)length, list);
		options->paths[path] = true;
		list += length + (list[length] == ',');
	}
	return 0;
}

static int take_setting(struct environment *environment, char *setting)
{
	if (!strchr(setting, '='))
		return err_set(ERR_USAGE, "'%s' is not NAME=VALUE", setting);
	if (environment->count == ENVIRONMENT_MAX)
		return err_set(ERR_USAGE, "at most %d settings",
			       ENVIRONMENT_MAX);
	environment->setting[environment->count++] = setting;
	return 0;
}

/* The paths that there are, from the first on. */
static int path_count(const struct options *options)
{
	if (!strncmp(options->fabric, "tcp", 3))
		return PATH_MESSAGING + 1;
	return options->is_faulty || strncmp(options->fabric, "shm", 3)
		       ? PATH_COPY + 1
		       : PATH_COUNT;
}

static int check(struct options *options)
{
	const bool *paths = options->paths;
	int count = path_count(options);

	for (int path = count; path < PATH_COUNT; path++)
		if (paths[path])
			return err_set(ERR_USAGE, "%s has no path '%s'",
				       options->fabric, path_name[path]);
	if (!paths[PATH_MESSAGING] && !paths[PATH_COPY] && !paths[PATH_MAPPED])
		memset(options->paths, true, (size_t)count);
	if (options->writers < 1 || options->writers > WRITERS_MAX)
		return err_set(ERR_USAGE, "1 to %d writers", WRITERS_MAX);
	if (options->readers < 1 || options->readers > READERS_MAX)
		return err_set(ERR_USAGE, "1 to %d readers", READERS_MAX);
	if (options->items < 1 || options->items > 10000000)
		return err_set(ERR_USAGE, "1 to 10,000,000 items");
	if (options->changes < 1 || options->changes > CHANGES_MAX)
		return err_set(ERR_USAGE, "1 to %d changes", CHANGES_MAX);
	if (options->together < 1 || options->together > TOGETHER_MAX)
		return err_set(ERR_USAGE, "1 to %d searches together",
			       TOGETHER_MAX);
	return 0;
}
