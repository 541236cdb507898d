/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish save: a snapshot of one version in a region file. */

#include <inttypes.h>
#include <stdio.h>

#include "base/format.h"
#include "tools/command.h"
#include "tools/server.h"

static int save_run(const char *path)
{
	struct catfish *server;
	uint64_t version, bytes;
	char size[FORMAT_SIZE_SIZE];
	int error = server_open(NULL, &server);

	if (error)
		return error;
	error = server_result(catfish_save(server, path, &version, &bytes));
	catfish_close(server);
	if (!error)
		printf("saved version %" PRIu64 " to %s, %s\n", version, path,
		       format_size(size, bytes));
	return error;
}

const struct command save_command = {
	.name = "save",
	.summary = "write a snapshot to a region file",
	.usage = "FILE [options]",
	.text = "Writes one version of the tree to a region file, which is "
		"replaced whole or not\n"
		"at all, while searches and writes go on.  A server can be "
		"started with it:\n"
		"catfishd --region FILE.\n",
	.example = "  catfish save shorelines.region\n",
	.uses_server = true,
	.operand = "FILE",
	.run = save_run,
};
