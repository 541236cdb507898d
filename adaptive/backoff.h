/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ADAPTIVE_BACKOFF_H
#define ADAPTIVE_BACKOFF_H

/* The randomised back-off of the published system (Catfish: ICDCS 2019; ACM
 * TSAS 8(2), 2022), as far as its abstracts and what is remembered of it tell:
 * a reconstruction.
 *
 *	if off > 0:
 *		off -= 1; offload
 *	else if no heartbeat came for two intervals:
 *		messaging			(the network is loaded)
 *	else if the utilisation that it told is above T:
 *		busy += 1
 *		off = uniform in [(busy - 1) N, busy N)
 *		if off > 0: off -= 1; offload	(else messaging)
 *	else:
 *		busy = 0; messaging
 *
 * Thread-safety: one struct, one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

/* All zero at first. */
struct backoff {
	uint64_t off;  /* searches that are still to be offloaded */
	uint64_t busy; /* times in a row that the server was found busy */
};

/* Whether the next search is to be offloaded.  'heard' when a heartbeat came
 * within two intervals, 'utilisation' what the last one told. */
bool backoff_offloads(struct backoff *policy, struct random *random, bool heard,
		      double utilisation, double threshold, uint32_t backoff);

#endif
