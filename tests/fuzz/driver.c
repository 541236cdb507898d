/* SPDX-License-Identifier: BSD-2-Clause */

/* Runs a fuzz target as a plain test: on the inputs that were kept because they
 * reach much of the code (fuzz.sh), and on random ones of a fixed seed; or on
 * the files that it is given, as libFuzzer leaves them.  CATFISH_TEST_SEED
 * chooses other random inputs, CATFISH_TEST_INPUT just one of them.  Prints
 * TAP. */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rtree/effort.h"

enum { INPUT_MAX = 256, KEPT_MAX = 1024, FILE_MAX = 1 << 20 };

/* Which input is tried, for whoever has to say that it failed. */
static char trying[128];
static size_t trying_size;

static void say_which(int number)
{
	(void)!write(STDOUT_FILENO, trying, trying_size);
	signal(number, SIG_DFL);
	raise(number);
}

static int hex_digit(int c)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = c ? strchr(digits, c) : NULL;

	return digit ? (int)(digit - digits) : -1;
}

/* Two digits a byte, up to the end of the line. */
static size_t decode_line(const char *line, uint8_t *data)
{
	size_t size = 0;
	int high, low;

	while ((high = hex_digit(line[2 * size])) >= 0 &&
	       (low = hex_digit(line[2 * size + 1])) >= 0)
		data[size++] = (uint8_t)(high << 4 | low);
	return size;
}

/* Tries what stands in NAME.corpus, a line each; returns how many. */
static uint64_t try_kept(void)
{
	static char line[2 * KEPT_MAX + 2];
	static uint8_t data[KEPT_MAX];
	const char *folder = getenv("top_srcdir");
	uint64_t count = 0;
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/fuzz/%s.corpus",
		 folder ? folder : ".", fuzz_name);
	FILE *file = fopen(path, "r");
	if (!file) {
		printf("not ok 1 - %s can't be read\n", path);
		exit(EXIT_FAILURE);
	}
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#')
			continue;
		trying_size = (size_t)snprintf(trying, sizeof(trying),
					       "not ok 1 - %s.corpus: %.80s\n",
					       fuzz_name, line);
		LLVMFuzzerTestOneInput(data, decode_line(line, data));
		count++;
	}
	fclose(file);
	return count;
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
	uint64_t kept = only ? 0 : try_kept();
	for (uint64_t i = first; i < first + count; i++)
		try_input(i);
	printf("ok 1 - %s: %" PRIu64 " kept and %" PRIu64
	       " random inputs do no harm\n",
	       fuzz_name, kept, count);
	return EXIT_SUCCESS;
}
