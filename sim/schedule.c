/* SPDX-License-Identifier: BSD-2-Clause */

/* A tournament tree over the times of all actors. */

#include "sim/schedule.h"

#include <math.h>
#include <stdlib.h>

struct schedule {
	size_t leaves;	  /* a power of two */
	double *time_ns;  /* of each actor */
	uint32_t *winner; /* of each inner node; the root is 1 */
};

struct schedule *schedule_create(size_t count)
{
	struct schedule *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->leaves = 2;
	while (s->leaves < count)
		s->leaves *= 2;
	s->time_ns = malloc(s->leaves * sizeof(*s->time_ns));
	s->winner = calloc(s->leaves, sizeof(*s->winner));
	if (!s->time_ns || !s->winner) {
		schedule_destroy(s);
		return NULL;
	}
	for (size_t i = 0; i < s->leaves; i++)
		s->time_ns[i] = INFINITY;
	for (size_t i = 0; i < s->leaves; i++)
		schedule_set(s, i, INFINITY);
	return s;
}

void schedule_destroy(struct schedule *s)
{
	if (!s)
		return;
	free(s->time_ns);
	free(s->winner);
	free(s);
}

void schedule_set(struct schedule *s, size_t actor, double time_ns)
{
	s->time_ns[actor] = time_ns;

	/* Just above the leaves, the players are the actors themselves. */
	size_t node = (s->leaves + actor) / 2;
	size_t left = actor & ~(size_t)1;
	s->winner[node] =
		(uint32_t)(left + (s->time_ns[left + 1] < s->time_ns[left]));
	while (node /= 2) {
		uint32_t a = s->winner[2 * node], b = s->winner[2 * node + 1];
		s->winner[node] = s->time_ns[b] < s->time_ns[a] ? b : a;
	}
}

size_t schedule_next(const struct schedule *s, double *time_ns)
{
	*time_ns = s->time_ns[s->winner[1]];
	return s->winner[1];
}
