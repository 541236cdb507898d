/* SPDX-License-Identifier: BSD-2-Clause */

/* In place of the comparison with Boost's R-tree where there is none. */

#include "tests/lib/test.h"

Suite *test_suite(const char **why)
{
	*why = "built without Boost (Debian's libboost-dev)";
	return NULL;
}
