/* SPDX-License-Identifier: BSD-2-Clause */

/* Choosing a kernel. */

#include "rtree/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

extern const struct kernel kernel_portable;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2, kernel_avx512;
#endif

static const struct kernel *const kernels[] = {
#if defined(__x86_64__)
	&kernel_avx512,
	&kernel_avx2,
#endif
	&kernel_portable,
};

enum { KERNEL_COUNT = sizeof(kernels) / sizeof(kernels[0]) };

const struct kernel *kernel = &kernel_portable;

const struct kernel *kernel_at(unsigned i)
{
	return i < KERNEL_COUNT ? kernels[i] : NULL;
}

bool kernel_runs_here(const struct kernel *k)
{
#if defined(__x86_64__)
	if (k == &kernel_avx512)
		return __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("avx512vl");
	if (k == &kernel_avx2)
		return __builtin_cpu_supports("avx2") &&
		       __builtin_cpu_supports("bmi2");
#endif
	return k == &kernel_portable;
}

int kernel_choose(const char *name)
{
	for (unsigned i = 0; i < KERNEL_COUNT; i++) {
		if (strcmp(kernels[i]->name, name) != 0)
			continue;
		if (!kernel_runs_here(kernels[i]))
			return err_set(
				ERR_UNSUPPORTED,
				"kernel %s doesn't run on this processor",
				name);
		kernel = kernels[i];
		return 0;
	}
	return err_set(ERR_USAGE, "no kernel '%s': avx512, avx2 or portable",
		       name);
}

/* Before main(), so that the choice needs no synchronisation. */
__attribute__((constructor)) static void choose_fastest(void)
{
	const char *wanted = getenv("CATFISH_KERNEL");

	for (unsigned i = KERNEL_COUNT; i-- > 0;)
		if (kernel_runs_here(kernels[i]))
			kernel = kernels[i];
	if (wanted)
		kernel_choose(wanted);
}
