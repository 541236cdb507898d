/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_error.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"

static const char *opcode_name(const struct verbs_sent *sent)
{
	if (!sent)
		return "receive";
	switch (sent->opcode) {
	case IBV_WR_RDMA_WRITE:
		return "WRITE";
	case IBV_WR_RDMA_WRITE_WITH_IMM:
		return "WRITE with immediate";
	case IBV_WR_RDMA_READ:
		return "READ";
	case IBV_WR_SEND:
		return "SEND";
	case IBV_WR_BIND_MW:
		return "memory window";
	default:
		return "work request";
	}
}

static int error_of_status(enum ibv_wc_status status, bool is_receive)
{
	switch (status) {
	case IBV_WC_RETRY_EXC_ERR:
	case IBV_WC_RNR_RETRY_EXC_ERR:
	case IBV_WC_WR_FLUSH_ERR:
	case IBV_WC_REM_ABORT_ERR:
	case IBV_WC_RESP_TIMEOUT_ERR:
	/* How rxe says that its network interface is down. */
	case IBV_WC_LOC_QP_OP_ERR:
		return ERR_CONNECTION;
	case IBV_WC_REM_INV_REQ_ERR:
	case IBV_WC_REM_ACCESS_ERR:
	case IBV_WC_REM_OP_ERR:
	case IBV_WC_BAD_RESP_ERR:
		return ERR_PROTOCOL;
	default:
		/* What a receive failed for is what was sent. */
		return is_receive ? ERR_PROTOCOL : ERR_SYSTEM;
	}
}

int fabric_verbs_completion_error(const struct verbs_link *link,
				  const struct ibv_wc *wc,
				  const struct verbs_sent *sent)
{
	/* All that is left of a link that ended otherwise. */
	if (wc->status == IBV_WC_WR_FLUSH_ERR)
		return fabric_peer_has_gone(&link->base);
	return err_set(error_of_status(wc->status, !sent),
		       "%s of %u bytes at %" PRIu64
		       " failed: %s (vendor error %#x, work request %" PRIx64
		       ", queue pair %#x, device %s)",
		       opcode_name(sent), sent ? sent->size : 0,
		       sent ? sent->offset : 0, ibv_wc_status_str(wc->status),
		       wc->vendor_err, wc->wr_id, link->qp->qp_num,
		       fabric_verbs_domain_device(link->domain));
}

int fabric_verbs_post_error(const struct verbs_link *link, int number)
{
	return err_set(ERR_SYSTEM,
		       "can't post work to queue pair %#x of device %s: %s",
		       link->qp->qp_num,
		       fabric_verbs_domain_device(link->domain),
		       strerror(number));
}

int fabric_verbs_call_error(const char *what)
{
	return err_set(ERR_SYSTEM, "can't %s: %s", what, strerror(errno));
}
