/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "fabric/verbs_error.h"
#include "fabric/verbs_wire.h"

enum {
	/* Sends that may be on their way: of a client, lists of READs too. */
	DEPTH_SERVER = 256,
	DEPTH_CLIENT = 2048,
	/* One send in so many is signalled. */
	SIGNAL_EVERY = 32,
	/* Requests for a search are that short, and heartbeats. */
	INLINE_SIZE = 128,
	/* Of READs under way from one client; what devices have is 16 to 128.
	 */
	READ_DEPTH_MAX = 16,
	/* Staging for more than this hides no more of the round trip. */
	STAGING_MAX = 256 * 1024,
	/* Twice a list, as a circle may have to skip one READ, and each of them
	 * is rounded up. */
	LANDING_SIZE = 2 * FABRIC_READ_LIST_SIZE_MAX + 64 * FABRIC_READS_MAX,
	/* Tries to send before a peer is given up (7, which is the most, rxe
	 * takes for ever), and in case its receives ran out, which a peer that
	 * keeps the rules doesn't let happen, the code of the 10 ms after which
	 * it is tried again.  (0, which rdma_cm leaves it at, are 655 ms.) */
	RETRIES = 6,
	RNR_RETRIES = 6,
	RNR_TIMER_CODE = 20,
	/* How long a link that is closed waits for its peer to take what was
	 * sent.  Devices answer in microseconds, whatever the peer does. */
	LINGER_MS = 250,
	SILENCE_MS = 3000,
};

static int make_queues(struct verbs_link *link);
static int make_memory(struct verbs_link *link, uint32_t inbox_size);

int fabric_verbs_endpoint_create(struct rdma_cm_id *id,
				 struct verbs_domain *domain, bool is_server,
				 uint32_t inbox_size, uint64_t silence_ns,
				 struct verbs_link **link)
{
	struct verbs_link *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(ERR_NO_MEMORY, "no memory");
	l->base.ops = &fabric_verbs_ops;
	l->base.is_server = is_server;
	l->epoll_fd = l->timer_fd = -1;
	l->silence_ns = silence_ns;
	l->domain = fabric_verbs_domain_join(domain);
	l->id = id;
	int error = make_queues(l);
	if (!error)
		error = make_memory(l, inbox_size);
	if (!error)
		error = fabric_verbs_post_receives(l);
	if (error) {
		/* Not ours yet. */
		if (l->qp)
			rdma_destroy_qp(id);
		l->qp = NULL;
		l->id = NULL;
		fabric_verbs_endpoint_destroy(l);
		return error;
	}
	*link = l;
	return 0;
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return fabric_verbs_call_error("make a channel nonblocking");
	return 0;
}

static uint32_t depth_of(const struct verbs_link *link)
{
	uint32_t depth = link->base.is_server ? DEPTH_SERVER : DEPTH_CLIENT;
	uint32_t most = (uint32_t)link->domain->limits.max_qp_wr;

	return depth < most ? depth : most;
}

static int make_completion_queue(struct verbs_link *link)
{
	struct ibv_context *context = link->domain->context;

	link->completions = ibv_create_comp_channel(context);
	if (!link->completions)
		return fabric_verbs_call_error("make a completion channel");
	int error = set_nonblocking(link->completions->fd);
	if (error)
		return error;
	link->cq =
		ibv_create_cq(context, (int)link->send_depth + VERBS_RECEIVES,
			      link, link->completions, 0);
	if (!link->cq)
		return fabric_verbs_call_error("make a completion queue");
	return 0;
}

static int make_queue_pair(struct verbs_link *link)
{
	struct ibv_qp_init_attr wanted = {
		.qp_context = link,
		.send_cq = link->cq,
		.recv_cq = link->cq,
		.cap =
			{
				.max_send_wr = link->send_depth,
				.max_recv_wr = VERBS_RECEIVES,
				.max_send_sge = 1,
				.max_recv_sge = 1,
				.max_inline_data = INLINE_SIZE,
			},
		.qp_type = IBV_QPT_RC,
	};

	if (rdma_create_qp(link->id, link->domain->pd, &wanted))
		return fabric_verbs_call_error("make a queue pair");
	link->qp = link->id->qp;
	link->inline_max = wanted.cap.max_inline_data;
	return 0;
}

