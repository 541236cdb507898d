/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) spreads one word over the
 * state, which must not be all 0. */
static uint64_t splitmix_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void random_seed(struct random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->state[i] = splitmix_next(&seed);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

uint64_t random_next(struct random *random)
{
	uint64_t *s = random->state;
	uint64_t next = rotate_left(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return next;
}

double random_unit(struct random *random)
{
	return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* The upper half of a 128-bit product, unless its lower half says that this
 * number would come up once too often (Lemire, "Fast random integer generation
 * in an interval", ACM TOMACS 29(1), 2019). */
uint64_t random_below(struct random *random, uint64_t below)
{
	unsigned __int128 product =
		(unsigned __int128)random_next(random) * below;

	if ((uint64_t)product < below) {
		uint64_t threshold = -below % below;
		while ((uint64_t)product < threshold)
			product =
				(unsigned __int128)random_next(random) * below;
	}
	return (uint64_t)(product >> 64);
}

/* A request for 8 bytes is never interrupted nor cut short once the kernel's
 * generator is ready, and it waits until then. */
uint64_t random_entropy(void)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits)) {
		log_error("the kernel gives no random numbers");
		abort();
	}
	return bits;
}
