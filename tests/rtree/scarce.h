/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RTREE_SCARCE_H
#define TESTS_RTREE_SCARCE_H

/* Memory that runs out at a moment that a test chooses.
 *
 * A program that is linked with $(scarce_ldflags) comes here instead of to the
 *C library when it, or a library that is linked into it statically, calls one
 *of the functions below; each call can be made to fail.
 *
 *	malloc calloc realloc aligned_alloc strdup asprintf realpath mmap
 *	pthread_create
 *
 * Thread-safety: the threads of the program may allocate; one of them tests. */

#include <stdint.h>

enum scarce_how {
	SCARCE_ONCE, /* one call fails, those after it do not */
	SCARCE_FROM, /* all from there on fail */
};

/* The call number 'nth', counted from 1, fails from here on. */
void scarce_begin(uint64_t nth, enum scarce_how how);

/* No call fails any more.  Returns how many there were since the beginning. */
uint64_t scarce_end(void);

/* What is allocated, and not freed yet. */
struct scarce_held {
	int64_t blocks;
	int64_t mapped; /* pages */
	int64_t descriptors;
};
struct scarce_held scarce_held(void);

#endif
