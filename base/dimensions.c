/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/dimensions.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/program.h"
#include "base/rect.h"

static char **words;
static bool is_settled;

void dimensions_init(char **argv)
{
	words = argv;
}

/* Only the program for two dimensions becomes another, so that no two of them
 * hand a command line to and fro. */
static int become_sibling(void)
{
	char name[NAME_MAX];

	int error = program_own_name(name, sizeof(name) - strlen("-3d"));
	if (error)
		return error;
	strcat(name, "-3d");
	return program_become(name, PKGLIBEXECDIR, words);
}

int dimensions_take(const char *text)
{
	if (strcmp(text, "2") != 0 && strcmp(text, "3") != 0)
		return err_set(ERR_USAGE, "expected 2 or 3, not '%s'", text);
	if (*text - '0' == DIMENSIONS) {
		is_settled = true;
		return 0;
	}
	if (DIMENSIONS == 2)
		return become_sibling();
	return err_set(ERR_USAGE, "%s, but what is given before it has 3",
		       text);
}

void dimensions_settle(void)
{
	is_settled = true;
}

int dimensions_follow(int dimensions)
{
	if (is_settled || DIMENSIONS != 2 || dimensions != 3)
		return 0;
	return become_sibling();
}
