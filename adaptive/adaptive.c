/* SPDX-License-Identifier: BSD-2-Clause */

/* The controller: heartbeats in, a path out.  'catfish' is in backoff.c,
 * what a path takes in estimate.c. */

#include "adaptive/adaptive.h"

#include <string.h>

#include "base/err.h"

#define DEFAULT_HEARTBEAT_NS UINT64_C(10000000)
#define DEFAULT_THRESHOLD    0.95
#define DEFAULT_BACKOFF	     8
#define DEFAULT_EXPLORATION  (1.0 / 1024)

/* Searches by each path, to begin with. */
#define FIRST_SAMPLES 4

/* The paths are mixed while what they take differs by less than a tenth:
 * (slower - faster) / (slower + faster) below 1/20. */
#define MIXING 10.0

/* What exploring may cost: that part of the time. */
#define EXPLORATION_COST 0.01

/* A load that fell by so much gives hope; each search then makes the attempt
 * with this chance, so that a thousand clients that are told the same at the
 * same time don't all make it at once. */
#define HOPE_FALL      0.15
#define HOPE_BY_OTHERS 0.125

/* A search that took less than this part of what was expected gives hope too;
 * that is this client's own experience, and needs less caution. */
#define HOPE_SURPRISE 0.7
#define HOPE_BY_SELF  0.5

/* What slows down both paths, such as a link that they share, makes the one
 * that is used faster as it goes: when that takes less than this part of what
 * it took when the other was last used, there is hope for the other. */
#define HOPE_SHARED 0.7

/* A path that wasn't used for so many searches is tried twice, and what the
 * first took counts only if it is good news: what was cached for it is out of
 * date, and would not be if it were used. */
#define TRY_TWICE 64

/* A full link slows down whoever uses it, by either path, and offloading uses
 * the more of it: what both paths take doesn't tell, so it is charged a toll
 * that rises with each heartbeat that tells of a full link and falls with those
 * that tell of one that isn't, the quicker the higher it is and the less the
 * link is used.  The toll is at most as much as the time itself, and is
 * forgotten when nothing was heard for some intervals. */
#define LINK_FULL      0.9
#define LINK_TARGET    0.8
#define TOLL_RISE      0.05
#define TOLL_GROWTH    1.25
#define TOLL_FALL      0.05
#define TOLL_DECAY     0.25
#define TOLL_MAX       1.0
#define TOLL_INTERVALS 8

/* Before the link is full, READs already make others wait, by more bytes than
 * messages do, and who is faster by them alone doesn't see what all lose: so
 * offloading costs more by that part of its time, times the link's load. */
#define PRICE 0.35

/* A try by offloading makes others wait, too, so there are fewer where the link
 * is used more; but that part of them always. */
#define TRIES_LEAST (1.0 / 16)

/* No time and no work is believed above this: 11 days. */
#define BELIEVED_MAX 1e15

static const char *const policy_names[] = {
	[ADAPTIVE_POLICY_MESSAGING] = "messaging",
	[ADAPTIVE_POLICY_OFFLOAD] = "offload",
	[ADAPTIVE_POLICY_CATFISH] = "catfish",
	[ADAPTIVE_POLICY_ADAPTIVE] = "adaptive",
};
enum { POLICIES = sizeof(policy_names) / sizeof(*policy_names) };

static void look_for_hope(struct adaptive *a);
static void hope_if(double *hope, bool fell);
static void set_toll(struct adaptive *a);
static bool heard_within(const struct adaptive *a, uint64_t now_ns,
			 unsigned intervals);
static enum adaptive_path back_off(struct adaptive *a, uint64_t now_ns,
				   struct adaptive_reason *reason);
static enum adaptive_path choose(struct adaptive *a, uint64_t now_ns,
				 const struct adaptive_query *query,
				 struct adaptive_reason *reason);
static enum adaptive_path draw(struct adaptive *a, double offloads,
			       struct adaptive_reason *reason);
static double known_load(const struct adaptive *a, uint64_t now_ns);
static double charge(const struct adaptive *a, double load);
static void begin_try(struct adaptive *a, enum adaptive_path path);
static enum adaptive_path choose_first(struct adaptive *a);
static bool explore(struct adaptive *a, enum adaptive_path other, double load,
		    double predicted_ns, double best_ns);
