/* SPDX-License-Identifier: BSD-2-Clause */

/* What a connection tells its controller, and when. */

#include "client/policy.h"

#include <math.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "client/fetch.h"
#include "client/offload.h"
#include "wire/message.h"

enum {
	/* A choice stands for so many searches at most. */
	STANDS_MAX = 256,
	/* The tree's shape is looked at with the first search, and then with
	 * one in so many. */
	SHAPE_EVERY = 4096,
	/* Entries of a leaf, in the mean: packed it has more, after inserts
	 * fewer. */
	LEAF_ENTRIES = 48,
};

/* Thinking, learning, and a clock that is read twice are a thirtieth of this.
 */
#define QUICK_NS 4000.0

/* For so long a choice stands where searches are quicker than that: then it
 * costs a few thousandths of their time. */
#define STANDS_NS 64000.0

static int settle(struct catfish *c, enum catfish_offload offload);
static void hear(struct catfish *c);
static void stand_for(struct client_policy *p, const struct rect *box);
static void look_at_shape(struct catfish *c);

int client_policy_init(struct catfish *c, const struct catfish_options *options)
{
	struct client_policy *p = &c->policy;

	p->options = (struct adaptive_options){
		.seed = options->seed ? options->seed : random_entropy(),
		.heartbeat_ns = c->server.heartbeat_ns,
		.threshold = options->threshold,
		.backoff = options->backoff,
		.exploration = options->exploration,
	};
	return client_policy_set(c, options->policy, options->offload);
}

int client_policy_set(struct catfish *c, enum catfish_policy policy,
		      enum catfish_offload offload)
{
	static const enum adaptive_policy policies[] = {
		[CATFISH_POLICY_ADAPTIVE] = ADAPTIVE_POLICY_ADAPTIVE,
		[CATFISH_POLICY_MESSAGING] = ADAPTIVE_POLICY_MESSAGING,
		[CATFISH_POLICY_OFFLOAD] = ADAPTIVE_POLICY_OFFLOAD,
		[CATFISH_POLICY_CATFISH] = ADAPTIVE_POLICY_CATFISH,
	};
	struct client_policy *p = &c->policy;
	struct adaptive controller;

	if ((unsigned)policy > CATFISH_POLICY_CATFISH ||
	    (unsigned)offload > CATFISH_OFFLOAD_MAPPED)
		return err_set(ERR_USAGE, "there is no policy %d/%d",
			       (int)policy, (int)offload);
	struct adaptive_options options = p->options;
	options.policy = policies[policy];
	int error = adaptive_init(&controller, &options);
	if (!error && policy != CATFISH_POLICY_MESSAGING)
		error = settle(c, offload);
	bool can_offload = !error;
	if (error == ERR_UNSUPPORTED && policy != CATFISH_POLICY_OFFLOAD &&
	    offload == CATFISH_OFFLOAD_AUTO)
		error = 0;
	if (error)
		return error;
	p->policy = policy;
	p->controller = controller;
	p->can_offload = can_offload;
	p->searches = p->beat = p->beats_before = 0;
	p->shape_due = 0;
	p->path = ADAPTIVE_OFFLOAD;
	p->stands = policy == CATFISH_POLICY_OFFLOAD ? UINT64_MAX : 0;
	for (int d = 0; d < DIMENSIONS; d++)
		p->stands_size[d] = INFINITY;
	p->reason = (struct adaptive_reason){0};
	return 0;
}

void client_policy_begin_link(struct catfish *c)
{
	c->policy.beats_before += c->policy.beat;
	c->policy.beat = 0;
}

static int settle(struct catfish *c, enum catfish_offload offload)
{
	int error = client_prepare_offload(c, offload);

	if (!error)
		c->policy.shape = (struct client_shape){0};
	return error;
}

/* --- A search ----------------------------------------------------------- */

