/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish import: becomes catfish-import, a program of its own so that nothing
 * else is linked with GDAL.  It is found beside this program, as in a build
 * tree, or else where it was installed. */

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/program.h"
#include "tools/command.h"

static const char program[] = "catfish-import";

/* Puts the path of catfish-import beside this program into 'path'. */
static int path_beside(char path[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (length < 0)
		return ERR_SYSTEM;
	path[length] = 0;

	char *name = strrchr(path, '/') + 1;
	if (name - path + sizeof(program) > PATH_MAX)
		return ERR_SYSTEM;
	strcpy(name, program);
	return 0;
}

int import_main(int argc, char **argv)
{
	char path[PATH_MAX];

	argv[0] = (char *)program;
	if (path_beside(path) == 0)
		execv(path, argv);
	execv(BINDIR "/catfish-import", argv);
	return program_fail(err_set(ERR_SYSTEM,
				    "can't run catfish-import, neither beside "
				    "catfish nor as %s/catfish-import: %s",
				    BINDIR, strerror(errno)));
}