static void look_for_shared_hope(struct adaptive *a, enum adaptive_path path);
static bool is_believed(double value);

int adaptive_policy_parse(const char *text, enum adaptive_policy *policy)
{
	for (int i = 0; i < POLICIES; i++)
		if (strcmp(text, policy_names[i]) == 0) {
			*policy = (enum adaptive_policy)i;
			return 0;
		}
	return err_set(ERR_USAGE,
		       "'%s' is no policy; there are messaging, offload, "
		       "catfish and adaptive",
		       text);
}

const char *adaptive_policy_name(enum adaptive_policy policy)
{
	return policy_names[policy];
}

const char *adaptive_why_text(enum adaptive_why why)
{
	static const char *const texts[] = {
		[ADAPTIVE_FIXED] = "the policy has no other",
		[ADAPTIVE_IDLE] = "the server is not busy",
		[ADAPTIVE_BUSY] = "the server was found busy",
		[ADAPTIVE_SILENT] = "the server was not heard lately",
		[ADAPTIVE_UNKNOWN] = "too little is known of one path",
		[ADAPTIVE_PREDICTED] = "it is predicted to take less",
		[ADAPTIVE_EQUAL] = "both take about as much, drawn by lot",
		[ADAPTIVE_EXPLORES] = "to see how the other path is doing",
	};

	return texts[why];
}

int adaptive_init(struct adaptive *a, const struct adaptive_options *options)
{
	if (!(options->threshold >= 0 && options->threshold <= 1))
		return err_set(ERR_USAGE, "a threshold of utilisation is "
					  "between 0 and 1");
	if (!(options->exploration >= 0 && options->exploration <= 0.5))
		return err_set(ERR_USAGE, "exploration is at most half of the "
					  "searches");
	memset(a, 0, sizeof(*a));
	a->options = *options;
	if (!a->options.heartbeat_ns)
		a->options.heartbeat_ns = DEFAULT_HEARTBEAT_NS;
	if (a->options.threshold <= 0)
		a->options.threshold = DEFAULT_THRESHOLD;
	if (!a->options.backoff)
		a->options.backoff = DEFAULT_BACKOFF;
	if (a->options.exploration <= 0)
		a->options.exploration = DEFAULT_EXPLORATION;
	random_seed(&a->random, options->seed);
	a->toll_share = 0.75 + 0.5 * random_unit(&a->random);
	return 0;
}

/* --- Heartbeats --------------------------------------------------------- */

void adaptive_heartbeat(struct adaptive *a, uint64_t now_ns,
			const struct adaptive_heartbeat *heartbeat)
{
	if (a->has_heartbeat && heartbeat->beat <= a->heartbeat.beat)
		return;
	if (!(heartbeat->utilisation >= 0 && heartbeat->utilisation <= 1) ||
	    !(heartbeat->link_load <= 1))
		return;
	a->heartbeat = *heartbeat;
	a->heartbeat_ns = now_ns;
	a->has_heartbeat = true;
	if (a->options.policy == ADAPTIVE_POLICY_ADAPTIVE) {
		look_for_hope(a);
		set_toll(a);
	}
}

/* A path may have become faster when what slows it down is less than when it
 * was last chosen: messaging needs the server's processors, offloading its
 * link.  What another heartbeat takes back is gone. */
static void look_for_hope(struct adaptive *a)
{
	double utilisation = a->seen[ADAPTIVE_MESSAGING].utilisation;
	double link_load = a->seen[ADAPTIVE_OFFLOAD].link_load;

	hope_if(&a->hope[ADAPTIVE_MESSAGING],
		a->heartbeat.utilisation < utilisation - HOPE_FALL);
	hope_if(&a->hope[ADAPTIVE_OFFLOAD],
		a->heartbeat.link_load >= 0 &&
			a->heartbeat.link_load < link_load - HOPE_FALL);
}

/* A client's own experience stands, whatever it is told. */
static void hope_if(double *hope, bool fell)
{
	if (*hope < HOPE_BY_SELF)
		*hope = fell ? HOPE_BY_OTHERS : 0;
}

static void set_toll(struct adaptive *a)
{
	double load = a->heartbeat.link_load;

	if (load >= LINK_FULL)
		a->toll = TOLL_GROWTH * a->toll + TOLL_RISE;
	else if (load < LINK_TARGET)
		a->toll -= (LINK_TARGET - load) *
			   (TOLL_FALL + TOLL_DECAY * a->toll);
	if (!(a->toll > 0))
		a->toll = 0;
	if (a->toll > TOLL_MAX)
		a->toll = TOLL_MAX;
}

