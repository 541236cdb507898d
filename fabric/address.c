/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static int parse_path(const char *path, struct fabric_address *address);
static int parse_verbs(const char *rest, struct fabric_address *address);
static int parse_host_and_port(const char *rest,
			       struct fabric_address *address);

static const char *after_prefix(const char *text, const char *prefix)
{
	size_t size = strlen(prefix);
	return strncmp(text, prefix, size) ? NULL : text + size;
}

static int parse_faulty(const char *rest, struct fabric_address *address);
static int parse_plain(const char *text, struct fabric_address *address);

int fabric_address_parse(const char *text, struct fabric_address *address)
{
	const char *rest = after_prefix(text, "faulty:");

	return rest ? parse_faulty(rest, address) : parse_plain(text, address);
}

/* "SEED:ADDRESS", "SEED:N:ADDRESS" or "SEED:@N:ADDRESS" */
static int parse_faulty(const char *rest, struct fabric_address *address)
{
	uint64_t numbers[2] = {0, 0};
	bool is_at = false;

	for (int i = 0; i < 2; i++) {
		char *end;
		is_at |= i == 1 && *rest == '@';
		rest += i == 1 && *rest == '@';
		if (*rest < '0' || *rest > '9')
			break;
		numbers[i] = strtoull(rest, &end, 10);
		if (*end != ':')
			return err_set(
				ERR_USAGE,
				"faulty:%.40s: want faulty:SEED:ADDRESS, "
				"faulty:SEED:N:ADDRESS or "
				"faulty:SEED:@N:ADDRESS",
				rest);
		rest = end + 1;
	}
	int error = parse_plain(rest, address);
	address->is_faulty = true;
	address->seed = numbers[0];
	*(is_at ? &address->break_at : &address->operations_per_break) =
		numbers[1];
	return error;
}

static int parse_plain(const char *text, struct fabric_address *address)
{
	const char *rest;

	if (strlen(text) >= sizeof(address->text))
		return err_set(ERR_USAGE, "address too long: %.40s...", text);
	memset(address, 0, sizeof(*address));
	strcpy(address->text, text);
	if ((rest = after_prefix(text, "shm://")))
		return parse_path(rest, address);
	address->scheme = FABRIC_SCHEME_TCP;
	if ((rest = after_prefix(text, "tcp://")))
		return parse_host_and_port(rest, address);
	address->scheme = FABRIC_SCHEME_VERBS;
	if ((rest = after_prefix(text, "verbs://")))
		return parse_verbs(rest, address);
	return err_set(ERR_USAGE,
		       "'%s' is no address: want shm:///path/to.sock, "
		       "verbs://host:port or tcp://host:port",
		       text);
}

static int parse_verbs(const char *rest, struct fabric_address *address)
{
#ifdef HAVE_VERBS
	return parse_host_and_port(rest, address);
#else
	(void)rest;
	return err_set(ERR_UNSUPPORTED,
		       "%s: this build has no verbs fabric; build it where "
		       "libibverbs and librdmacm are",
		       address->text);
#endif
}

static int parse_path(const char *path, struct fabric_address *address)
{
	address->scheme = FABRIC_SCHEME_SHM;
	if (path[0] != '/' || !path[1])
		return err_set(ERR_USAGE,
			       "%s: want an absolute path: shm:///path/to.sock",
			       address->text);
	if (strlen(path) >= sizeof(address->path))
		return err_set(ERR_USAGE,
			       "%s: the path of a Unix socket has at most %zu "
			       "bytes",
			       address->text, sizeof(address->path) - 1);
	strcpy(address->path, path);
	return 0;
}

/* Finds the host in "host:port" or "[v6]:port"; returns the colon after it, or
 * NULL. */
static const char *find_host(const char *rest, const char **host, size_t *size)
{
	bool bracketed = rest[0] == '[';
	const char *end = strchr(rest, bracketed ? ']' : ':');
	if (!end)
		return NULL;
	*host = rest + bracketed;
	*size = (size_t)(end - *host);
	return end + bracketed;
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	return digits && digits < FABRIC_PORT_SIZE && !text[digits] &&
	       strtoul(text, NULL, 10) <= 65535;
}

static int parse_host_and_port(const char *rest, struct fabric_address *address)
{
	/* Of "tcp://". */
	int scheme = (int)(strlen(address->text) - strlen(rest));
	const char *host;
	size_t size;

	const char *colon = find_host(rest, &host, &size);
	if (!colon || *colon != ':' || !size || size >= sizeof(address->host))
		return err_set(ERR_USAGE,
			       "%s: want %.*shost:port or %.*s[v6]:port",
			       address->text, scheme, address->text, scheme,
			       address->text);
	if (!is_port(colon + 1))
		return err_set(ERR_USAGE, "%s: '%s' is no port", address->text,
			       colon + 1);
	memcpy(address->host, host, size);
	strcpy(address->port, colon + 1);
	return 0;
}

int fabric_address_resolve(const struct fabric_address *address, bool to_listen,
			   int error, struct addrinfo **found)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0),
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};

	int number = getaddrinfo(address->host, address->port, &hints, found);
	if (!number)
		return 0;
	return err_set(error, "%s: can't look up '%s': %s", address->text,
		       address->host,
		       number == EAI_SYSTEM ? strerror(errno)
					    : gai_strerror(number));
}
