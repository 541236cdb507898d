/* SPDX-License-Identifier: BSD-2-Clause */

/* The server's load, which it writes into this process's memory, or says. */

#include <string.h>

#include "base/err.h"
#include "client/call.h"
#include "client/policy.h"
#include "client/reconnect.h"

/* A heartbeat is written in much less time than it is looked at so often. */
enum { LOOKS = 1000 };

int client_heartbeat_look(const struct catfish *c, struct wire_heartbeat *beat)
{
	uint32_t size;

	for (int i = 0; i < LOOKS; i++) {
		memcpy(beat, fabric_inbox(c->link, &size), sizeof(*beat));
		if (wire_heartbeat_is_whole(beat))
			return 0;
	}
	return err_set(ERR_BUSY, "%s has not written its load yet", c->address);
}

/* Notices when the server has gone.  What comes stays for whoever awaits it. */
static int check_link(struct catfish *c)
{
	int came = fabric_ring_poll(c->ring);

	return came < 0 ? client_break(c, err_prefix(came, "%s", c->address))
			: 0;
}

/* With requests outstanding, a lost link is left to them. */
static int begin(struct catfish *c)
{
	if (!c || !client_requests_outstanding(c))
		return client_begin(c);
	int error = client_begin_request(c);
	if (!error && c->lost)
		return err_set(ERR_CONNECTION,
			       "the connection to %s was lost, and is not back "
			       "yet",
			       c->address);
	return error;
}

static int look(struct catfish *c, struct wire_heartbeat *beat)
{
	struct client_retry retry = {0};
	int error = check_link(c);

	while (error && !client_requests_outstanding(c) &&
	       client_retry(c, &retry, &error))
		error = check_link(c);
	return error ? error : client_heartbeat_look(c, beat);
}

/* Over a fabric by which nothing is written silently, or too seldom. */
static int ask(struct catfish *c, struct wire_heartbeat *beat)
{
	struct client_retry retry = {0};
	int error = client_begin(c);

	if (error)
		return error;
	do
		error = client_call(c, WIRE_HEARTBEAT, 0, 0, beat,
				    sizeof(*beat));
	while (client_retry(c, &retry, &error));
	if (!error && !wire_heartbeat_is_whole(beat))
		return client_break(c, err_set(ERR_PROTOCOL,
					       "%s sent a heartbeat that is "
					       "none",
					       c->address));
	return error;
}

int catfish_heartbeat(struct catfish *c, struct catfish_heartbeat *heartbeat)
{
	struct wire_heartbeat beat;
	int error = begin(c);

	if (!error && !heartbeat)
		error = err_set(ERR_USAGE, "there is no place for the load");
	if (!error)
		error = fabric_is_one_sided(c->link) ? look(c, &beat)
						     : ask(c, &beat);
	if (error)
		return catfish_error_of(error);
	*heartbeat = (struct catfish_heartbeat){
		.beat = beat.beat,
		.version = beat.version,
		.lease_ns = beat.lease_ns,
		.utilisation = (double)beat.utilisation_ppm / 1e6,
		.link_load = beat.transmit_ppm == WIRE_TRANSMIT_UNKNOWN
				     ? -1
				     : (double)beat.transmit_ppm / 1e6,
		.queued = beat.queued,
		.draining = beat.draining != 0,
	};
	return CATFISH_OK;
}
