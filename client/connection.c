/* SPDX-License-Identifier: BSD-2-Clause */

/* Connecting, agreeing on what is spoken, and closing. */

#include "client/connection.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "client/call.h"
#include "client/fetch.h"
#include "client/offload.h"
#include "client/opening.h"
#include "client/reconnect.h"

enum {
	/* A quarter of it is the longest message.  With 64 KiB large answers
	 * took half as long again, with 1 MiB they were hardly faster. */
	INBOX_SIZE = 256 * 1024,
	TIMEOUT_MS = 10 * 1000,
	/* Holds all inner nodes of 200 million items, or all filters too of 10
	 * million. */
	CACHE_SIZE = 64 << 20,
};

static_assert(sizeof(struct wire_hello) == FABRIC_HELLO_SIZE,
	      "what a fabric carries");

static int take_options(struct catfish *c,
			const struct catfish_options *options);
static uint64_t cache_size(const struct catfish_options *options);
static int prepare_next(struct catfish *c, struct catfish **next);
static int take_link(struct catfish *c, struct catfish *next, int error);
static int open_link(struct catfish *c, uint64_t timeout_ns);
static int check_hello(const struct catfish *c,
		       const struct wire_hello *answer);
static int describe(struct catfish *c);
static int go_on(struct catfish *c, const struct wire_description *server);
static int check_description(const struct catfish *c,
			     const struct wire_description *server);
static void close_link(struct catfish *c);

int catfish_connect(const char *address, const struct catfish_options *options,
		    struct catfish **server)
{
	static const struct catfish_options defaults;

	if (!address || !server)
		return catfish_error_of(err_set(
			ERR_USAGE, "catfish_connect() needs an address and a "
				   "place for the connection"));
	if (!options)
		options = &defaults;
	struct catfish *c = calloc(1, sizeof(*c));
	if (!c || !(c->address = strdup(address))) {
		free(c);
		return catfish_error_of(
			err_set(ERR_NO_MEMORY, "no memory to connect"));
	}
	int error = take_options(c, options);
	if (!error)
		error = client_open(c, c->timeout_ns);
	if (!error)
		c->room = client_request_room(c);
	if (!error)
		error = client_policy_init(c, options);
	if (error) {
		catfish_close(c);
		return catfish_error_of(error);
	}
	*server = c;
	return CATFISH_OK;
}

void catfish_close(struct catfish *c)
{
	if (!c)
		return;
	client_opening_abandon(c->opening);
	client_report_offloaded(c);
	close_link(c);
	client_requests_destroy(c);
	free(c->found.items);
	client_group_destroy(c->group);
	free(c->device);
	free(c->address);
	free(c);
}

int catfish_set_policy(struct catfish *c, enum catfish_policy policy,
		       enum catfish_offload offload)
{
	int error = client_begin(c);

	if (!error)
		error = client_policy_set(c, policy, offload);
	return catfish_error_of(error);
}

int client_reopen(struct catfish *c, uint64_t timeout_ns)
{
	struct catfish *next;

	client_opening_abandon(c->opening);
	c->opening = NULL;
	int error = prepare_next(c, &next);
	if (error)
		return error;
	error = take_link(c, next, client_open(next, timeout_ns));
	catfish_close(next);
	return error;
}

int client_reopen_begin(struct catfish *c, uint64_t timeout_ns)
{
	struct catfish *next;

	int error = prepare_next(c, &next);
	return error ? error
		     : client_opening_begin(next, timeout_ns, &c->opening);
}

int client_reopen_end(struct catfish *c)
{
	struct catfish *next;

	int error = client_opening_end(c->opening, &next);
	if (error == ERR_AGAIN)
		return error;
	c->opening = NULL;
	error = take_link(c, next, error);
	catfish_close(next);
	return error;
}

/* Gives up the link, and makes what connects to the same server in its place,
 * in the same session. */
static int prepare_next(struct catfish *c, struct catfish **next)
{
	close_link(c);
	c->more = false;
	c->loading = false;
	c->gave_up = false;
	c->lost = true;
	struct catfish *n = calloc(1, sizeof(*n));
	if (n)
		n->address = strdup(c->address);
	if (n && c->device)
		n->device = strdup(c->device);
	if (!n || !n->address || (c->device && !n->device)) {
		catfish_close(n);
		return err_set(ERR_NO_MEMORY, "no memory to connect");
	}
	n->timeout_ns = c->timeout_ns;
	n->reconnect_ns = c->reconnect_ns;
	n->server = c->server;
	*next = n;
	return 0;
}

