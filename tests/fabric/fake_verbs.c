/* SPDX-License-Identifier: BSD-2-Clause */

/* The device of the fake RDMA library, and what of it can fail. */

#include "tests/fabric/fake_verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "tests/fabric/fake_inner.h"

enum {
	/* The byte of a key that binding a window changes. */
	KEY_STEP = 0x100,
	INLINE_MAX = 128,
};

struct fake_domain {
	struct ibv_pd pd;
	unsigned users;
};

struct fake_memory {
	struct ibv_mr mr;
	unsigned access;
	LIST_ENTRY(fake_memory) all;
};

struct fake_window {
	struct ibv_mw mw;
	uint32_t key; /* 0: not bound */
	const struct ibv_qp *qp;
	struct ibv_mw_bind_info bind;
	LIST_ENTRY(fake_window) all;
};

struct fake_channel {
	struct ibv_comp_channel channel;
	struct fake_queue *queue; /* its only one */
	unsigned events;
};

struct fake_queue {
	struct ibv_cq cq;
	struct fake_channel *channel;
	struct ibv_wc *wc; /* a circle */
	unsigned begin, end;
	enum fake_side side;
	bool is_armed;
	unsigned users;
	unsigned unacknowledged;
	LIST_ENTRY(fake_queue) all;
};

struct fake_receive {
	uint64_t wr_id;
	struct ibv_sge sge;
};

struct fake_pair {
	struct ibv_qp qp;
	enum fake_side side;
	enum { PAIR_NEW, PAIR_READY, PAIR_BROKEN } state;
	struct fake_pair *peer;
	struct fake_receive *receives; /* a circle */
	unsigned size, begin, end;
	unsigned unacknowledged;
};

struct fake_async {
	struct ibv_async_event event;
	STAILQ_ENTRY(fake_async) queue;
};

struct ibv_context fake_context;

static struct ibv_device device = {.name = "fake0"};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_windows;
static uint32_t last_key;
static unsigned lives[FAKE_KINDS];
static LIST_HEAD(, fake_memory) memories = LIST_HEAD_INITIALIZER(memories);
static LIST_HEAD(, fake_queue) queues = LIST_HEAD_INITIALIZER(queues);
static LIST_HEAD(, fake_window) windows = LIST_HEAD_INITIALIZER(windows);
static STAILQ_HEAD(, fake_async) asyncs = STAILQ_HEAD_INITIALIZER(asyncs);

static _Thread_local enum fake_side my_side;
static struct {
	enum fake_side side;
	unsigned left; /* calls up to the one that fails; 0: none */
	const char *failed;
} plan;

static struct ibv_mw *alloc_window(struct ibv_pd *pd, enum ibv_mw_type type);
static int free_window(struct ibv_mw *mw);
static int poll_queue(struct ibv_cq *cq, int max, struct ibv_wc *wc);
static int arm_queue(struct ibv_cq *cq, int solicited_only);
static int post_send(struct ibv_qp *qp, struct ibv_send_wr *wr,
		     struct ibv_send_wr **bad);
static int post_receive(struct ibv_qp *qp, struct ibv_recv_wr *wr,
			struct ibv_recv_wr **bad);

/* --- The test's side ---------------------------------------------------- */

void fake_begin(bool with_windows)
{
	has_windows = with_windows;
	fake_context = (struct ibv_context){
		.device = &device,
		.async_fd = fake_bell(),
		.ops =
			{
				.alloc_mw = alloc_window,
				.dealloc_mw = free_window,
				.poll_cq = poll_queue,
				.req_notify_cq = arm_queue,
				.post_send = post_send,
				.post_recv = post_receive,
			},
	};
	plan.left = 0;
	plan.failed = NULL;
}

void fake_end(void)
{
	struct fake_async *async;

	while ((async = STAILQ_FIRST(&asyncs))) {
		STAILQ_REMOVE_HEAD(&asyncs, queue);
		free(async);
	}
	close(fake_context.async_fd);
}

