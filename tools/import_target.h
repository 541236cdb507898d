/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_IMPORT_TARGET_H
#define TOOLS_IMPORT_TARGET_H

/* Where the items of an import go: a server, or a region file.
 *
 * Nothing is seen of them before the commit, and then all at once.  A target
 * that is closed without a commit stays as it was.
 *
 * Thread-safety: one thread. */

#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "client/catfish.h"

struct import_target;

typedef int import_put(struct import_target *target, const struct item *items,
		       size_t count);
/* Makes all items visible, as '*version'. */
typedef int import_commit(struct import_target *target, uint64_t *version);
typedef void import_close(struct import_target *target);

/* What each kind of target begins with. */
struct import_target {
	import_put *put;
	import_commit *commit;
	import_close *close;
};

/* Begins an import into the server of tools/server.h.  ERR_USAGE when it holds
 * items and the mode is CATFISH_LOAD_EMPTY. */
int import_server_open(enum catfish_load_mode mode,
		       struct import_target **target);

/* Begins an import into a region file, which is made when there is none, and is
 * locked meanwhile.  ERR_USAGE as above, ERR_BUSY when a server or another
 * import has it locked, ERR_DAMAGED when it is no good. */
int import_region_open(const char *path, enum catfish_load_mode mode,
		       struct import_target **target);

#endif
