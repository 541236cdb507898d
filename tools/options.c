/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/options.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/dimensions.h"
#include "base/err.h"
#include "base/parse.h"

enum {
	/* getopt's value of the first option, above any letter. */
	FIRST_VALUE = 256,
	/* The help of an option longer than this starts on the next line. */
	HELP_COLUMN_MAX = 30,
	OPTION_SIZE = 80,
};

static const struct command_option *find(const struct option_table *table,
					 int value);
static int take(const struct command_option *option, const char *text);
static int complain(const struct option_table *table, int complaint,
		    const char *word);
static int print_option(char text[OPTION_SIZE],
			const struct command_option *option);
static void show_option(const struct command_option *option, int column);

void options_init(struct option_table *table)
{
	memset(table, 0, sizeof(*table));
	/* Makes getopt_long() tell a missing value from an unknown option. */
	strcpy(table->letters, ":");
}

void options_add(struct option_table *table,
		 const struct command_option *options)
{
	char *letter = table->letters + strlen(table->letters);

	for (; options && options->name; options++) {
		assert(table->count < OPTIONS_MAX);
		table->longs[table->count] = (struct option){
			.name = options->name,
			.has_arg = options->value != NULL,
			.val = FIRST_VALUE + table->count,
		};
		table->options[table->count++] = options;
		if (options->letter)
			*letter++ = options->letter;
		if (options->letter && options->value)
			*letter++ = ':';
	}
	*letter = 0;
}

int options_parse(const struct option_table *table, int argc, char **argv,
		  int *operands)
{
	optind = 1;
	opterr = 0;
	for (;;) {
		int value = getopt_long(argc, argv, table->letters,
					table->longs, NULL);
		if (value == -1)
			break;
		if (value == '?' || value == ':')
			return complain(table, value, argv[optind - 1]);
		int error = take(find(table, value), optarg);
		if (error)
			return error;
	}
	*operands = optind;
	return 0;
}

void options_show(const struct option_table *table)
{
	int column = 0;

	for (int i = 0; i < table->count; i++) {
		char text[OPTION_SIZE];
		int length = print_option(text, table->options[i]);
		if (length > column && length <= HELP_COLUMN_MAX)
			column = length;
	}
	for (int i = 0; i < table->count; i++)
		show_option(table->options[i], column + 2);
}

/* --- Values ------------------------------------------------------------- */

int options_take_flag(const struct command_option *option, const char *text)
{
	*(bool *)option->to = true;
	return 0;
}

int options_take_text(const struct command_option *option, const char *text)
{
	*(const char **)option->to = text;
	return 0;
}

/* Numbers of a list, by its commas. */
static int count_numbers(const char *text)
{
	int count = 1;

	for (; *text; text++)
		count += *text == ',';
	return count;
}

int options_take_rect(const struct command_option *option, const char *text)
{
	int error = dimensions_follow(count_numbers(text) / 2);

	if (!error)
		error = parse_rect(text, option->to);
	if (!error)
		dimensions_settle();
	return error;
}

int options_take_point(const struct command_option *option, const char *text)
{
	int error = dimensions_follow(count_numbers(text));

	if (!error)
		error = parse_point(text, option->to);
	if (!error)
		dimensions_settle();
	return error;
}

int options_take_int64(const struct command_option *option, const char *text)
{
	return parse_int64(text, option->to);
}

int options_take_uint64(const struct command_option *option, const char *text)
{
	return parse_uint64(text, option->to);
}

int options_take_size(const struct command_option *option, const char *text)
{
	return parse_size(text, option->to);
}

int options_take_double(const struct command_option *option, const char *text)
{
	return parse_double(text, option->to);
}

int options_take_dimensions(const struct command_option *option,
			    const char *text)
{
	return dimensions_take(text);
}

int options_take_time_ns(const struct command_option *option, const char *text)
{
	return parse_time_ns(text, option->to);
}

int options_take_choice(const struct command_option *option, const char *text)
{
	for (int i = 0; option->choices[i]; i++)
		if (strcmp(text, option->choices[i]) == 0) {
			*(int *)option->to = i;
			return 0;
		}
	return err_set(ERR_USAGE, "there is no '%s', only %s", text,
		       option->value);
}

/* --- Reading ------------------------------------------------------------ */

/* The option that getopt_long() means; NULL if it means none. */
static const struct command_option *find(const struct option_table *table,
					 int value)
{
	if (value >= FIRST_VALUE)
		return table->options[value - FIRST_VALUE];
	for (int i = 0; i < table->count; i++)
		if (value && table->options[i]->letter == value)
			return table->options[i];
	return NULL;
}

static int take(const struct command_option *option, const char *text)
{
	int error = option->take(option, text);

	if (error)
		return err_prefix(error, "--%s", option->name);
	if (option->given)
		*option->given = true;
	return 0;
}

static int complain(const struct option_table *table, int complaint,
		    const char *word)
{
	const struct command_option *option = find(table, optopt);

	if (option && complaint == ':')
		return err_set(ERR_USAGE, "--%s needs a value, %s",
			       option->name, option->value);
	if (option)
		return err_set(ERR_USAGE, "--%s takes no value", option->name);
	if (optopt)
		return err_set(ERR_USAGE, "unknown option '-%c'", optopt);
	return err_set(ERR_USAGE, "unknown option '%s'", word);
}

/* --- Help --------------------------------------------------------------- */

/* Puts "  -o, --name VALUE" into 'text'; returns its length. */
static int print_option(char text[OPTION_SIZE],
			const struct command_option *option)
{
	char letter[] = "-?, ";

	letter[1] = option->letter;
	return snprintf(text, OPTION_SIZE, "  %s--%s%s%s",
			option->letter ? letter : "", option->name,
			option->value ? " " : "",
			option->value ? option->value : "");
}

static void show_option(const struct command_option *option, int column)
{
	char text[OPTION_SIZE];
	const char *line = option->help;
	bool fits = print_option(text, option) < column;

	if (!fits)
		puts(text);
	printf("%-*s", column, fits ? text : "");
	for (const char *end; (end = strchr(line, '\n')); line = end + 1)
		printf("%.*s\n%*s", (int)(end - line), line, column, "");
	puts(line);
}
