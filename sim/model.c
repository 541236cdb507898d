/* SPDX-License-Identifier: BSD-2-Clause */

/* The model: clients that go from one stage of a search to the next, and the
 * stations that they meet at. */

#include "sim/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "rtree/root.h"
#include "sim/histogram.h"
#include "sim/schedule.h"
#include "sim/station.h"
#include "wire/message.h"

enum {
	CORES_MAX = 1024,
	HEARTBEATS = 1024, /* that are remembered: the newest */
};

/* What a client waits for. */
enum stage {
	STAGE_THINKS,	  /* to make the next search */
	STAGE_WANTS_CORE, /* the others on its host to have had their slices */
	STAGE_DONE,	  /* the end of this one */
	STAGE_AT_SERVER,  /* its request's, or list of READs', arrival */
	STAGE_SERVED,	  /* a worker's end with its request */
	STAGE_WRITTEN,	  /* the writer's end with its insert */
	STAGE_AT_CLIENT,  /* the answer's arrival */
	STAGE_WAS_LEFT,	  /* to make what the server left to it */
};

struct client {
	enum stage stage;
	bool inserts; /* rather than searches */
	struct adaptive controller;
	struct random random;
	double begun_ns;

	/* The search under way. */
	enum adaptive_path path;
	bool walks;    /* the tree itself */
	bool was_left; /* the search, that it had asked for */
	const struct cost *cost;
	struct adaptive_query query;
	double rest_reads, rest_bytes; /* of this list of READs */
	uint32_t lists;		       /* that are to come, beside it */
	double list_bytes;	       /* of each of these */
	uint64_t version;	       /* that its cache is of */

	/* Where clients keep their cores: until when it may, and who is next
	 * of those that want it. */
	double slice_end_ns;
	uint32_t next;

	uint64_t beat; /* the next heartbeat that it may hear */
	double phase_ns;
};

/* Clients of a host that want one of its cores, in order. */
struct waiting {
	uint32_t first, last, count;
	uint32_t running; /* clients that have a core */
};

/* What the server told about itself at one time. */
struct beat {
	double sent_ns; /* by when it is on its way */
	struct adaptive_heartbeat heartbeat;
};

struct model {
	struct model_options options;
	struct parameters p; /* as they are now */
	struct schedule *schedule;
	struct client *clients;
	double now_ns;

	struct station *workers; /* 'threads' of them */
	uint32_t *waiting_for;	 /* each: clients, that it works for or not */
	struct station writer, in, out;
	double cores[CORES_MAX]; /* when each is free */
	struct station *hosts;	 /* the clients' links: in, out of each */
	double *host_cores;	 /* of all hosts */
	struct waiting *waiting; /* of each host */
	uint64_t version;	 /* inserts so far */

	struct beat beats[HEARTBEATS];
	uint64_t beat_count;
	double beat_busy_ns, beat_out_ns; /* at the last */

	/* Since the last reset. */
	double reset_ns, reset_busy_ns, reset_out_ns;
	struct histogram latency;
	struct model_result result;
};

static int prepare(struct model *m);
static void prepare_client(struct model *m, uint32_t i);
static void go_on(struct model *m, uint32_t i);
static double think_ns(const struct model *m, struct client *c);
static void want_core(struct model *m, uint32_t i);
static void leave_core(struct model *m, uint32_t i);
static void begin(struct model *m, uint32_t i);
static void hear(struct model *m, uint32_t i);
static void predict(const struct model *m, struct client *c);
static void send_request(struct model *m, uint32_t i);
static double choose_ns(const struct model *m, const struct client *c);
static enum adaptive_path draw_path(const struct model *m, struct client *c);
static void walk(struct model *m, uint32_t i, double busy_ns);
static void plan_reads(struct model *m, uint32_t i, double busy_ns,
		       double inserts);
static void send_reads(struct model *m, uint32_t i, double from_ns);
static void search_mapped(struct model *m, uint32_t i, double busy_ns);
static double catch_up_ns(const struct model *m, const struct cost *cost,
			  double inserts);
static void arrive_at_server(struct model *m, uint32_t i);
static void leave_worker(struct model *m, uint32_t i);
static void answer(struct model *m, uint32_t i, double bytes);
static void arrive_at_client(struct model *m, uint32_t i);
static void take_reads(struct model *m, uint32_t i);
static void read_on(struct model *m, uint32_t i, double from_ns);
static void finish(struct model *m, struct client *c);
static void beat(struct model *m);

