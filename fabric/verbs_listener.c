/* SPDX-License-Identifier: BSD-2-Clause */

/* The server's side of how verbs links begin.
 *
 * rdma_cm asks whether a client may connect; whoever speaks this version may,
 * and is a guest until it has sent its first message, so that a slow one holds
 * up nobody.  Then it is handed out, with the hello that came with its request,
 * to be accepted or refused.  One that is refused stays until the refusal has
 * been taken from it, or its time is over. */

#include "fabric/verbs_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "fabric/verbs_address.h"
#include "fabric/verbs_device.h"
#include "fabric/verbs_endpoint.h"
#include "fabric/verbs_error.h"
#include "fabric/verbs_port.h"
#include "fabric/verbs_wire.h"

enum {
	GUESTS_MAX = 256,
	PATIENCE_MS = 3000,
	BACKLOG = 128,
	/* Events looked at in one call, so that a flood of guests doesn't keep
	 * the caller from its other work. */
	EVENTS_PER_CALL = 64,
	DEVICES_MAX = 16,
};

struct verbs_listener {
	struct fabric_listener base;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	int timer_fd;
	uint32_t inbox_size;
	uint64_t silence_ns;
	char device[IBV_SYSFS_NAME_MAX]; /* "": whichever */
	struct fabric_region region;
	bool has_region;

	struct verbs_domain *domains[DEVICES_MAX];
	unsigned domain_count;

	unsigned guest_count;
	TAILQ_HEAD(, verbs_link) guests;
};

static int start(struct verbs_listener *listener,
		 const struct fabric_address *address);
static int attend(struct verbs_listener *listener, void *what,
		  struct verbs_link **ready);
static void turn_out(struct verbs_link *guest);

static struct verbs_listener *listener_of(struct fabric_listener *base)
{
	return (struct verbs_listener *)base;
}

/* --- Listening ---------------------------------------------------------- */

void fabric_verbs_listener_close(struct fabric_listener *base)
{
	struct verbs_listener *listener = listener_of(base);
	struct verbs_link *guest;

	while ((guest = TAILQ_FIRST(&listener->guests)))
		turn_out(guest);
	if (listener->id)
		rdma_destroy_id(listener->id);
	if (listener->channel)
		rdma_destroy_event_channel(listener->channel);
	for (unsigned i = 0; i < listener->domain_count; i++)
		fabric_verbs_domain_leave(listener->domains[i]);
	if (listener->timer_fd >= 0)
		close(listener->timer_fd);
	if (listener->base.fd >= 0)
		close(listener->base.fd);
	free(listener);
}

int fabric_verbs_listen(const struct fabric_address *address,
			const struct fabric_listen_options *options,
			struct fabric_listener **base)
{
	struct verbs_listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return err_set(ERR_NO_MEMORY, "no memory");
	listener->base.ops = &fabric_verbs_ops;
	listener->base.is_public = true;
	listener->base.fd = listener->timer_fd = -1;
	listener->inbox_size = options->inbox_size;
	listener->silence_ns = fabric_verbs_silence_ns(options->silence_ns);
	if (options->device)
		snprintf(listener->device, sizeof(listener->device), "%s",
			 options->device);
	if (options->region) {
		listener->region = *options->region;
		listener->has_region = true;
	}
	TAILQ_INIT(&listener->guests);
	int error = start(listener, address);
	if (error) {
		fabric_verbs_listener_close(&listener->base);
		return error;
	}
	*base = &listener->base;
	return 0;
}

static int watch(const struct verbs_listener *listener, int fd, void *what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
	return epoll_ctl(listener->base.fd, EPOLL_CTL_ADD, fd, &event);
}

