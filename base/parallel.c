/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

unsigned parallel_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	int count = CPU_COUNT(&set);
	return count > 0 ? (unsigned)count : 1;
}

struct call {
	void (*f)(void *);
	void *argument;
};

static void *run_call(void *argument)
{
	struct call *call = argument;

	call->f(call->argument);
	return NULL;
}

void parallel_both(void (*f)(void *), void *a, void *b)
{
	struct call call = {f, a};
	pthread_t thread;
	bool started = !pthread_create(&thread, NULL, run_call, &call);

	if (!started)
		f(a);
	f(b);
	if (started)
		pthread_join(thread, NULL);
}

struct shares {
	void (*f)(void *context, unsigned i, uint64_t begin, uint64_t end);
	void *context;
	uint64_t count;
	unsigned parts;
	unsigned first, last; /* of the parts to be done here */
};

static void run_shares(void *argument)
{
	struct shares *s = argument;

	if (s->last - s->first == 1) {
		s->f(s->context, s->first, s->count * s->first / s->parts,
		     s->count * s->last / s->parts);
		return;
	}
	struct shares low = *s, high = *s;
	low.last = high.first = s->first + (s->last - s->first) / 2;
	parallel_both(run_shares, &low, &high);
}

void parallel_shares(void (*f)(void *context, unsigned i, uint64_t begin,
			       uint64_t end),
		     void *context, uint64_t count, unsigned parts)
{
	run_shares(&(struct shares){f, context, count, parts, 0, parts});
}