static void move_link(struct catfish *to, struct catfish *from)
{
	to->link = from->link;
	to->ring = from->ring;
	to->request = from->request;
	to->segment = from->segment;
	to->server = from->server;
	to->lost = false;
	from->link = NULL;
	from->ring = NULL;
	from->request = NULL;
	from->segment = NULL;
}

/* Goes on over the link that was opened, unless that ended with an error. */
static int take_link(struct catfish *c, struct catfish *next, int error)
{
	c->links += next->links;
	if (next->broken)
		return client_end(c, error);
	if (!error)
		move_link(c, next);
	if (!error && client_request_room(c) != c->room)
		error = err_set(ERR_PROTOCOL,
				"%s takes requests of another length now",
				c->address);
	if (!error && c->policy.can_offload && c->offload)
		error = client_prepare_offload(c, c->offload);
	client_policy_begin_link(c);
	/* Another link counts from 0; the server has had the reports of the
	 * last one. */
	c->offloaded = 0;
	if (!error || c->broken)
		return error;
	/* What has passed by another time, other errors don't. */
	if (error != ERR_CONNECTION && error != ERR_BUSY)
		return client_end(c, error);
	c->lost = true;
	return error;
}

int client_begin_after_requests(struct catfish *c)
{
	int error = client_begin_request(c);

	if (!error && c->lost && !client_requests_outstanding(c))
		return client_reconnect(c);
	if (!error && client_requests_outstanding(c))
		return err_set(ERR_USAGE,
			       "%zu requests are outstanding: poll until there "
			       "are none, or use another connection",
			       client_requests_outstanding(c));
	return error;
}

int client_begin_request(const struct catfish *c)
{
	if (!c)
		return err_set(ERR_USAGE, "there is no connection");
	if (c->broken)
		return err_set(ERR_CONNECTION,
			       "the connection to %s was lost earlier; close "
			       "it and connect again",
			       c->address);
	return 0;
}

int client_break(struct catfish *c, int error)
{
	if (c->broken || error != ERR_CONNECTION || !c->reconnect_ns)
		return client_end(c, error);
	c->lost = true;
	c->more = false;
	return error;
}

int client_end(struct catfish *c, int error)
{
	c->broken = true;
	c->lost = false;
	c->more = false;
	return error;
}

int client_refuse_version(struct catfish *c, uint64_t identity,
			  uint64_t version)
{
	if (identity != c->server.identity)
		return client_end(
			c, err_set(ERR_CONNECTION,
				   "another server than the one connected to "
				   "answered at %s; connect again",
				   c->address));
	return client_break(c, err_set(ERR_PROTOCOL,
				       "%s answered from version %" PRIu64
				       " after it had answered from %" PRIu64,
				       c->address, version, c->version));
}

static int take_options(struct catfish *c,
			const struct catfish_options *options)
{
	uint32_t timeout_ms =
		options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;

	c->timeout_ns = timeout_ms * NS_PER_MS;
	c->reconnect_ns = options->reconnect_ms == CATFISH_NO_RECONNECT ? 0
			  : options->reconnect_ms
				  ? options->reconnect_ms * NS_PER_MS
				  : c->timeout_ns;
	c->cache_size = cache_size(options);
	if (options->device && !(c->device = strdup(options->device)))
		return err_set(ERR_NO_MEMORY, "no memory to connect");
	return 0;
}

static uint64_t cache_size(const struct catfish_options *options)
{
	if (options->cache_size == CATFISH_NO_CACHE)
		return 0;
	return options->cache_size ? options->cache_size : CACHE_SIZE;
}

/* What this has opened when it fails, close_link() closes. */
int client_open(struct catfish *c, uint64_t timeout_ns)
{
	int error = open_link(c, timeout_ns);

	if (!error)
		error = fabric_ring_create(c->link, &c->ring);
	if (error)
		return error;
	/* Requests that are begun one after the other; who waits for an answer
	 * looks for it. */
	fabric_gather(c->link);
	c->request = malloc(fabric_ring_send_max(c->ring));
	c->segment = malloc(fabric_ring_receive_max(c->ring));
	if (!c->request || !c->segment)
		return err_set(ERR_NO_MEMORY, "no memory to connect");
	return describe(c);
}

