/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_PROCESS_CPU_H
#define TOOLS_PROCESS_CPU_H

/* Processor time of processes on this machine, from /proc.
 *
 * Thread-safety: pure functions. */

#include <stdbool.h>
#include <stdint.h>

/* Processor time that all threads of a process have used so far, to 10 ms;
 * false when there is no such process here. */
bool process_cpu_ns(int pid, uint64_t *time_ns);

/* Whether the process of that number on this machine is one of that name that
 * was started a little before it had been up for 'uptime_ns': a server on
 * another machine tells a number that means nothing here. */
bool process_is(int pid, const char *name, uint64_t uptime_ns);

#endif
