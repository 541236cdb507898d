/* SPDX-License-Identifier: BSD-2-Clause */

/* Asks a Catfish server many things at once from a libevent loop, as a service
 * would that does other things besides:
 *
 *	cc events.c -o events $(pkg-config --cflags --libs catfish
 *libevent_core)
 *	./events shm:///run/catfish.sock */

#include <catfish.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>

enum { OUTSTANDING = 16, REQUESTS = 1000 };

struct client {
	struct catfish *server;
	struct event_base *base;
	struct event *event;
	int begun, completed, late;
	unsigned long long found;
	int error;
};

static void begin_some(struct client *client);

static void take_result(void *context, const struct catfish_result *result)
{
	struct client *client = context;

	client->completed++;
	client->found += result->answer.count;
	if (result->error == CATFISH_ERROR_TIMEOUT)
		client->late++;
	else if (result->error) {
		fprintf(stderr, "events: %s\n", result->text);
		client->error = result->error;
	}
	begin_some(client);
}

/* Keeps OUTSTANDING requests on their way until all are begun. */
static void begin_some(struct client *client)
{
	const struct catfish_call call = {
		.done = take_result,
		.context = client,
		.deadline_ms = 5000,
	};

	while (!client->error && client->begun < REQUESTS &&
	       catfish_outstanding(client->server) < OUTSTANDING) {
		double x = (double)client->begun / REQUESTS;
		const struct catfish_query query = {
			.box = {x, 0, x + 0.01, 1},
		};
		int error = catfish_begin_count(client->server, &query, &call,
						NULL);
		if (error == CATFISH_ERROR_BUSY)
			return; /* goes on when one is done */
		if (error) {
			fprintf(stderr, "events: %s\n", catfish_error_text());
			client->error = error;
			return;
		}
		client->begun++;
	}
}

static void on_event(evutil_socket_t fd, short what, void *context);

/* Takes up what has come, and sleeps until there is more.  What the connection
 * waits for may change, so the event is made anew. */
static void go_on(struct client *client)
{
	int error = catfish_arm(client->server, NULL);

	if (error || client->error || !catfish_outstanding(client->server)) {
		if (error)
			client->error = error;
		event_base_loopbreak(client->base);
		return;
	}
	short events;
	int fd = catfish_fd(client->server, &events);
	int sleep_ms = catfish_sleep_ms(client->server);
	struct timeval time = {sleep_ms / 1000, sleep_ms % 1000 * 1000};

	if (client->event)
		event_free(client->event);
	client->event = event_new(client->base, fd,
				  EV_READ | (events & POLLOUT ? EV_WRITE : 0),
				  on_event, client);
	if (!client->event ||
	    event_add(client->event, sleep_ms < 0 ? NULL : &time)) {
		client->error = CATFISH_ERROR_NO_MEMORY;
		event_base_loopbreak(client->base);
	}
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	go_on(context);
}

int main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "shm:///run/catfish.sock";
	struct client client = {.base = event_base_new()};

	client.error = catfish_connect(address, NULL, &client.server);
	if (!client.base || client.error) {
		fprintf(stderr, "events: %s\n", catfish_error_text());
		return 1;
	}
	begin_some(&client);
	go_on(&client);
	if (!client.error)
		event_base_dispatch(client.base);
	printf("%d requests, %d late, %llu items\n", client.completed,
	       client.late, client.found);
	if (client.event)
		event_free(client.event);
	catfish_close(client.server);
	event_base_free(client.base);
	return client.error ? 1 : 0;
}
