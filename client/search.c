/* SPDX-License-Identifier: BSD-2-Clause */

/* The searches of catfish.h, by whichever path. */

#include "client/search.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/parse.h"
#include "client/offload.h"
#include "client/reconnect.h"

/* Arrays of the caller that items are stored in. */
struct store {
	int64_t *ids;
	double *boxes;
	size_t capacity;
	size_t count;
};

static catfish_found store_item;
static inline int run(struct catfish *c, const struct catfish_query *query,
		      struct search *s, struct catfish_answer *answer);
static int search_metered(struct catfish *c, struct search *s,
			  struct catfish_answer *answer);
static int choose_and_search(struct catfish *c, struct search *s,
			     uint64_t now_ns);
static int search_otherwise(struct catfish *c, struct search *s, int error);
static int search_again(struct catfish *c, struct search *s, int error);
static inline int search(struct catfish *c, struct search *s, uint64_t now_ns);

int catfish_search(struct catfish *c, const struct catfish_query *query,
		   catfish_found *found, void *context,
		   struct catfish_answer *answer)
{
	struct search s = {.found = found, .context = context};

	if (!found)
		return catfish_error_of(err_set(
			ERR_USAGE, "catfish_search() needs a function to call; "
				   "catfish_count() needs none"));
	int error = run(c, query, &s, answer);
	return error ? (int)catfish_error_of(error) : CATFISH_OK;
}

int catfish_search_into(struct catfish *c, const struct catfish_query *query,
			int64_t *ids, double *boxes, size_t capacity,
			struct catfish_answer *answer)
{
	struct store store = {ids, boxes, capacity, 0};
	struct search s = {.found = store_item, .context = &store};

	if ((!ids && capacity) || !answer)
		return catfish_error_of(
			err_set(ERR_USAGE, "catfish_search_into() needs room "
					   "for ids and for the answer"));
	return catfish_error_of(run(c, query, &s, answer));
}

int catfish_count(struct catfish *c, const struct catfish_query *query,
		  uint64_t *count, struct catfish_answer *answer)
{
	struct search s = {0};

	int error = run(c, query, &s, answer);
	if (!error && count)
		*count = s.answer->count;
	return catfish_error_of(error);
}

static int store_item(void *context, int64_t id, const double *box)
{
	enum { NUMBERS = 2 * DIMENSIONS };
	struct store *store = context;

	if (store->count == store->capacity)
		return 0;
	store->ids[store->count] = id;
	if (store->boxes)
		memcpy(store->boxes + NUMBERS * store->count, box,
		       NUMBERS * sizeof(*box));
	store->count++;
	return 0;
}

static inline int run(struct catfish *c, const struct catfish_query *query,
		      struct search *s, struct catfish_answer *answer)
{
	int error = client_begin(c);

	if (!error)
		error = client_search_take_query(query, s);
	if (error)
		return error;
	/* Only who asks for what it took pays for the clock, and for a place
	 * that begins with zeros. */
	if (answer)
		return search_metered(c, s, answer);
	s->answer = &c->unasked;
	return search(c, s, 0);
}

static int search_metered(struct catfish *c, struct search *s,
			  struct catfish_answer *answer)
{
	struct catfish_answer took = {0};
	struct client_meter meter;

	s->answer = &took;
	client_meter_begin(c, &meter);
	int error = search(c, s, meter.begun_ns);
	if (error)
		return error;
	client_meter_end(c, &meter, &took);
	*answer = took;
	s->answer = answer;
	return 0;
}

void client_meter_begin(const struct catfish *c, struct client_meter *meter)
{
	meter->begun_ns = clock_now_ns();
	meter->links = c->links;
	meter->before = *fabric_link_counters(c->link);
}

void client_meter_end(const struct catfish *c, const struct client_meter *meter,
		      struct catfish_answer *answer)
{
	static const struct fabric_counters none;
	const struct fabric_counters *now = fabric_link_counters(c->link);
	/* Another link counts from 0; what went over a lost one isn't known. */
	const struct fabric_counters *before =
		meter->links == c->links ? &meter->before : &none;

	answer->round_trips += now->read_lists - before->read_lists;
	answer->reads += now->reads - before->reads;
	answer->read_bytes += now->read_bytes - before->read_bytes;
	answer->time_ns = clock_now_ns() - meter->begun_ns;
}

int client_search_take_query(const struct catfish_query *query,
			     struct search *s)
{
	if (!query)
		return err_set(ERR_USAGE, "there is no query");
	switch (query->relation) {
	case CATFISH_INTERSECTS:
		s->relation = RELATION_INTERSECTS;
		break;
	case CATFISH_CONTAINS:
		s->relation = RELATION_CONTAINS;
		break;
	case CATFISH_WITHIN:
		s->relation = RELATION_WITHIN;
		break;
	default:
		return err_set(ERR_USAGE, "there is no relation %d",
			       (int)query->relation);
	}
	static_assert(sizeof(*s->box) == sizeof(query->box), "a rectangle");
	s->box = (const struct rect *)query->box;
	s->limit = s->found ? query->limit : 0;
	return rect_valid(s->box) ? 0
				  : err_prefix(parse_check_rect(s->box),
					       "the query's rectangle");
}

/* Begins again what is to be done again; items in arrays are stored anew. */
static bool can_begin_again(struct search *s)
{
	if (s->found == store_item) {
		((struct store *)s->context)->count = 0;
		s->handed_out = false;
	}
	return !s->handed_out;
}

/* 'now_ns' is the time, or 0. */
static inline int search(struct catfish *c, struct search *s, uint64_t now_ns)
{
	int error;

	if (client_goes_on(&c->policy, s->box))
		error = client_search_by_offload(c, s);
	else
		error = choose_and_search(c, s, now_ns);
	return error ? search_otherwise(c, s, error) : 0;
}

/* After a first try that failed, or wasn't vouched for. */
static int search_otherwise(struct catfish *c, struct search *s, int error)
{
	if (error == ERR_AGAIN) {
		client_think_again(&c->policy);
		error = client_search_by_messaging(c, s);
	}
	return error ? search_again(c, s, error) : 0;
}

static int choose_and_search(struct catfish *c, struct search *s,
			     uint64_t now_ns)
{
	struct client_choice choice;
	int error = ERR_AGAIN;

	client_choose_search(c, s->box, now_ns, &choice);
	if (choice.path == ADAPTIVE_OFFLOAD)
		error = client_search_by_offload(c, s);
	else if (client_may_walk(&c->policy))
		error = client_search_by_messaging_or_walk(c, s,
							   choice.begun_ns);
	if (error == ERR_AGAIN)
		error = client_search_by_messaging(c, s);
	/* What failed says nothing of how long a search takes. */
	if (!error)
		client_chosen(c, &choice);
	return error;
}

/* After a first try that failed. */
static int search_again(struct catfish *c, struct search *s, int error)
{
	struct client_retry retry = {0};

	while (error && can_begin_again(s) && client_retry(c, &retry, &error))
		error = choose_and_search(c, s, 0);
	return error;
}
