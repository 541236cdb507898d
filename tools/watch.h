/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_WATCH_H
#define TOOLS_WATCH_H

/* Shows the load of a server as its heartbeats tell it, live.
 *
 * Thread-safety: one thread. */

#include <stdbool.h>
#include <stdint.h>

/* Shows a line each interval, so many times or, for 0, until the server has
 * gone. */
int watch_show(uint64_t interval_ns, uint64_t times, bool as_json);

#endif
