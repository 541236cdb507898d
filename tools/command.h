/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

/* What a command of catfish declares, and the frame that runs it: reads the
 * options, shows the help, and reports how it ended.  A command's own file
 * holds nothing but the command.
 *
 * Thread-safety: one thread; the values of options are static variables. */

#include <stdbool.h>

#include "tools/options.h"

/* --help and --version are everyone's and aren't declared. */
struct command {
	const char *name;
	const char *summary; /* one line in the list of commands */
	const char *usage; /* what follows the name: one way of use a line, and
			      after a tab more of it */
	const char *text;  /* a paragraph for the help, ended by \n */
	const char *example; /* lines for the help, ended by \n */
	const struct command_option *options;
	bool uses_server;    /* has the options of tools/server.h as well */
	const char *operand; /* the one word it wants besides; NULL: none */

	/* Returns an exit status, or an error with its words. */
	int (*run)(const char *operand);
};

extern const struct command bench_command;
extern const struct command check_command;
extern const struct command delete_command;
extern const struct command doctor_command;
extern const struct command dump_command;
extern const struct command generate_command;
extern const struct command insert_command;
extern const struct command query_command;
extern const struct command save_command;
extern const struct command stat_command;
extern const struct command update_command;

/* Runs a command with its command line, of which argv[0] is ignored.  Returns
 * the exit status. */
int command_main(const struct command *command, int argc, char **argv);

/* Says something on standard error, in one line that the command's name
 * begins. */
void command_note(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Becomes catfish-import, with the same command line.  Returns, with the exit
 * status, only when it can't. */
int import_main(int argc, char **argv);

#endif