/* --- Its life ----------------------------------------------------------- */

int model_create(const struct model_options *options, struct model **model)
{
	enum adaptive_policy policy = options->controller.policy;

	if (options->parameters.offload <= 0 &&
	    policy != ADAPTIVE_POLICY_MESSAGING)
		return err_set(ERR_UNSUPPORTED,
			       "this environment can't offload; its only "
			       "policy is messaging");
	struct model *m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(ERR_NO_MEMORY, "no memory for a model");
	m->options = *options;
	m->p = options->parameters;
	int error = prepare(m);
	if (error)
		model_destroy(m);
	else
		*model = m;
	return error;
}

void model_destroy(struct model *m)
{
	if (!m)
		return;
	schedule_destroy(m->schedule);
	free(m->clients);
	free(m->workers);
	free(m->waiting_for);
	free(m->hosts);
	free(m->host_cores);
	free(m->waiting);
	free(m);
}

static uint32_t host_of(const struct model *m, uint32_t i)
{
	return i / (uint32_t)m->options.parameters.clients_per_host;
}

static int prepare(struct model *m)
{
	uint32_t clients = m->options.clients;
	uint32_t hosts = host_of(m, clients - 1) + 1;
	int error = 0;

	m->schedule = schedule_create(clients);
	m->clients = calloc(clients, sizeof(*m->clients));
	m->workers = calloc((size_t)m->p.threads, sizeof(*m->workers));
	m->waiting_for = calloc((size_t)m->p.threads, sizeof(*m->waiting_for));
	m->hosts = calloc(hosts, 2 * sizeof(*m->hosts));
	m->host_cores = calloc(hosts, (size_t)m->p.host_cores * sizeof(double));
	m->waiting = calloc(hosts, sizeof(*m->waiting));
	if (!m->schedule || !m->clients || !m->workers || !m->waiting_for ||
	    !m->hosts || !m->host_cores || !m->waiting)
		return err_set(ERR_NO_MEMORY, "no memory for %u clients",
			       clients);
	m->beats[0].heartbeat.link_load = m->p.link_gbps > 0 ? 0 : -1;
	m->beat_count = 1;
	struct adaptive_options controller = m->options.controller;
	controller.heartbeat_ns = (uint64_t)m->p.heartbeat_ns;
	for (uint32_t i = 0; !error && i < clients; i++) {
		prepare_client(m, i);
		controller.seed = random_next(&m->clients[i].random);
		error = adaptive_init(&m->clients[i].controller, &controller);
	}
	return error;
}

/* Clients start within a millisecond, at any time of the heartbeat. */
static void prepare_client(struct model *m, uint32_t i)
{
	struct client *c = &m->clients[i];

	random_seed(&c->random, m->options.controller.seed * 0x10001 + i);
	c->beat = 1;
	if (!m->options.herd)
		c->phase_ns = m->p.heartbeat_ns * random_unit(&c->random);
	schedule_set(m->schedule, i, 1e6 * random_unit(&c->random));
}

void model_run(struct model *m, double until_ns)
{
	for (;;) {
		double next_ns;
		uint32_t i = (uint32_t)schedule_next(m->schedule, &next_ns);
		double beat_ns = (double)m->beat_count * m->p.heartbeat_ns;
		if (next_ns >= until_ns && beat_ns >= until_ns)
			break;
		if (beat_ns <= next_ns) {
			m->now_ns = beat_ns;
			beat(m);
			continue;
		}
		m->now_ns = next_ns;
		go_on(m, i);
		m->result.events++;
	}
	m->now_ns = until_ns;
}

/* A core that comes back is free; the stations of the others are what they
 * were.  What can't change while clients run: who is where. */
int model_change(struct model *m, const char *text)
{
	struct parameters before = m->p;
	int error = parameters_set(&m->p, text);

	if (error)
		return error;
	if (before.threads != m->p.threads ||
	    before.clients_per_host != m->p.clients_per_host ||
	    before.host_cores != m->p.host_cores ||
	    before.heartbeat_ns != m->p.heartbeat_ns) {
		m->p = before;
		return err_set(ERR_USAGE,
			       "threads, hosts and the heartbeat stay as they "
			       "are while clients run");
	}
	return 0;
}

