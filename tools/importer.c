/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish import: becomes catfish-import, a program of its own so that nothing
 * else is linked with GDAL. */

#include "base/program.h"
#include "tools/command.h"

int import_main(int argc, char **argv)
{
	static char program[] = "catfish-import";

	argv[0] = program;
	return program_fail(program_become(program, BINDIR, argv));
}
