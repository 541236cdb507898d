/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

/* Work that several threads share for the time of a call.
 *
 * Thread-safety: safe; what the functions do with shared memory is theirs. */

#include <stdint.h>

/* Processors that this process may run on. */
unsigned parallel_processors(void);

/* Calls f(a) and f(b), at the same time where another thread can be had. */
void parallel_both(void (*f)(void *), void *a, void *b);

/* Calls f(context, i, begin, end) for i from 0 to parts - 1, each in a thread
 * of its own where one can be had, with [0, count) in equal shares. */
void parallel_shares(void (*f)(void *context, unsigned i, uint64_t begin,
			       uint64_t end),
		     void *context, uint64_t count, unsigned parts);

#endif
