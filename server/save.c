/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/save.h"

static int step(void *answer, struct segment *segment)
{
	struct save *save = answer;
	struct wire_saved *saved = segment_begin(segment, sizeof(*saved));
	uint32_t room = segment_room(segment);

	*saved = (struct wire_saved){
		.identity = save->identity,
		.version = rtree_snapshot_version(save->snapshot),
		.total = rtree_snapshot_size(save->snapshot),
	};
	uint8_t *bytes = segment->bytes + segment->size;
	int64_t size = rtree_snapshot_read(save->snapshot, bytes, room);
	if (size < 0)
		return (int)size;
	segment_append(segment, (uint32_t)size, 1);
	return size ? ANSWER_SEGMENT : ANSWER_LAST;
}

static void end(void *answer)
{
	struct save *save = answer;

	rtree_snapshot_end(save->snapshot);
}

const struct answer_ops save_answer = {
	.step = step,
	.end = end,
	.holds_pages = true,
};