/* --- Stations ----------------------------------------------------------- */

/* Takes the core of these that is free first, for a service that can't begin
 * before 'from_ns'; returns its end. */
static double take_core(double *cores, double count, double from_ns,
			double service_ns)
{
	int first = 0;

	for (int i = 1; i < (int)count; i++)
		if (cores[i] < cores[first])
			first = i;
	if (cores[first] > from_ns)
		from_ns = cores[first];
	return cores[first] = from_ns + service_ns;
}

/* A worker's time is what passes until it is done, whether or not it has a
 * core. */
static double work(struct model *m, struct station *worker, double from_ns,
		   double service_ns)
{
	double begin = worker->free_ns > from_ns ? worker->free_ns : from_ns;
	double end =
		m->p.cores < m->p.threads || m->p.shared_host > 0
			? take_core(m->cores, m->p.cores, begin, service_ns)
			: begin + service_ns;

	return station_serve(worker, from_ns, end - begin);
}

static double compute(struct model *m, uint32_t i, double from_ns,
		      double service_ns)
{
	if (m->p.shared_host > 0)
		return take_core(m->cores, m->p.cores, from_ns, service_ns);
	if (m->p.host_cores >= m->p.clients_per_host ||
	    m->p.client_slice_ns > 0)
		return from_ns + service_ns;
	return take_core(m->host_cores +
				 host_of(m, i) * (size_t)m->p.host_cores,
			 m->p.host_cores, from_ns, service_ns);
}

/* Bytes on the wire, with the headers of all packets. */
static double on_wire(const struct model *m, double bytes, double messages)
{
	double packets = ceil(bytes / m->p.mtu_bytes);

	return bytes +
	       m->p.header_bytes * (packets > messages ? packets : messages);
}

static double transfer_ns(double bytes, double gbps)
{
	return gbps > 0 ? 8 * bytes / gbps : 0;
}

/* By the server's adapter, whose time is the link's or its own, whichever is
 * longer. */
static double cross_server(const struct model *m, struct station *direction,
			   double from_ns, double bytes, double messages)
{
	double wire_ns =
		transfer_ns(on_wire(m, bytes, messages), m->p.link_gbps);
	double adapter_ns = messages * m->p.nic_message_ns;

	return station_serve(direction, from_ns,
			     wire_ns > adapter_ns ? wire_ns : adapter_ns);
}

static double cross_host(struct model *m, uint32_t i, bool in, double from_ns,
			 double bytes, double messages)
{
	return station_serve(&m->hosts[2 * host_of(m, i) + in], from_ns,
			     transfer_ns(on_wire(m, bytes, messages),
					 m->p.client_link_gbps));
}

/* --- A client's search -------------------------------------------------- */

static void wait_for(struct model *m, uint32_t i, enum stage stage,
		     double time_ns)
{
	m->clients[i].stage = stage;
	schedule_set(m->schedule, i, time_ns);
}

static void go_on(struct model *m, uint32_t i)
{
	struct client *c = &m->clients[i];

	switch (c->stage) {
	case STAGE_THINKS:
		c->begun_ns = m->now_ns;
		want_core(m, i);
		break;
	case STAGE_WANTS_CORE:
		begin(m, i);
		break;
	case STAGE_DONE:
		finish(m, c);
		if (m->options.think_ns > 0) {
			leave_core(m, i);
			wait_for(m, i, STAGE_THINKS,
				 m->now_ns + think_ns(m, c));
			break;
		}
		c->begun_ns = m->now_ns;
		if (m->now_ns < c->slice_end_ns) {
			begin(m, i);
			break;
		}
		leave_core(m, i);
		want_core(m, i);
		break;
	case STAGE_AT_SERVER:
		arrive_at_server(m, i);
		break;
	case STAGE_SERVED:
		leave_worker(m, i);
		break;
	case STAGE_WRITTEN:
		m->version++;
		answer(m, i,
		       sizeof(struct wire_header) +
			       sizeof(struct wire_written));
		break;
	case STAGE_AT_CLIENT:
		arrive_at_client(m, i);
		break;
	case STAGE_WAS_LEFT:
		c->walks = true;
		walk(m, i, 0);
		break;
	}
}

