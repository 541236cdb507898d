/* SPDX-License-Identifier: BSD-2-Clause */

/* Connections of the fake RDMA library.  An identifier that is destroyed says
 * goodbye for its connection, as the kernel does. */

#include <arpa/inet.h>
#include <errno.h>
#include <rdma/rdma_cma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "tests/fabric/fake_inner.h"

enum {
	/* Why a request is rejected. */
	NO_LISTENER = 8,
	BY_CONSUMER = 28,
	FIRST_PORT = 7000,
	PRIVATE_MAX = 196,
};

struct event {
	struct rdma_cm_event event;
	uint8_t private[PRIVATE_MAX];
	STAILQ_ENTRY(event) queue;
};

struct channel {
	struct rdma_event_channel channel;
	STAILQ_HEAD(, event) events;
	unsigned users;
};

struct identifier {
	struct rdma_cm_id id;
	enum { ID_NEW, ID_LISTENS, ID_ASKS, ID_IS_ASKED, ID_CONNECTED } state;
	struct identifier *peer;
	unsigned unacknowledged;
	LIST_ENTRY(identifier) all;
};

static LIST_HEAD(, identifier) identifiers = LIST_HEAD_INITIALIZER(identifiers);
static unsigned notified;

static struct identifier *identifier_of(struct rdma_cm_id *id)
{
	return (struct identifier *)id;
}

static struct channel *channel_of(struct rdma_event_channel *base)
{
	return (void *)base;
}

/* --- Event channels ----------------------------------------------------- */

struct rdma_event_channel *rdma_create_event_channel(void)
{
	struct channel *channel = NULL;

	fake_lock();
	if (!fake_fails("rdma_create_event_channel")) {
		channel = fake_make(FAKE_EVENT_CHANNEL, sizeof(*channel));
		channel->channel.fd = fake_bell();
		STAILQ_INIT(&channel->events);
	}
	fake_unlock();
	return channel ? &channel->channel : NULL;
}

void rdma_destroy_event_channel(struct rdma_event_channel *base)
{
	struct channel *channel = channel_of(base);

	fake_lock();
	fake_check(!channel->users, "unmakes an event channel that is in use");
	close(base->fd);
	fake_unmake(FAKE_EVENT_CHANNEL, channel);
	fake_unlock();
}

static void put(struct rdma_event_channel *base, struct event *event)
{
	STAILQ_INSERT_TAIL(&channel_of(base)->events, event, queue);
	fake_ring(base->fd);
}

/* Tells an identifier something; 'data' may come along. */
static struct event *tell(struct identifier *i, enum rdma_cm_event_type type,
			  int status, const void *data, uint8_t size)
{
	struct event *event = calloc(1, sizeof(*event));

	fake_check(event, "no memory");
	event->event.id = &i->id;
	event->event.event = type;
	event->event.status = status;
	if (size) {
		memcpy(event->private, data, size);
		event->event.param.conn.private_data = event->private;
		event->event.param.conn.private_data_len = size;
	}
	put(i->id.channel, event);
	return event;
}

/* Takes the events that are for an identifier out of its channel. */
static void take_events(struct identifier *i, struct rdma_event_channel *to)
{
	struct channel *channel = channel_of(i->id.channel);
	struct event *event, *next;

	for (event = STAILQ_FIRST(&channel->events); event; event = next) {
		next = STAILQ_NEXT(event, queue);
		if (event->event.id != &i->id)
			continue;
		STAILQ_REMOVE(&channel->events, event, event, queue);
		fake_unring(channel->channel.fd);
		if (to)
			put(to, event);
		else
			free(event);
	}
}

int rdma_get_cm_event(struct rdma_event_channel *base,
		      struct rdma_cm_event **event)
{
	struct channel *channel = channel_of(base);
	int result = -1;

	fake_check_nonblocking(base->fd);
	fake_lock();
	struct event *first = STAILQ_FIRST(&channel->events);
	if (!first) {
		errno = EAGAIN;
	} else if (!fake_fails("rdma_get_cm_event")) {
		STAILQ_REMOVE_HEAD(&channel->events, queue);
		fake_unring(base->fd);
		identifier_of(first->event.id)->unacknowledged++;
		fake_count(FAKE_EVENT);
		*event = &first->event;
		result = 0;
	}
	fake_unlock();
	return result;
}

int rdma_ack_cm_event(struct rdma_cm_event *event)
{
	fake_lock();
	identifier_of(event->id)->unacknowledged--;
	fake_unmake(FAKE_EVENT, event);
	fake_unlock();
	return 0;
}

const char *rdma_event_str(enum rdma_cm_event_type event)
{
	return event == RDMA_CM_EVENT_DEVICE_REMOVAL ? "device removal"
						     : "event";
}

void fake_remove_device(void)
{
	struct identifier *i;

	fake_lock();
	LIST_FOREACH(i, &identifiers, all)
		if (i->id.verbs)
			tell(i, RDMA_CM_EVENT_DEVICE_REMOVAL, 0, NULL, 0);
	fake_unlock();
}

/* --- Identifiers -------------------------------------------------------- */

