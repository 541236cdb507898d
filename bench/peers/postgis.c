/* SPDX-License-Identifier: BSD-2-Clause */

/* PostGIS: rectangles in a table with a GiST index, asked with a prepared
 * statement whose parameters and answers are binary, in libpq's pipeline mode.
 */

#include "service.h"

#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PGconn *postgres;

/* Queries are sent in batches: the server answers one when it ends, by a sync.
 * That and its transaction would cost each query as much as the search. */
static int batch_has_queries;

static void fail(const char *what)
{
	fprintf(stderr, "postgis: %s: %s", what, PQerrorMessage(postgres));
	exit(1);
}

static void execute(const char *sql)
{
	PGresult *result = PQexec(postgres, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
	    status != PGRES_COPY_IN)
		fail(sql);
	PQclear(result);
}

static void connect_postgis(const char *where)
{
	postgres = PQconnectdb(where);
	if (PQstatus(postgres) != CONNECTION_OK)
		fail("connect");
	execute("SET client_min_messages = warning");
}

static void disconnect_postgis(void)
{
	PQfinish(postgres);
}

static void load_postgis(const struct service_box *items, size_t count)
{
	char line[160];

	execute("CREATE EXTENSION IF NOT EXISTS postgis");
	execute("DROP TABLE IF EXISTS items");
	execute("CREATE UNLOGGED TABLE raw (id int8, a float8, b float8, c "
		"float8, d float8)");
	execute("COPY raw FROM STDIN");
	for (size_t i = 0; i < count; i++) {
		int length = snprintf(line, sizeof(line),
				      "%zu\t%.17g\t%.17g\t%.17g\t%.17g\n", i,
				      items[i].min[0], items[i].min[1],
				      items[i].max[0], items[i].max[1]);
		if (PQputCopyData(postgres, line, length) != 1)
			fail("COPY");
	}
	if (PQputCopyEnd(postgres, NULL) != 1)
		fail("COPY");
	for (PGresult *result; (result = PQgetResult(postgres));)
		PQclear(result);
	execute("CREATE UNLOGGED TABLE items AS SELECT id, "
		"ST_MakeEnvelope(a, b, c, d) AS box FROM raw");
	execute("DROP TABLE raw");
	execute("CREATE INDEX ON items USING gist (box)");
	execute("VACUUM ANALYZE items");
}

/* Before the first query. */
static void prepare(void)
{
	/* A plan made for each query takes longer than the query. */
	execute("SET plan_cache_mode = force_generic_plan");
	PGresult *result = PQprepare(
		postgres, "search",
		"SELECT id FROM items WHERE box && ST_MakeEnvelope($1::float8, "
		"$2::float8, $3::float8, $4::float8)",
		4, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail("prepare");
	PQclear(result);
	if (PQenterPipelineMode(postgres) != 1 ||
	    PQsetnonblocking(postgres, 1) != 0)
		fail("pipeline mode");
}

static void ask_postgis(const struct service_box *query)
{
	static const int lengths[4] = {8, 8, 8, 8}, formats[4] = {1, 1, 1, 1};
	double bounds[4] = {query->min[0], query->min[1], query->max[0],
			    query->max[1]};
	const char *values[4];
	uint64_t wire[4];

	if (PQpipelineStatus(postgres) == PQ_PIPELINE_OFF)
		prepare();
	for (int i = 0; i < 4; i++) {
		memcpy(&wire[i], &bounds[i], sizeof(wire[i]));
		wire[i] = htobe64(wire[i]);
		values[i] = (const char *)&wire[i];
	}
	if (PQsendQueryPrepared(postgres, "search", 4, values, lengths, formats,
				1) != 1)
		fail("query");
	batch_has_queries = 1;
}

static int poll_postgis(size_t *count)
{
	while (!PQisBusy(postgres)) {
		PGresult *result = PQgetResult(postgres);
		ExecStatusType status = PQresultStatus(result);
		if (!result) /* between two queries */
			continue;
		*count = (size_t)PQntuples(result);
		PQclear(result);
		if (status == PGRES_TUPLES_OK)
			return 1;
		if (status != PGRES_PIPELINE_SYNC)
			fail("query");
	}
	return 0;
}

static size_t wait_postgis(void)
{
	struct pollfd poller = {.fd = PQsocket(postgres)};
	size_t count = 0;

	if (batch_has_queries && PQpipelineSync(postgres) != 1)
		fail("send");
	batch_has_queries = 0;
	while (!poll_postgis(&count)) {
		int unsent = PQflush(postgres);
		if (unsent < 0)
			fail("send");
		poller.events = POLLIN | (unsent ? POLLOUT : 0);
		if (poll(&poller, 1, -1) < 0 || PQconsumeInput(postgres) != 1)
			fail("receive");
	}
	return count;
}

const struct service service = {
	.name = "postgis",
	.connect = connect_postgis,
	.disconnect = disconnect_postgis,
	.load = load_postgis,
	.ask = ask_postgis,
	.wait = wait_postgis,
	.poll = poll_postgis,
};
