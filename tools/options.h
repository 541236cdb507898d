/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

/* Options that are declared in an array: how they are called, what reads their
 * value and where it goes, and what the help says.  getopt_long() does the
 * reading, so abbreviations, --name=value and -- work as everywhere.
 *
 * A rectangle or a point of three dimensions makes a program for two the one
 * for three, as base/dimensions.h has it.
 *
 * Thread-safety: one thread; getopt_long() keeps its place in globals. */

#include <getopt.h>
#include <stdbool.h>

#include "base/rect.h"

/* How the help names the values of rectangles and points. */
#define RECT_VALUE                                                             \
	DIMENSIONAL("XMIN,YMIN,XMAX,YMAX", "XMIN,YMIN,ZMIN,XMAX,YMAX,ZMAX")
#define POINT_VALUE DIMENSIONAL("X,Y", "X,Y,Z")

struct command_option {
	const char *name;  /* without dashes; NULL ends an array */
	char letter;	   /* 'o' for -o as well; 0: none */
	const char *value; /* how the help names the value; NULL: a flag */
	const char *help;  /* lines are broken where it says \n */
	/* Reads 'text' into 'option->to'; 0 or an error with its words. */
	int (*take)(const struct command_option *option, const char *text);
	void *to;
	bool *given;		    /* set when the option was; may be NULL */
	const char *const *choices; /* of options_take_choice(), ended by NULL
				     */
};

/* What reads a value, and what 'to' points to. */
int options_take_flag(const struct command_option *option,
		      const char *text); /* bool */
int options_take_text(const struct command_option *option,
		      const char *text); /* const char * */
int options_take_rect(const struct command_option *option,
		      const char *text); /* struct rect */
int options_take_point(const struct command_option *option,
		       const char *text); /* double[DIMENSIONS] */
int options_take_int64(const struct command_option *option, const char *text);
int options_take_uint64(const struct command_option *option, const char *text);
int options_take_size(const struct command_option *option, const char *text);
int options_take_double(const struct command_option *option, const char *text);
int options_take_dimensions(const struct command_option *option,
			    const char *text); /* as base/dimensions.h does */
int options_take_time_ns(const struct command_option *option,
			 const char *text); /* uint64_t */
int options_take_choice(const struct command_option *option,
			const char *text); /* int: which of the choices */

enum { OPTIONS_MAX = 24 };

/* The options of a command, and the same as getopt_long() wants them. */
struct option_table {
	const struct command_option *options[OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 1];
	char letters[2 * OPTIONS_MAX + 2];
	int count;
};

void options_init(struct option_table *table);

/* Adds an array of options, which must outlive the table. */
void options_add(struct option_table *table,
		 const struct command_option *options);

/* Reads a command line, whose argv[0] is ignored, and moves the words that
 * aren't options to its end, from index '*operands' on.  ERR_USAGE, or what a
 * value's reader returns, in words that begin with the option's name. */
int options_parse(const struct option_table *table, int argc, char **argv,
		  int *operands);

/* Prints the options as a help text shows them. */
void options_show(const struct option_table *table);

#endif