static bool keeps_core(const struct model *m)
{
	return m->p.client_slice_ns > 0 && m->p.shared_host <= 0 &&
	       m->p.host_cores < m->p.clients_per_host;
}

/* Begins at once where each client has a core, or gives it away while it
 * waits. */
static void want_core(struct model *m, uint32_t i)
{
	struct waiting *waiting = &m->waiting[host_of(m, i)];

	if (!keeps_core(m) || waiting->running < m->p.host_cores) {
		waiting->running++;
		m->clients[i].slice_end_ns = m->now_ns + m->p.client_slice_ns;
		begin(m, i);
		return;
	}
	if (waiting->count++)
		m->clients[waiting->last].next = i;
	else
		waiting->first = i;
	waiting->last = i;
	wait_for(m, i, STAGE_WANTS_CORE, INFINITY);
}

/* Whoever wants it next has it. */
static void leave_core(struct model *m, uint32_t i)
{
	struct waiting *waiting = &m->waiting[host_of(m, i)];
	uint32_t next = waiting->first;

	waiting->running--;
	if (!waiting->count)
		return;
	waiting->count--;
	waiting->running++;
	waiting->first = m->clients[next].next;
	m->clients[next].slice_end_ns = m->now_ns + m->p.client_slice_ns;
	wait_for(m, next, STAGE_WANTS_CORE, m->now_ns + m->p.client_switch_ns);
}

/* Exponential, so that many clients that think long ask like a Poisson process.
 */
static double think_ns(const struct model *m, struct client *c)
{
	return -m->options.think_ns * log(1 - random_unit(&c->random));
}

static void begin(struct model *m, uint32_t i)
{
	struct client *c = &m->clients[i];
	struct adaptive_reason reason;

	c->walks = c->was_left = false;
	c->inserts = m->options.inserts > 0 &&
		     random_unit(&c->random) < m->options.inserts;
	if (c->inserts) {
		c->path = ADAPTIVE_MESSAGING;
		send_request(m, i);
		return;
	}
	c->cost = &m->options.trace->costs[random_below(
		&c->random, m->options.trace->count)];
	hear(m, i);
	predict(m, c);
	c->path = adaptive_choose(&c->controller, (uint64_t)m->now_ns,
				  &c->query, &reason);
	m->result.explored += reason.why == ADAPTIVE_EXPLORES;
	if (m->options.draws_path)
		c->path = draw_path(m, c);
	c->walks = c->path == ADAPTIVE_OFFLOAD;
	if (c->walks)
		walk(m, i, choose_ns(m, c));
	else
		send_request(m, i);
}

static enum adaptive_path draw_path(const struct model *m, struct client *c)
{
	return random_unit(&c->random) < m->options.offloaded_part
		       ? ADAPTIVE_OFFLOAD
		       : ADAPTIVE_MESSAGING;
}

/* After so much time of its processor for something else. */
static void walk(struct model *m, uint32_t i, double busy_ns)
{
	struct client *c = &m->clients[i];
	double inserts = (double)(m->version - c->version);

	c->version = m->version;
	busy_ns += catch_up_ns(m, c->cost, inserts);
	if (m->p.mapped > 0)
		search_mapped(m, i, busy_ns);
	else
		plan_reads(m, i, busy_ns, inserts);
}

/* What searching a tree takes more that is written to.  Each insert writes a
 * node of every level anew, so where searches and inserts are spread alike, the
 * chance that a node on the way is new to the client is that of an insert since
 * its last search. */
static double catch_up_ns(const struct model *m, const struct cost *cost,
			  double inserts)
{
	return inserts > 0 ? cost->nodes * m->p.client_fresh_ns : 0;
}

/* What the client knows before it searches: with the inner nodes, all but
 * which leaves have answers. */
static void predict(const struct model *m, struct client *c)
{
	const struct cost *cost = c->cost;

	c->query = (struct adaptive_query){{0}};
	if (m->p.mapped <= 0 && m->options.cache == MODEL_CACHE_NONE)
		return;
	c->query.work[ADAPTIVE_MESSAGING] = cost->nodes;
	c->query.work[ADAPTIVE_OFFLOAD] =
		m->p.mapped > 0				? cost->nodes
		: m->options.cache == MODEL_CACHE_INNER ? cost->leaf_bytes
							: cost->filtered_bytes;
}