void fake_be(enum fake_side side)
{
	my_side = side;
}

void fake_fail(enum fake_side side, unsigned number)
{
	fake_lock();
	plan.side = side;
	plan.left = number;
	plan.failed = NULL;
	fake_unlock();
}

const char *fake_failed(void)
{
	fake_lock();
	const char *failed = plan.failed;
	fake_unlock();
	return failed;
}

bool fake_is_armed(enum fake_side side)
{
	const struct fake_queue *queue;
	bool is_armed = false;

	fake_lock();
	LIST_FOREACH(queue, &queues, all)
		is_armed |= queue->side == side && queue->is_armed;
	fake_unlock();
	return is_armed;
}

const char *fake_what_is_left(void)
{
	static const char *const names[FAKE_KINDS] = {
		"device lists",	       "protection domains",
		"memory regions",      "memory windows",
		"completion channels", "completion queues",
		"queue pairs",	       "event channels",
		"identifiers",	       "unacknowledged events",
	};
	static char text[64];
	const char *left = NULL;

	fake_lock();
	for (int kind = 0; kind < FAKE_KINDS && !left; kind++) {
		if (!lives[kind])
			continue;
		snprintf(text, sizeof(text), "%u %s", lives[kind], names[kind]);
		left = text;
	}
	fake_unlock();
	return left;
}

void fake_raise(enum ibv_event_type type, struct ibv_qp *qp)
{
	struct fake_async *async = calloc(1, sizeof(*async));

	fake_check(async, "no memory");
	fake_lock();
	async->event.event_type = type;
	if (qp)
		async->event.element.qp = qp;
	else
		async->event.element.port_num = 1;
	STAILQ_INSERT_TAIL(&asyncs, async, queue);
	fake_ring(fake_context.async_fd);
	fake_unlock();
}

unsigned fake_events_left(void)
{
	const struct fake_async *async;
	unsigned count = 0;

	fake_lock();
	STAILQ_FOREACH(async, &asyncs, queue)
		count++;
	fake_unlock();
	return count;
}

/* --- Common ------------------------------------------------------------- */

void fake_lock(void)
{
	pthread_mutex_lock(&lock);
}

void fake_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void fake_check(bool is_right, const char *what)
{
	if (is_right)
		return;
	fprintf(stderr, "the fake RDMA device: %s\n", what);
	abort();
}

void *fake_make(enum fake_kind kind, size_t size)
{
	void *object = calloc(1, size);

	fake_check(object, "no memory");
	fake_count(kind);
	return object;
}

void fake_count(enum fake_kind kind)
{
	lives[kind]++;
}

void fake_unmake(enum fake_kind kind, void *object)
{
	fake_check(lives[kind] > 0, "unmade more than was made");
	lives[kind]--;
	free(object);
}

static bool fails_for(enum fake_side side, const char *call)
{
	if (side != plan.side || !plan.left || --plan.left)
		return false;
	plan.failed = call;
	return true;
}

bool fake_fails(const char *call)
{
	bool fails = fails_for(my_side, call);

	errno = fails ? EIO : errno;
	return fails;
}

int fake_bell(void)
{
	int fd = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);

	fake_check(fd >= 0, "no descriptor");
	return fd;
}

void fake_ring(int fd)
{
	fake_check(!eventfd_write(fd, 1), "can't ring");
}

void fake_unring(int fd)
{
	eventfd_t value;

	fake_check(!eventfd_read(fd, &value), "can't unring");
}

void fake_check_nonblocking(int fd)
{
	fake_check(fcntl(fd, F_GETFL) & O_NONBLOCK, "waits for an event");
}

/* --- The device --------------------------------------------------------- */

const char *ibv_get_device_name(struct ibv_device *of)
{
	return of->name;
}