void client_choose_search(struct catfish *c, const struct rect *box,
			  uint64_t now_ns, struct client_choice *choice)
{
	struct client_policy *p = &c->policy;

	client_choose(c, client_expect_leaves(c, box), now_ns, choice);
	if (choice->begun_ns && choice->path == ADAPTIVE_OFFLOAD)
		stand_for(p, box);
}

void client_choose(struct catfish *c, double leaves, uint64_t now_ns,
		   struct client_choice *choice)
{
	struct client_policy *p = &c->policy;

	choice->begun_ns = 0;
	p->searches++;
	if (p->policy == CATFISH_POLICY_MESSAGING || !p->can_offload) {
		choice->path = p->path = ADAPTIVE_MESSAGING;
		return;
	}
	if (p->policy == CATFISH_POLICY_OFFLOAD) {
		choice->path = p->path = ADAPTIVE_OFFLOAD;
		return;
	}
	if (p->searches >= p->shape_due) {
		look_at_shape(c);
		p->shape_due = p->searches + SHAPE_EVERY;
	}
	p->stands = 0;
	p->now_ns = now_ns ? now_ns : clock_now_ns();
	hear(c);
	choice->query.work[ADAPTIVE_MESSAGING] = leaves;
	choice->query.work[ADAPTIVE_OFFLOAD] = leaves;
	choice->path = p->path = adaptive_choose(&p->controller, p->now_ns,
						 &choice->query, &p->reason);
	choice->begun_ns = p->now_ns;
}

/* Lets the choice to offload that was made for this rectangle stand for others
 * of up to twice as many leaves, if they are over in less time than thinking
 * and measuring are worth.  What is told and learnt meanwhile waits that long.
 */
static void stand_for(struct client_policy *p, const struct rect *box)
{
	const struct client_shape *shape = &p->shape;
	double predicted_ns = p->reason.predicted_ns[ADAPTIVE_OFFLOAD];
	const double more = pow(2, 1.0 / DIMENSIONS);

	if (p->reason.why != ADAPTIVE_PREDICTED || predicted_ns >= QUICK_NS)
		return;
	p->stands = STANDS_NS < STANDS_MAX * predicted_ns
			    ? (uint64_t)(STANDS_NS / predicted_ns)
			    : STANDS_MAX;
	for (int d = 0; d < DIMENSIONS; d++) {
		double size = box->max[d] - box->min[d];
		double per_length = shape->leaves_per_length[d];
		p->stands_size[d] =
			per_length > 0 ? more * size + (more - 1) / per_length
				       : INFINITY;
	}
}

void client_think_again(struct client_policy *policy)
{
	if (policy->policy != CATFISH_POLICY_OFFLOAD)
		policy->stands = 0;
}

void client_chosen(struct catfish *c, const struct client_choice *choice)
{
	if (choice->begun_ns)
		adaptive_completed(&c->policy.controller, choice->path,
				   &choice->query,
				   (double)(clock_now_ns() - choice->begun_ns));
}

/* A heartbeat's number stands first and is looked at alone: the rest only when
 * that has changed. */
static void hear(struct catfish *c)
{
	struct client_policy *p = &c->policy;
	uint32_t size;
	const _Atomic uint64_t *number = fabric_inbox(c->link, &size);
	struct wire_heartbeat beat;

	if (atomic_load_explicit(number, memory_order_relaxed) == p->beat ||
	    client_heartbeat_look(c, &beat))
		return;
	p->beat = beat.beat;
	p->now_ns = clock_now_ns();
	const struct adaptive_heartbeat heartbeat = {
		.beat = p->beats_before + beat.beat,
		.utilisation = (double)beat.utilisation_ppm / 1e6,
		.link_load = beat.transmit_ppm == WIRE_TRANSMIT_UNKNOWN
				     ? -1
				     : (double)beat.transmit_ppm / 1e6,
	};
	adaptive_heartbeat(&p->controller, p->now_ns, &heartbeat);
}