static double choose_ns(const struct model *m, const struct client *c)
{
	enum adaptive_policy policy = m->options.controller.policy;

	if (policy == ADAPTIVE_POLICY_MESSAGING ||
	    policy == ADAPTIVE_POLICY_OFFLOAD)
		return 0;
	return c->walks && policy == ADAPTIVE_POLICY_ADAPTIVE
		       ? m->p.client_choose_ns
		       : m->p.client_ask_ns;
}

static void send_request(struct model *m, uint32_t i)
{
	double busy_ns =
		choose_ns(m, &m->clients[i]) + m->p.client_message_ns / 2;
	double sent = compute(m, i, m->now_ns, busy_ns);
	double bytes = sizeof(struct wire_header) + sizeof(struct wire_query);

	sent = cross_host(m, i, false, sent, bytes, 1);
	wait_for(m, i, STAGE_AT_SERVER, sent + m->p.one_way_ns);
}

/* A leaf that its filter leaves open is looked into, as it is READ by copy. */
static void search_mapped(struct model *m, uint32_t i, double busy_ns)
{
	const struct cost *cost = m->clients[i].cost;

	wait_for(m, i, STAGE_DONE,
		 compute(m, i, m->now_ns,
			 busy_ns + m->p.client_search_ns +
				 cost->nodes * m->p.client_node_ns +
				 cost->filtered_reads * m->p.client_leaf_ns +
				 cost->items * m->p.client_item_ns));
}

/* Whether a cached node has changed since this client last looked: where all
 * are visited and written to alike, the chance doesn't depend on their number.
 */
static bool is_stale(struct client *c, double inserts)
{
	return inserts > 0 && random_unit(&c->random) >= exp(-inserts);
}

/* The lists of READs: the root record with all leaves that are wanted, and then
 * one for each level that the cache was wrong about; or one for each level. */
static void plan_reads(struct model *m, uint32_t i, double busy_ns,
		       double inserts)
{
	struct client *c = &m->clients[i];
	const struct cost *cost = c->cost;
	unsigned inner_levels = m->options.trace->height - 1;

	c->lists = 0;
	c->list_bytes = RTREE_INNER_SIZE;
	c->rest_reads = 1;
	c->rest_bytes = sizeof(struct root_record);
	switch (m->options.cache) {
	case MODEL_CACHE_NONE:
		/* The root comes with the record, whole, as its level isn't
		 * known before; again if it is another by then. */
		c->rest_reads += 1;
		c->rest_bytes += RTREE_PAGE_SIZE;
		c->lists = inner_levels + (inserts > 0);
		c->list_bytes =
			c->lists ? ((cost->inner - 1.0) * RTREE_INNER_SIZE +
				    (inserts > 0) * RTREE_PAGE_SIZE +
				    cost->leaf_bytes) /
					   c->lists
				 : 0;
		break;
	case MODEL_CACHE_INNER:
		c->rest_reads += cost->leaf_reads;
		c->rest_bytes += cost->leaf_bytes;
		break;
	case MODEL_CACHE_FILTERS:
		c->rest_reads += cost->filtered_reads;
		c->rest_bytes += cost->filtered_bytes;
		break;
	}
	/* The root was told with the search. */
	if (c->was_left) {
		c->rest_reads -= 1;
		c->rest_bytes -= sizeof(struct root_record);
	}
	/* The root changes with each insert. */
	if (m->options.cache != MODEL_CACHE_NONE && inserts > 0)
		for (unsigned level = 0; level < inner_levels; level++)
			c->lists += !level || is_stale(c, inserts);
	read_on(m, i,
		compute(m, i, m->now_ns, busy_ns + m->p.client_search_ns));
}

/* READs of the list that go together: as many as may be under way. */
static double window(const struct model *m, const struct client *c)
{
	double most = m->p.initiator_depth < m->p.responder_resources
			      ? m->p.initiator_depth
			      : m->p.responder_resources;

	return c->rest_reads < most ? c->rest_reads : most;
}

static void send_reads(struct model *m, uint32_t i, double from_ns)
{
	double reads = window(m, &m->clients[i]);
	double sent = compute(m, i, from_ns, reads * m->p.client_read_ns);

	sent = cross_host(m, i, false, sent, 16 * reads, reads);
	wait_for(m, i, STAGE_AT_SERVER, sent + m->p.one_way_ns);
}

