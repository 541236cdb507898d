/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

/* xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", ACM TOMS 47(4), 2021), seeded by SplitMix64 as its authors
 * advise.  Integers only, so a seed gives the same numbers everywhere.
 *
 * Thread-safety: one generator, one thread. */

#include <stdint.h>

struct random {
	uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);

/* The next 64 bits. */
uint64_t random_next(struct random *random);

/* Uniform in [0, 1): the upper 53 bits times 2^-53, exactly. */
double random_unit(struct random *random);

/* Uniform in [0, below), without bias (Lemire's rejection); below > 0. */
uint64_t random_below(struct random *random, uint64_t below);

/* 64 bits from the kernel's generator, different at every call. */
uint64_t random_entropy(void);

#endif