int ibv_query_device(struct ibv_context *context, struct ibv_device_attr *attr)
{
	(void)context;
	fake_lock();
	bool fails = fake_fails("ibv_query_device");
	*attr = (struct ibv_device_attr){
		.max_qp_wr = 4096,
		.max_qp_rd_atom = 16,
		.max_qp_init_rd_atom = 16,
		.device_cap_flags =
			has_windows ? IBV_DEVICE_MEM_WINDOW_TYPE_2B : 0,
	};
	fake_unlock();
	return fails ? EIO : 0;
}

int ibv_get_async_event(struct ibv_context *context,
			struct ibv_async_event *event)
{
	int result = -1;

	fake_check_nonblocking(context->async_fd);
	fake_lock();
	struct fake_async *async = STAILQ_FIRST(&asyncs);
	if (!async) {
		errno = EAGAIN;
	} else if (!fake_fails("ibv_get_async_event")) {
		*event = async->event;
		if (event->event_type == IBV_EVENT_COMM_EST ||
		    event->event_type == IBV_EVENT_PATH_MIG ||
		    event->event_type == IBV_EVENT_PATH_MIG_ERR)
			((struct fake_pair *)event->element.qp)
				->unacknowledged++;
		STAILQ_REMOVE_HEAD(&asyncs, queue);
		free(async);
		fake_unring(context->async_fd);
		result = 0;
	}
	fake_unlock();
	return result;
}

void ibv_ack_async_event(struct ibv_async_event *event)
{
	fake_lock();
	if (event->event_type == IBV_EVENT_COMM_EST ||
	    event->event_type == IBV_EVENT_PATH_MIG ||
	    event->event_type == IBV_EVENT_PATH_MIG_ERR)
		((struct fake_pair *)event->element.qp)->unacknowledged--;
	fake_unlock();
}

const char *ibv_event_type_str(enum ibv_event_type type)
{
	switch (type) {
	case IBV_EVENT_PATH_MIG:
		return "path migrated";
	case IBV_EVENT_PATH_MIG_ERR:
		return "path migration failed";
	case IBV_EVENT_PORT_ACTIVE:
		return "port active";
	default:
		return "event";
	}
}

const char *ibv_wc_status_str(enum ibv_wc_status status)
{
	switch (status) {
	case IBV_WC_RETRY_EXC_ERR:
		return "transport retry counter exceeded";
	case IBV_WC_REM_ACCESS_ERR:
		return "remote access error";
	case IBV_WC_LOC_LEN_ERR:
		return "local length error";
	default:
		return "failed";
	}
}

/* --- Memory ------------------------------------------------------------- */

struct ibv_pd *ibv_alloc_pd(struct ibv_context *context)
{
	struct fake_domain *domain = NULL;

	fake_lock();
	if (!fake_fails("ibv_alloc_pd")) {
		domain = fake_make(FAKE_DOMAIN, sizeof(*domain));
		domain->pd.context = context;
	}
	fake_unlock();
	return domain ? &domain->pd : NULL;
}

int ibv_dealloc_pd(struct ibv_pd *pd)
{
	struct fake_domain *domain = (struct fake_domain *)pd;

	fake_lock();
	fake_check(!domain->users, "unmakes a domain that is in use");
	fake_unmake(FAKE_DOMAIN, domain);
	fake_unlock();
	return 0;
}

static uint32_t next_key(void)
{
	return last_key += KEY_STEP;
}

struct ibv_mr *ibv_reg_mr_iova2(struct ibv_pd *pd, void *bytes, size_t size,
				uint64_t iova, unsigned access)
{
	struct fake_memory *memory = NULL;

	fake_check(iova == 0, "memory is not addressed by offset");
	fake_lock();
	if (!fake_fails("ibv_reg_mr")) {
		memory = fake_make(FAKE_MEMORY, sizeof(*memory));
		memory->mr = (struct ibv_mr){
			.context = pd->context,
			.pd = pd,
			.addr = bytes,
			.length = size,
			.lkey = next_key(),
			.rkey = next_key(),
		};
		memory->access = access;
		((struct fake_domain *)pd)->users++;
		LIST_INSERT_HEAD(&memories, memory, all);
	}
	fake_unlock();
	return memory ? &memory->mr : NULL;
}