/* A clock that went back counts as one that stands still. */
static bool heard_within(const struct adaptive *a, uint64_t now_ns,
			 unsigned intervals)
{
	return a->has_heartbeat &&
	       (now_ns < a->heartbeat_ns ||
		now_ns - a->heartbeat_ns <=
			intervals * a->options.heartbeat_ns);
}

/* --- Choosing ----------------------------------------------------------- */

enum adaptive_path adaptive_choose(struct adaptive *a, uint64_t now_ns,
				   const struct adaptive_query *query,
				   struct adaptive_reason *reason)
{
	struct adaptive_reason nobody_asks;

	if (!reason)
		reason = &nobody_asks;
	*reason = (struct adaptive_reason){0};
	switch (a->options.policy) {
	case ADAPTIVE_POLICY_MESSAGING:
		return ADAPTIVE_MESSAGING;
	case ADAPTIVE_POLICY_OFFLOAD:
		return ADAPTIVE_OFFLOAD;
	case ADAPTIVE_POLICY_CATFISH:
		return back_off(a, now_ns, reason);
	case ADAPTIVE_POLICY_ADAPTIVE:
		break;
	}
	enum adaptive_path path = choose(a, now_ns, query, reason);
	a->seen[path] = a->heartbeat;
	return path;
}

static enum adaptive_path back_off(struct adaptive *a, uint64_t now_ns,
				   struct adaptive_reason *reason)
{
	bool heard = heard_within(a, now_ns, 2);
	bool offloads = backoff_offloads(
		&a->catfish, &a->random, heard, a->heartbeat.utilisation,
		a->options.threshold, a->options.backoff);

	reason->why = offloads		? ADAPTIVE_BUSY
		      : !heard		? ADAPTIVE_SILENT
		      : a->catfish.busy ? ADAPTIVE_BUSY
					: ADAPTIVE_IDLE;
	return offloads ? ADAPTIVE_OFFLOAD : ADAPTIVE_MESSAGING;
}

static enum adaptive_path choose(struct adaptive *a, uint64_t now_ns,
				 const struct adaptive_query *query,
				 struct adaptive_reason *reason)
{
	double messaging = estimate_predict(&a->estimate[ADAPTIVE_MESSAGING],
					    query->work[ADAPTIVE_MESSAGING]);
	double offload = estimate_predict(&a->estimate[ADAPTIVE_OFFLOAD],
					  query->work[ADAPTIVE_OFFLOAD]);

	a->searches++;
	reason->predicted_ns[ADAPTIVE_MESSAGING] = messaging;
	reason->predicted_ns[ADAPTIVE_OFFLOAD] = offload;
	if (a->estimate[ADAPTIVE_MESSAGING].samples < FIRST_SAMPLES ||
	    a->estimate[ADAPTIVE_OFFLOAD].samples < FIRST_SAMPLES) {
		reason->why = ADAPTIVE_UNKNOWN;
		return choose_first(a);
	}
	double load = known_load(a, now_ns);
	offload *= charge(a, load);
	if (a->tries_again) {
		a->tries_again = false;
		reason->why = ADAPTIVE_EXPLORES;
		return a->tried;
	}
	double lead = (messaging - offload) / (messaging + offload);
	double offloads = 0.5 + MIXING * lead;
	if (offloads > 0 && offloads < 1)
		return draw(a, offloads, reason);
	bool explores = offloads >= 1 ? explore(a, ADAPTIVE_MESSAGING, load,
						messaging, offload)
				      : explore(a, ADAPTIVE_OFFLOAD, load,
						offload, messaging);
	enum adaptive_path path = (offloads >= 1) != explores
					  ? ADAPTIVE_OFFLOAD
					  : ADAPTIVE_MESSAGING;
	if (explores)
		begin_try(a, path);
	reason->why = explores ? ADAPTIVE_EXPLORES : ADAPTIVE_PREDICTED;
	return path;
}

/* Of the server's link; below 0 where it isn't known, or any more. */
static double known_load(const struct adaptive *a, uint64_t now_ns)
{
	return heard_within(a, now_ns, TOLL_INTERVALS) ? a->heartbeat.link_load
						       : -1;
}

