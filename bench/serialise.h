/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_SERIALISE_H
#define BENCH_SERIALISE_H

/* Keeps searches apart, as when each query depends on the answer before: a
 * processor that guesses well is else far into the next search, and waits for
 * its memory, before one has ended.  For the programs of peers/ as well.
 *
 * Thread-safety: concerns the calling thread alone. */

/* Nothing after it begins before all loads and computations before it ended. */
static inline void serialise(void)
{
#if defined(__x86_64__)
	__asm__ volatile("lfence" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dsb sy\n\tisb" ::: "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

#endif