/* verbs.h has macros of these names. */
#undef ibv_reg_mr_iova
struct ibv_mr *ibv_reg_mr_iova(struct ibv_pd *pd, void *bytes, size_t size,
			       uint64_t iova, int access)
{
	return ibv_reg_mr_iova2(pd, bytes, size, iova, (unsigned)access);
}

int ibv_dereg_mr(struct ibv_mr *mr)
{
	fake_lock();
	((struct fake_domain *)mr->pd)->users--;
	LIST_REMOVE((struct fake_memory *)mr, all);
	fake_unmake(FAKE_MEMORY, mr);
	fake_unlock();
	return 0;
}

static struct ibv_mw *alloc_window(struct ibv_pd *pd, enum ibv_mw_type type)
{
	struct fake_window *window = NULL;

	fake_check(has_windows && type == IBV_MW_TYPE_2, "has no such windows");
	fake_lock();
	if (!fake_fails("ibv_alloc_mw")) {
		window = fake_make(FAKE_WINDOW, sizeof(*window));
		window->mw = (struct ibv_mw){
			.context = pd->context,
			.pd = pd,
			.rkey = next_key(),
			.type = type,
		};
		((struct fake_domain *)pd)->users++;
		LIST_INSERT_HEAD(&windows, window, all);
	}
	fake_unlock();
	return window ? &window->mw : NULL;
}

static int free_window(struct ibv_mw *mw)
{
	fake_lock();
	((struct fake_domain *)mw->pd)->users--;
	LIST_REMOVE((struct fake_window *)mw, all);
	fake_unmake(FAKE_WINDOW, mw);
	fake_unlock();
	return 0;
}

static uint8_t *place_in(const struct ibv_mr *mr, uint64_t offset, size_t size)
{
	if (size > mr->length || offset > mr->length - size)
		return NULL;
	return (uint8_t *)mr->addr + offset;
}

/* Where a work request of this end says that its bytes are. */
static uint8_t *find_local(const struct fake_pair *pair,
			   const struct ibv_sge *sge)
{
	const struct fake_memory *m;

	LIST_FOREACH(m, &memories, all)
		if (m->mr.lkey == sge->lkey && m->mr.pd == pair->qp.pd)
			return place_in(&m->mr, sge->addr, sge->length);
	return NULL;
}

/* Where one of the peer says so. */
static uint8_t *find_remote(const struct fake_pair *pair, uint32_t key,
			    uint64_t offset, size_t size, unsigned access)
{
	const struct fake_memory *m;
	const struct fake_window *w;

	LIST_FOREACH(m, &memories, all)
		if (m->mr.rkey == key && m->mr.pd == pair->qp.pd &&
		    m->access & access)
			return place_in(&m->mr, offset, size);
	LIST_FOREACH(w, &windows, all)
		if (w->key == key && w->qp == &pair->qp &&
		    w->bind.mw_access_flags & access &&
		    offset + size <= w->bind.length)
			return place_in(w->bind.mr, offset, size);
	return NULL;
}

/* --- Completions -------------------------------------------------------- */

struct ibv_comp_channel *ibv_create_comp_channel(struct ibv_context *context)
{
	struct fake_channel *channel = NULL;

	fake_lock();
	if (!fake_fails("ibv_create_comp_channel")) {
		channel = fake_make(FAKE_COMPLETION_CHANNEL, sizeof(*channel));
		channel->channel.context = context;
		channel->channel.fd = fake_bell();
	}
	fake_unlock();
	return channel ? &channel->channel : NULL;
}

int ibv_destroy_comp_channel(struct ibv_comp_channel *channel)
{
	fake_lock();
	fake_check(!((struct fake_channel *)channel)->queue,
		   "unmakes a completion channel that is in use");
	close(channel->fd);
	fake_unmake(FAKE_COMPLETION_CHANNEL, channel);
	fake_unlock();
	return 0;
}

