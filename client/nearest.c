/* SPDX-License-Identifier: BSD-2-Clause */

/* The items nearest to a point, by whichever path.  By messaging the server
 * gathers them, puts them in order and sends them, in as many segments as that
 * takes; a segment is checked whole before an item of it is handed out. */

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "client/call.h"
#include "client/nearest.h"
#include "client/reconnect.h"
#include "client/search.h"

static int find(struct catfish *c, struct nearest_call *call);
static int ask(struct catfish *c, struct nearest_call *call);
static int take_segment(struct catfish *c, struct nearest_call *call);
static int check_neighbours(struct catfish *c, struct nearest_call *call,
			    const struct client_entries *neighbours);
static int hand_out(const struct nearest_call *call,
		    const struct client_entries *neighbours);
static int take_totals(struct catfish *c, struct nearest_call *call,
		       const struct wire_found *found);

int catfish_nearest(struct catfish *c, const double point[CATFISH_DIMENSIONS],
		    uint64_t k, catfish_neighbour *found, void *context,
		    struct catfish_answer *answer)
{
	struct nearest_call call = {.found = found, .context = context};
	struct client_meter meter;
	int error = client_begin(c);

	if (!error)
		error = client_nearest_take_query(&call, point, k);
	if (error)
		return catfish_error_of(error);
	if (answer)
		client_meter_begin(c, &meter);
	error = find(c, &call);
	if (error || !answer)
		return catfish_error_of(error);
	client_meter_end(c, &meter, &call.answer);
	*answer = call.answer;
	return CATFISH_OK;
}

int client_nearest_take_query(struct nearest_call *call, const double *point,
			      uint64_t k)
{
	if (!point)
		return err_set(ERR_USAGE, "there is no point");
	if (!call->found)
		return err_set(ERR_USAGE, "catfish_nearest() needs a function "
					  "to call");
	if (!k)
		return err_set(ERR_USAGE, "the nearest 0 items are none");
	call->query.k = k;
	int error = wire_get_point(point, call->query.point);
	return error ? err_prefix(error, "the point") : 0;
}

static int find(struct catfish *c, struct nearest_call *call)
{
	struct client_retry retry = {0};
	int error;

	do {
		struct client_choice choice;
		error = ERR_AGAIN;
		client_choose(c, client_expect_nearest(call->query.k), 0,
			      &choice);
		if (choice.path == ADAPTIVE_OFFLOAD)
			error = client_nearest_by_offload(c, call);
		if (error == ERR_AGAIN)
			error = ask(c, call);
		if (!error)
			client_chosen(c, &choice);
		/* What was handed out can't be taken back. */
	} while (error && !call->items && client_retry(c, &retry, &error));
	return error;
}

static int ask(struct catfish *c, struct nearest_call *call)
{
	call->segments = 0;
	memcpy(client_request_body(c), &call->query, sizeof(call->query));
	int error = client_request(c, WIRE_NEAREST, sizeof(call->query), 0);

	do {
		if (!error)
			error = take_segment(c, call);
	} while (!error && c->more);
	return error;
}

static int take_segment(struct catfish *c, struct nearest_call *call)
{
	struct wire_found found;
	struct client_entries neighbours;

	int error = client_answer(c, &found, sizeof(found),
				  sizeof(struct wire_neighbour), &neighbours);
	return error ? error
		     : client_nearest_take_segment(c, call, &found,
						   &neighbours);
}

int client_nearest_take_segment(struct catfish *c, struct nearest_call *call,
				const struct wire_found *found,
				const struct client_entries *neighbours)
{
	int error =
		client_take_version(c, found, call->segments, &call->answer);
	if (!error)
		error = check_neighbours(c, call, neighbours);
	if (error)
		return error;
	call->segments++;
	if (!call->stopped)
		call->stopped = hand_out(call, neighbours);
	return c->more ? 0 : take_totals(c, call, found);
}

/* No more than were asked for, each an item, and none nearer than one before
 * it. */
static int check_neighbours(struct catfish *c, struct nearest_call *call,
			    const struct client_entries *neighbours)
{
	const struct wire_neighbour *wire = neighbours->first;
	struct item item;

	call->items += neighbours->count;
	if (call->items > call->query.k)
		return client_break(c, err_set(ERR_PROTOCOL,
					       "%s sent %" PRIu64
					       " items where at most %" PRIu64
					       " were asked for",
					       c->address, call->items,
					       call->query.k));
	for (uint32_t i = 0; i < neighbours->count; i++) {
		if (wire_get_item(&wire[i].item, &item))
			return client_break(c, err_prefix(ERR_PROTOCOL,
							  "%s sent an item",
							  c->address));
		/* Nor is NaN a distance. */
		if (!(wire[i].distance >= call->farthest))
			return client_break(
				c, err_set(ERR_PROTOCOL,
					   "%s sent an item at a distance of "
					   "%g after one of %g",
					   c->address, wire[i].distance,
					   call->farthest));
		call->farthest = wire[i].distance;
	}
	return 0;
}

/* What the caller's function returned when it ended the search, else 0. */
static int hand_out(const struct nearest_call *call,
		    const struct client_entries *neighbours)
{
	const struct wire_neighbour *wire = neighbours->first;

	for (uint32_t i = 0; i < neighbours->count; i++) {
		double box[2 * DIMENSIONS];
		memcpy(box, &wire[i].item.rect, sizeof(box));
		int stop = call->found(call->context, wire[i].item.id, box,
				       wire[i].distance);
		if (stop)
			return stop;
	}
	return 0;
}

/* The last segment counts what there was in all. */
static int take_totals(struct catfish *c, struct nearest_call *call,
		       const struct wire_found *found)
{
	if (call->items != found->total)
		return client_break(
			c, err_set(ERR_PROTOCOL,
				   "%s sent %" PRIu64 " items and says there "
				   "were %" PRIu64,
				   c->address, call->items, found->total));
	call->answer.count = found->total;
	call->answer.path = CATFISH_PATH_MESSAGING;
	call->answer.offload = CATFISH_OFFLOAD_AUTO;
	call->answer.nodes += found->nodes;
	call->answer.round_trips++;
	return 0;
}
