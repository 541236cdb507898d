/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/dimensions.h"
#include "base/err.h"

static struct {
	const char *address;
	const char *device;
	uint64_t timeout_ns;
} options = {.timeout_ns = 10 * NS_PER_S};

const struct command_option server_options[] = {
	{
		.name = "server",
		.value = "ADDR",
		.help = "shm:///path/to.sock, verbs://host:port or\ntcp://host:port\n"
			"(default: the environment's CATFISH_SERVER)",
		.take = options_take_text,
		.to = &options.address,
	},
	{
		.name = "device",
		.value = "NAME",
		.help = "RDMA device to reach a verbs:// address by\n"
			"(default: what the route to it takes)",
		.take = options_take_text,
		.to = &options.device,
	},
	{
		.name = "timeout",
		.value = "TIME",
		.help = "longest wait for an answer (default: 10s)",
		.take = options_take_time_ns,
		.to = &options.timeout_ns,
	},
	{0},
};

/* A connection by messaging is unsupported only when the server's items have
 * other dimensions. */
static int follow_server(int error)
{
	int failed = error == ERR_UNSUPPORTED ? dimensions_follow(3) : 0;

	return failed ? failed : error;
}

bool server_is_named(void)
{
	return options.address;
}

int server_open(const struct catfish_options *how, struct catfish **server)
{
	static const struct catfish_options messaging = {
		.policy = CATFISH_POLICY_MESSAGING,
	};
	uint64_t timeout_ms = options.timeout_ns / NS_PER_MS;
	const char *address = options.address;

	if (!how)
		how = &messaging;
	if (!address)
		address = getenv("CATFISH_SERVER");
	if (!address || !*address)
		return err_set(ERR_USAGE, "which server? give --server ADDR, "
					  "or set CATFISH_SERVER");
	if (!timeout_ms || timeout_ms > UINT32_MAX)
		return err_set(ERR_USAGE,
			       "--timeout: between 1ms and 49 days, please");

	struct catfish_options timed = *how;
	timed.timeout_ms = (uint32_t)timeout_ms;
	timed.device = options.device;
	return server_open_at(address, &timed, server);
}

int server_open_at(const char *address, const struct catfish_options *how,
		   struct catfish **server)
{
	const struct catfish_options connect = {
		.timeout_ms = how->timeout_ms,
		.device = how->device,
		.cache_size = how->cache_size,
		.policy = CATFISH_POLICY_MESSAGING,
		.threshold = how->threshold,
		.backoff = how->backoff,
		.exploration = how->exploration,
		.seed = how->seed,
	};
	struct catfish *opened;
	int error = server_result(catfish_connect(address, &connect, &opened));
	if (error)
		return follow_server(error);
	error = server_result(
		catfish_set_policy(opened, how->policy, how->offload));
	if (error)
		catfish_close(opened);
	else
		*server = opened;
	return error;
}

static int base_error(int result)
{
	switch ((enum catfish_error)result) {
	case CATFISH_OK:
		return 0;
	case CATFISH_ERROR_USAGE:
		return ERR_USAGE;
	case CATFISH_ERROR_UNSUPPORTED:
		return ERR_UNSUPPORTED;
	case CATFISH_ERROR_CONNECTION:
		return ERR_CONNECTION;
	case CATFISH_ERROR_PROTOCOL:
		return ERR_PROTOCOL;
	case CATFISH_ERROR_BUSY:
		return ERR_BUSY;
	case CATFISH_ERROR_DATA:
		return ERR_DATA;
	case CATFISH_ERROR_DAMAGED:
		return ERR_DAMAGED;
	case CATFISH_ERROR_NO_ROOM:
		return ERR_NO_ROOM;
	case CATFISH_ERROR_NO_MEMORY:
		return ERR_NO_MEMORY;
	case CATFISH_ERROR_SYSTEM:
		return ERR_SYSTEM;
	case CATFISH_ERROR_TIMEOUT:
		return ERR_TIMEOUT;
	}
	return ERR_SYSTEM;
}

int server_result(int result)
{
	int error = base_error(result);

	return error ? err_set(error, "%s", catfish_error_text()) : 0;
}
