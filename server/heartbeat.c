/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/heartbeat.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "server/listener.h"
#include "server/server.h"
#include "server/worker.h"

struct heartbeat {
	struct server *server;
	struct event *event;
	uint64_t time_ns; /* of the last sample */
	uint64_t busy_ns;
	uint64_t traffic_ns; /* when the devices were last looked at */
};

/* Counters of devices are files, which are not read with each heartbeat. */
#define TRAFFIC_NS (100 * NS_PER_MS)

static void sample_traffic(struct heartbeat *heartbeat, uint64_t now)
{
	struct server *server = heartbeat->server;
	uint64_t time = now - heartbeat->traffic_ns;

	if (time < TRAFFIC_NS)
		return;
	server->transmit_ppm = listeners_transmit_ppm(server, time);
	heartbeat->traffic_ns = now;
}

/* The part of the workers' time since the last sample that went into work. */
static void sample(evutil_socket_t fd, short what, void *argument)
{
	struct heartbeat *heartbeat = argument;
	struct server *server = heartbeat->server;
	uint64_t now = clock_now_ns();
	uint64_t busy = workers_busy_ns(server, now);
	uint64_t time = (now - heartbeat->time_ns) * server->options.threads;
	uint64_t ppm = 0;

	/* A worker that is sampled between two of its words may seem to have
	 * worked less than before. */
	if (time && busy > heartbeat->busy_ns)
		ppm = (busy - heartbeat->busy_ns) * 1000000 / time;
	server->utilisation_ppm = (uint32_t)(ppm < 1000000 ? ppm : 1000000);
	heartbeat->time_ns = now;
	heartbeat->busy_ns = busy;
	sample_traffic(heartbeat, now);
}

struct timeval heartbeat_interval(const struct server *server)
{
	uint64_t interval_ns = server->options.heartbeat_ns;

	return (struct timeval){
		.tv_sec = (time_t)(interval_ns / NS_PER_S),
		.tv_usec = (suseconds_t)(interval_ns % NS_PER_S / NS_PER_US),
	};
}

int heartbeat_start(struct server *server, struct heartbeat **heartbeat)
{
	struct timeval interval = heartbeat_interval(server);
	struct heartbeat *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(ERR_NO_MEMORY, "no memory for heartbeats");
	h->server = server;
	h->time_ns = h->traffic_ns = clock_now_ns();
	server->transmit_ppm = WIRE_TRANSMIT_UNKNOWN;
	h->event = event_new(server->base, -1, EV_PERSIST, sample, h);
	if (!h->event || event_add(h->event, &interval) < 0) {
		heartbeat_stop(h);
		return err_set(ERR_NO_MEMORY, "no memory for heartbeats");
	}
	*heartbeat = h;
	return 0;
}

void heartbeat_stop(struct heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	if (heartbeat->event)
		event_free(heartbeat->event);
	free(heartbeat);
}

void heartbeat_fill(const struct server *server, uint64_t beat,
		    struct wire_heartbeat *heartbeat)
{
	*heartbeat = (struct wire_heartbeat){
		.beat = beat,
		.version = server_root(server).version,
		.lease_ns = server->region.lease_ns,
		.utilisation_ppm = server->utilisation_ppm,
		.queued = server->writes.length + server->inspections.length +
			  workers_queued(server),
		.draining = server->draining,
		.transmit_ppm = server->transmit_ppm,
	};
	wire_seal_heartbeat(heartbeat);
}
