/* SPDX-License-Identifier: BSD-2-Clause */

/* READing the root record and nodes, and vouching for them. */

#include "client/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/guard.h"
#include "client/call.h"

enum {
	/* A record comes torn once in many thousands of READs, but a server
	 * that loses its processor while writing it leaves it torn for a
	 * while: then it's quicker to ask. */
	RECORD_READS_MAX = 16,
	/* An eighth of the lease is not used.  The two ends measure it with
	 * their own clocks, and a kernel lets its clock be slewed by up to a
	 * tenth (chrony asks for a twelfth at most): with an eighth, one end
	 * may be at that limit, and the other be quite wrong too. */
	LEASE_MARGIN = 8,
};

static int read_record(struct client_fetch *f, size_t nodes, struct root *root);
static void keep_early(struct client_fetch *f);
static int vouch(struct client_fetch *f);

int fetch_create(struct catfish *c, struct client_fetch **f)
{
	struct client_fetch *made = aligned_alloc(64, sizeof(*made));
	struct node *memory =
		aligned_alloc(64, 2 * FABRIC_READS_MAX * RTREE_PAGE_SIZE);
	int error = 0;

	if (!made || !memory) {
		error = err_set(ERR_NO_MEMORY, "no memory to READ into");
		goto free_memory;
	}
	memset(made, 0, sizeof(*made));
	made->c = c;
	made->memory = memory;
	made->lists[0].pages = memory;
	made->lists[1].pages = memory + FABRIC_READS_MAX;
	made->now = &made->lists[0];
	made->early = &made->lists[1];
	if (c->cache_size)
		error = node_cache_open(c->address, c->server.identity,
					c->cache_size, &made->cache);
	if (error)
		goto free_memory;
	*f = made;
	return 0;

free_memory:
	free(memory);
	free(made);
	return error;
}

void fetch_destroy(struct client_fetch *f)
{
	if (!f)
		return;
	node_cache_close(f->cache);
	free(f->memory);
	free(f);
}

void fetch_begin(struct client_fetch *f, struct catfish_answer *answer)
{
	f->answer = answer;
	f->now->count = 0;
	f->early->count = 0;
	f->trusts_lease = false;
	/* One place in the first list is the root record's. */
	f->room = FABRIC_READS_MAX - 1;
	f->root = f->seen;
	if (f->cache) {
		fetch_look_begin(f);
		f->root = *node_cache_root(f->cache);
		fetch_look_end(f);
	}
	f->is_guess = f->root.version != 0;
}

int fetch_root(struct client_fetch *f)
{
	struct catfish *c = f->c;
	struct root root;

	int error = read_record(f, f->now->count, &root);
	if (!error)
		error = client_check_version(c, root.identity, root.version);
	if (error)
		return error;
	f->answer->identity = root.identity;
	f->answer->version = root.version;
	f->seen = root;
	f->room = FABRIC_READS_MAX;
	f->trusts_lease = f->now->count != 0;
	if (f->is_guess &&
	    !GUARD("cache-root",
		   root.version != f->root.version || root.ref != f->root.ref))
		return 0;
	f->is_guess = false;
	f->root = root;
	keep_early(f);
	return 0;
}

int fetch_nodes(struct client_fetch *f)
{
	if (!f->now->count)
		return 0;
	f->trusts_lease = true;
	return client_read(f->c, f->reads, f->now->count);
}

void fetch_keep(struct client_fetch *f, const struct node *node)
{
	bool is_early = node >= f->early->pages &&
			node < f->early->pages + FABRIC_READS_MAX;
	const struct fetch_list *list = is_early ? f->early : f->now;
	size_t i = (size_t)(node - list->pages);

	if (f->cache && !list->is_kept[i])
		node_cache_add(f->cache, &f->fresh, list->wanted[i].ref, node);
}

int fetch_end(struct client_fetch *f, int error)
{
	if (!error || error == ERR_DAMAGED) {
		int doubt = vouch(f);
		error = doubt ? doubt : error;
	}
	if (!error && f->cache && (f->fresh.first || !f->is_guess))
		node_cache_keep(f->cache, &f->fresh, &f->root);
	node_cache_drop(&f->fresh);
	return error;
}

