/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FABRIC_FAKE_VERBS_H
#define TESTS_FABRIC_FAKE_VERBS_H

/* An RDMA device that is none: what fabric/verbs*.c calls of libibverbs and
 * librdmacm, in memory, to be linked instead of them.  Both ends of a link are
 * in this process.  What is sent arrives at once; keys are checked as a device
 * does.  Any one call can be made to fail, by its number; whatever was made and
 * not unmade is counted, and what is unmade too early, or would wait for ever,
 * aborts.
 *
 *	fake_verbs.c	the device: memory, queue pairs, completions
 *	fake_rdma_cm.c	connections
 *	fake_inner.h	what the two know of each other
 *
 * Thread-safety: safe, but for fake_begin() and fake_end(). */

#include <infiniband/verbs.h>
#include <stdbool.h>

/* Whose call it is; of the calling thread. */
enum fake_side { FAKE_SERVER, FAKE_CLIENT };

/* Makes the device, with memory windows of type 2 or without any. */
void fake_begin(bool has_windows);

/* Unmakes it. */
void fake_end(void);

/* Says whose calls this thread makes from now on. */
void fake_be(enum fake_side side);

/* Has the call of a side that is number 'number' of those that may fail, from
 * 1, fail once.  Calls that find nothing to do are not counted; a work request
 * counts twice, as it may fail when it is posted and when it is done, and so
 * does what rdma_cm answers by an event. */
void fake_fail(enum fake_side side, unsigned number);

/* Which call has failed; NULL while none has. */
const char *fake_failed(void);

/* Whether a side waits to be woken by a completion. */
bool fake_is_armed(enum fake_side side);

/* What is still there, in words; NULL when all was unmade. */
const char *fake_what_is_left(void);

/* Reports an event of the device, of a queue pair or, when 'qp' is NULL, of its
 * port 1. */
void fake_raise(enum ibv_event_type type, struct ibv_qp *qp);

/* Events of the device that nobody has taken yet. */
unsigned fake_events_left(void);

/* Tells every identifier that the device has been removed. */
void fake_remove_device(void);

/* How often the device was told of a connection, by rdma_notify(). */
unsigned fake_notified(void);

#endif
