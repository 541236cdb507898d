/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/system/stage.h"

const char *const path_name[PATH_COUNT] = {
	[PATH_MESSAGING] = "messaging",
	[PATH_COPY] = "copy",
	[PATH_MAPPED] = "mapped",
};

uint32_t stage_slots(const struct stage *stage)
{
	uint64_t slots = stage->items / stage->writers + CHANGES_MAX;

	/* Two slots share an id. */
	return (uint32_t)(slots + 1) / 2 * 2;
}