static struct identifier *make(struct rdma_event_channel *channel)
{
	struct identifier *i = fake_make(FAKE_IDENTIFIER, sizeof(*i));

	i->id.channel = channel;
	channel_of(channel)->users++;
	LIST_INSERT_HEAD(&identifiers, i, all);
	return i;
}

int rdma_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id,
		   void *context, enum rdma_port_space space)
{
	fake_lock();
	bool fails = fake_fails("rdma_create_id");
	if (!fails) {
		*id = &make(channel)->id;
		(*id)->context = context;
		(*id)->ps = space;
	}
	fake_unlock();
	return fails ? -1 : 0;
}

/* Ends what the identifier and its peer have together. */
static void leave_peer(struct identifier *i)
{
	struct identifier *peer = i->peer;

	if (!peer)
		return;
	i->peer = peer->peer = NULL;
	if (i->state == ID_CONNECTED)
		tell(peer, RDMA_CM_EVENT_DISCONNECTED, 0, NULL, 0);
	else
		tell(peer, RDMA_CM_EVENT_REJECTED, BY_CONSUMER, NULL, 0);
}

static void destroy(struct identifier *i);

/* Nobody will hear of requests that were not taken. */
static void drop_requests(struct identifier *listener)
{
	struct channel *channel = channel_of(listener->id.channel);
	struct event *event;

again:
	STAILQ_FOREACH(event, &channel->events, queue) {
		if (event->event.listen_id == &listener->id) {
			destroy(identifier_of(event->event.id));
			goto again;
		}
	}
}

static void destroy(struct identifier *i)
{
	fake_check(!i->id.qp, "unmakes an identifier that has a queue pair");
	fake_check(!i->unacknowledged,
		   "waits for ever: an event is not acknowledged");
	leave_peer(i);
	drop_requests(i);
	take_events(i, NULL);
	LIST_REMOVE(i, all);
	channel_of(i->id.channel)->users--;
	fake_unmake(FAKE_IDENTIFIER, i);
}

int rdma_destroy_id(struct rdma_cm_id *id)
{
	fake_lock();
	destroy(identifier_of(id));
	fake_unlock();
	return 0;
}

int rdma_migrate_id(struct rdma_cm_id *id, struct rdma_event_channel *channel)
{
	fake_lock();
	bool fails = fake_fails("rdma_migrate_id");
	if (!fails) {
		take_events(identifier_of(id), channel);
		channel_of(id->channel)->users--;
		channel_of(channel)->users++;
		id->channel = channel;
	}
	fake_unlock();
	return fails ? -1 : 0;
}

int rdma_set_option(struct rdma_cm_id *id, int level, int option, void *value,
		    size_t size)
{
	(void)id;
	(void)level;
	(void)option;
	(void)value;
	(void)size;
	fake_lock();
	bool fails = fake_fails("rdma_set_option");
	fake_unlock();
	return fails ? -1 : 0;
}

int rdma_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd,
		   struct ibv_qp_init_attr *attr)
{
	fake_lock();
	bool fails = fake_fails("rdma_create_qp");
	if (!fails)
		id->qp = fake_pair_create(pd, attr);
	fake_unlock();
	return fails ? -1 : 0;
}

void rdma_destroy_qp(struct rdma_cm_id *id)
{
	fake_lock();
	fake_pair_destroy(id->qp);
	id->qp = NULL;
	fake_unlock();
}

int rdma_notify(struct rdma_cm_id *id, enum ibv_event_type event)
{
	fake_lock();
	fake_check(event == IBV_EVENT_COMM_EST && id->qp, "not to be told");
	notified++;
	fake_unlock();
	return 0;
}

unsigned fake_notified(void)
{
	fake_lock();
	unsigned count = notified;
	fake_unlock();
	return count;
}

/* --- Addresses ---------------------------------------------------------- */

struct ibv_context **rdma_get_devices(int *count)
{
	struct ibv_context **devices = NULL;

	fake_lock();
	if (!fake_fails("rdma_get_devices")) {
		devices = fake_make(FAKE_DEVICE_LIST, 2 * sizeof(*devices));
		devices[0] = &fake_context;
		*count = 1;
	}
	fake_unlock();
	return devices;
}

void rdma_free_devices(struct ibv_context **devices)
{
	fake_lock();
	fake_unmake(FAKE_DEVICE_LIST, devices);
	fake_unlock();
}

int rdma_bind_addr(struct rdma_cm_id *id, struct sockaddr *address)
{
	static in_port_t last_port = FIRST_PORT;
	struct sockaddr_in *v4 = &id->route.addr.src_sin;

	fake_check(address->sa_family == AF_INET, "speaks IPv4 only");
	fake_lock();
	bool fails = fake_fails("rdma_bind_addr");
	memcpy(v4, address, sizeof(*v4));
	if (!v4->sin_port)
		v4->sin_port = htons(++last_port);
	if (v4->sin_addr.s_addr != htonl(INADDR_ANY))
		id->verbs = &fake_context;
	fake_unlock();
	return fails ? -1 : 0;
}

