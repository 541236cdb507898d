/* SPDX-License-Identifier: BSD-2-Clause */

/* SQLite's R*Tree in memory, in one transaction.  It keeps 32-bit floats
 * rounded outwards, so what it finds is tested again with the exact boxes, as
 * its users have to. */

#include "peer.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static sqlite3 *db;
static sqlite3_stmt *insert_stmt, *delete_stmt, *search_stmt;

static void check(int result)
{
	if (result != SQLITE_OK && result != SQLITE_DONE &&
	    result != SQLITE_ROW) {
		fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
		exit(1);
	}
}

static void clear(void)
{
	sqlite3_finalize(insert_stmt);
	sqlite3_finalize(delete_stmt);
	sqlite3_finalize(search_stmt);
	sqlite3_close(db);
	check(sqlite3_open(":memory:", &db));
	check(sqlite3_exec(db,
			   "CREATE VIRTUAL TABLE t USING rtree(id, x0, x1, y0, "
			   "y1, +xmin, +xmax, +ymin, +ymax); BEGIN",
			   NULL, NULL, NULL));
	check(sqlite3_prepare_v2(
		db, "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5, ?2, ?3, ?4, ?5)",
		-1, &insert_stmt, NULL));
	check(sqlite3_prepare_v2(db, "DELETE FROM t WHERE id = ?1", -1,
				 &delete_stmt, NULL));
	check(sqlite3_prepare_v2(
		db,
		"SELECT id FROM t WHERE x0 <= ?2 AND x1 >= ?1 AND y0 <= ?4 AND "
		"y1 >= ?3 AND xmin <= ?2 AND xmax >= ?1 AND ymin <= ?4 AND "
		"ymax >= ?3",
		-1, &search_stmt, NULL));
}

static void bind_box(sqlite3_stmt *stmt, int first, const struct peer_box *b)
{
	sqlite3_bind_double(stmt, first, b->min[0]);
	sqlite3_bind_double(stmt, first + 1, b->max[0]);
	sqlite3_bind_double(stmt, first + 2, b->min[1]);
	sqlite3_bind_double(stmt, first + 3, b->max[1]);
}

static void insert(int64_t id, const struct peer_box *b)
{
	sqlite3_bind_int64(insert_stmt, 1, id);
	bind_box(insert_stmt, 2, b);
	check(sqlite3_step(insert_stmt));
	sqlite3_reset(insert_stmt);
}

static int remove_item(int64_t id, const struct peer_box *b)
{
	(void)b;
	sqlite3_bind_int64(delete_stmt, 1, id);
	check(sqlite3_step(delete_stmt));
	sqlite3_reset(delete_stmt);
	return sqlite3_changes(db);
}

static size_t search(const struct peer_box *query, int64_t *ids)
{
	size_t count = 0;

	bind_box(search_stmt, 1, query);
	while (sqlite3_step(search_stmt) == SQLITE_ROW)
		ids[count++] = sqlite3_column_int64(search_stmt, 0);
	sqlite3_reset(search_stmt);
	return count;
}

const char *const peer_name = "sqlite";
const struct peer peer = {
	.clear = clear,
	.insert = insert,
	.remove = remove_item,
	.search = search,
};