struct ibv_cq *ibv_create_cq(struct ibv_context *context, int size,
			     void *cq_context, struct ibv_comp_channel *channel,
			     int vector)
{
	struct fake_queue *queue = NULL;

	(void)vector;
	fake_lock();
	if (!fake_fails("ibv_create_cq")) {
		queue = fake_make(FAKE_COMPLETION_QUEUE, sizeof(*queue));
		queue->cq.context = context;
		queue->cq.cq_context = cq_context;
		queue->cq.channel = channel;
		queue->cq.cqe = size;
		queue->wc = calloc((size_t)size, sizeof(queue->wc[0]));
		fake_check(queue->wc, "no memory");
		queue->channel = (struct fake_channel *)channel;
		queue->channel->queue = queue;
		queue->side = my_side;
		LIST_INSERT_HEAD(&queues, queue, all);
	}
	fake_unlock();
	return queue ? &queue->cq : NULL;
}

int ibv_destroy_cq(struct ibv_cq *cq)
{
	struct fake_queue *queue = (struct fake_queue *)cq;

	fake_lock();
	fake_check(!queue->users, "unmakes a completion queue that is in use");
	fake_check(!queue->unacknowledged,
		   "waits for ever: a completion event is not acknowledged");
	for (; queue->channel->events; queue->channel->events--)
		fake_unring(cq->channel->fd);
	queue->channel->queue = NULL;
	LIST_REMOVE(queue, all);
	free(queue->wc);
	fake_unmake(FAKE_COMPLETION_QUEUE, queue);
	fake_unlock();
	return 0;
}

int ibv_get_cq_event(struct ibv_comp_channel *base, struct ibv_cq **cq,
		     void **cq_context)
{
	struct fake_channel *channel = (struct fake_channel *)base;
	int result = -1;

	fake_check_nonblocking(base->fd);
	fake_lock();
	if (!channel->events) {
		errno = EAGAIN;
	} else if (!fake_fails("ibv_get_cq_event")) {
		channel->events--;
		fake_unring(base->fd);
		channel->queue->unacknowledged++;
		*cq = &channel->queue->cq;
		*cq_context = (*cq)->cq_context;
		result = 0;
	}
	fake_unlock();
	return result;
}

void ibv_ack_cq_events(struct ibv_cq *cq, unsigned count)
{
	fake_lock();
	((struct fake_queue *)cq)->unacknowledged -= count;
	fake_unlock();
}

static void complete(struct ibv_cq *cq, const struct ibv_wc *wc)
{
	struct fake_queue *queue = (struct fake_queue *)cq;

	fake_check(queue->end - queue->begin < (unsigned)cq->cqe,
		   "a completion queue overflows");
	queue->wc[queue->end++ % (unsigned)cq->cqe] = *wc;
	if (!queue->is_armed)
		return;
	queue->is_armed = false;
	queue->channel->events++;
	fake_ring(cq->channel->fd);
}

static int poll_queue(struct ibv_cq *cq, int max, struct ibv_wc *wc)
{
	struct fake_queue *queue = (struct fake_queue *)cq;
	int count = 0;

	fake_lock();
	if (queue->begin != queue->end && fake_fails("ibv_poll_cq"))
		count = -1;
	for (; count >= 0 && count < max && queue->begin != queue->end; count++)
		wc[count] = queue->wc[queue->begin++ % (unsigned)cq->cqe];
	fake_unlock();
	return count;
}

static int arm_queue(struct ibv_cq *cq, int solicited_only)
{
	(void)solicited_only;
	fake_lock();
	bool fails = fake_fails("ibv_req_notify_cq");
	if (!fails)
		((struct fake_queue *)cq)->is_armed = true;
	fake_unlock();
	return fails ? EIO : 0;
}

/* --- Queue pairs -------------------------------------------------------- */

struct ibv_qp *fake_pair_create(struct ibv_pd *pd,
				struct ibv_qp_init_attr *attr)
{
	struct fake_pair *pair = fake_make(FAKE_QUEUE_PAIR, sizeof(*pair));