static void set_timer(const struct verbs_listener *listener, uint64_t time_ns)
{
	const struct itimerspec at = {
		.it_value = {.tv_sec = (time_t)(time_ns / NS_PER_S),
			     .tv_nsec = (long)(time_ns % NS_PER_S)},
	};

	timerfd_settime(listener->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static int hang_bells(struct verbs_listener *listener)
{
	listener->base.fd = epoll_create1(EPOLL_CLOEXEC);
	listener->timer_fd =
		timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (listener->base.fd < 0 || listener->timer_fd < 0 ||
	    watch(listener, listener->channel->fd, &listener->channel) ||
	    watch(listener, listener->timer_fd, &listener->timer_fd))
		return fabric_verbs_call_error("listen");
	return 0;
}

static int cannot_listen(const char *address, int number)
{
	switch (number) {
	case EADDRINUSE:
		return err_set(ERR_BUSY, "address in use: %s", address);
	case EADDRNOTAVAIL:
	case ENODEV:
		return err_set(ERR_USAGE,
			       "can't listen at %s: no RDMA device of this "
			       "machine has that address (catfish doctor says "
			       "which there are)",
			       address);
	case EACCES:
	case EPERM:
		return err_set(ERR_USAGE, "can't listen at %s: %s", address,
			       strerror(number));
	default:
		return err_set(ERR_SYSTEM, "can't listen at %s: %s", address,
			       strerror(number));
	}
}

/* A device that was named is the one that listens, by an address of its own. */
static int choose_address(const struct verbs_listener *listener,
			  const struct addrinfo *found,
			  struct sockaddr_storage *at)
{
	memcpy(at, found->ai_addr, found->ai_addrlen);
	if (!listener->device[0] ||
	    !fabric_verbs_address_is_any(found->ai_addr))
		return 0;
	in_port_t port = ((const struct sockaddr_in *)at)->sin_port;
	int error = fabric_verbs_address_of_device(listener->device,
						   found->ai_family, at);
	/* The port stands at the same place in both families. */
	((struct sockaddr_in *)at)->sin_port = port;
	return error;
}

static int listen_at(struct verbs_listener *listener,
		     const struct addrinfo *found, const char *text)
{
	struct sockaddr_storage at;

	int error = choose_address(listener, found, &at);
	if (error)
		return error;
	if (rdma_create_id(listener->channel, &listener->id, NULL,
			   RDMA_PS_TCP)) {
		listener->id = NULL;
		return fabric_verbs_call_error("make a connection identifier");
	}
	if (!rdma_bind_addr(listener->id, (struct sockaddr *)&at) &&
	    !rdma_listen(listener->id, BACKLOG))
		return 0;
	error = cannot_listen(text, errno);
	rdma_destroy_id(listener->id);
	listener->id = NULL;
	return error;
}

static int listen_somewhere(struct verbs_listener *listener,
			    const struct fabric_address *address)
{
	struct addrinfo *found;

	int error =
		fabric_verbs_address_resolve(address, true, ERR_USAGE, &found);
	if (error)
		return error;
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		error = listen_at(listener, at, address->text);
		if (!error)
			break;
	}
	freeaddrinfo(found);
	return error;
}

static int wrong_device(const struct verbs_listener *listener,
			const struct ibv_context *context)
{
	return err_set(ERR_USAGE, "the address belongs to device %s, not to %s",
		       ibv_get_device_name(context->device), listener->device);
}

static bool is_wanted(const struct verbs_listener *listener,
		      const struct ibv_context *context)
{
	return !listener->device[0] ||
	       !strcmp(listener->device, ibv_get_device_name(context->device));
}

/* Makes the domain of a device. */
static int add_domain(struct verbs_listener *listener,
		      struct ibv_context *context)
{
	if (listener->domain_count == DEVICES_MAX)
		return err_set(ERR_NO_ROOM, "more than %d RDMA devices",
			       DEVICES_MAX);
	int flags = fcntl(context->async_fd, F_GETFL);
	if (flags < 0 ||
	    fcntl(context->async_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    (watch(listener, context->async_fd, context) && errno != EEXIST))
		return fabric_verbs_call_error("watch a device");
	int error = fabric_verbs_domain_create(
		context, listener->has_region ? &listener->region : NULL, true,
		&listener->domains[listener->domain_count]);
	if (!error)
		listener->domain_count++;
	return error;
}

/* Registers the region with each device that clients may come by, now, where
 * whoever started the server sees what is wrong. */
static int add_domains(struct verbs_listener *listener)
{
	int count, error = 0;

	if (listener->id->verbs && !is_wanted(listener, listener->id->verbs))
		return wrong_device(listener, listener->id->verbs);
	if (listener->id->verbs)
		return add_domain(listener, listener->id->verbs);
	struct ibv_context **devices = rdma_get_devices(&count);
	if (!devices || !count)
		error = err_set(ERR_UNSUPPORTED,
				"this machine has no RDMA device (catfish "
				"doctor says how to make one of software)");
	for (int i = 0; !error && i < count; i++)
		if (is_wanted(listener, devices[i]))
			error = add_domain(listener, devices[i]);
	if (devices)
		rdma_free_devices(devices);
	return error;
}

static void describe(struct verbs_listener *listener,
		     const struct fabric_address *address)
{
	snprintf(listener->base.address, sizeof(listener->base.address),
		 strchr(address->host, ':') ? "verbs://[%s]:%u"
					    : "verbs://%s:%u",
		 address->host, ntohs(rdma_get_src_port(listener->id)));
}

static int start(struct verbs_listener *listener,
		 const struct fabric_address *address)
{
	int error = fabric_verbs_channel_create(&listener->channel);

	if (error)
		return err_prefix(error, "%s", address->text);
	error = hang_bells(listener);
	if (!error)
		error = listen_somewhere(listener, address);
	if (!error)
		error = add_domains(listener);
	if (!error)
		describe(listener, address);
	return error;
}

/* The first port of each device; all of them together. */
int fabric_verbs_listener_sent(const struct fabric_listener *base,
			       uint64_t *bytes, uint64_t *speed)
{
	const struct verbs_listener *listener = (const void *)base;
	uint64_t all = 0, all_speed = 0;
	bool is_known = true;

	for (unsigned i = 0; i < listener->domain_count; i++) {
		const char *device =
			fabric_verbs_domain_device(listener->domains[i]);
		uint64_t sent, can;

		int error = fabric_verbs_port_sent(device, 1, &sent);
		if (error)
			return error;
		all += sent;
		if (fabric_verbs_port_speed(device, 1, &can))
			is_known = false;
		else
			all_speed += can;
	}
	*bytes = all;
	*speed = is_known ? all_speed : 0;
	return 0;
}

/* --- Guests ------------------------------------------------------------- */

int fabric_verbs_listener_next(struct fabric_listener *base,
			       struct fabric_link **link,
			       uint8_t hello[FABRIC_HELLO_SIZE])
{
	struct verbs_listener *listener = listener_of(base);
	struct epoll_event event;

	for (int i = 0; i < EVENTS_PER_CALL; i++) {
		struct verbs_link *ready = NULL;

		if (epoll_wait(listener->base.fd, &event, 1, 0) != 1)
			return ERR_AGAIN;
		int error = attend(listener, event.data.ptr, &ready);
		if (error)
			return error;
		if (!ready)
			continue;
		memcpy(hello, ready->hello, FABRIC_HELLO_SIZE);
		*link = &ready->base;
		return 0;
	}
	return ERR_AGAIN;
}

static void admit(struct verbs_listener *listener, struct verbs_link *guest)
{
	guest->deadline_ns = clock_now_ns() + PATIENCE_MS * NS_PER_MS;
	guest->listener = listener;
	guest->is_guest = true;
	TAILQ_INSERT_TAIL(&listener->guests, guest, guests);
	/* All are as patient, so those before have their time first. */
	if (listener->guest_count++ == 0)
		set_timer(listener, guest->deadline_ns);
}

/* From here on the listener doesn't look at it. */
static void let_go(struct verbs_link *guest)
{
	struct verbs_listener *listener = guest->listener;

	epoll_ctl(listener->base.fd, EPOLL_CTL_DEL, guest->completions->fd,
		  NULL);
	TAILQ_REMOVE(&listener->guests, guest, guests);
	listener->guest_count--;
	guest->is_guest = false;
}

static void turn_out(struct verbs_link *guest)
{
	let_go(guest);
	rdma_disconnect(guest->id);
	fabric_verbs_endpoint_destroy(guest);
}

static void look_at_clock(struct verbs_listener *listener)
{
	struct verbs_link *guest;
	uint64_t now = clock_now_ns();
	uint64_t ticks;

	if (read(listener->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	while ((guest = TAILQ_FIRST(&listener->guests)) &&
	       guest->deadline_ns <= now)
		turn_out(guest);
	if (guest)
		set_timer(listener, guest->deadline_ns);
}

/* --- Requests ----------------------------------------------------------- */

/* Tells who speaks another version what would be understood. */
static void reject_version(struct rdma_cm_id *id)
{
	const struct verbs_reply reply = {
		.magic = VERBS_MAGIC,
		.version = VERBS_VERSION,
	};

	rdma_reject(id, &reply, sizeof(reply));
	rdma_destroy_id(id);
}

/* Who may try again. */
static void turn_away(struct rdma_cm_id *id)
{
	rdma_reject(id, NULL, 0);
	rdma_destroy_id(id);
}

static struct verbs_domain *find_domain(const struct verbs_listener *listener,
					const struct ibv_context *context)
{
	for (unsigned i = 0; i < listener->domain_count; i++)
		if (listener->domains[i]->context == context)
			return listener->domains[i];
	return NULL;
}

/* The domain of a guest: the device's, or where the device can't keep guests
 * apart one of its own.  To be left by the caller. */
static int join_domain(struct verbs_listener *listener,
		       struct ibv_context *context,
		       struct verbs_domain **domain)
{
	struct verbs_domain *found = find_domain(listener, context);

	if (!found && !is_wanted(listener, context))
		return wrong_device(listener, context);
	/* A device that has come since. */
	if (!found) {
		int error = add_domain(listener, context);
		if (error)
			return error;
		found = find_domain(listener, context);
	}
	if (!found->is_shared)
		return fabric_verbs_domain_create(
			context,
			listener->has_region ? &listener->region : NULL, false,
			domain);
	*domain = fabric_verbs_domain_join(found);
	return 0;
}

/* What came with a request for a connection; the event itself has to be given
 * back before its identifier can be destroyed. */
struct request {
	struct rdma_cm_id *id;
	struct verbs_private private;
	uint8_t depth; /* of READs, that the client wants */
};

static void note_request(const struct rdma_cm_event *event,
			 struct request *request)
{
	const struct rdma_conn_param *conn = &event->param.conn;

	*request = (struct request){
		.id = event->id,
		.depth = conn->responder_resources,
	};
	/* rdma_cm fills it up with zeros, and more of them on some devices. */
	if (conn->private_data_len >= sizeof(request->private))
		memcpy(&request->private, conn->private_data,
		       sizeof(request->private));
}

static int accept_guest(struct verbs_listener *listener,
			const struct request *request, struct verbs_link *guest)
{
	uint8_t depth = fabric_verbs_read_depth(guest->domain, true);
	struct rdma_conn_param conn = fabric_verbs_connection(
		true, request->depth < depth ? request->depth : depth);

	fabric_verbs_set_patience(request->id, listener->silence_ns);
	if (ibv_req_notify_cq(guest->cq, 0) ||
	    watch(listener, guest->completions->fd, guest))
		return fabric_verbs_call_error("watch a client");
	guest->armed = true;
	if (rdma_accept(request->id, &conn))
		return fabric_verbs_call_error("accept a client");
	return 0;
}

/* Lets a client in that can be understood.  What fails here is that client's
 * trouble, unless it lacks what others will lack too. */
static int let_in(struct verbs_listener *listener,
		  const struct request *request)
{
	struct verbs_domain *domain;
	struct verbs_link *guest;

	int error = join_domain(listener, request->id->verbs, &domain);
	if (error) {
		turn_away(request->id);
		return error;
	}
	error = fabric_verbs_endpoint_create(request->id, domain, true,
					     listener->inbox_size,
					     listener->silence_ns, &guest);
	fabric_verbs_domain_leave(domain);
	if (error) {
		turn_away(request->id);
		return error;
	}
	request->id->context = guest;
	memcpy(guest->hello, request->private.hello, FABRIC_HELLO_SIZE);
	admit(listener, guest);
	error = accept_guest(listener, request, guest);
	if (error)
		turn_out(guest);
	return error;
}

static int take_request(struct verbs_listener *listener,
			const struct request *request)
{
	if (request->private.magic != VERBS_MAGIC ||
	    request->private.version != VERBS_VERSION)
		reject_version(request->id);
	else if (listener->guest_count == GUESTS_MAX)
		turn_away(request->id);
	else
		return let_in(listener, request);
	return 0;
}

/* What happened to a guest, or to one that was handed out and is not accepted
 * yet: that hears of it when it is. */
static void see_guest(struct verbs_link *guest, enum rdma_cm_event_type event)
{
	fabric_verbs_see_event(guest, event);
	if (guest->is_guest && (guest->disconnected || guest->error))
		turn_out(guest);
}

static int take_event(struct verbs_listener *listener)
{
	struct rdma_cm_event *event;
	struct request request;

	if (rdma_get_cm_event(listener->channel, &event))
		return 0;
	enum rdma_cm_event_type what = event->event;
	struct rdma_cm_id *id = event->id;
	bool is_request = what == RDMA_CM_EVENT_CONNECT_REQUEST;
	if (is_request)
		note_request(event, &request);
	rdma_ack_cm_event(event);
	if (is_request)
		return take_request(listener, &request);
	if (id != listener->id)
		see_guest(id->context, what);
	else if (what == RDMA_CM_EVENT_DEVICE_REMOVAL)
		log_error("%s: the RDMA device was removed; nobody can "
			  "connect any more",
			  listener->base.address);
	return 0;
}

/* --- First messages ----------------------------------------------------- */

/* An ask that can be understood, or false. */
static bool read_ask(const struct verbs_link *guest, int size,
		     struct verbs_ask *ask)
{
	if (size != sizeof(*ask))
		return false;
	memcpy(ask, guest->message.bytes, sizeof(*ask));
	return ask->magic == VERBS_MAGIC && ask->version == VERBS_VERSION &&
	       ask->authentication_size == 0 &&
	       ask->inbox_size >= FABRIC_INBOX_MIN &&
	       ask->inbox_size <= FABRIC_INBOX_MAX;
}

/* Takes a guest's first message; '*ready' is the guest when it may be handed
 * out. */
static int hear(struct verbs_link *guest, struct verbs_link **ready)
{
	struct verbs_ask ask;
	int size = fabric_verbs_take_message(guest);

	if (size == 0)
		return 0;
	if (size < 0 || !read_ask(guest, size, &ask)) {
		turn_out(guest);
		return 0;
	}
	guest->peer_key = ask.inbox_key;
	guest->base.one_sided = guest->listener->has_region;
	int error = fabric_verbs_endpoint_furnish(guest, ask.inbox_size);
	if (error) {
		turn_out(guest);
		return error;
	}
	let_go(guest);
	*ready = guest;
	return 0;
}

/* A refused client leaves by itself; when it doesn't, or the refusal can't be
 * delivered, its time runs out. */
static int attend_guest(struct verbs_link *guest, struct verbs_link **ready)
{
	struct ibv_cq *cq;
	void *context;

	if (!ibv_get_cq_event(guest->completions, &cq, &context))
		ibv_ack_cq_events(cq, 1);
	if (ibv_req_notify_cq(guest->cq, 0)) {
		turn_out(guest);
		return 0;
	}
	if (!guest->is_leaving)
		return hear(guest, ready);
	if (fabric_verbs_all_sent(guest))
		turn_out(guest);
	return 0;
}

/* Does what one event of the epoll set asks for. */
static int attend(struct verbs_listener *listener, void *what,
		  struct verbs_link **ready)
{
	if (what == &listener->channel)
		return take_event(listener);
	if (what == &listener->timer_fd) {
		look_at_clock(listener);
		return 0;
	}
	for (unsigned i = 0; i < listener->domain_count; i++)
		if (what == listener->domains[i]->context) {
			fabric_verbs_device_look(what);
			return 0;
		}
	return attend_guest(what, ready);
}

/* --- Accepting and refusing --------------------------------------------- */

static int send_reply(struct verbs_link *link, bool accepted,
		      const uint8_t answer[FABRIC_HELLO_SIZE], uint32_t key)
{
	struct verbs_reply reply = {
		.magic = VERBS_MAGIC,
		.version = VERBS_VERSION,
		.accepted = accepted,
	};

	memcpy(reply.hello, answer, FABRIC_HELLO_SIZE);
	if (accepted) {
		reply.inbox_size = link->base.inbox_size;
		reply.inbox_key = key;
	}
	if (accepted && link->domain->region) {
		reply.region_size = link->domain->region_size;
		reply.region_key = link->domain->region->rkey;
	}
	return fabric_verbs_send(link, &reply, sizeof(reply));
}

int fabric_verbs_accept(struct fabric_link *base,
			const uint8_t answer[FABRIC_HELLO_SIZE])
{
	struct verbs_link *link = verbs_link_of(base);
	uint32_t key = link->inbox.mr->rkey;

	link->listener = NULL;
	int error = fabric_verbs_channel_create(&link->channel);
	if (error)
		return error;
	if (rdma_migrate_id(link->id, link->channel))
		return fabric_verbs_call_error("move a connection");
	error = fabric_verbs_endpoint_hang_bells(link);
	if (!error)
		error = fabric_verbs_tune(link);
	if (!error && link->window)
		error = fabric_verbs_open_window(link, &key);
	return error ? error : send_reply(link, true, answer, key);
}

void fabric_verbs_refuse(struct fabric_link *base,
			 const uint8_t answer[FABRIC_HELLO_SIZE])
{
	struct verbs_link *link = verbs_link_of(base);
	struct verbs_listener *listener = link->listener;

	if (send_reply(link, false, answer, 0) || fabric_verbs_flush(link) ||
	    watch(listener, link->completions->fd, link)) {
		rdma_disconnect(link->id);
		fabric_verbs_endpoint_destroy(link);
		return;
	}
	link->is_leaving = true;
	admit(listener, link);
}