static int make_queues(struct verbs_link *link)
{
	link->send_depth = depth_of(link);
	link->signal_every = link->send_depth / 4 < SIGNAL_EVERY
				     ? link->send_depth / 4
				     : SIGNAL_EVERY;
	for (link->sent_mask = 1; link->sent_mask < link->send_depth;)
		link->sent_mask *= 2;
	link->sent = calloc(link->sent_mask, sizeof(link->sent[0]));
	link->sent_mask--;
	if (!link->sent)
		return err_set(ERR_NO_MEMORY, "no memory");
	int error = make_completion_queue(link);
	return error ? error : make_queue_pair(link);
}

static int make_window(struct verbs_link *link)
{
	link->window = ibv_alloc_mw(link->domain->pd, IBV_MW_TYPE_2);
	return link->window ? 0 : fabric_verbs_call_error("make a window");
}

/* The peer writes an inbox by the key of a window where other peers have queue
 * pairs in the same domain, else by the key of the memory itself. */
static int make_memory(struct verbs_link *link, uint32_t inbox_size)
{
	const struct verbs_domain *domain = link->domain;
	int error = fabric_verbs_memory_create(
		domain, inbox_size,
		IBV_ACCESS_LOCAL_WRITE |
			(domain->is_shared ? IBV_ACCESS_MW_BIND
					   : IBV_ACCESS_REMOTE_WRITE),
		&link->inbox);

	if (!error)
		error = fabric_verbs_memory_create(domain, VERBS_MESSAGE_SIZE,
						   IBV_ACCESS_LOCAL_WRITE,
						   &link->message);
	if (!error && domain->is_shared)
		error = make_window(link);
	if (error)
		return error;
	link->base.inbox = link->inbox.bytes;
	link->base.inbox_size = inbox_size;
	return 0;
}

int fabric_verbs_endpoint_create_buffers(struct verbs_link *link,
					 uint32_t peer_inbox_size)
{
	uint32_t size =
		peer_inbox_size < STAGING_MAX ? peer_inbox_size : STAGING_MAX;
	int error = fabric_verbs_memory_create(link->domain, size, 0,
					       &link->staging);

	link->base.peer_inbox_size = peer_inbox_size;
	if (error || link->base.is_server || !link->base.one_sided)
		return error;
	link->lists = calloc(FABRIC_READ_LISTS_MAX, sizeof(link->lists[0]));
	if (!link->lists)
		return err_set(ERR_NO_MEMORY, "no memory");
	return fabric_verbs_memory_create(link->domain, LANDING_SIZE,
					  IBV_ACCESS_LOCAL_WRITE,
					  &link->landing);
}

int fabric_verbs_channel_create(struct rdma_event_channel **channel)
{
	struct rdma_event_channel *c = rdma_create_event_channel();

	if (!c)
		return err_set(errno == ENODEV || errno == ENOENT
				       ? ERR_UNSUPPORTED
				       : ERR_SYSTEM,
			       "can't use RDMA: %s (is the kernel module "
			       "rdma_ucm loaded?)",
			       strerror(errno));
	int error = set_nonblocking(c->fd);
	if (error) {
		rdma_destroy_event_channel(c);
		return error;
	}
	*channel = c;
	return 0;
}

