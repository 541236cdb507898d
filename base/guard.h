/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_GUARD_H
#define BASE_GUARD_H

/* Guards that a test can take away.
 *
 * Some checks matter only in a race that is won nearly always: a lease that has
 * passed, a horizon that has risen, a record that came torn.  A test that never
 * fails proves nothing about them, so each stands in the code as
 *
 *	if (GUARD("horizon", root_load_horizon(page) > version))
 *		return ERR_AGAIN;
 *
 * where 'danger' is the condition that it guards against.  Normally that is
 * all: GUARD(name, danger) is 'danger'.  In a build with
 * -DCATFISH_SEEDED_FAULTS a guard sees no danger when the environment's
 * CATFISH_FAULT names it (several names stand with commas between them), and
 * the test that relies on it has to fail.  Such a build is for that alone.
 *
 * GUARD_PAUSE(name) stands where such a race can be lost, and is nothing.  In
 * such a build a thread sleeps there when CATFISH_PAUSE says so, as in
 * "gather:2000:16": 2,000 microseconds, each 16th time, or "gather:2000:16:1":
 * the first of these times only.
 *
 * Thread-safety: safe as long as nothing changes the environment. */

#ifdef CATFISH_SEEDED_FAULTS

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline bool guard_is_off(const char *name)
{
	const char *fault = getenv("CATFISH_FAULT");
	size_t size = strlen(name);

	while (fault && *fault) {
		size_t length = strcspn(fault, ",");
		if (length == size && !memcmp(fault, name, size))
			return true;
		fault += length + (fault[length] == ',');
	}
	return false;
}

static inline void guard_pause(const char *name)
{
	static _Thread_local unsigned passes, pauses;
	const char *pause = getenv("CATFISH_PAUSE");
	size_t size = strlen(name);
	unsigned us, every, most = UINT_MAX;

	if (!pause || strncmp(pause, name, size) != 0 ||
	    sscanf(pause + size, ":%u:%u:%u", &us, &every, &most) < 2)
		return;
	struct timespec time = {us / 1000000, us % 1000000 * 1000L};
	if (every && ++passes % every == 0 && pauses < most) {
		pauses++;
		nanosleep(&time, NULL);
	}
}

#define GUARD(name, danger) ((danger) && !guard_is_off(name))
#define GUARD_PAUSE(name)   guard_pause(name)

#else

#define GUARD(name, danger) (danger)
#define GUARD_PAUSE(name)   ((void)0)

#endif
#endif
