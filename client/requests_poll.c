/* SPDX-License-Identifier: BSD-2-Clause */

/* Polling for answers, and waiting for them.  See client/requests.h. */

#include <poll.h>

#include "base/clock.h"
#include "base/err.h"
#include "client/opening.h"
#include "client/requests.h"

static int advance(struct catfish *c);
static int begin_poll(struct catfish *c);
static int end_poll(struct catfish *c, int error, size_t *completed);

int catfish_poll(struct catfish *c, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	return catfish_error_of(end_poll(c, advance(c), completed));
}

int catfish_arm(struct catfish *c, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	uint64_t link;
	do {
		link = c->links;
		if (!c->broken && !c->lost)
			error = fabric_arm(c->link);
		if (!error)
			error = advance(c);
		/* Another link has to be armed as well. */
	} while (!error && c->links != link);
	return catfish_error_of(end_poll(c, error, completed));
}

/* Whether a wait that may last until 'until' has nothing left to wait for. */
static bool has_waited(const struct client_requests *requests, uint64_t now,
		       uint64_t until)
{
	return requests->completed || !requests->outstanding || now >= until;
}

/* When there is something to do whatever comes. */
static uint64_t next_time(const struct catfish *c)
{
	const struct client_requests *requests = c->requests;
	uint64_t next = requests->next_deadline_ns;

	/* Lost again while it came back: to be looked for. */
	if (c->lost && !requests->is_coming_back)
		return 0;
	return requests->is_coming_back && !c->opening &&
			       requests->retry.next_ns < next
		       ? requests->retry.next_ns
		       : next;
}

/* A wait until then, or until the next deadline. */
static struct client_wait plan_wait(const struct catfish *c, uint64_t now,
				    uint64_t until)
{
	if (next_time(c) < until)
		until = next_time(c);
	return (struct client_wait){
		.timeout_ns = until > now ? until - now : 0,
	};
}

/* Without a link there is nothing but time to wait for, or another link. */
static void wait_for_link(const struct catfish *c, uint64_t until)
{
	uint64_t now = clock_now_ns();
	uint64_t left = until > now ? until - now : 0;
	const struct timespec time = {
		.tv_sec = (time_t)(left / NS_PER_S),
		.tv_nsec = (long)(left % NS_PER_S),
	};
	struct pollfd fd = {0};

	fd.fd = catfish_fd(c, &fd.events);
	ppoll(&fd, 1, &time, NULL);
}

static int wait_step(struct catfish *c, struct client_wait *wait, uint64_t now,
		     uint64_t until)
{
	if (!c->lost)
		return client_wait_step(c, wait, now);
	uint64_t next = next_time(c);
	wait_for_link(c, next < until ? next : until);
	return 0;
}

int catfish_wait(struct catfish *c, uint32_t timeout_ms, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	struct client_requests *requests = c->requests;
	uint64_t now = clock_now_ns();
	uint64_t until = now + timeout_ms * NS_PER_MS;
	struct client_wait wait = plan_wait(c, now, until);
	for (;;) {
		uint64_t link = c->links;
		error = advance(c);
		now = clock_now_ns();
		if (error || has_waited(requests, now, until))
			break;
		if (requests->offloaded)
			continue;
		if (c->links != link ||
		    (wait.started && now >= wait.deadline_ns))
			wait = plan_wait(c, now, until);
		error = wait_step(c, &wait, now, until);
		if (error)
			break;
	}
	return catfish_error_of(end_poll(c, error, completed));
}

int catfish_fd(const struct catfish *c, short *events)
{
	if (c->link && !c->lost)
		return fabric_fd(c->link, events);
	*events = c->opening ? POLLIN : 0;
	return c->opening ? client_opening_fd(c->opening) : -1;
}

int catfish_sleep_ms(const struct catfish *c)
{
	uint64_t deadline = c->requests ? next_time(c) : UINT64_MAX;
	uint64_t now = clock_now_ns();

	if (deadline == UINT64_MAX)
		return -1;
	if (deadline <= now || c->requests->offloaded)
		return 0;
	uint64_t left_ms = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;
	return left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
}

static int begin_poll(struct catfish *c)
{
	int error = c && client_requests_outstanding(c)
			    ? 0
			    : client_begin_request(c);

	if (!error)
		error = client_requests_create(c);
	if (error)
		return error;
	if (c->requests->is_polled)
		return err_set(ERR_USAGE,
			       "what is called by a poll can't poll itself");
	c->requests->is_polled = true;
	c->requests->completed = 0;
	return 0;
}

/* Completes what can be completed, and has a lost connection back.  An error
 * that is returned is one that ended the connection, or its being looked for.
 */
static int advance(struct catfish *c)
{
	int error = c->lost ? 0 : client_requests_receive(c);

	if (!error && !c->lost && !c->broken)
		error = c->requests->offloaded ? client_requests_offload(c)
					       : client_requests_send(c);
	if (error)
		client_break(c, error);
	if (c->lost)
		error = client_requests_come_back(c);
	struct client_requests *requests = c->requests;
	if (!error && requests->outstanding &&
	    requests->next_deadline_ns != UINT64_MAX)
		client_requests_expire(c, clock_now_ns());
	return error;
}

/* An error that broke the connection is all requests'. */
static int end_poll(struct catfish *c, int error, size_t *completed)
{
	struct client_requests *requests = c->requests;

	if (c->broken && !error)
		error = client_begin_request(c);
	if (error)
		client_requests_fail(c, error);
	requests->is_polled = false;
	if (completed)
		*completed = requests->completed;
	return error;
}