/* Whether the server may leave it its search. */
static bool may_walk(const struct model *m, const struct client *c)
{
	return !c->inserts && m->p.offload > 0 &&
	       m->options.controller.policy != ADAPTIVE_POLICY_MESSAGING;
}

static void arrive_at_server(struct model *m, uint32_t i)
{
	struct client *c = &m->clients[i];

	if (c->walks) {
		double reads = window(m, c);
		double bytes = c->rest_bytes * reads / c->rest_reads;
		double in =
			cross_server(m, &m->in, m->now_ns, 16 * reads, reads);
		double out = cross_server(m, &m->out, in, bytes, reads);
		m->result.round_trips++;
		m->result.read_bytes += bytes;
		wait_for(m, i, STAGE_AT_CLIENT, out + m->p.one_way_ns);
		return;
	}
	double in = cross_server(
		m, &m->in, m->now_ns,
		sizeof(struct wire_header) + sizeof(struct wire_query), 1);
	uint32_t number = i % (uint32_t)m->p.threads;
	struct station *worker = &m->workers[number];
	double service = m->p.message_ns;
	c->was_left =
		may_walk(m, c) && m->waiting_for[number] >= m->p.push_back;
	m->waiting_for[number]++;
	if (!c->inserts && !c->was_left)
		service += c->cost->nodes * m->p.node_ns +
			   c->cost->filtered_reads * m->p.leaf_ns +
			   c->cost->items * m->p.item_ns;
	if (worker->free_ns <= in)
		in += m->p.wake_ns;
	wait_for(m, i, STAGE_SERVED, work(m, worker, in, service));
}

static void leave_worker(struct model *m, uint32_t i)
{
	const struct client *c = &m->clients[i];

	m->waiting_for[i % (uint32_t)m->p.threads]--;
	if (c->was_left)
		answer(m, i,
		       sizeof(struct wire_header) +
			       sizeof(struct wire_pushed_back));
	else if (c->inserts)
		wait_for(m, i, STAGE_WRITTEN,
			 station_serve(&m->writer, m->now_ns, m->p.insert_ns));
	else
		answer(m, i,
		       sizeof(struct wire_header) + sizeof(struct wire_found) +
			       c->cost->items * sizeof(struct wire_item));
}

static void answer(struct model *m, uint32_t i, double bytes)
{
	double out = cross_server(m, &m->out, m->now_ns, bytes, 1);

	m->clients[i].rest_bytes = bytes;
	wait_for(m, i, STAGE_AT_CLIENT, out + m->p.one_way_ns);
}

static void arrive_at_client(struct model *m, uint32_t i)
{
	struct client *c = &m->clients[i];

	if (c->walks) {
		take_reads(m, i);
		return;
	}
	double in = cross_host(m, i, true, m->now_ns, c->rest_bytes, 1);
	double items = c->inserts || c->was_left ? 0 : c->cost->items;
	wait_for(m, i, c->was_left ? STAGE_WAS_LEFT : STAGE_DONE,
		 compute(m, i, in + m->p.client_wake_ns,
			 m->p.client_message_ns / 2 +
				 items * m->p.client_item_ns));
}

static void take_reads(struct model *m, uint32_t i)
{
	struct client *c = &m->clients[i];
	double reads = window(m, c);
	double bytes = c->rest_bytes * reads / c->rest_reads;
	double in = cross_host(m, i, true, m->now_ns, bytes, reads);

	c->rest_reads -= reads;
	c->rest_bytes -= bytes;
	read_on(m, i, in);
}

/* With the next of its READs, or without. */
static void read_on(struct model *m, uint32_t i, double from_ns)
{
	struct client *c = &m->clients[i];

	if (c->rest_reads < 1 && c->lists) {
		c->lists--;
		c->rest_bytes = c->list_bytes;
		c->rest_reads = ceil(c->list_bytes / RTREE_PAGE_SIZE);
	}
	if (c->rest_reads >= 1) {
		send_reads(m, i, from_ns);
		return;
	}
	wait_for(m, i, STAGE_DONE,
		 compute(m, i, from_ns + m->p.client_wake_ns,
			 c->cost->nodes * m->p.client_node_ns +
				 c->cost->filtered_reads * m->p.client_leaf_ns +
				 c->cost->items * m->p.client_item_ns));
}

