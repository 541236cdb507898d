/* SPDX-License-Identifier: BSD-2-Clause */

/* Requests that are offloaded: searches, in groups that share round trips.  See
 * client/requests.h. */

#include "base/err.h"
#include "client/offload.h"
#include "client/requests.h"

/* The server is asked instead. */
static void send_instead(struct catfish *c, struct request *r)
{
	c->requests->offloaded--;
	c->requests->unsent++;
	r->is_offloaded = false;
	r->is_unsent = true;
	r->answer.count = 0;
	r->answer.truncated = 0;
}

/* Those to be offloaded, the oldest first. */
static size_t find_offloaded(struct catfish *c, struct request **found)
{
	size_t count = 0;

	for (int i = 0; i < REQUESTS_MAX && count < CLIENT_GROUP_MAX; i++) {
		struct request *r = request_at(c, c->sequence, (uint64_t)i);
		if (!r || !r->is_offloaded)
			continue;
		if (r->is_dropped)
			client_requests_complete(c, r, 0);
		else
			found[count++] = r;
	}
	return count;
}

static int offload_group(struct catfish *c, struct request **requests,
			 size_t count)
{
	struct search *all[CLIENT_GROUP_MAX];
	struct client_meter meter;

	for (size_t i = 0; i < count; i++)
		all[i] = &requests[i]->search;
	client_meter_begin(c, &meter);
	int error = client_search_group_by_copy(c, all, count);
	client_meter_end(c, &meter, all[0]->answer);
	return error;
}

static int offload_one(struct catfish *c, struct search *s)
{
	struct client_meter meter;

	client_meter_begin(c, &meter);
	int error = client_search_by_offload(c, s);
	client_meter_end(c, &meter, s->answer);
	return error;
}

/* Completes a search that was to be offloaded, with the group's error if it was
 * made with it, else by making it.  The 'done' of another may have cancelled
 * it. */
static void end_offload(struct catfish *c, struct request *r, bool was_made,
			int error)
{
	if (!was_made && !r->is_dropped)
		error = offload_one(c, &r->search);
	if (c->broken || c->lost)
		return;
	if (was_made && !error && !r->is_dropped)
		client_hand_out_offloaded(c, &r->search);
	if (error == ERR_AGAIN && !r->is_dropped)
		send_instead(c, r);
	else
		client_requests_complete(c, r, error);
}

/* Makes as many searches as go in a group.  By READs they share these.  Where
 * one of them meets with an error, and in mapped memory, each is made alone. */
static int make_group(struct catfish *c)
{
	struct request *requests[CLIENT_GROUP_MAX];
	size_t count = find_offloaded(c, requests);
	int error = 0;
	bool are_made = false;

	if (count && c->offload == CATFISH_OFFLOAD_COPY) {
		error = offload_group(c, requests, count);
		are_made = !error || error == ERR_AGAIN;
	}
	for (size_t i = 0; i < count && !c->broken && !c->lost; i++)
		end_offload(c, requests[i], are_made, error);
	if (!c->broken && !c->lost)
		return 0;
	return error ? error : ERR_CONNECTION;
}

int client_requests_offload(struct catfish *c)
{
	struct client_requests *requests = c->requests;
	int error;

	do
		error = make_group(c);
	while (!error && requests->offloaded && requests->unsent);
	return error || requests->offloaded ? error : client_requests_send(c);
}
