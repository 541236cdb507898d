/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish: the command line, one program with commands as git has.  This file
 * finds the command; tools/command.c runs it. */

#include <stdio.h>
#include <string.h>

#include "base/dimensions.h"
#include "base/err.h"
#include "base/program.h"
#include "tools/command.h"

static const struct command *const commands[] = {
	&query_command,	   &insert_command, &update_command, &delete_command,
	&stat_command,	   &check_command,  &save_command,   &dump_command,
	&generate_command, &bench_command,  &doctor_command,
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(*commands) };

static const struct command *find_command(const char *name);
static int show_help(void);
static int show_version(void);
static int finish(void);

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	program_init("catfish");
	dimensions_init(argv);
	if (strcmp(word, "--help") == 0)
		return show_help();
	if (strcmp(word, "--version") == 0)
		return show_version();
	if (strcmp(word, "import") == 0)
		return import_main(argc - 1, argv + 1);

	const struct command *command = find_command(word);
	if (command)
		return command_main(command, argc - 1, argv + 1);
	if (!*word)
		return program_usage_error("which command?");
	return program_usage_error(*word == '-' ? "unknown option '%s'"
						: "there is no command '%s'",
				   word);
}

static const struct command *find_command(const char *name)
{
	for (int i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int show_help(void)
{
	puts("Usage: catfish COMMAND [options]\n"
	     "       catfish COMMAND --help\n"
	     "\n"
	     "Searches and changes the items of a Catfish server.\n"
	     "\n"
	     "Commands:\n"
	     "  import    load a data set into a server or a region file");
	for (int i = 0; i < COMMAND_COUNT; i++)
		printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
	puts("\n"
	     "Environment:\n"
	     "  CATFISH_SERVER  the server that commands talk to without "
	     "--server\n"
	     "\n"
	     "Example:\n"
	     "  export CATFISH_SERVER=shm:///run/catfish.sock\n"
	     "  catfish import places.csv\n"
	     "  catfish query --bbox 10,55,11,56");
	return finish();
}

static int show_version(void)
{
	program_print_version();
	return finish();
}

static int finish(void)
{
	int error = program_finish_output();

	return error ? program_fail(error) : EXIT_OK;
}