static int watch(int epoll_fd, int fd, uint32_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* A peer is probed four times in the time that it may be silent, of which three
 * quarters are left for the device to send the probe again and again. */
static int set_timer(const struct verbs_link *link)
{
	uint64_t tick_ns = link->silence_ns / 4;
	const struct timespec tick = {
		.tv_sec = (time_t)(tick_ns / NS_PER_S),
		.tv_nsec = (long)(tick_ns % NS_PER_S),
	};
	const struct itimerspec every = {tick, tick};

	return timerfd_settime(link->timer_fd, 0, &every, NULL);
}

int fabric_verbs_endpoint_open_epoll(struct verbs_link *link)
{
	link->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	link->timer_fd =
		timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (link->epoll_fd < 0 || link->timer_fd < 0 || set_timer(link) ||
	    watch(link->epoll_fd, link->timer_fd, VERBS_TICK) ||
	    watch(link->epoll_fd, link->channel->fd, VERBS_EVENT) ||
	    watch(link->epoll_fd, link->completions->fd, VERBS_COMPLETION))
		return err_set(ERR_NO_ROOM, "can't sleep on a link: %s",
			       strerror(errno));
	return 0;
}

/* --- Connection parameters ---------------------------------------------- */

uint8_t fabric_verbs_read_depth(const struct verbs_domain *domain,
				bool is_server)
{
	int most = is_server ? domain->limits.max_qp_rd_atom
			     : domain->limits.max_qp_init_rd_atom;

	return (uint8_t)(most < READ_DEPTH_MAX ? most : READ_DEPTH_MAX);
}

struct rdma_conn_param fabric_verbs_connection(bool is_server, uint8_t depth)
{
	return (struct rdma_conn_param){
		.initiator_depth = is_server ? 0 : depth,
		.responder_resources = is_server ? depth : 0,
		.retry_count = RETRIES,
		.rnr_retry_count = RNR_RETRIES,
	};
}

uint64_t fabric_verbs_silence_ns(uint64_t wanted_ns)
{
	return wanted_ns ? wanted_ns : SILENCE_MS * NS_PER_MS;
}

/* A device sends again after 4.096 µs times 2 to the power of this, RETRIES
 * times, and may take four times as long for it. */
static uint8_t ack_timeout_code(uint64_t silence_ns)
{
	uint64_t longest_ns = silence_ns / 4 * 3;
	uint8_t code = 1;

	while (code < 31 &&
	       (UINT64_C(4096) << (code + 1)) * (4 * (RETRIES + 1)) <=
		       longest_ns)
		code++;
	return code;
}

void fabric_verbs_set_patience(struct rdma_cm_id *id, uint64_t silence_ns)
{
	uint8_t code = ack_timeout_code(silence_ns);

	/* A kernel that can't has a timeout of its own, of some seconds. */
	(void)rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT,
			      &code, sizeof(code));
}

int fabric_verbs_tune(struct verbs_link *link)
{
	struct ibv_qp_attr wanted = {
		.qp_state = IBV_QPS_RTS,
		.min_rnr_timer = RNR_TIMER_CODE,
	};
	int number = ibv_modify_qp(link->qp, &wanted,
				   IBV_QP_STATE | IBV_QP_MIN_RNR_TIMER);

	return number ? err_set(ERR_SYSTEM, "can't tune a queue pair: %s",
				strerror(number))
		      : 0;
}

/* --- Closing ------------------------------------------------------------ */

/* Waits until the peer's device has taken all that was sent. */
static void linger(struct verbs_link *link)
{
	uint64_t deadline = clock_now_ns() + LINGER_MS * NS_PER_MS;

	if (link->disconnected || fabric_verbs_flush(link))
		return;
	while (!fabric_verbs_all_sent(link) && clock_now_ns() < deadline)
		;
}

void fabric_verbs_close(struct fabric_link *base)
{
	struct verbs_link *link = verbs_link_of(base);

	linger(link);
	rdma_disconnect(link->id);
	fabric_verbs_endpoint_destroy(link);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* A window goes before its queue pair: rxe takes a minute otherwise. */
void fabric_verbs_endpoint_destroy(struct verbs_link *link)
{
	if (link->window)
		ibv_dealloc_mw(link->window);
	if (link->qp)
		rdma_destroy_qp(link->id);
	if (link->cq)
		ibv_destroy_cq(link->cq);
	if (link->completions)
		ibv_destroy_comp_channel(link->completions);
	fabric_verbs_memory_destroy(&link->inbox);
	fabric_verbs_memory_destroy(&link->message);
	fabric_verbs_memory_destroy(&link->staging);
	fabric_verbs_memory_destroy(&link->landing);
	if (link->id)
		rdma_destroy_id(link->id);
	if (link->channel)
		rdma_destroy_event_channel(link->channel);
	close_fd(link->epoll_fd);
	close_fd(link->timer_fd);
	fabric_verbs_domain_leave(link->domain);
	free(link->lists);
	free(link->sent);
	free(link);
}