__be16 rdma_get_src_port(struct rdma_cm_id *id)
{
	return id->route.addr.src_sin.sin_port;
}

int rdma_listen(struct rdma_cm_id *id, int backlog)
{
	(void)backlog;
	fake_lock();
	bool fails = fake_fails("rdma_listen");
	if (!fails)
		identifier_of(id)->state = ID_LISTENS;
	fake_unlock();
	return fails ? -1 : 0;
}

/* Answers at once, or that it couldn't. */
static int resolve(struct rdma_cm_id *id, const char *call, const char *answer,
		   enum rdma_cm_event_type good, enum rdma_cm_event_type bad)
{
	if (fake_fails(call))
		return -1;
	if (fake_fails(answer)) {
		tell(identifier_of(id), bad, -EIO, NULL, 0);
		return 0;
	}
	id->verbs = &fake_context;
	tell(identifier_of(id), good, 0, NULL, 0);
	return 0;
}

int rdma_resolve_addr(struct rdma_cm_id *id, struct sockaddr *from,
		      struct sockaddr *to, int timeout_ms)
{
	(void)from;
	(void)timeout_ms;
	fake_check(to->sa_family == AF_INET, "speaks IPv4 only");
	fake_lock();
	memcpy(&id->route.addr.dst_sin, to, sizeof(struct sockaddr_in));
	int result =
		resolve(id, "rdma_resolve_addr", "an address",
			RDMA_CM_EVENT_ADDR_RESOLVED, RDMA_CM_EVENT_ADDR_ERROR);
	fake_unlock();
	return result;
}

int rdma_resolve_route(struct rdma_cm_id *id, int timeout_ms)
{
	(void)timeout_ms;
	fake_lock();
	int result = resolve(id, "rdma_resolve_route", "a route",
			     RDMA_CM_EVENT_ROUTE_RESOLVED,
			     RDMA_CM_EVENT_ROUTE_ERROR);
	fake_unlock();
	return result;
}

/* --- Connections -------------------------------------------------------- */

static struct identifier *find_listener(const struct identifier *i)
{
	struct identifier *at;

	LIST_FOREACH(at, &identifiers, all)
		if (at->state == ID_LISTENS &&
		    at->id.route.addr.src_sin.sin_port ==
			    i->id.route.addr.dst_sin.sin_port)
			return at;
	return NULL;
}

static void ask(struct identifier *i, struct identifier *listener,
		const struct rdma_conn_param *conn)
{
	struct identifier *asked = make(listener->id.channel);

	asked->state = ID_IS_ASKED;
	asked->id.verbs = &fake_context;
	asked->peer = i;
	i->peer = asked;
	i->state = ID_ASKS;
	struct event *event = tell(asked, RDMA_CM_EVENT_CONNECT_REQUEST, 0,
				   conn->private_data, conn->private_data_len);
	event->event.listen_id = &listener->id;
	event->event.param.conn.responder_resources = conn->initiator_depth;
}

int rdma_connect(struct rdma_cm_id *id, struct rdma_conn_param *conn)
{
	struct identifier *i = identifier_of(id);

	fake_lock();
	bool fails = fake_fails("rdma_connect");
	struct identifier *listener = find_listener(i);
	if (!fails && listener)
		ask(i, listener, conn);
	else if (!fails)
		tell(i, RDMA_CM_EVENT_REJECTED, NO_LISTENER, NULL, 0);
	fake_unlock();
	return fails ? -1 : 0;
}

int rdma_accept(struct rdma_cm_id *id, struct rdma_conn_param *conn)
{
	struct identifier *i = identifier_of(id);
	int result = -1;

	(void)conn;
	fake_lock();
	if (!i->peer) {
		errno = EINVAL;
	} else if (!fake_fails("rdma_accept")) {
		fake_pair_connect(id->qp, i->peer->id.qp);
		i->state = i->peer->state = ID_CONNECTED;
		tell(i, RDMA_CM_EVENT_ESTABLISHED, 0, NULL, 0);
		tell(i->peer, RDMA_CM_EVENT_ESTABLISHED, 0, NULL, 0);
		result = 0;
	}
	fake_unlock();
	return result;
}

int rdma_reject(struct rdma_cm_id *id, const void *data, uint8_t size)
{
	struct identifier *i = identifier_of(id);

	fake_lock();
	bool fails = fake_fails("rdma_reject");
	if (!fails && i->peer) {
		tell(i->peer, RDMA_CM_EVENT_REJECTED, BY_CONSUMER, data, size);
		i->peer->peer = NULL;
		i->peer = NULL;
	}
	fake_unlock();
	return fails ? -1 : 0;
}

int rdma_disconnect(struct rdma_cm_id *id)
{
	struct identifier *i = identifier_of(id);
	int result = -1;

	fake_lock();
	if (i->state != ID_CONNECTED) {
		errno = EINVAL;
	} else if (!fake_fails("rdma_disconnect")) {
		fake_pair_break(id->qp);
		tell(i, RDMA_CM_EVENT_DISCONNECTED, 0, NULL, 0);
		leave_peer(i);
		result = 0;
	}
	fake_unlock();
	return result;
}