/* --- Work --------------------------------------------------------------- */

/* Leaves of a packed tree are about square in units of its bounds: a box meets
 * one, and on each axis as many more as fit into its length. */
double client_expect_leaves(const struct catfish *c, const struct rect *box)
{
	const struct client_shape *shape = &c->policy.shape;
	double leaves = 1;

	for (int d = 0; d < DIMENSIONS; d++) {
		double min = box->min[d], max = box->max[d];
		if (min < shape->bounds.min[d])
			min = shape->bounds.min[d];
		if (max > shape->bounds.max[d])
			max = shape->bounds.max[d];
		if (max > min)
			leaves *= 1 + (max - min) * shape->leaves_per_length[d];
	}
	return leaves;
}

double client_expect_nearest(uint64_t k)
{
	return 1 + (double)k / LEAF_ENTRIES;
}

/* The bounds of the root's node, as it stands in mapped memory or in the cache.
 */
static bool find_bounds(struct catfish *c, struct root *root,
			struct rect *bounds)
{
	const struct node *node = NULL;

	if (c->offload == CATFISH_OFFLOAD_MAPPED) {
		root_load(c->region, root);
		uint64_t page = node_ref_page(root->ref);
		if (page < c->server.page_count)
			node = (const struct node *)c->region + page;
		if (node)
			*bounds = node->bounds;
		return node;
	}
	struct node_cache *cache = c->fetch->cache;
	if (!cache)
		return false;
	node_cache_read_begin(cache);
	*root = *node_cache_root(cache);
	if (root->version)
		node = node_cache_find(cache, root->ref, root->version);
	if (node && node->header.level)
		*bounds = node->bounds;
	node_cache_read_end(cache);
	return node && node->header.level;
}

/* What the server, or a page that is used again, makes of it can make a search
 * go by the slower path. */
static void look_at_shape(struct catfish *c)
{
	struct client_shape shape = {0};
	struct root root;

	if (!find_bounds(c, &root, &shape.bounds) || !rect_valid(&shape.bounds))
		return;
	double leaves = fmax(1, (double)root.item_count / LEAF_ENTRIES);
	double on_axis = pow(leaves, 1.0 / DIMENSIONS);
	for (int d = 0; d < DIMENSIONS; d++) {
		double length = shape.bounds.max[d] - shape.bounds.min[d];
		if (length > 0 && isfinite(on_axis / length))
			shape.leaves_per_length[d] = on_axis / length;
	}
	c->policy.shape = shape;
}

/* --- Explaining --------------------------------------------------------- */

static const char *reason_text(const struct client_policy *p)
{
	if (!p->can_offload && p->policy != CATFISH_POLICY_MESSAGING)
		return "the fabric has no other";
	return adaptive_why_text(p->reason.why);
}

int catfish_explain(const struct catfish *c,
		    struct catfish_explanation *explanation)
{
	int error = client_begin_request(c);

	if (!error && !explanation)
		error = err_set(ERR_USAGE, "there is no place for reasons");
	if (!error && !c->policy.searches)
		error = err_set(ERR_USAGE, "there was no search to explain");
	if (error)
		return catfish_error_of(error);
	const struct client_policy *p = &c->policy;
	*explanation = (struct catfish_explanation){
		.policy = p->policy,
		.path = p->path == ADAPTIVE_OFFLOAD ? CATFISH_PATH_OFFLOAD
						    : CATFISH_PATH_MESSAGING,
		.reason = reason_text(p),
		.utilisation =
			p->beat ? p->controller.heartbeat.utilisation : -1,
	};
	for (int i = 0; i < ADAPTIVE_PATHS; i++) {
		explanation->predicted_us[i] = p->reason.predicted_ns[i] / 1e3;
		explanation->measured_us[i] =
			adaptive_measured_ns(&p->controller,
					     (enum adaptive_path)i) /
			1e3;
	}
	return CATFISH_OK;
}
