/* SPDX-License-Identifier: BSD-2-Clause */

/* The randomised back-off of the published system, reconstructed. */

#include "adaptive/backoff.h"

/* More would overflow after years of a server that is always busy. */
#define BUSY_MAX (UINT64_C(1) << 31)

static bool offload_while_it_lasts(struct backoff *policy)
{
	if (!policy->off)
		return false;
	policy->off--;
	return true;
}

bool backoff_offloads(struct backoff *policy, struct random *random, bool heard,
		      double utilisation, double threshold, uint32_t backoff)
{
	if (offload_while_it_lasts(policy))
		return true;
	if (!heard)
		return false;
	if (!(utilisation > threshold)) {
		policy->busy = 0;
		return false;
	}
	if (policy->busy < BUSY_MAX)
		policy->busy++;
	policy->off =
		(policy->busy - 1) * backoff + random_below(random, backoff);
	return offload_while_it_lasts(policy);
}
