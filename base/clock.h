/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* The one clock that leases are measured with.  CLOCK_BOOTTIME never jumps and
 * goes on while the machine sleeps. */

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* Nanoseconds since the machine started. */
uint64_t clock_now_ns(void);

#endif
