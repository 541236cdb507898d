/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FABRIC_FAKE_INNER_H
#define TESTS_FABRIC_FAKE_INNER_H

/* What the halves of the fake RDMA device share; all of it is called with the
 * lock held, unless it says otherwise. */

#include "tests/fabric/fake_verbs.h"

enum fake_kind {
	FAKE_DEVICE_LIST,
	FAKE_DOMAIN,
	FAKE_MEMORY,
	FAKE_WINDOW,
	FAKE_COMPLETION_CHANNEL,
	FAKE_COMPLETION_QUEUE,
	FAKE_QUEUE_PAIR,
	FAKE_EVENT_CHANNEL,
	FAKE_IDENTIFIER,
	FAKE_EVENT, /* of rdma_cm, taken and not acknowledged */
	FAKE_KINDS,
};

/* Without the lock. */
void fake_lock(void);
void fake_unlock(void);

/* Ends the process when fabric/verbs*.c does what a device doesn't stand. */
void fake_check(bool is_right, const char *what);

/* One object more or less; and what was made otherwise is counted from now. */
void *fake_make(enum fake_kind kind, size_t size);
void fake_unmake(enum fake_kind kind, void *object);
void fake_count(enum fake_kind kind);

/* Whether this is the call that is to fail; errno is EIO then. */
bool fake_fails(const char *call);

/* A descriptor that is readable as often as it was rung. */
int fake_bell(void);
void fake_ring(int fd);
void fake_unring(int fd);
/* Waiting for a bell is for those that don't block. */
void fake_check_nonblocking(int fd);

extern struct ibv_context fake_context;

struct ibv_qp *fake_pair_create(struct ibv_pd *pd,
				struct ibv_qp_init_attr *attr);
void fake_pair_destroy(struct ibv_qp *qp);
void fake_pair_connect(struct ibv_qp *one, struct ibv_qp *other);
/* Flushes it. */
void fake_pair_break(struct ibv_qp *qp);

#endif
