/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/program.h"
#include "tools/server.h"

static char full_name[32];
static bool help_wanted;
static bool version_wanted;

static const struct command_option common_options[] = {
	{
		.name = "dimensions",
		.value = "2|3",
		.help = "of the items (default: as given by what else there\n"
			"is, else 2)",
		.take = options_take_dimensions,
	},
	{
		.name = "help",
		.help = "show this and exit",
		.take = options_take_flag,
		.to = &help_wanted,
	},
	{
		.name = "version",
		.help = "show the version and exit",
		.take = options_take_flag,
		.to = &version_wanted,
	},
	{0},
};

static int run(const struct command *command, int argc, char **argv);
static void show_help(const struct command *command,
		      const struct option_table *table);
static int check_operands(const struct command *command, int count,
			  char **words);

int command_main(const struct command *command, int argc, char **argv)
{
	snprintf(full_name, sizeof(full_name), "catfish %s", command->name);
	program_init(full_name);

	int result = run(command, argc, argv);
	if (result == ERR_USAGE)
		return program_usage_error("%s", err_text());
	if (result < 0)
		return program_fail(result);

	int error = program_finish_output();
	return error ? (int)program_fail(error) : result;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct option_table table;
	int first;

	options_init(&table);
	options_add(&table, command->options);
	if (command->uses_server)
		options_add(&table, server_options);
	options_add(&table, common_options);

	int error = options_parse(&table, argc, argv, &first);
	if (error)
		return error;
	if (help_wanted) {
		show_help(command, &table);
		return 0;
	}
	if (version_wanted) {
		program_print_version();
		return 0;
	}
	error = check_operands(command, argc - first, argv + first);
	return error ? error : command->run(argv[first]);
}

static int check_operands(const struct command *command, int count,
			  char **words)
{
	int wanted = command->operand ? 1 : 0;

	if (count < wanted)
		return err_set(ERR_USAGE, "missing: %s", command->operand);
	if (count > wanted)
		return err_set(ERR_USAGE, "unexpected word '%s'",
			       words[wanted]);
	return 0;
}

/* Prints the ways of use, one a line; a line that begins with a tab goes on
 * with the one before. */
static void show_usage(const char *usage)
{
	const char *head = "Usage:";

	for (const char *end; *usage; usage = end + (*end == '\n')) {
		end = strchrnul(usage, '\n');
		if (*usage == '\t')
			printf("%15s%.*s\n", "", (int)(end - usage - 1),
			       usage + 1);
		else
			printf("%s %s %.*s\n", head, full_name,
			       (int)(end - usage), usage);
		head = "      ";
	}
}

static void show_help(const struct command *command,
		      const struct option_table *table)
{
	show_usage(command->usage);
	printf("\n%s\nOptions:\n", command->text);
	options_show(table);
	printf("\nExample:\n%s", command->example);
}

void command_note(const char *format, ...)
{
	va_list arguments;

	/* On a terminal, what was printed before this stands before it. */
	fflush(stdout);
	fprintf(stderr, "%s: ", full_name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}
