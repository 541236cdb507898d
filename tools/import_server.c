/* SPDX-License-Identifier: BSD-2-Clause */

/* An import into a server, which gathers the items until the commit. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tools/import_target.h"
#include "tools/server.h"

enum { BATCH = 4096 };

struct server_target {
	struct import_target target;
	struct catfish *server;
	size_t count;
	struct catfish_item batch[BATCH];
};

static int send_batch(struct server_target *target)
{
	size_t count = target->count;

	target->count = 0;
	return server_result(
		catfish_load_items(target->server, target->batch, count));
}

static int put_to_server(struct import_target *base, const struct item *items,
			 size_t count)
{
	struct server_target *target = (struct server_target *)base;
	int error = 0;

	for (size_t i = 0; !error && i < count; i++) {
		struct catfish_item *to = &target->batch[target->count++];
		to->id = items[i].id;
		memcpy(to->box, items[i].rect.min, sizeof(items[i].rect.min));
		memcpy(to->box + DIMENSIONS, items[i].rect.max,
		       sizeof(items[i].rect.max));
		if (target->count == BATCH)
			error = send_batch(target);
	}
	return error;
}

static int commit_to_server(struct import_target *base, uint64_t *version)
{
	struct server_target *target = (struct server_target *)base;
	struct catfish_written written;
	int error = send_batch(target);

	if (!error)
		error = server_result(
			catfish_load_commit(target->server, &written));
	if (!error)
		*version = written.version;
	return error;
}

static void close_server(struct import_target *base)
{
	struct server_target *target = (struct server_target *)base;

	catfish_close(target->server);
	free(target);
}

static int begin(struct catfish *server, enum catfish_load_mode mode)
{
	int error = server_result(catfish_load_begin(server, mode, 0));

	if (error == ERR_USAGE && mode == CATFISH_LOAD_EMPTY)
		return err_set(error, "%s, by --append or --replace",
			       err_text());
	return error;
}

int import_server_open(enum catfish_load_mode mode,
		       struct import_target **target)
{
	struct server_target *new = calloc(1, sizeof(*new));
	int error;

	if (!new)
		return err_set(ERR_NO_MEMORY, "no memory");
	new->target = (struct import_target){
		.put = put_to_server,
		.commit = commit_to_server,
		.close = close_server,
	};
	error = server_open(NULL, &new->server);
	if (!error)
		error = begin(new->server, mode);
	if (error) {
		close_server(&new->target);
		return error;
	}
	*target = &new->target;
	return 0;
}
