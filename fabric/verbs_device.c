/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_device.h"

#include "base/log.h"
#include "fabric/verbs_link.h"

static void see_port(const struct ibv_context *context,
		     const struct ibv_async_event *event)
{
	const char *device = ibv_get_device_name(context->device);
	int port = event->element.port_num;

	if (event->event_type == IBV_EVENT_PORT_ERR)
		log_warn("port %d of RDMA device %s is down: its clients will "
			 "be dropped unless it comes back at once",
			 port, device);
	else
		log_info("port %d of RDMA device %s: %s", port, device,
			 ibv_event_type_str(event->event_type));
}

static void see_queue_pair(const struct ibv_context *context,
			   const struct ibv_async_event *event)
{
	const struct ibv_qp *qp = event->element.qp;

	log_debug("queue pair %#x of RDMA device %s: %s", qp->qp_num,
		  ibv_get_device_name(context->device),
		  ibv_event_type_str(event->event_type));
}

/* The client's last word of connecting may be lost while its first message is
 * not; then that has to do.  The link can't go while the event is not
 * acknowledged, as destroying its queue pair waits for that. */
static void see_established(const struct ibv_async_event *event)
{
	const struct verbs_link *link = event->element.qp->qp_context;

	(void)rdma_notify(link->id, IBV_EVENT_COMM_EST);
}

/* A queue pair that broke tells its link by completions that fail, so here that
 * is only written down. */
static void see(const struct ibv_context *context,
		const struct ibv_async_event *event)
{
	switch (event->event_type) {
	case IBV_EVENT_COMM_EST:
		see_established(event);
		break;
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
	case IBV_EVENT_QP_LAST_WQE_REACHED:
	case IBV_EVENT_SQ_DRAINED:
		see_queue_pair(context, event);
		break;
	case IBV_EVENT_PATH_MIG:
	case IBV_EVENT_PATH_MIG_ERR:
		see_queue_pair(context, event);
		log_info("a path of RDMA device %s: %s",
			 ibv_get_device_name(context->device),
			 ibv_event_type_str(event->event_type));
		break;
	case IBV_EVENT_DEVICE_FATAL:
		log_error("RDMA device %s has failed; its clients are lost",
			  ibv_get_device_name(context->device));
		break;
	case IBV_EVENT_CQ_ERR:
		log_warn("a completion queue of RDMA device %s has failed",
			 ibv_get_device_name(context->device));
		break;
	default:
		see_port(context, event);
		break;
	}
}

void fabric_verbs_device_look(struct ibv_context *context)
{
	struct ibv_async_event event;

	if (ibv_get_async_event(context, &event))
		return;
	see(context, &event);
	ibv_ack_async_event(&event);
}
