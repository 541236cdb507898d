/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_SCHEDULE_H
#define SIM_SCHEDULE_H

/* What happens next: each of a fixed number of actors has one time at which it
 * wants to go on.  A tournament tree: changing a time takes as many comparisons
 * as the number of actors has bits, and finding the earliest none.  Of several
 * at the same time the one with the lowest number is first, so that the order
 * is always the same.
 *
 * Thread-safety: one schedule, one thread. */

#include <stddef.h>
#include <stdint.h>

struct schedule;

/* NULL for no memory.  Nobody wants to go on at first. */
struct schedule *schedule_create(size_t count);
void schedule_destroy(struct schedule *schedule);

/* When that actor wants to go on, in nanoseconds; INFINITY: never. */
void schedule_set(struct schedule *schedule, size_t actor, double time_ns);

/* Who is next, and when. */
size_t schedule_next(const struct schedule *schedule, double *time_ns);

#endif
