/* SPDX-License-Identifier: BSD-2-Clause */

/* Searching by messaging: the server searches and sends what it found, in as
 * many segments as that takes.  A segment is checked whole before an item of
 * it is handed out. */

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "client/call.h"
#include "client/offload.h"
#include "client/search.h"

static int ask(struct catfish *c, struct search *s);
static int walk_instead(struct catfish *c, struct search *s, uint64_t asked_ns);
static int send_query(struct catfish *c, const struct search *s);
static int take_segment(struct catfish *c, struct search *s,
			struct search_progress *so_far);
static int check_limit(struct catfish *c, const struct search *s,
		       const struct search_progress *so_far);
static int check_items(struct catfish *c, const struct client_entries *items);
static int hand_out(struct search *s, const struct client_entries *items);
static int take_totals(struct catfish *c, struct search *s,
		       const struct wire_found *found,
		       const struct search_progress *so_far);

int client_search_by_messaging(struct catfish *c, struct search *s)
{
	c->push_back.may_come = false;
	return ask(c, s);
}

int client_search_by_messaging_or_walk(struct catfish *c, struct search *s,
				       uint64_t asked_ns)
{
	c->push_back.may_come = true;
	int error = ask(c, s);
	c->push_back.may_come = false;
	if (!error || !c->push_back.came)
		return error;
	error = walk_instead(c, s, asked_ns);
	return error == ERR_AGAIN ? client_search_by_messaging(c, s) : error;
}

static int walk_instead(struct catfish *c, struct search *s, uint64_t asked_ns)
{
	const struct root *root = &c->push_back.root;

	s->answer->pushed_back++;
	s->answer->round_trips++;
	int error = client_check_version(c, root->identity, root->version);
	return error ? error
		     : client_search_by_offload_from(c, s, root, asked_ns);
}

static int ask(struct catfish *c, struct search *s)
{
	struct search_progress so_far = {0};
	int error = send_query(c, s);

	do {
		if (!error)
			error = take_segment(c, s, &so_far);
	} while (!error && c->more);
	return error;
}

static int send_query(struct catfish *c, const struct search *s)
{
	struct wire_query query;

	client_search_put_query(s, &query);
	if (c->push_back.may_come)
		query.flags |= WIRE_QUERY_MAY_PUSH_BACK;
	memcpy(client_request_body(c), &query, sizeof(query));
	return client_request(c, s->found ? WIRE_SEARCH : WIRE_COUNT,
			      sizeof(query), 0);
}

static int take_segment(struct catfish *c, struct search *s,
			struct search_progress *so_far)
{
	struct wire_found found;
	struct client_entries items;

	int error = client_answer(c, &found, sizeof(found),
				  sizeof(struct wire_item), &items);
	return error ? error
		     : client_search_take_segment(c, s, so_far, &found, &items);
}

void client_search_put_query(const struct search *s, struct wire_query *query)
{
	*query = (struct wire_query){
		.limit = s->limit,
		.relation = s->relation,
	};
	wire_put_rect(s->box, &query->rect);
}

int client_search_take_segment(struct catfish *c, struct search *s,
			       struct search_progress *so_far,
			       const struct wire_found *found,
			       const struct client_entries *items)
{
	so_far->items += items->count;
	int error = client_take_version(c, found, so_far->segments, s->answer);
	if (!error)
		error = check_limit(c, s, so_far);
	if (!error)
		error = check_items(c, items);
	if (error)
		return error;
	so_far->segments++;
	if (!so_far->stopped && s->found)
		so_far->stopped = hand_out(s, items);
	return c->more ? 0 : take_totals(c, s, found, so_far);
}

int client_take_version(struct catfish *c, const struct wire_found *found,
			uint64_t segments, struct catfish_answer *answer)
{
	int error = client_check_version(c, found->identity, found->version);
	if (error)
		return error;
	if (segments && found->version != answer->version)
		return client_break(
			c,
			err_set(ERR_PROTOCOL,
				"%s changed the version in the middle of "
				"an answer, from %" PRIu64 " to %" PRIu64,
				c->address, answer->version, found->version));
	c->version = found->version;
	answer->identity = found->identity;
	answer->version = found->version;
	return 0;
}

/* No more items than were asked for. */
static int check_limit(struct catfish *c, const struct search *s,
		       const struct search_progress *so_far)
{
	if (so_far->items > (s->limit ? s->limit : UINT64_MAX))
		return client_break(c, err_set(ERR_PROTOCOL,
					       "%s sent %" PRIu64
					       " items where at most %" PRIu64
					       " were asked for",
					       c->address, so_far->items,
					       s->limit));
	return 0;
}

static int check_items(struct catfish *c, const struct client_entries *items)
{
	const struct wire_item *wire = items->first;
	struct item item;

	uint32_t bad = wire_first_bad_item(wire, items->count);
	if (bad == items->count || !wire_get_item(&wire[bad], &item))
		return 0;
	return client_break(
		c, err_prefix(ERR_PROTOCOL, "%s sent an item", c->address));
}

/* What the caller's function returned when it ended the search, else 0. */
static int hand_out(struct search *s, const struct client_entries *items)
{
	const struct wire_item *wire = items->first;

	s->handed_out |= items->count > 0;
	for (uint32_t i = 0; i < items->count; i++) {
		double box[2 * DIMENSIONS];
		memcpy(box, &wire[i].rect, sizeof(box));
		int stop = s->found(s->context, wire[i].id, box);
		if (stop)
			return stop;
	}
	return 0;
}

/* The last segment counts what there was in all. */
static int take_totals(struct catfish *c, struct search *s,
		       const struct wire_found *found,
		       const struct search_progress *so_far)
{
	if (so_far->items != (s->found ? found->total : 0))
		return client_break(
			c, err_set(ERR_PROTOCOL,
				   "%s sent %" PRIu64 " items and says there "
				   "were %" PRIu64,
				   c->address, so_far->items, found->total));
	s->answer->count = found->total;
	s->answer->truncated = found->truncated;
	s->answer->path = CATFISH_PATH_MESSAGING;
	s->answer->offload = CATFISH_OFFLOAD_AUTO;
	s->answer->nodes += found->nodes;
	s->answer->round_trips++;
	return 0;
}
