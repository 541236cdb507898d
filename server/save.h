/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_SAVE_H
#define SERVER_SAVE_H

/* The bytes of a snapshot as an answer.
 *
 * Thread-safety: a save belongs to the thread of its connection. */

#include "rtree/rtree.h"
#include "server/answer.h"

struct save {
	struct rtree_snapshot *snapshot;
	uint64_t identity;
};

/* A struct save as an answer. */
extern const struct answer_ops save_answer;

#endif