/* --- Walking ------------------------------------------------------------ */

void fetch_look_begin(struct client_fetch *f)
{
	f->now->count = 0;
	if (f->cache)
		node_cache_read_begin(f->cache);
}

void fetch_look_end(struct client_fetch *f)
{
	if (f->cache)
		node_cache_read_end(f->cache);
}

static const struct node *find_early(const struct client_fetch *f, node_ref ref)
{
	const struct fetch_list *early = f->early;

	for (size_t i = 0; i < early->count; i++)
		if (early->wanted[i].ref == ref)
			return &early->pages[i];
	return NULL;
}

enum fetch_found fetch_look(struct client_fetch *f, node_ref ref,
			    const struct node **node)
{
	*node = find_early(f, ref);
	if (*node)
		return FETCH_READ;
	if (f->cache)
		*node = node_cache_find(f->cache, ref, f->root.version);
	if (!*node)
		return FETCH_MISSING;
	f->answer->cached++;
	return (*node)->header.level ? FETCH_CACHED : FETCH_FILTER;
}

static void want(struct client_fetch *f, const struct walk_wanted *wanted,
		 size_t size, bool is_kept)
{
	struct fetch_list *list = f->now;
	size_t i = list->count++;

	list->wanted[i] = *wanted;
	list->is_kept[i] = is_kept;
	f->reads[i] = (struct fabric_read){
		.offset =
			(uint64_t)node_ref_page(wanted->ref) * RTREE_PAGE_SIZE,
		.to = &list->pages[i],
		.size = (uint32_t)size,
	};
}

void fetch_want(struct client_fetch *f, const struct walk_wanted *wanted)
{
	size_t size = wanted->level == WALK_LEVEL_UNKNOWN
			      ? (size_t)RTREE_PAGE_SIZE
			      : node_size(wanted->level);

	want(f, wanted, size, false);
}

void fetch_want_leaf(struct client_fetch *f, const struct walk_wanted *wanted,
		     size_t size)
{
	want(f, wanted, size, true);
}

/* --- The root record ---------------------------------------------------- */

/* READs the root record, and with the first try 'nodes' of the list.  A torn
 * record doesn't spoil them: they were READ before the record that is whole. */
static int read_record(struct client_fetch *f, size_t nodes, struct root *root)
{
	f->reads[nodes] = (struct fabric_read){
		.offset = f->c->server.root_record_offset,
		.to = f->record,
		.size = sizeof(f->record),
	};
	for (int i = 0; i < RECORD_READS_MAX; i++) {
		size_t from = i ? nodes : 0;

		/* The version is at least as new as this. */
		f->asked_ns = clock_now_ns();
		int error =
			client_read(f->c, f->reads + from, nodes + 1 - from);
		if (!error)
			error = root_decode(f->record, root);
		if (error != ERR_AGAIN)
			return error;
		f->answer->retries++;
	}
	return ERR_AGAIN;
}

/* Puts the nodes that were READ for nothing aside: most of them are of the new
 * version too. */
static void keep_early(struct client_fetch *f)
{
	struct fetch_list *early = f->now;

	f->now = f->early;
	f->early = early;
	f->now->count = 0;
}

/* Whether no page of the version can have been reused before the last of them
 * was read. */
static int vouch(struct client_fetch *f)
{
	struct catfish *c = f->c;
	uint64_t lease = c->server.lease_ns;

	if (!f->trusts_lease)
		return 0;
	uint64_t passed = clock_now_ns() - f->asked_ns;
	if (!GUARD("lease", passed >= lease - lease / LEASE_MARGIN))
		return 0;

	struct root now;
	int error = read_record(f, 0, &now);
	if (!error)
		error = client_check_version(c, now.identity, now.version);
	if (!error && now.horizon > f->root.version)
		error = ERR_AGAIN;
	if (error == ERR_AGAIN)
		f->answer->lease_expiries++;
	return error;
}