static int open_link(struct catfish *c, uint64_t timeout_ns)
{
	const struct wire_hello hello = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.fingerprint = RTREE_LAYOUT_FINGERPRINT,
	};
	const struct fabric_connect_options options = {
		.inbox_size = INBOX_SIZE,
		.timeout_ns = timeout_ns,
		.device = c->device,
	};
	struct wire_hello answer = {0};

	int error = fabric_connect(c->address, (const uint8_t *)&hello,
				   &options, (uint8_t *)&answer, &c->link);
	c->links++;
	/* Nobody there: then neither is the server that was. */
	if (error == ERR_NOT_FOUND)
		return client_end(c, ERR_CONNECTION);
	if (error && (error != ERR_PROTOCOL || answer.magic == 0))
		return error;
	int refusal = check_hello(c, &answer);
	return refusal ? refusal : error;
}

static int check_hello(const struct catfish *c, const struct wire_hello *answer)
{
	if (answer->magic != WIRE_MAGIC)
		return err_set(ERR_PROTOCOL,
			       "what listens at %s is no Catfish server",
			       c->address);
	if (answer->status == WIRE_HELLO_BUSY)
		return err_set(ERR_BUSY,
			       "the server at %s takes no more clients now: it "
			       "has %" PRIu64 ", the most that its "
			       "--max-clients allows",
			       c->address, answer->limit);
	if (answer->version != WIRE_VERSION)
		return err_set(ERR_PROTOCOL,
			       "the server at %s speaks protocol %" PRIu32
			       " and this client %d: use the same release "
			       "of both",
			       c->address, answer->version, WIRE_VERSION);
	int dimensions = node_layout_dimensions(answer->fingerprint);
	if (dimensions && dimensions != DIMENSIONS)
		return err_set(ERR_UNSUPPORTED,
			       "the server at %s holds items of %d dimensions, "
			       "and this is a client for %d",
			       c->address, dimensions, DIMENSIONS);
	if (answer->fingerprint != RTREE_LAYOUT_FINGERPRINT)
		return err_set(ERR_PROTOCOL,
			       "the server at %s lays out its nodes in another "
			       "way (%016" PRIx64 ", here %016" PRIx64
			       "): use the same build of both",
			       c->address, answer->fingerprint,
			       RTREE_LAYOUT_FINGERPRINT);
	if (answer->status == WIRE_HELLO_INBOX_TOO_LARGE)
		return err_set(
			ERR_NO_ROOM,
			"the server at %s refused this client, whose "
			"inbox has %d bytes: its --max-memory-per-client "
			"leaves %" PRIu64 " for that",
			c->address, INBOX_SIZE, answer->limit);
	if (answer->status != WIRE_HELLO_ACCEPTED)
		return err_set(ERR_PROTOCOL,
			       "the server at %s refused for a reason that is "
			       "not known here (%" PRIu32 ")",
			       c->address, answer->status);
	return 0;
}

static int describe(struct catfish *c)
{
	struct wire_description server;
	struct wire_describe *request = client_request_body(c);

	request->session = c->server.session;
	int error = client_call(c, WIRE_DESCRIBE, sizeof(*request), 0, &server,
				sizeof(server));
	if (!error)
		error = check_description(c, &server);
	if (!error)
		error = go_on(c, &server);
	return error;
}

/* What was answered by another server may be newer than what this one holds. */
static int go_on(struct catfish *c, const struct wire_description *server)
{
	if (c->server.identity && server->identity != c->server.identity)
		return client_end(
			c, err_set(ERR_CONNECTION,
				   "the server at %s was started anew since",
				   c->address));
	c->server = *server;
	return 0;
}

static int check_description(const struct catfish *c,
			     const struct wire_description *server)
{
	if (server->page_size != RTREE_PAGE_SIZE ||
	    server->root_record_offset != ROOT_RECORD_OFFSET ||
	    server->page_count == 0 || server->page_count > UINT32_MAX ||
	    server->page_count * RTREE_PAGE_SIZE > server->region_size)
		return err_set(ERR_PROTOCOL,
			       "%s describes a region that can't be: %" PRIu64
			       " pages of %" PRIu32 " in %" PRIu64
			       " bytes, root record at %" PRIu64,
			       c->address, server->page_count,
			       server->page_size, server->region_size,
			       server->root_record_offset);
	return 0;
}

/* The link goes first: until then READs may still write into what was to be
 * fetched. */
static void close_link(struct catfish *c)
{
	fabric_ring_destroy(c->ring);
	fabric_close(c->link);
	free(c->request);
	free(c->segment);
	fetch_destroy(c->fetch);
	c->ring = NULL;
	c->link = NULL;
	c->request = NULL;
	c->segment = NULL;
	c->fetch = NULL;
	c->region = NULL;
}
