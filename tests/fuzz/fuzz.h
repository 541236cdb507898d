/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

/* Fuzz targets: libFuzzer calls them with inputs that it looks for, driver.c
 * with random ones of a fixed seed.  A target returns 0, or ends the program
 * when what it tries doesn't keep its promises. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what was promised and ends the program. */
_Noreturn void fuzz_fail(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#define fuzz_require(condition, ...)                                           \
	do {                                                                   \
		if (!(condition))                                              \
			fuzz_fail(__VA_ARGS__);                                \
	} while (0)

/* For the driver: what it is about, and how many inputs a plain test tries. */
extern const char *const fuzz_name;
extern const uint64_t fuzz_inputs;

#endif
