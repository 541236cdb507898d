/* SPDX-License-Identifier: BSD-2-Clause */

/* Offloading by READs: each level of the tree is a round trip, in lists of up
 * to FABRIC_READS_MAX nodes. */

#include "client/offload.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/guard.h"
#include "client/call.h"
#include "rtree/walk.h"

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

/* The version that is searched, and when it was asked for. */
struct sighting {
	struct root root;
	uint64_t asked_ns;
};

static int read_record(struct catfish *c, struct search *s,
		       struct sighting *sighting);
static int walk_by_reads(struct catfish *c, struct search *s,
			 const struct root *root);
static size_t take_wanted(struct walk *walk, struct walk_wanted *wanted);
static int read_nodes(struct catfish *c, const struct walk_wanted *wanted,
		      size_t count);
static int feed_nodes(struct catfish *c, struct search *s, struct walk *walk,
		      const struct walk_wanted *wanted, size_t count);
static int vouch(struct catfish *c, struct search *s,
		 const struct sighting *sighting);

int client_search_by_copy(struct catfish *c, struct search *s)
{
	struct sighting sighting;

	client_gather_begin(c, s);
	int error = read_record(c, s, &sighting);
	if (!error)
		error = client_check_version(c, sighting.root.identity,
					     sighting.root.version);
	if (error)
		return error;
	s->answer.identity = sighting.root.identity;
	s->answer.version = sighting.root.version;

	/* A node that can't be right is no damage if its page was reused
	 * meanwhile, so that is found out first. */
	int walk_error = walk_by_reads(c, s, &sighting.root);
	if (walk_error && walk_error != ERR_DAMAGED)
		return walk_error;
	error = vouch(c, s, &sighting);
	return error ? error : walk_error;
}

static int read_record(struct catfish *c, struct search *s,
		       struct sighting *sighting)
{
	_Alignas(struct root_record) char line[sizeof(struct root_record)];
	const struct fabric_read read = {
		.offset = c->server.root_record_offset,
		.to = line,
		.size = sizeof(line),
	};

	for (int i = 0; i < RECORD_READS_MAX; i++) {
		/* The version is at least as new as this. */
		sighting->asked_ns = clock_now_ns();
		int error = client_read(c, &read, 1);
		if (!error)
			error = root_decode(line, &sighting->root);
		if (error != ERR_AGAIN)
			return error;
		s->answer.retries++;
	}
	return ERR_AGAIN;
}

static int walk_by_reads(struct catfish *c, struct search *s,
			 const struct root *root)
{
	struct walk_wanted wanted[FABRIC_READS_MAX];
	struct walk walk;
	size_t count;

	int error = walk_begin(&walk, &s->box, s->relation, root->ref,
			       c->server.page_count);
	if (error)
		return error;
	while (!error && !client_gathered_all(s) &&
	       (count = take_wanted(&walk, wanted))) {
		error = read_nodes(c, wanted, count);
		if (!error)
			error = feed_nodes(c, s, &walk, wanted, count);
	}
	s->answer.nodes += walk.nodes;
	walk_end(&walk);
	return error;
}

static size_t take_wanted(struct walk *walk, struct walk_wanted *wanted)
{
	size_t count = 0;

	while (count < FABRIC_READS_MAX && walk_next(walk, &wanted[count]))
		count++;
	return count;
}

static int read_nodes(struct catfish *c, const struct walk_wanted *wanted,
		      size_t count)
{
	struct fabric_read reads[FABRIC_READS_MAX];

	for (size_t i = 0; i < count; i++) {
		int level = wanted[i].level;
		reads[i] = (struct fabric_read){
			.offset = (uint64_t)node_ref_page(wanted[i].ref) *
				  RTREE_PAGE_SIZE,
			.to = &c->pages[i],
			.size = level == WALK_LEVEL_UNKNOWN ? RTREE_PAGE_SIZE
							    : node_size(level),
		};
	}
	return client_read(c, reads, count);
}

static int feed_nodes(struct catfish *c, struct search *s, struct walk *walk,
		      const struct walk_wanted *wanted, size_t count)
{
	int error = 0;

	for (size_t i = 0; !error && i < count; i++) {
		uint64_t hits;
		error = walk_feed(walk, &wanted[i], &c->pages[i], &hits);
		if (!error && hits && !client_gathered_all(s))
			error = client_gather(c, s, &c->pages[i], hits);
	}
	return error;
}

/* Whether no page of the version can have been reused before the last of them
 * was read. */
static int vouch(struct catfish *c, struct search *s,
		 const struct sighting *sighting)
{
	uint64_t lease = c->server.lease_ns;
	uint64_t passed = clock_now_ns() - sighting->asked_ns;

	if (!GUARD("lease", passed >= lease - lease / LEASE_MARGIN))
		return 0;

	struct sighting now;
	int error = read_record(c, s, &now);
	if (!error)
		error = client_check_version(c, now.root.identity,
					     now.root.version);
	if (!error && now.root.horizon > sighting->root.version)
		error = ERR_AGAIN;
	if (error == ERR_AGAIN)
		s->answer.lease_expiries++;
	return error;
}
