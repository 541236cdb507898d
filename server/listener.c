/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/listener.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "fabric/fabric.h"
#include "server/connection.h"
#include "server/server.h"
#include "server/worker.h"

struct listener {
	struct server *server;
	struct fabric_listener *fabric;
	struct event *event;
	struct event *pause; /* until it listens again */
	uint64_t sent;	     /* bytes, by its devices, when last seen */
};

static_assert(sizeof(struct wire_hello) == FABRIC_HELLO_SIZE,
	      "a hello is what a fabric carries");

/* Clients that one listener accepts before the next has its turn. */
enum { ACCEPTS_PER_TURN = 16 };

/* How long to leave waiting clients alone when the process has no file
 * descriptors or no memory left for them. */
static const struct timeval PAUSE = {.tv_usec = 100000};

static int start(struct listener *listener, struct server *server,
		 const char *address);
static void on_client(evutil_socket_t fd, short what, void *listener);
static void on_pause_ended(evutil_socket_t fd, short what, void *listener);
static void greet(struct server *server, struct fabric_link *link,
		  const uint8_t bytes[FABRIC_HELLO_SIZE]);
static enum wire_hello_status judge(const struct server *server,
				    const struct fabric_link *link,
				    const struct wire_hello *hello);
static void welcome(struct server *server, struct fabric_link *link,
		    const struct wire_hello *answer);

int listeners_start(struct server *server)
{
	size_t count = server->options.address_count;

	server->listeners = calloc(count, sizeof(server->listeners[0]));
	if (!server->listeners)
		return err_set(ERR_NO_MEMORY, "no memory to listen");
	for (size_t i = 0; i < count; i++) {
		int error = start(&server->listeners[i], server,
				  server->options.addresses[i]);
		if (error)
			return error;
		server->listener_count++;
	}
	return 0;
}

static void stop(struct listener *listener)
{
	if (listener->event)
		event_free(listener->event);
	if (listener->pause)
		event_free(listener->pause);
	fabric_listener_close(listener->fabric);
}

void listeners_stop(struct server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		stop(&server->listeners[i]);
	free(server->listeners);
	server->listeners = NULL;
	server->listener_count = 0;
}

const char *server_address(const struct server *server, size_t i)
{
	return fabric_listener_address(server->listeners[i].fabric);
}

/* Bytes that a listener's devices sent, and what they can send; what the user
 * says of that counts more than what a device does. */
static bool see_traffic(const struct server *server,
			const struct listener *listener, uint64_t *bytes,
			uint64_t *speed)
{
	if (fabric_listener_sent(listener->fabric, bytes, speed))
		return false;
	if (server->options.link_speed)
		*speed = server->options.link_speed;
	return *speed > 0;
}

uint32_t listeners_transmit_ppm(struct server *server, uint64_t time_ns)
{
	uint32_t most = WIRE_TRANSMIT_UNKNOWN;

	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];
		uint64_t bytes, speed;

		if (!see_traffic(server, listener, &bytes, &speed))
			continue;
		/* Counters can be set back. */
		uint64_t sent =
			bytes > listener->sent ? bytes - listener->sent : 0;
		double part = (double)sent * 8 * NS_PER_S /
			      ((double)time_ns * (double)speed);
		uint32_t ppm = part < 1 ? (uint32_t)(part * 1e6) : 1000000;
		listener->sent = bytes;
		if (most == WIRE_TRANSMIT_UNKNOWN || ppm > most)
			most = ppm;
	}
	return most;
}

static int start(struct listener *listener, struct server *server,
		 const char *address)
{
	const struct fabric_region region = {
		.memory = server->region.memory,
		.size = server->region.size,
		.fd = server->region.fd,
		.owner_offset = offsetof(struct root_page, owner),
	};
	const struct fabric_listen_options options = {
		.region = &region,
		.inbox_size = SERVER_INBOX_SIZE,
		.socket_mode = server->options.socket_mode,
		.device = server->options.device,
		.silence_ns = server->options.silence_ns,
	};

	int error = fabric_listen(address, &options, &listener->fabric);
	if (error)
		return error;
	listener->server = server;
	uint64_t speed;
	(void)fabric_listener_sent(listener->fabric, &listener->sent, &speed);
	listener->event =
		event_new(server->base, fabric_listener_fd(listener->fabric),
			  EV_READ | EV_PERSIST, on_client, listener);
	listener->pause = evtimer_new(server->base, on_pause_ended, listener);
	if (!listener->event || !listener->pause ||
	    event_add(listener->event, NULL) < 0) {
		stop(listener);
		return err_set(ERR_NO_MEMORY, "no memory to listen");
	}
	if (fabric_listener_is_public(listener->fabric))
		log_warn("%s can be reached from other machines, and there is "
			 "no authentication: whoever reaches it can read and "
			 "change everything",
			 fabric_listener_address(listener->fabric));
	return 0;
}

