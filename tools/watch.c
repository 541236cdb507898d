/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/program.h"
#include "tools/server.h"

enum {
	HEAD_LINES = 20, /* between two heads of the table */
	LOAD_SIZE = 16,
};

static void show_text(const struct catfish_heartbeat *beat, uint64_t line)
{
	char load[LOAD_SIZE] = "?";

	if (beat->link_load >= 0)
		snprintf(load, sizeof(load), "%.1f %%", 100 * beat->link_load);
	if (line % HEAD_LINES == 0)
		printf("%10s %12s %7s %7s %7s\n", "heartbeat", "version",
		       "busy", "link", "queued");
	printf("%10" PRIu64 " %12" PRIu64 " %5.1f %% %7s %7" PRIu32 "%s\n",
	       beat->beat, beat->version, 100 * beat->utilisation, load,
	       beat->queued, beat->draining ? "  ending" : "");
}

static void show_json(const struct catfish_heartbeat *beat)
{
	char load[LOAD_SIZE] = "null";

	if (beat->link_load >= 0)
		snprintf(load, sizeof(load), "%.6f", beat->link_load);
	printf("{\"beat\":%" PRIu64 ",\"version\":%" PRIu64
	       ",\"lease_s\":%" PRIu64 ".%09" PRIu64
	       ",\"utilisation\":%.6f,\"link_load\":%s,\"queued\":%" PRIu32
	       ",\"draining\":%s}\n",
	       beat->beat, beat->version, beat->lease_ns / NS_PER_S,
	       beat->lease_ns % NS_PER_S, beat->utilisation, load, beat->queued,
	       beat->draining ? "true" : "false");
}

static void pause_for(uint64_t time_ns)
{
	const struct timespec time = {
		.tv_sec = (time_t)(time_ns / NS_PER_S),
		.tv_nsec = (long)(time_ns % NS_PER_S),
	};

	nanosleep(&time, NULL);
}

int watch_show(uint64_t interval_ns, uint64_t times, bool as_json)
{
	struct catfish *server;
	struct catfish_heartbeat beat;
	int error = server_open(NULL, &server);

	if (error)
		return error;
	for (uint64_t i = 0; !error && (!times || i < times); i++) {
		if (i)
			pause_for(interval_ns);
		error = server_result(catfish_heartbeat(server, &beat));
		if (error)
			break;
		if (as_json)
			show_json(&beat);
		else
			show_text(&beat, i);
		error = program_finish_output();
	}
	catfish_close(server);
	return error;
}
