/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_POLICY_H
#define TOOLS_POLICY_H

/* The policies by the names that commands have for them.
 *
 * Thread-safety: pure functions. */

#include "client/catfish.h"

/* ERR_USAGE, with the names that there are, for another. */
int policy_parse(const char *name, enum catfish_policy *policy);
const char *policy_name(enum catfish_policy policy);

#endif
