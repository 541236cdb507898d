/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/csv_input.h"

#include "base/dimensions.h"

int csv_input_open(const char *path, enum csv_kind kind,
		   struct csv_reader **reader)
{
	int error = dimensions_follow(csv_dimensions(path));

	if (!error)
		error = csv_open(path, kind, reader);
	if (!error)
		dimensions_settle();
	return error;
}
