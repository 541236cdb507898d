/* SPDX-License-Identifier: BSD-2-Clause */

/* Environments from files. */

#include "sim/parameters.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/parse.h"

#define MOST 1e12

static const struct parameter {
	const char *name;
	size_t offset;
	double min, max;
} table[] = {
#define PARAMETER(name, min, max)                                              \
	{                                                                      \
#name, offsetof(struct parameters, name), min, max             \
	}
	PARAMETER(cores, 1, 1024),
	PARAMETER(threads, 1, 1024),
	PARAMETER(message_ns, 0, MOST),
	PARAMETER(node_ns, 0, MOST),
	PARAMETER(leaf_ns, 0, MOST),
	PARAMETER(item_ns, 0, MOST),
	PARAMETER(wake_ns, 0, MOST),
	PARAMETER(push_back, 0, MOST),
	PARAMETER(insert_ns, 0, MOST),
	PARAMETER(heartbeat_ns, 1000, MOST),
	PARAMETER(heartbeat_cpu_ns, 0, MOST),
	PARAMETER(heartbeat_loss, 0, 1),
	PARAMETER(one_way_ns, 0, MOST),
	PARAMETER(link_gbps, 0, MOST),
	PARAMETER(client_link_gbps, 0, MOST),
	PARAMETER(nic_message_ns, 0, MOST),
	PARAMETER(mtu_bytes, 64, MOST),
	PARAMETER(header_bytes, 0, MOST),
	PARAMETER(initiator_depth, 1, MOST),
	PARAMETER(responder_resources, 1, MOST),
	PARAMETER(clients_per_host, 1, MOST),
	PARAMETER(host_cores, 1, 1024),
	PARAMETER(client_slice_ns, 0, MOST),
	PARAMETER(client_switch_ns, 0, MOST),
	PARAMETER(client_ask_ns, 0, MOST),
	PARAMETER(client_choose_ns, 0, MOST),
	PARAMETER(client_message_ns, 0, MOST),
	PARAMETER(client_wake_ns, 0, MOST),
	PARAMETER(client_search_ns, 0, MOST),
	PARAMETER(client_read_ns, 0, MOST),
	PARAMETER(client_leaf_ns, 0, MOST),
	PARAMETER(client_node_ns, 0, MOST),
	PARAMETER(client_fresh_ns, 0, MOST),
	PARAMETER(client_item_ns, 0, MOST),
	PARAMETER(offload, 0, 1),
	PARAMETER(mapped, 0, 1),
	PARAMETER(shared_host, 0, 1),
};
enum { PARAMETERS = sizeof(table) / sizeof(*table) };

static int read_lines(FILE *file, struct parameters *parameters);
static int take_line(struct parameters *parameters, char *line, bool *seen);
static int take(struct parameters *parameters, const char *name,
		const char *value, int *index);

int parameters_read(const char *path, struct parameters *parameters)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return err_set(ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
	int error = read_lines(file, parameters);
	fclose(file);
	return error ? err_prefix(error, "%s", path) : 0;
}

int parameters_set(struct parameters *parameters, const char *text)
{
	char name[64];
	size_t length = strcspn(text, "=");
	int index;

	if (!text[length] || length >= sizeof(name))
		return err_set(ERR_USAGE, "'%s' is not NAME=VALUE", text);
	memcpy(name, text, length);
	name[length] = 0;
	return take(parameters, name, text + length + 1, &index);
}

static int read_lines(FILE *file, struct parameters *parameters)
{
	bool seen[PARAMETERS] = {false};
	char line[512];
	int number = 0, error;

	while (fgets(line, sizeof(line), file)) {
		number++;
		error = take_line(parameters, line, seen);
		if (error) {
			err_prefix(error, "line %d", number);
			return ERR_DATA;
		}
	}
	for (int i = 0; i < PARAMETERS; i++)
		if (!seen[i])
			return err_set(ERR_DATA, "there is no %s",
				       table[i].name);
	return 0;
}

static int take_line(struct parameters *parameters, char *line, bool *seen)
{
	static const char blank[] = " \t\r\n";
	char *rest;
	int index;

	line[strcspn(line, "#")] = 0;
	const char *name = strtok_r(line, blank, &rest);
	const char *value = strtok_r(NULL, blank, &rest);
	if (!name)
		return 0;
	if (!value || strtok_r(NULL, blank, &rest))
		return err_set(ERR_DATA, "'%s' needs one value", name);
	int error = take(parameters, name, value, &index);
	if (!error && seen[index])
		return err_set(ERR_DATA, "a second %s", name);
	if (!error)
		seen[index] = true;
	return error;
}

static int take(struct parameters *parameters, const char *name,
		const char *value, int *index)
{
	for (int i = 0; i < PARAMETERS; i++) {
		const struct parameter *p = &table[i];
		double number;
		if (strcmp(name, p->name) != 0)
			continue;
		int error = parse_double(value, &number);
		if (error)
			return err_prefix(error, "%s", name);
		if (number < p->min || number > p->max)
			return err_set(ERR_USAGE, "%s is between %g and %g",
				       name, p->min, p->max);
		memcpy((char *)parameters + p->offset, &number, sizeof(number));
		*index = i;
		return 0;
	}
	return err_set(ERR_USAGE, "there is no parameter '%s'", name);
}