static void finish(struct model *m, struct client *c)
{
	double latency_ns = m->now_ns - c->begun_ns;

	if (c->inserts) {
		m->result.inserts++;
		return;
	}
	m->result.searches++;
	m->result.offloaded += c->walks;
	m->result.pushed_back += c->was_left;
	histogram_add(&m->latency, latency_ns);
	adaptive_completed(&c->controller, c->path, &c->query, latency_ns);
}

/* --- Heartbeats --------------------------------------------------------- */

static double busy_ns(const struct model *m)
{
	double busy = 0;

	for (int i = 0; i < (int)m->p.threads; i++)
		busy += station_done_ns(&m->workers[i], m->now_ns);
	return busy;
}

static double part(double a, double b)
{
	double value = a / b;

	return value < 0 ? 0 : value > 1 ? 1 : value;
}

/* A heartbeat goes to the client behind what is on its way to others. */
static void beat(struct model *m)
{
	struct beat *beat = &m->beats[m->beat_count % HEARTBEATS];
	double busy = busy_ns(m), out = station_done_ns(&m->out, m->now_ns);

	beat->heartbeat = (struct adaptive_heartbeat){
		.beat = m->beat_count++,
		.utilisation = part(busy - m->beat_busy_ns,
				    m->p.heartbeat_ns * m->p.threads),
		.link_load = m->p.link_gbps > 0 ? part(out - m->beat_out_ns,
						       m->p.heartbeat_ns)
						: -1,
	};
	m->beat_busy_ns = busy;
	m->beat_out_ns = out;
	for (uint32_t i = 0; i < (uint32_t)m->p.threads; i++) {
		double mine =
			floor((m->options.clients + m->p.threads - 1 - i) /
			      m->p.threads);
		if (mine >= 1)
			work(m, &m->workers[i], m->now_ns,
			     mine * m->p.heartbeat_cpu_ns);
	}
	beat->sent_ns = cross_server(m, &m->out, m->now_ns,
				     (double)sizeof(struct wire_heartbeat) *
					     m->options.clients,
				     m->options.clients);
}

/* The newest that has come and was not lost.  Each client is sent its own at a
 * time of its own. */
static void hear(struct model *m, uint32_t i)
{
	struct client *c = &m->clients[i];

	while (c->beat < m->beat_count) {
		const struct beat *beat = &m->beats[c->beat % HEARTBEATS];
		if (m->beat_count - c->beat >= HEARTBEATS) {
			c->beat++;
			continue;
		}
		double came_ns = beat->sent_ns + c->phase_ns + m->p.one_way_ns;
		if (came_ns > m->now_ns)
			break;
		c->beat++;
		if (m->p.heartbeat_loss > 0 &&
		    random_unit(&c->random) < m->p.heartbeat_loss)
			continue;
		adaptive_heartbeat(&c->controller, (uint64_t)came_ns,
				   &beat->heartbeat);
	}
}

/* --- Results ------------------------------------------------------------ */

void model_reset(struct model *m)
{
	memset(&m->latency, 0, sizeof(m->latency));
	memset(&m->result, 0, sizeof(m->result));
	m->reset_ns = m->now_ns;
	m->reset_busy_ns = busy_ns(m);
	m->reset_out_ns = station_done_ns(&m->out, m->now_ns);
}

void model_result(const struct model *m, struct model_result *result)
{
	double time_ns = m->now_ns - m->reset_ns;

	*result = m->result;
	result->time_ns = time_ns;
	if (result->searches) {
		result->mean_ns = m->latency.sum / (double)m->latency.total;
		result->p50_ns = histogram_quantile(&m->latency, 0.5);
		result->p99_ns = histogram_quantile(&m->latency, 0.99);
	}
	if (result->offloaded) {
		result->round_trips /= (double)result->offloaded;
		result->read_bytes /= (double)result->offloaded;
	}
	result->utilisation =
		part(busy_ns(m) - m->reset_busy_ns, time_ns * m->p.threads);
	result->link_load = part(
		station_done_ns(&m->out, m->now_ns) - m->reset_out_ns, time_ns);
}