	attr->cap.max_inline_data = INLINE_MAX;
	pair->qp.context = pd->context;
	pair->qp.qp_context = attr->qp_context;
	pair->qp.pd = pd;
	pair->qp.send_cq = attr->send_cq;
	pair->qp.recv_cq = attr->recv_cq;
	pair->qp.qp_num = ++last_key;
	pair->side = my_side;
	pair->size = attr->cap.max_recv_wr;
	pair->receives = calloc(pair->size, sizeof(pair->receives[0]));
	fake_check(pair->receives, "no memory");
	((struct fake_domain *)pd)->users++;
	((struct fake_queue *)attr->send_cq)->users++;
	return &pair->qp;
}

void fake_pair_destroy(struct ibv_qp *qp)
{
	struct fake_pair *pair = (struct fake_pair *)qp;

	fake_check(!pair->unacknowledged,
		   "waits for ever: an event is not acknowledged");
	if (pair->peer)
		pair->peer->peer = NULL;
	((struct fake_domain *)qp->pd)->users--;
	((struct fake_queue *)qp->send_cq)->users--;
	free(pair->receives);
	fake_unmake(FAKE_QUEUE_PAIR, pair);
}

void fake_pair_connect(struct ibv_qp *one, struct ibv_qp *other)
{
	struct fake_pair *a = (struct fake_pair *)one;
	struct fake_pair *b = (struct fake_pair *)other;

	a->peer = b;
	b->peer = a;
	a->state = b->state = PAIR_READY;
}

void fake_pair_break(struct ibv_qp *qp)
{
	struct fake_pair *pair = (struct fake_pair *)qp;

	pair->state = PAIR_BROKEN;
	for (; pair->begin != pair->end; pair->begin++) {
		const struct ibv_wc wc = {
			.wr_id = pair->receives[pair->begin % pair->size].wr_id,
			.status = IBV_WC_WR_FLUSH_ERR,
			.qp_num = qp->qp_num,
		};
		complete(qp->recv_cq, &wc);
	}
}

int ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask)
{
	(void)qp;
	(void)attr;
	(void)mask;
	fake_lock();
	bool fails = fake_fails("ibv_modify_qp");
	fake_unlock();
	return fails ? EIO : 0;
}

static int post_receive(struct ibv_qp *qp, struct ibv_recv_wr *wr,
			struct ibv_recv_wr **bad)
{
	struct fake_pair *pair = (struct fake_pair *)qp;
	bool fails = false;

	fake_lock();
	*bad = wr;
	if (fake_fails("ibv_post_recv")) {
		fake_unlock();
		return EIO;
	}
	for (; wr && !fails; wr = wr->next) {
		fails = pair->end - pair->begin == pair->size;
		*bad = wr;
		if (fails)
			break;
		struct fake_receive *receive =
			&pair->receives[pair->end++ % pair->size];
		*receive = (struct fake_receive){.wr_id = wr->wr_id};
		if (wr->num_sge)
			receive->sge = wr->sg_list[0];
	}
	if (pair->state == PAIR_BROKEN)
		fake_pair_break(qp);
	fake_unlock();
	return fails ? ENOMEM : 0;
}

/* --- Sending ------------------------------------------------------------ */

/* Lets the peer know of a message or an immediate by its next receive. */
static enum ibv_wc_status notify(struct fake_pair *to,
				 const struct ibv_send_wr *wr,
				 const uint8_t *bytes, uint32_t size)
{
	if (to->begin == to->end)
		return IBV_WC_RNR_RETRY_EXC_ERR;
	const struct fake_receive *receive =
		&to->receives[to->begin++ % to->size];
	bool is_message = wr->opcode == IBV_WR_SEND;
	struct ibv_wc wc = {
		.wr_id = receive->wr_id,
		.opcode = is_message ? IBV_WC_RECV : IBV_WC_RECV_RDMA_WITH_IMM,
		.byte_len = size,
		.imm_data = wr->imm_data,
		.qp_num = to->qp.qp_num,
	};
	uint8_t *place = is_message && size <= receive->sge.length
				 ? find_local(to, &receive->sge)
				 : NULL;
	if ((is_message && !place) || fails_for(to->side, "a receive")) {
		wc.status = IBV_WC_LOC_LEN_ERR;
		complete(to->qp.recv_cq, &wc);
		fake_pair_break(&to->qp);
		return IBV_WC_REM_INV_REQ_ERR;
	}
	if (is_message)
		memcpy(place, bytes, size);
	complete(to->qp.recv_cq, &wc);
	return IBV_WC_SUCCESS;
}

