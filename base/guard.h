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
 * Thread-safety: safe as long as nothing changes the environment. */

#ifdef CATFISH_SEEDED_FAULTS

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

#define GUARD(name, danger) ((danger) && !guard_is_off(name))

#else

#define GUARD(name, danger) (danger)

#endif
#endif
