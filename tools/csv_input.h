/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_CSV_INPUT_H
#define TOOLS_CSV_INPUT_H

/* CSV that a command is given: its columns tell the dimensions.
 *
 * Thread-safety: one thread. */

#include "datasets/csv.h"

/* csv_open(), after this program has become the one for the file's dimensions,
 * which then are settled.  Standard input can't be read twice: there the
 * dimensions are those of this program. */
int csv_input_open(const char *path, enum csv_kind kind,
		   struct csv_reader **reader);

#endif
