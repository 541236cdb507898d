/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_connect.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "fabric/verbs_address.h"
#include "fabric/verbs_endpoint.h"
#include "fabric/verbs_error.h"
#include "fabric/verbs_wire.h"

enum {
	/* The reason of a REJ by which the CM says that nobody listens. */
	REJECT_NO_LISTENER = 8,
	/* How long one try to resolve an address takes.  A kernel that learns a
	 * neighbour's address just before it begins to wait for it finds that
	 * out only in the end. */
	RESOLVE_MS = 250,
};

/* A connection that is being made: an identifier, and where its events come
 * from, until a link has both. */
struct attempt {
	const struct fabric_call *call;
	const struct addrinfo *to;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	struct verbs_link *link;
	struct fabric_reply *reply;
};

static int attempt(struct attempt *a);
static void give_up(struct attempt *a);

int fabric_verbs_connect(const struct fabric_address *address,
			 const struct fabric_call *call,
			 struct fabric_reply *reply, struct fabric_link **link)
{
	struct addrinfo *found;

	int error =
		fabric_address_resolve(address, false, ERR_CONNECTION, &found);
	if (error)
		return error;
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		struct attempt a = {.call = call, .to = at, .reply = reply};

		error = attempt(&a);
		if (!error) {
			*link = &a.link->base;
			break;
		}
		give_up(&a);
	}
	freeaddrinfo(found);
	return error;
}

static void give_up(struct attempt *a)
{
	if (a->link) {
		rdma_disconnect(a->id);
		fabric_verbs_endpoint_destroy(a->link);
		return;
	}
	if (a->id)
		rdma_destroy_id(a->id);
	if (a->channel)
		rdma_destroy_event_channel(a->channel);
}

/* --- Events ------------------------------------------------------------- */

static int no_server(const struct fabric_call *call, const char *why)
{
	return err_set(ERR_CONNECTION, "no server at %s: %s", call->address,
		       why);
}

static int no_route(const struct fabric_call *call)
{
	return err_set(ERR_CONNECTION,
		       "no server at %s: no RDMA device has a route to it "
		       "(catfish doctor says which devices there are)",
		       call->address);
}

/* Why the server would not: nobody is there, another version is, or it has no
 * place now. */
static int rejected(const struct attempt *a, const struct rdma_cm_event *event)
{
	struct verbs_reply reply;

	if (event->status == REJECT_NO_LISTENER)
		return err_set(ERR_NOT_FOUND,
			       "no server at %s: nobody listens (is the "
			       "server running?)",
			       a->call->address);
	if (event->param.conn.private_data_len < sizeof(reply))
		return fabric_call_hung_up(a->call);
	memcpy(&reply, event->param.conn.private_data, sizeof(reply));
	if (reply.magic == VERBS_MAGIC && reply.version != VERBS_VERSION)
		return fabric_call_not_understood(a->call);
	return fabric_call_hung_up(a->call);
}

static int judge(const struct attempt *a, const struct rdma_cm_event *event)
{
	switch (event->event) {
	case RDMA_CM_EVENT_ADDR_ERROR:
		return event->status == -ETIMEDOUT ? ERR_AGAIN
						   : no_route(a->call);
	case RDMA_CM_EVENT_ROUTE_ERROR:
		return event->status == -ETIMEDOUT
			       ? fabric_call_timed_out(a->call)
			       : no_route(a->call);
	case RDMA_CM_EVENT_REJECTED:
		return rejected(a, event);
	case RDMA_CM_EVENT_UNREACHABLE:
		return fabric_call_timed_out(a->call);
	case RDMA_CM_EVENT_DISCONNECTED:
		return fabric_call_hung_up(a->call);
	default:
		return no_server(a->call, rdma_event_str(event->event));
	}
}

/* Waits for the event that says that a step is done. */
static int await_event(const struct attempt *a, enum rdma_cm_event_type wanted)
{
	struct rdma_cm_event *event;

	while (rdma_get_cm_event(a->channel, &event)) {
		if (errno != EAGAIN && errno != EINTR)
			return fabric_verbs_call_error("connect");
		int error = fabric_call_await(a->call, a->channel->fd, POLLIN);
		if (error)
			return error;
	}
	int error = event->event == wanted ? 0 : judge(a, event);
	rdma_ack_cm_event(event);
	return error;
}

/* --- Steps -------------------------------------------------------------- */