/* By what offloading's time is multiplied for what it does to others. */
static double charge(const struct adaptive *a, double load)
{
	return load < 0 ? 1
			: (1 + a->toll * a->toll_share) * (1 + PRICE * load);
}

static void begin_try(struct adaptive *a, enum adaptive_path path)
{
	a->tried = path;
	a->tries = a->searches - a->estimate[path].last > TRY_TWICE;
}

static enum adaptive_path draw(struct adaptive *a, double offloads,
			       struct adaptive_reason *reason)
{
	reason->why = ADAPTIVE_EQUAL;
	return random_unit(&a->random) < offloads ? ADAPTIVE_OFFLOAD
						  : ADAPTIVE_MESSAGING;
}

/* Whatever is known least; the first of all by chance, so that clients that
 * start together don't all begin by the same path. */
static enum adaptive_path choose_first(struct adaptive *a)
{
	uint64_t messaging = a->estimate[ADAPTIVE_MESSAGING].samples;
	uint64_t offload = a->estimate[ADAPTIVE_OFFLOAD].samples;

	if (messaging == offload)
		return random_next(&a->random) >> 63 ? ADAPTIVE_OFFLOAD
						     : ADAPTIVE_MESSAGING;
	return messaging < offload ? ADAPTIVE_MESSAGING : ADAPTIVE_OFFLOAD;
}

/* The part of the tries by offloading that is made with that load of the link.
 */
static double tries_left(double load)
{
	double part = load > 0 ? (1 - load) * (1 - load) : 1;

	return part > TRIES_LEAST ? part : TRIES_LEAST;
}

/* Whether to try the path that seems the slower: where there is hope; or now
 * and then, the less often the more it would cost. */
static bool explore(struct adaptive *a, enum adaptive_path other, double load,
		    double predicted_ns, double best_ns)
{
	double chance = a->options.exploration;
	double affordable =
		EXPLORATION_COST * best_ns / (predicted_ns - best_ns);

	/* Each is two tries, as a rule. */
	chance /= 2;
	affordable /= 2;
	if (chance > affordable)
		chance = affordable;
	if (other == ADAPTIVE_OFFLOAD)
		chance *= tries_left(load);
	if (chance < a->hope[other])
		chance = a->hope[other];
	return random_unit(&a->random) < chance;
}

/* --- Learning ----------------------------------------------------------- */

void adaptive_completed(struct adaptive *a, enum adaptive_path path,
			const struct adaptive_query *query, double latency_ns)
{
	double work = query->work[path];

	if (a->options.policy != ADAPTIVE_POLICY_ADAPTIVE ||
	    !is_believed(work) || !is_believed(latency_ns) || latency_ns <= 0)
		return;
	double expected = estimate_predict(&a->estimate[path], work);
	bool good_news = latency_ns < HOPE_SURPRISE * expected;
	if (a->tries && path == a->tried) {
		a->tries = false;
		a->tries_again = !good_news;
		if (a->tries_again)
			return;
	}
	a->hope[path] = good_news ? HOPE_BY_SELF : 0;
	estimate_add(&a->estimate[path], a->searches, work, latency_ns);
	look_for_shared_hope(a, path);
}

/* What the last few dozen have taken, in the mean. */
static double recent_ns(const struct estimate *e)
{
	return e->samples ? e->level * e->y / e->n : 0;
}

static void look_for_shared_hope(struct adaptive *a, enum adaptive_path path)
{
	enum adaptive_path other = path == ADAPTIVE_OFFLOAD ? ADAPTIVE_MESSAGING
							    : ADAPTIVE_OFFLOAD;
	double took = recent_ns(&a->estimate[path]);

	a->other_took[path] = recent_ns(&a->estimate[other]);
	if (took >= HOPE_SHARED * a->other_took[other])
		return;
	a->other_took[other] = took;
	if (a->hope[other] < HOPE_BY_OTHERS)
		a->hope[other] = HOPE_BY_OTHERS;
}

double adaptive_measured_ns(const struct adaptive *a, enum adaptive_path path)
{
	const struct estimate *e = &a->estimate[path];

	return e->samples ? e->y / e->n : 0;
}

static bool is_believed(double value)
{
	return value >= 0 && value <= BELIEVED_MAX;
}
