/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/err.h"
#include "fabric/verbs_address.h"
#include "fabric/verbs_device.h"
#include "fabric/verbs_endpoint.h"
#include "fabric/verbs_error.h"
#include "fabric/verbs_guest.h"
#include "fabric/verbs_port.h"

enum {
	BACKLOG = 128,
	/* Events looked at in one call, so that a flood of guests doesn't keep
	 * the caller from its other work. */
	EVENTS_PER_CALL = 64,
};

static int start(struct verbs_listener *listener,
		 const struct fabric_address *address);
static int attend(struct verbs_listener *listener, void *what,
		  struct verbs_link **ready);

static struct verbs_listener *listener_of(struct fabric_listener *base)
{
	return (struct verbs_listener *)base;
}

/* --- Listening ---------------------------------------------------------- */

void fabric_verbs_listener_close(struct fabric_listener *base)
{
	struct verbs_listener *listener = listener_of(base);

	fabric_verbs_guests_turn_out(listener);
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

int fabric_verbs_listener_watch(const struct verbs_listener *listener, int fd,
				void *what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
	return epoll_ctl(listener->base.fd, EPOLL_CTL_ADD, fd, &event);
}

static int open_epoll(struct verbs_listener *listener)
{
	listener->base.fd = epoll_create1(EPOLL_CLOEXEC);
	listener->timer_fd =
		timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (listener->base.fd < 0 || listener->timer_fd < 0 ||
	    fabric_verbs_listener_watch(listener, listener->channel->fd,
					&listener->channel) ||
	    fabric_verbs_listener_watch(listener, listener->timer_fd,
					&listener->timer_fd))
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

	int error = fabric_address_resolve(address, true, ERR_USAGE, &found);
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
	if (listener->domain_count == VERBS_DEVICES_MAX)
		return err_set(ERR_NO_ROOM, "more than %d RDMA devices",
			       VERBS_DEVICES_MAX);
	int flags = fcntl(context->async_fd, F_GETFL);
	if (flags < 0 ||
	    fcntl(context->async_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    (fabric_verbs_listener_watch(listener, context->async_fd,
					 context) &&
	     errno != EEXIST))
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
	error = open_epoll(listener);
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

static struct verbs_domain *find_domain(const struct verbs_listener *listener,
					const struct ibv_context *context)
{
	for (unsigned i = 0; i < listener->domain_count; i++)
		if (listener->domains[i]->context == context)
			return listener->domains[i];
	return NULL;
}

int fabric_verbs_listener_join_domain(struct verbs_listener *listener,
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

/* --- Events ------------------------------------------------------------- */

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

/* Does what one event of the epoll set asks for. */
static int attend(struct verbs_listener *listener, void *what,
		  struct verbs_link **ready)
{
	if (what == &listener->channel)
		return fabric_verbs_guests_take_event(listener);
	if (what == &listener->timer_fd) {
		fabric_verbs_guests_take_tick(listener);
		return 0;
	}
	for (unsigned i = 0; i < listener->domain_count; i++)
		if (what == listener->domains[i]->context) {
			fabric_verbs_device_look(what);
			return 0;
		}
	return fabric_verbs_guest_attend(what, ready);
}
