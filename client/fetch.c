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
	/* After so many searches of a version that was guessed, the next one is
	 * likely to be of that version too. */
	GUESSES_TRUSTED = 16,
	/* What a READ more has to save: it takes a processor and a network
	 * about as long as these bytes. */
	SPLIT_SAVES = 1024,
};

static int read_record(struct client_fetch *f, size_t reads, struct root *root);
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
	/* What isn't READ of a page is what was READ there before. */
	memset(memory, 0, 2 * FABRIC_READS_MAX * RTREE_PAGE_SIZE);
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
	f->now->count = f->read_count = 0;
	f->early->count = 0;
	f->trusts_lease = false;
	f->walk = 0;
	/* One place in the first list is the root record's. */
	f->room = FABRIC_READS_MAX - 1;
	f->root = f->seen;
	if (f->cache) {
		fetch_look_begin(f);
		f->root = *node_cache_root(f->cache);
	}
	f->is_guess = f->root.version != 0;
	if (!f->is_guess)
		fetch_look_end(f);
}

void fetch_begin_from(struct client_fetch *f, struct catfish_answer *answer,
		      const struct root *root, uint64_t asked_ns)
{
	f->answer = answer;
	f->now->count = f->read_count = 0;
	f->early->count = 0;
	f->trusts_lease = false;
	f->room = FABRIC_READS_MAX;
	f->root = f->seen = *root;
	f->is_guess = false;
	f->right_guesses = 0;
	f->asked_ns = asked_ns;
	answer->identity = root->identity;
	answer->version = root->version;
}

int fetch_root(struct client_fetch *f)
{
	struct catfish *c = f->c;
	struct root root;

	int error = read_record(f, f->read_count, &root);
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
	    !GUARD("cache-root", root.version != f->root.version ||
					 root.ref != f->root.ref)) {
		f->right_guesses++;
		return 0;
	}
	f->right_guesses = 0;
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
	return client_read(f->c, f->reads, f->read_count);
}

/* The list that a node was READ with. */
static const struct fetch_list *list_of(const struct client_fetch *f,
					const struct node *node)
{
	bool is_early = node >= f->early->pages &&
			node < f->early->pages + FABRIC_READS_MAX;

	return is_early ? f->early : f->now;
}

uint64_t fetch_entries(const struct client_fetch *f, const struct node *node)
{
	const struct fetch_list *list = list_of(f, node);
	uint64_t possible = list->possible[node - list->pages];

	return possible ? possible : UINT64_MAX;
}

void fetch_keep(struct client_fetch *f, const struct node *node)
{
	const struct fetch_list *list = list_of(f, node);
	size_t i = (size_t)(node - list->pages);

	if (f->cache && !list->possible[i])
		node_cache_add(f->cache, &f->fresh, list->wanted[i].ref, node);
}

int fetch_end(struct client_fetch *f, int error)
{
	fetch_look_end(f);
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
	f->now->count = f->read_count = 0;
	if (!f->cache || f->is_looking)
		return;
	node_cache_read_begin(f->cache);
	f->is_looking = true;
}

void fetch_look_end(struct client_fetch *f)
{
	if (!f->is_looking)
		return;
	node_cache_read_end(f->cache);
	f->is_looking = false;
}

static const struct node *find_early(const struct client_fetch *f, node_ref ref)
{
	const struct fetch_list *early = f->early;

	for (size_t i = 0; i < early->count; i++)
		if (early->wanted[i].ref == ref &&
		    (!early->possible[i] || early->walk[i] == f->walk))
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

/* Has a piece of a page READ. */
static void want_piece(struct client_fetch *f, node_ref ref, struct node *page,
		       size_t offset, size_t size)
{
	uint64_t at = (uint64_t)node_ref_page(ref) * RTREE_PAGE_SIZE;

	f->reads[f->read_count++] = (struct fabric_read){
		.offset = at + offset,
		.to = (char *)page + offset,
		.size = (uint32_t)size,
	};
}

static struct node *want(struct client_fetch *f,
			 const struct walk_wanted *wanted, uint64_t possible)
{
	struct fetch_list *list = f->now;
	size_t i = list->count++;

	list->wanted[i] = *wanted;
	list->possible[i] = possible;
	list->walk[i] = f->walk;
	return &list->pages[i];
}

void fetch_want(struct client_fetch *f, const struct walk_wanted *wanted)
{
	size_t size = wanted->level == WALK_LEVEL_UNKNOWN
			      ? (size_t)RTREE_PAGE_SIZE
			      : node_size(wanted->level);

	want_piece(f, wanted->ref, want(f, wanted, 0), 0, size);
}

/* What is READ of a leaf reaches as far as the last entry that is possible.  If
 * that is much more than these entries, they are READ by themselves, and the
 * header; the cells are the filter's. */
void fetch_want_leaf(struct client_fetch *f, const struct walk_wanted *wanted,
		     const struct node *filter, uint64_t possible)
{
	enum { PIECES = 3, HEADER_SIZE = sizeof(filter->header) };
	unsigned first = __builtin_ctzll(possible);
	unsigned end = 64 - __builtin_clzll(possible);
	size_t ids_size = (end - first) * sizeof(filter->id[0]);
	size_t rects_size = (end - first) * sizeof(filter->rect[0]);
	size_t size = node_leaf_size(end);
	struct node *page = want(f, wanted, possible);

	if (size < HEADER_SIZE + ids_size + rects_size + SPLIT_SAVES ||
	    f->read_count + PIECES > f->room) {
		want_piece(f, wanted->ref, page, 0, size);
		return;
	}
	memcpy(page, filter, RTREE_FILTER_SIZE);
	want_piece(f, wanted->ref, page, 0, HEADER_SIZE);
	want_piece(f, wanted->ref, page,
		   offsetof(struct node, id) + first * sizeof(filter->id[0]),
		   ids_size);
	want_piece(f, wanted->ref, page, node_leaf_size(first), rects_size);
}

/* --- The root record ---------------------------------------------------- */

/* Whether to take the time before a READ of the root record.  It is asked for
 * when nodes are READ.  Most searches find all they want in the cache, and are
 * over once the record has come, so as long as guesses are right these make do
 * with the time that was read last.  One that has to READ nodes after all is
 * vouched for by a READ more, if that is long ago. */
static bool needs_time(const struct client_fetch *f, size_t reads)
{
	return reads || !f->is_guess || f->right_guesses < GUESSES_TRUSTED;
}

/* READs the root record, and with the first try the 'reads' of the list.  A
 * torn record doesn't spoil them: they were READ before the record that is
 * whole. */
static int read_record(struct client_fetch *f, size_t reads, struct root *root)
{
	f->reads[reads] = (struct fabric_read){
		.offset = f->c->server.root_record_offset,
		.to = f->record,
		.size = sizeof(f->record),
	};
	for (int i = 0; i < RECORD_READS_MAX; i++) {
		size_t from = i ? reads : 0;

		/* The version is at least as new as this. */
		if (needs_time(f, reads))
			f->asked_ns = clock_now_ns();
		int error =
			client_read(f->c, f->reads + from, reads + 1 - from);
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
	f->now->count = f->read_count = 0;
}

/* Whether no page of the version can have been reused before the last of them
 * was read. */
static int vouch(struct client_fetch *f)
{
	struct catfish *c = f->c;
	uint64_t lease = c->server.lease_ns;

	if (!f->trusts_lease)
		return 0;
	GUARD_PAUSE("vouch");
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
