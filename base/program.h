/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

/* What every program of Catfish does the same way: its name, its version, how
 * it says that something failed, and with which status it then ends.
 *
 * Results go to standard output, everything else to standard error.
 *
 * Thread-safety: for the main thread. */

#include <stddef.h>

#include "base/err.h"

/* Names the program, "catfishd" or "catfish query", in what it says; the string
 * stays the caller's and must live on.  Starts the log under the same name. */
void program_init(const char *name);

/* "NAME 0.1.0" on standard output. */
void program_print_version(void);

/* Says "NAME: err_text()" on standard error; returns the exit status that the
 * error stands for, so that one line ends main(): return program_fail(error).
 */
enum exit_status program_fail(int error);

/* Says what is wrong with the command line, and "Try 'NAME --help'."; returns
 * EXIT_USAGE. */
enum exit_status program_usage_error(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The name of this program's file. */
int program_own_name(char *name, size_t size);

/* Becomes the program of that name beside this one, as in a build tree, or else
 * in 'folder', with the command line 'argv'.  Returns only when it can't:
 * ERR_SYSTEM. */
int program_become(const char *name, const char *folder, char **argv);

/* Flushes standard output.  What could not be written, now or earlier, is an
 * error: ERR_NO_ROOM on a full disk, ERR_SYSTEM. */
int program_finish_output(void);

#endif