static enum ibv_wc_status bind_window(const struct fake_pair *pair,
				      const struct ibv_send_wr *wr)
{
	struct fake_window *window = (struct fake_window *)wr->bind_mw.mw;

	window->key = wr->bind_mw.rkey;
	window->qp = &pair->qp;
	window->bind = wr->bind_mw.bind_info;
	return IBV_WC_SUCCESS;
}

/* Moves the bytes of a READ or a WRITE. */
static enum ibv_wc_status move(const struct fake_pair *peer,
			       const struct ibv_send_wr *wr, uint8_t *bytes,
			       uint32_t size)
{
	bool is_read = wr->opcode == IBV_WR_RDMA_READ;

	if (!size)
		return IBV_WC_SUCCESS;
	uint8_t *remote = find_remote(
		peer, wr->wr.rdma.rkey, wr->wr.rdma.remote_addr, size,
		is_read ? IBV_ACCESS_REMOTE_READ : IBV_ACCESS_REMOTE_WRITE);
	if (!remote)
		return IBV_WC_REM_ACCESS_ERR;
	memcpy(is_read ? bytes : remote, is_read ? remote : bytes, size);
	return IBV_WC_SUCCESS;
}

static enum ibv_wc_status carry_out(struct fake_pair *pair,
				    const struct ibv_send_wr *wr)
{
	uint32_t size = wr->num_sge ? wr->sg_list[0].length : 0;
	uint8_t *bytes = NULL;

	if (pair->state == PAIR_BROKEN)
		return IBV_WC_WR_FLUSH_ERR;
	if (wr->opcode == IBV_WR_BIND_MW)
		return bind_window(pair, wr);
	if (!pair->peer || pair->peer->state != PAIR_READY)
		return IBV_WC_RETRY_EXC_ERR;
	if (size)
		bytes = wr->send_flags & IBV_SEND_INLINE
				? (uint8_t *)(uintptr_t)wr->sg_list[0].addr
				: find_local(pair, wr->sg_list);
	if (size && !bytes)
		return IBV_WC_LOC_PROT_ERR;
	if (wr->opcode == IBV_WR_SEND)
		return notify(pair->peer, wr, bytes, size);
	enum ibv_wc_status status = move(pair->peer, wr, bytes, size);
	if (!status && wr->opcode == IBV_WR_RDMA_WRITE_WITH_IMM)
		status = notify(pair->peer, wr, bytes, size);
	return status;
}

static void send_one(struct fake_pair *pair, const struct ibv_send_wr *wr)
{
	struct ibv_wc wc = {
		.wr_id = wr->wr_id,
		.status = IBV_WC_RETRY_EXC_ERR,
		.qp_num = pair->qp.qp_num,
	};

	if (pair->state != PAIR_READY || !fake_fails("a send"))
		wc.status = carry_out(pair, wr);
	if (wc.status || wr->send_flags & IBV_SEND_SIGNALED)
		complete(pair->qp.send_cq, &wc);
	if (wc.status)
		fake_pair_break(&pair->qp);
}

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *wr,
		     struct ibv_send_wr **bad)
{
	struct fake_pair *pair = (struct fake_pair *)qp;

	fake_lock();
	*bad = wr;
	bool fails = fake_fails("ibv_post_send");
	fake_check(pair->state != PAIR_NEW, "sends before it is connected");
	for (; !fails && wr; wr = wr->next)
		send_one(pair, wr);
	fake_unlock();
	return fails ? EIO : 0;
}