static void on_client(evutil_socket_t fd, short what, void *argument)
{
	struct listener *listener = argument;
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct fabric_link *link;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int error =
			fabric_listener_next(listener->fabric, &link, hello);
		if (error == ERR_AGAIN)
			return;
		if (!error) {
			greet(listener->server, link, hello);
			continue;
		}
		log_warn("a client can't connect: %s", err_text());
		if (error == ERR_SYSTEM || error == ERR_NO_MEMORY ||
		    error == ERR_NO_ROOM) {
			event_del(listener->event);
			event_add(listener->pause, &PAUSE);
			return;
		}
	}
}

static void on_pause_ended(evutil_socket_t fd, short what, void *argument)
{
	struct listener *listener = argument;

	event_add(listener->event, NULL);
}

/* The largest inbox that a client may have here. */
static uint64_t inbox_max(const struct server *server)
{
	uint64_t most =
		server->options.memory_per_client - connection_memory(0);

	return most < CLIENT_INBOX_MAX ? most : CLIENT_INBOX_MAX;
}

static void greet(struct server *server, struct fabric_link *link,
		  const uint8_t bytes[FABRIC_HELLO_SIZE])
{
	static const char *const reasons[] = {
		[WIRE_HELLO_OTHER_VERSION] = "it speaks another version",
		[WIRE_HELLO_OTHER_LAYOUT] = "it lays out nodes another way",
		[WIRE_HELLO_BUSY] = "there are too many",
		[WIRE_HELLO_INBOX_TOO_LARGE] = "its inbox is too large",
	};
	struct wire_hello hello;

	memcpy(&hello, bytes, sizeof(hello));
	struct wire_hello answer = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.status = judge(server, link, &hello),
		.fingerprint = RTREE_LAYOUT_FINGERPRINT,
	};
	if (answer.status == WIRE_HELLO_BUSY)
		answer.limit = server->options.max_clients;
	if (answer.status == WIRE_HELLO_INBOX_TOO_LARGE)
		answer.limit = inbox_max(server);
	if (answer.status == WIRE_HELLO_ACCEPTED) {
		welcome(server, link, &answer);
		return;
	}
	int dimensions = node_layout_dimensions(hello.fingerprint);
	if (dimensions && dimensions != DIMENSIONS)
		log_info("a client for %d dimensions is refused: the items "
			 "have %d",
			 dimensions, DIMENSIONS);
	else
		log_warn("a client is refused: %s", reasons[answer.status]);
	fabric_refuse(link, (const uint8_t *)&answer);
}

static enum wire_hello_status judge(const struct server *server,
				    const struct fabric_link *link,
				    const struct wire_hello *hello)
{
	if (hello->magic != WIRE_MAGIC || hello->version != WIRE_VERSION)
		return WIRE_HELLO_OTHER_VERSION;
	if (hello->fingerprint != RTREE_LAYOUT_FINGERPRINT)
		return WIRE_HELLO_OTHER_LAYOUT;
	if (fabric_peer_inbox_size(link) > inbox_max(server))
		return WIRE_HELLO_INBOX_TOO_LARGE;
	if (server->clients >= server->options.max_clients)
		return WIRE_HELLO_BUSY;
	return WIRE_HELLO_ACCEPTED;
}

static void welcome(struct server *server, struct fabric_link *link,
		    const struct wire_hello *answer)
{
	bool one_sided = fabric_is_one_sided(link);
	struct connection *connection;

	/* Before the client can read the first byte of the region. */
	server_client_joined(server, one_sided);
	int error = fabric_accept(link, (const uint8_t *)answer);
	if (!error)
		error = connection_create(server, link, &connection);
	if (error) {
		log_warn("a client can't connect: %s", err_text());
		fabric_close(link);
		server_client_left(server, one_sided);
		return;
	}
	worker_adopt(server, connection);
}
