/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_INSERT_H
#define RTREE_INSERT_H

#include "rtree/batch.h"

/* ERR_NO_ROOM when insert_entry() could make the tree higher than may be. */
int insert_check_height(const struct rtree_batch *batch);

/* Puts an entry into the leaf that suits it best.  batch_path_pages() pages
 * were reserved, and the tree may grow by a level. */
void insert_entry(struct rtree_batch *batch, const struct entry *entry);

#endif