static int ms_left(const struct fabric_call *call)
{
	uint64_t now = clock_now_ns();
	uint64_t left = now < call->deadline_ns ? call->deadline_ns - now : 0;
	uint64_t ms = left / NS_PER_MS + 1;

	return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

static bool is_of_device(const struct attempt *a, const char *device)
{
	return a->id->verbs &&
	       !strcmp(ibv_get_device_name(a->id->verbs->device), device);
}

static int try_to_resolve(struct attempt *a, struct sockaddr *source)
{
	int ms = ms_left(a->call);

	if (rdma_resolve_addr(a->id, source, a->to->ai_addr,
			      ms < RESOLVE_MS ? ms : RESOLVE_MS))
		return no_route(a->call);
	return await_event(a, RDMA_CM_EVENT_ADDR_RESOLVED);
}

static int resolve_address(struct attempt *a, struct sockaddr *source)
{
	int error;

	do {
		error = try_to_resolve(a, source);
	} while (error == ERR_AGAIN && clock_now_ns() < a->call->deadline_ns);
	return error == ERR_AGAIN ? fabric_call_timed_out(a->call) : error;
}

/* Finds a device and a route, from the device that was asked for if any. */
static int find_route(struct attempt *a)
{
	const char *device = a->call->device;
	struct sockaddr_storage from;
	struct sockaddr *source = NULL;
	int error;

	if (device) {
		error = fabric_verbs_address_of_device(device, a->to->ai_family,
						       &from);
		if (error)
			return error;
		source = (struct sockaddr *)&from;
	}
	error = resolve_address(a, source);
	if (error)
		return error;
	if (device && !is_of_device(a, device))
		return err_set(ERR_USAGE,
			       "%s can't be reached by RDMA device %s",
			       a->call->address, device);
	if (rdma_resolve_route(a->id, ms_left(a->call)))
		return no_route(a->call);
	return await_event(a, RDMA_CM_EVENT_ROUTE_RESOLVED);
}

/* Makes this end of the link, in a domain of its own. */
static int make_end(struct attempt *a)
{
	uint64_t silence_ns = fabric_verbs_silence_ns(a->call->silence_ns);
	struct verbs_domain *domain;

	int error =
		fabric_verbs_domain_create(a->id->verbs, NULL, false, &domain);
	if (error)
		return error;
	error = fabric_verbs_endpoint_create(a->id, domain, false,
					     a->call->inbox_size, silence_ns,
					     &a->link);
	fabric_verbs_domain_leave(domain);
	if (error)
		return error;
	a->link->channel = a->channel;
	a->id->context = a->link;
	fabric_verbs_set_patience(a->id, silence_ns);
	return fabric_verbs_endpoint_open_epoll(a->link);
}

static int ask_to_connect(struct attempt *a)
{
	struct verbs_private private = {
		.magic = VERBS_MAGIC,
		.version = VERBS_VERSION,
	};
	struct rdma_conn_param conn = fabric_verbs_connection(
		false, fabric_verbs_read_depth(a->link->domain, false));

	memcpy(private.hello, a->call->hello, FABRIC_HELLO_SIZE);
	conn.private_data = &private;
	conn.private_data_len = sizeof(private);
	if (rdma_connect(a->id, &conn))
		return fabric_verbs_call_error("connect");
	int error = await_event(a, RDMA_CM_EVENT_ESTABLISHED);
	return error ? error : fabric_verbs_tune(a->link);
}

static int send_ask(struct attempt *a)
{
	const struct verbs_ask ask = {
		.magic = VERBS_MAGIC,
		.version = VERBS_VERSION,
		.inbox_size = a->call->inbox_size,
		.inbox_key = a->link->inbox.mr->rkey,
	};

	return fabric_verbs_send(a->link, &ask, sizeof(ask));
}

/* Waits for the answer to the first message. */
static int await_reply(struct attempt *a, struct verbs_reply *reply)
{
	struct verbs_link *link = a->link;
	int size, error = 0;

	while (!error && !(size = fabric_verbs_take_message(link))) {
		/* Between arming and sleeping one more look. */
		error = fabric_verbs_arm(&link->base);
		if (!error && !(size = fabric_verbs_take_message(link)))
			error = fabric_call_await(a->call, link->epoll_fd,
						  POLLIN);
		if (size)
			break;
	}
	if (error)
		return error;
	if (size == ERR_CONNECTION)
		return fabric_call_hung_up(a->call);
	if (size < 0)
		return size;
	if (size != sizeof(*reply))
		return fabric_call_not_understood(a->call);
	memcpy(reply, link->message.bytes, sizeof(*reply));
	return 0;
}

static int check_reply(const struct attempt *a, const struct verbs_reply *reply)
{
	if (reply->magic != VERBS_MAGIC || reply->version != VERBS_VERSION ||
	    reply->authentication_size)
		return fabric_call_not_understood(a->call);
	memcpy(a->reply->hello, reply->hello, FABRIC_HELLO_SIZE);
	if (!reply->accepted)
		return fabric_call_refused(a->call);
	if (!fabric_inbox_size_is_valid(reply->inbox_size))
		return fabric_call_not_understood(a->call);
	return 0;
}

static int introduce(struct attempt *a)
{
	struct verbs_link *link = a->link;
	struct verbs_reply reply;

	int error = send_ask(a);
	if (!error)
		error = await_reply(a, &reply);
	if (!error)
		error = check_reply(a, &reply);
	if (error)
		return error;
	link->peer_key = reply.inbox_key;
	link->region_key = reply.region_key;
	link->region_size = reply.region_size;
	link->base.one_sided = reply.region_size > 0;
	return fabric_verbs_endpoint_create_buffers(link, reply.inbox_size);
}

static int attempt(struct attempt *a)
{
	int error = fabric_verbs_channel_create(&a->channel);

	if (error)
		return err_prefix(error, "%s", a->call->address);
	if (rdma_create_id(a->channel, &a->id, NULL, RDMA_PS_TCP)) {
		a->id = NULL;
		return fabric_verbs_call_error("make a connection identifier");
	}
	error = find_route(a);
	if (!error)
		error = make_end(a);
	if (!error)
		error = ask_to_connect(a);
	return error ? error : introduce(a);
}
