/* SPDX-License-Identifier: BSD-2-Clause */

/* Runs a fuzz target as a plain test: on random inputs of a fixed seed, or on
 * the files that it is given, as libFuzzer leaves them.  CATFISH_TEST_SEED
 * chooses other inputs, CATFISH_TEST_INPUT just one of them.  Prints TAP. */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rtree/effort.h"

enum { INPUT_MAX = 256, FILE_MAX = 1 << 20 };

/* Which input is tried, for whoever has to say that it failed. */
static char trying[128];
static size_t trying_size;

static void say_which(int number)
{
	(void)!write(STDOUT_FILENO, trying, trying_size);
	signal(number, SIG_DFL);
	raise(number);
}

static void try_input(uint64_t i)
{
	uint8_t data[INPUT_MAX];
	struct random random;

	trying_size = (size_t)snprintf(trying, sizeof(trying),
				       "not ok 1 - CATFISH_TEST_SEED=%" PRIu64
				       " CATFISH_TEST_INPUT=%" PRIu64 "\n",
				       test_seed(), i);
	random_seed(&random, test_seed() + (i << 32));
	/* Short ones more often. */
	uint64_t most = INPUT_MAX >> random_below(&random, 5);
	size_t size = random_below(&random, most + 1);
	for (size_t k = 0; k < size; k++)
		data[k] = (uint8_t)random_next(&random);
	LLVMFuzzerTestOneInput(data, size);
}

static int try_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(FILE_MAX);

	if (!file || !data) {
		perror(path);
		return EXIT_FAILURE;
	}
	trying_size = (size_t)snprintf(trying, sizeof(trying),
				       "not ok 1 - %.100s\n", path);
	size_t size = fread(data, 1, FILE_MAX, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *only = getenv("CATFISH_TEST_INPUT");
	uint64_t count = only ? 1 : test_effort(fuzz_inputs);
	uint64_t first = only ? strtoull(only, NULL, 0) : 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	signal(SIGSEGV, say_which);
	signal(SIGBUS, say_which);
	signal(SIGABRT, say_which);
	for (int i = 1; i < argc; i++)
		if (try_file(argv[i]))
			return EXIT_FAILURE;
	if (argc > 1)
		return EXIT_SUCCESS;
	puts("1..1");
	for (uint64_t i = first; i < first + count; i++)
		try_input(i);
	printf("ok 1 - %s: %" PRIu64 " random inputs do no harm\n", fuzz_name,
	       count);
	return EXIT_SUCCESS;
}
