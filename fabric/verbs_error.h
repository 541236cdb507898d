/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_VERBS_ERROR_H
#define FABRIC_VERBS_ERROR_H

/* What verbs and rdma_cm report, in the errors and words of base/err.h.
 *
 * Thread-safety: pure functions. */

#include "fabric/verbs_link.h"

/* For a work request that completed with an error: ERR_CONNECTION when the peer
 * no longer answers, ERR_PROTOCOL when it refused, or sent what it may not, and
 * ERR_SYSTEM for what this end did wrong.  'sent' is NULL for a receive.  The
 * text has all that is known of it. */
int fabric_verbs_completion_error(const struct verbs_link *link,
				  const struct ibv_wc *wc,
				  const struct verbs_sent *sent);

/* For ibv_post_send() or ibv_post_recv() that returned 'number'. */
int fabric_verbs_post_error(const struct verbs_link *link, int number);

/* For a call of rdma_cm or verbs that set errno: ERR_SYSTEM, "can't WHAT". */
int fabric_verbs_call_error(const char *what);

#endif
