/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/policy.h"

#include <string.h>

#include "base/err.h"

static const char *const names[] = {
	[CATFISH_POLICY_ADAPTIVE] = "adaptive",
	[CATFISH_POLICY_MESSAGING] = "messaging",
	[CATFISH_POLICY_OFFLOAD] = "offload",
	[CATFISH_POLICY_CATFISH] = "catfish",
};
enum { POLICIES = sizeof(names) / sizeof(*names) };

int policy_parse(const char *name, enum catfish_policy *policy)
{
	for (int i = 0; i < POLICIES; i++)
		if (strcmp(name, names[i]) == 0) {
			*policy = (enum catfish_policy)i;
			return 0;
		}
	return err_set(ERR_USAGE,
		       "no policy '%s'; there are messaging, offload, catfish "
		       "and adaptive",
		       name);
}

const char *policy_name(enum catfish_policy policy)
{
	return names[policy];
}
