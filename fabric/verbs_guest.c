/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_guest.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "fabric/verbs_endpoint.h"
#include "fabric/verbs_error.h"
#include "fabric/verbs_wire.h"

enum {
	GUESTS_MAX = 256,
	PATIENCE_MS = 3000,
};

/* --- Coming and going --------------------------------------------------- */

static void set_timer(const struct verbs_listener *listener, uint64_t time_ns)
{
	const struct itimerspec at = {
		.it_value = {.tv_sec = (time_t)(time_ns / NS_PER_S),
			     .tv_nsec = (long)(time_ns % NS_PER_S)},
	};

	timerfd_settime(listener->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
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

void fabric_verbs_guests_turn_out(struct verbs_listener *listener)
{
	struct verbs_link *guest;

	while ((guest = TAILQ_FIRST(&listener->guests)))
		turn_out(guest);
}

void fabric_verbs_guests_take_tick(struct verbs_listener *listener)
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

/* Rejects a client that may try again. */
static void turn_away(struct rdma_cm_id *id)
{
	rdma_reject(id, NULL, 0);
	rdma_destroy_id(id);
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
	    fabric_verbs_listener_watch(listener, guest->completions->fd,
					guest))
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

	int error = fabric_verbs_listener_join_domain(
		listener, request->id->verbs, &domain);
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

int fabric_verbs_guests_take_event(struct verbs_listener *listener)
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
	int error = fabric_verbs_endpoint_create_buffers(guest, ask.inbox_size);
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
int fabric_verbs_guest_attend(struct verbs_link *guest,
			      struct verbs_link **ready)
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
	error = fabric_verbs_endpoint_open_epoll(link);
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
	    fabric_verbs_listener_watch(listener, link->completions->fd,
					link)) {
		rdma_disconnect(link->id);
		fabric_verbs_endpoint_destroy(link);
		return;
	}
	link->is_leaving = true;
	admit(listener, link);
}
