/* SPDX-License-Identifier: BSD-2-Clause */

/* Taking answers apart, and completing the requests that they answer.  See
 * client/requests.h. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "client/requests.h"

enum { TEXT_SIZE = 512 };

static int take_message(struct catfish *c, size_t size);
static int take_search(struct catfish *c, struct request *r,
		       const struct wire_header *header);
static int take_nearest(struct catfish *c, struct request *r,
			const struct wire_header *header);
static int take_write(struct catfish *c, struct request *r,
		      const struct wire_header *header);
static void finish(struct catfish *c, const struct request *r, int error);

int client_requests_receive(struct catfish *c)
{
	int error = 0;

	while (!error && !c->broken && !c->lost) {
		int64_t size = fabric_ring_receive(c->ring, c->segment, NULL);
		if (size == 0)
			break;
		error = size < 0 ? err_prefix((int)size, "%s", c->address)
				 : take_message(c, (size_t)size);
	}
	return error;
}

/* Finds the request that a message answers, and takes up what it brings. */
static int take_message(struct catfish *c, size_t size)
{
	struct wire_header header;

	if (client_check_segment(c, size, &header))
		return err_prefix(ERR_PROTOCOL, "%s", c->address);
	struct request *r = &c->requests->table[header.sequence % REQUESTS_MAX];
	if (!(header.flags & WIRE_ANSWER) || !header.sequence ||
	    r->sequence != header.sequence || r->operation != header.operation)
		return err_set(ERR_PROTOCOL,
			       "%s: an answer of kind %u came to request "
			       "%" PRIu64 ", which is not outstanding",
			       c->address, header.operation, header.sequence);
	c->retry_us = 0;
	int error = request_is_search(r)  ? take_search(c, r, &header)
		    : request_is_write(r) ? take_write(c, r, &header)
					  : take_nearest(c, r, &header);
	bool is_last = error || !c->more;
	c->more = false;
	if (c->broken || c->lost)
		return error;
	/* They are answered in their order. */
	if (is_last && request_is_write(r))
		c->write_answered = r->write.number;
	if (is_last)
		client_requests_complete(c, r, error);
	return 0;
}

static int take_search(struct catfish *c, struct request *r,
		       const struct wire_header *header)
{
	struct wire_found found;
	struct client_entries items;

	int error = client_open_segment(c, header, &found, sizeof(found),
					sizeof(struct wire_item), &items);
	r->progress.stopped |= r->is_dropped;
	return error ? error
		     : client_search_take_segment(c, &r->search, &r->progress,
						  &found, &items);
}

static int take_nearest(struct catfish *c, struct request *r,
			const struct wire_header *header)
{
	struct wire_found found;
	struct client_entries neighbours;

	int error =
		client_open_segment(c, header, &found, sizeof(found),
				    sizeof(struct wire_neighbour), &neighbours);
	r->nearest.stopped |= r->is_dropped;
	return error ? error
		     : client_nearest_take_segment(c, &r->nearest, &found,
						   &neighbours);
}

static int take_write(struct catfish *c, struct request *r,
		      const struct wire_header *header)
{
	struct write *w = &r->write;
	struct wire_written written;
	struct client_entries missing;

	c->error_applied = 0;
	int error = client_open_segment(c, header, &written, sizeof(written),
					sizeof(uint32_t), &missing);
	if (error) {
		w->written.applied = c->error_applied < w->count
					     ? c->error_applied
					     : w->count;
		return error;
	}
	error = client_write_take_segment(c, w, 0, w->count, &written,
					  &missing);
	if (error || c->more)
		return error;
	return client_write_check_done(c, w, w->count);
}

void client_requests_complete(struct catfish *c, struct request *r, int error)
{
	struct request completed = *r;

	r->sequence = 0;
	c->requests->outstanding--;
	c->requests->offloaded -= r->is_offloaded;
	if (request_is_write(r))
		free(r->entries);
	if (!completed.is_dropped)
		finish(c, &completed, error);
}

void client_requests_drop(struct catfish *c, struct request *r)
{
	r->is_dropped = true;
	if (!r->is_unsent)
		return;
	c->requests->unsent--;
	client_requests_complete(c, r, 0);
}

static void finish(struct catfish *c, const struct request *r, int error)
{
	struct catfish_result result = {
		.error = catfish_error_of(error),
		.text = "",
		.retry_us = error == ERR_BUSY ? c->retry_us : 0,
	};
	char text[TEXT_SIZE];

	if (error) {
		snprintf(text, sizeof(text), "%s", err_text());
		result.text = text;
	}
	if (!request_is_write(r)) {
		result.answer =
			request_is_search(r) ? r->answer : r->nearest.answer;
		result.answer.time_ns = clock_now_ns() - r->begun_ns;
	} else {
		result.written = r->write.written;
		if (client_write_is_uncertain(c, error, r->was_sent,
					      r->was_lost))
			result.written.uncertain = r->write.count;
	}
	c->requests->completed++;
	r->call.done(r->call.context, &result);
}

/* A 'done' may begin others meanwhile, which then are looked at as well, or
 * have lowered the next deadline themselves. */
void client_requests_expire(struct catfish *c, uint64_t now)
{
	struct client_requests *requests = c->requests;

	if (now < requests->next_deadline_ns)
		return;
	requests->next_deadline_ns = UINT64_MAX;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct request *r = &requests->table[i];
		if (!r->sequence || r->is_dropped)
			continue;
		if (r->deadline_ns <= now) {
			struct request late = *r;
			client_requests_drop(c, r);
			if (late.was_sent && request_is_write(&late))
				late.write.written.uncertain = late.write.count;
			finish(c, &late,
			       err_set(ERR_TIMEOUT,
				       "no answer from %s within %.3g s",
				       c->address,
				       (double)(late.deadline_ns -
						late.begun_ns) /
					       NS_PER_S));
		} else if (r->deadline_ns < requests->next_deadline_ns) {
			requests->next_deadline_ns = r->deadline_ns;
		}
	}
}

void client_requests_fail(struct catfish *c, int error)
{
	struct client_requests *requests = c->requests;
	uint64_t newest = c->sequence;
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), "%s", err_text());
	requests->unsent = 0;
	requests->next_deadline_ns = UINT64_MAX;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct request *r = request_at(c, newest, (uint64_t)i);
		if (r)
			client_requests_complete(c, r,
						 err_set(error, "%s", text));
	}
	err_set(error, "%s", text);
}
