/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CATFISH_H
#define CATFISH_H

/* libcatfish: search and change the items of a Catfish server.
 *
 * An item is a 64-bit id with a rectangle.  Several items may share an id or a
 * rectangle.  A rectangle is an array of four finite doubles, xmin, ymin, xmax,
 * ymax, with min <= max; its edges belong to it.
 *
 * For three dimensions define CATFISH_DIMENSIONS as 3 and link libcatfish3d, as
 * pkg-config's catfish3d says; rectangles are then arrays of six, xmin, ymin,
 * zmin, xmax, ymax, zmax.  What is compiled for the one and linked with the
 * other doesn't link.
 *
 *	struct catfish *server = NULL;
 *	int error = catfish_connect("shm:///run/catfish.sock", NULL, &server);
 *	if (!error)
 *		error = catfish_search(server, &query, print, NULL, NULL);
 *	if (error)
 *		fprintf(stderr, "%s\n", catfish_error_text());
 *	catfish_close(server);
 *
 * Every search returns exactly what one published version of the tree holds,
 * and that version is never older than the newest write that was acknowledged
 * to anyone before the search began, nor than this connection's last answer.
 *
 * Every function that can fail returns 0 or a negative enum catfish_error;
 * catfish_error_text() then says what happened.  Outputs are set only on
 * success, where nothing else is said.  After CATFISH_ERROR_PROTOCOL a
 * connection can only be closed; after the others it can be used as before.
 * After CATFISH_ERROR_CONNECTION that may fail at once, since the server has
 * gone, or another is there in its place: close the connection then.
 *
 * Thread-safety: one connection, one thread at a time; connections don't
 * disturb each other.  The error text is kept per thread.  A connection is of
 * no use to a child process after fork(). */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CATFISH_API __attribute__((visibility("default")))

#ifndef CATFISH_DIMENSIONS
#define CATFISH_DIMENSIONS 2
#endif

#if CATFISH_DIMENSIONS == 3
#define catfish_connect catfish_connect_3d
#elif CATFISH_DIMENSIONS != 2
#error "CATFISH_DIMENSIONS must be 2 or 3"
#endif

enum catfish_error {
	CATFISH_OK = 0,
	CATFISH_ERROR_USAGE = -1,	/* an argument that can't be right */
	CATFISH_ERROR_UNSUPPORTED = -2, /* not possible with this server */
	CATFISH_ERROR_CONNECTION = -3,	/* no server, or it has gone or hangs */
	CATFISH_ERROR_PROTOCOL = -4,	/* the server speaks otherwise */
	CATFISH_ERROR_BUSY = -5,	/* try again later */
	CATFISH_ERROR_DATA = -6,	/* a rectangle that can't be used */
	CATFISH_ERROR_DAMAGED = -7,	/* the region breaks its invariants */
	CATFISH_ERROR_NO_ROOM = -8,	/* the region is full */
	CATFISH_ERROR_NO_MEMORY = -9,
	CATFISH_ERROR_SYSTEM = -10,  /* of the operating system */
	CATFISH_ERROR_TIMEOUT = -11, /* a request's deadline has passed */
};

/* A few words for an error, such as "no connection". */
CATFISH_API const char *catfish_strerror(int error);

/* What happened when this thread's last call failed, in one line. */
CATFISH_API const char *catfish_error_text(void);

/* The library's version, such as "0.1.0". */
CATFISH_API const char *catfish_version(void);

/* --- Connections -------------------------------------------------------- */

struct catfish;

enum catfish_path {
	CATFISH_PATH_MESSAGING = 0, /* the server searches */
	CATFISH_PATH_OFFLOAD = 1,   /* this process reads the tree itself */
};

/* What chooses the path of each search.  Where the fabric has no offloading
 * (tcp), ADAPTIVE and CATFISH have only messaging to choose. */
enum catfish_policy {
	CATFISH_POLICY_ADAPTIVE = 0,  /* the path that is predicted to take
					 less for this very search */
	CATFISH_POLICY_MESSAGING = 1, /* always by messaging */
	CATFISH_POLICY_OFFLOAD = 2,   /* always by offloading */
	CATFISH_POLICY_CATFISH = 3,   /* the randomised back-off of the Catfish
					 papers: offloads while the server's
					 processors are busy */
};

enum catfish_offload {
	CATFISH_OFFLOAD_AUTO = 0,   /* mapped where it can be, else copy */
	CATFISH_OFFLOAD_COPY = 1,   /* READs into memory of this process */
	CATFISH_OFFLOAD_MAPPED = 2, /* walks the region in place: shm */
};

struct catfish_options {
	enum catfish_policy policy;
	enum catfish_offload offload;

	/* The longest wait to be connected and for each answer, in
	 * milliseconds; 0: 10,000.  Writes, which wait when the region is
	 * nearly full, checks, and what may wait behind a check (stat,
	 * statistics, save) may take 60 times that. */
	uint32_t timeout_ms;

	/* How long to try to have the connection back when it is lost, in
	 * milliseconds, for each call; 0: as long as the timeout,
	 * CATFISH_NO_RECONNECT: not at all. */
	uint32_t reconnect_ms;

	/* The RDMA device to reach a verbs:// address by; NULL: the route to it
	 * decides. */
	const char *device;

	/* Memory, in bytes, for nodes that were READ to be kept in; 0: 64 MiB.
	 * It serves to offload by copy.  A kept node is used only where it is
	 * certain to be what a new READ would bring.  The connections of a
	 * process to the same server share it when they ask for the same size.
	 */
	uint64_t cache_size;

	/* Of the policies; what is 0 is as it is best left.  CATFISH: T, the
	 * server's utilisation (0 to 1) above which it is busy, 0: 0.95; and N,
	 * the searches to back off by, 0: 8.  ADAPTIVE: the part of all
	 * searches, at most, that tries the path that seems the slower, 0:
	 * 1/1024.  Both: the seed of their random numbers, 0: another for each
	 * connection. */
	double threshold;
	uint32_t backoff;
	double exploration;
	uint64_t seed;
};
#define CATFISH_NO_CACHE     UINT64_MAX /* a cache_size */
#define CATFISH_NO_RECONNECT UINT32_MAX /* a reconnect_ms */

/* When the connection is lost on the way, the functions below have it back and
 * do again what they were doing, if it is the same server that still runs.  A
 * write is applied once all the same: the server remembers it.  It does so for
 * a minute after a connection was lost; when that was too long, or the server
 * has ended, the call fails, and struct catfish_written says how many writes
 * may have been applied or not.
 *
 * A server that has too much to do says when to come back; what was asked is
 * asked again then, within the timeout, else it is CATFISH_ERROR_BUSY. */

/* Connects to "shm:///path/to.sock", "verbs://host:port" or "tcp://host:port".
 * 'options' may be NULL, or all zeros.
 *
 * CATFISH_ERROR_CONNECTION when no server answers there,
 * CATFISH_ERROR_PROTOCOL when one of another release does,
 * CATFISH_ERROR_BUSY when it takes no more clients, and
 * CATFISH_ERROR_UNSUPPORTED when the options want a path that the fabric
 * doesn't have (offloading over tcp), or the server's items have other
 * dimensions. */
CATFISH_API int catfish_connect(const char *address,
				const struct catfish_options *options,
				struct catfish **server);

/* Closes the connection; NULL is fine. */
CATFISH_API void catfish_close(struct catfish *server);

/* Changes the policy of the searches to come; its parameters stay those of the
 * options, and what it had learnt is forgotten.  CATFISH_ERROR_UNSUPPORTED when
 * the fabric doesn't have the path; the policy is then what it was. */
CATFISH_API int catfish_set_policy(struct catfish *server,
				   enum catfish_policy policy,
				   enum catfish_offload offload);

/* --- Searching ---------------------------------------------------------- */

enum catfish_relation {
	CATFISH_INTERSECTS = 0, /* item and query share a point */
	CATFISH_CONTAINS = 1,	/* the item contains the query */
	CATFISH_WITHIN = 2,	/* the item lies in the query */
};

struct catfish_query {
	double box[2 * CATFISH_DIMENSIONS]; /* min = max: a point */
	enum catfish_relation relation;
	uint64_t limit; /* items at most, any of those that match; 0: all */
};

/* What an answer was and what it took.  An answer that was read by offloading
 * and came too late to be trusted is dropped, and the server is asked instead:
 * 'path' says by which path it really came, and the counts are of all that was
 * done.  A server that too many wait for leaves a search that it was asked for,
 * by a policy that has a choice, to the client, and says where to begin. */
struct catfish_answer {
	uint64_t identity; /* of the server's region: another at each start */
	uint64_t version;  /* of the tree that this answers from */
	uint64_t count;	   /* items found (at most the limit) */
	int truncated;	   /* the limit was reached and there are more */
	enum catfish_path path;	      /* that the answer came by */
	enum catfish_offload offload; /* AUTO for messaging */
	uint64_t round_trips;
	uint64_t reads;		 /* one-sided READs */
	uint64_t read_bytes;	 /* by them, or of mapped nodes */
	uint64_t nodes;		 /* visited */
	uint64_t cached;	 /* found in the cache; of leaves, filters */
	uint64_t retries;	 /* torn root records, read again */
	uint64_t lease_expiries; /* answers dropped for their lease's end */
	uint64_t pushed_back;	 /* times that the server left it to us */
	uint64_t time_ns;	 /* of the call, 'found' included */
};

/* Called once for each item of an answer that is known to be right.  By
 * offloading that is the whole answer; by messaging a large one comes in
 * segments, each of which is checked before its items are handed out, and a
 * search that fails later, for a lost connection, has handed out only right
 * items, but not all.
 *
 * 'box' lives until the function returns.  It must not use the connection.
 * Another value than 0 ends the search, which then returns 0 as well; the rest
 * of the answer is counted and not handed out. */
typedef int catfish_found(void *context, int64_t id,
			  const double box[2 * CATFISH_DIMENSIONS]);

/* Searches.  'answer' may be NULL.  CATFISH_ERROR_DATA when the query's
 * rectangle is none. */
CATFISH_API int catfish_search(struct catfish *server,
			       const struct catfish_query *query,
			       catfish_found *found, void *context,
			       struct catfish_answer *answer);

/* Searches into arrays of the caller: 'ids' and, unless NULL, 'boxes' (four
 * doubles each, or six) have room for 'capacity' items.  'answer->count' is how
 * many matched; those beyond the capacity are counted and not stored.  When it
 * fails the arrays may have been written to. */
CATFISH_API int catfish_search_into(struct catfish *server,
				    const struct catfish_query *query,
				    int64_t *ids, double *boxes,
				    size_t capacity,
				    struct catfish_answer *answer);

/* Counts what a search would find; the query's limit does not matter.  'answer'
 * may be NULL. */
CATFISH_API int catfish_count(struct catfish *server,
			      const struct catfish_query *query,
			      uint64_t *count, struct catfish_answer *answer);

/* Called once for each item, the nearest first; otherwise as catfish_found.
 * 'distance' is Euclidean, from the point to the nearest point of the item's
 * rectangle: 0 when the point lies in it.  Beyond some 1e154 it is infinite. */
typedef int catfish_neighbour(void *context, int64_t id,
			      const double box[2 * CATFISH_DIMENSIONS],
			      double distance);

/* Finds the 'k' items nearest to a point, x, y (and z), or all when there are
 * fewer. They come in order of distance, and where squared distances are equal
 * in order of id, which also decides who is among the 'k'; of items that have
 * the id in common, too, any.
 *
 * By messaging the server gathers all 'k' before the first is sent, which for
 * millions may outlast the timeout.
 *
 * 'answer' may be NULL.  CATFISH_ERROR_DATA when the point is not finite,
 * CATFISH_ERROR_USAGE when 'k' is 0. */
CATFISH_API int catfish_nearest(struct catfish *server,
				const double point[CATFISH_DIMENSIONS],
				uint64_t k, catfish_neighbour *found,
				void *context, struct catfish_answer *answer);

/* Why the last search went by the path that it did. */
struct catfish_explanation {
	enum catfish_policy policy;
	enum catfish_path path; /* that was chosen */
	const char *reason;	/* a few words */

	/* Microseconds by each path (enum catfish_path): what was predicted of
	 * that search, and what searches have taken lately, in the mean.  0
	 * where nothing is known; only ADAPTIVE predicts and measures. */
	double predicted_us[2];
	double measured_us[2];

	/* Of the server's worker threads, 0 to 1, as it was heard last; below
	 * 0: it wasn't heard. */
	double utilisation;
};

/* CATFISH_ERROR_USAGE when there was no search with that policy yet. */
CATFISH_API int catfish_explain(const struct catfish *server,
				struct catfish_explanation *explanation);

/* --- Changing ----------------------------------------------------------- */

struct catfish_item {
	int64_t id;
	double box[2 * CATFISH_DIMENSIONS];
};

struct catfish_move {
	struct catfish_item item; /* as it is */
	double to[2 * CATFISH_DIMENSIONS];
};

/* What became of a call's writes.  They are applied in the order given, in
 * groups of some hundreds.  Each group becomes visible at once, except one that
 * touches more nodes than there are free pages: that becomes visible in several
 * steps.
 *
 * It is set also when the call fails on the way: 'applied' then counts what the
 * server said it had applied.  When the connection was lost for good, or no
 * answer came in time, the group that was under way, of some hundreds of items,
 * may have been applied as well: 'uncertain' is how many these are.  A call
 * with a rectangle that is none (CATFISH_ERROR_DATA) applies nothing. */
struct catfish_written {
	uint64_t identity;
	uint64_t version;   /* that holds them all, or a later one */
	uint64_t applied;   /* items inserted, removed or moved */
	uint64_t not_found; /* deletes and updates: no such item */
	uint64_t uncertain; /* sent, and what became of them isn't known */
};

/* Called for each index of the caller's array that was not found.  Must not use
 * the connection. */
typedef void catfish_missing(void *context, size_t index);

/* Here and below 'written' may be NULL.  CATFISH_ERROR_NO_ROOM when the region
 * is full. */
CATFISH_API int catfish_insert(struct catfish *server,
			       const struct catfish_item *items, size_t count,
			       struct catfish_written *written);

/* Removes, for each, one item with this id and exactly this rectangle.
 * 'missing' may be NULL. */
CATFISH_API int catfish_delete(struct catfish *server,
			       const struct catfish_item *items, size_t count,
			       catfish_missing *missing, void *context,
			       struct catfish_written *written);

/* Moves, for each, one such item to another rectangle. */
CATFISH_API int catfish_update(struct catfish *server,
			       const struct catfish_move *moves, size_t count,
			       catfish_missing *missing, void *context,
			       struct catfish_written *written);

/* --- Loading ------------------------------------------------------------ */

enum catfish_load_mode {
	CATFISH_LOAD_EMPTY = 0, /* CATFISH_ERROR_USAGE when there are items */
	CATFISH_LOAD_APPEND = 1,
	CATFISH_LOAD_REPLACE = 2,
};

/* Any number of items that become visible at once, in one version: begin, items
 * as often as wanted, then commit or abort.  'expected_count' may be 0; when
 * given, a region that has no room for it is refused at once.  A load that
 * failed is over, and nothing of it will be seen; to abort it is harmless. */
CATFISH_API int catfish_load_begin(struct catfish *server,
				   enum catfish_load_mode mode,
				   uint64_t expected_count);
CATFISH_API int catfish_load_items(struct catfish *server,
				   const struct catfish_item *items,
				   size_t count);
CATFISH_API int catfish_load_commit(struct catfish *server,
				    struct catfish_written *written);
CATFISH_API int catfish_load_abort(struct catfish *server);

/* --- Many requests at once ---------------------------------------------- */

/* The functions above wait for their answer.  Those below send a request and
 * return; many may be outstanding on a connection, and each is completed, by
 * calling its 'done', from within catfish_poll(), catfish_wait() or
 * catfish_arm().
 *
 *	struct catfish_call call = {.done = finish, .context = &mine};
 *	int error = catfish_begin_search(server, &query, print, &call, NULL);
 *	while (!error && catfish_outstanding(server))
 *		error = catfish_wait(server, 1000, NULL);
 *
 * Requests go to the server by messaging, whatever the connection's policy is.
 * What was sent earlier is served earlier: a search sees the writes that were
 * sent before it on its connection.  Until none are outstanding the functions
 * that wait return CATFISH_ERROR_USAGE on that connection; catfish_close()
 * drops them, and nothing is called for them any more. */

struct catfish_result {
	int error;	   /* CATFISH_OK, or what became of the request */
	const char *text;  /* of the error; until the function returns */
	uint32_t retry_us; /* of CATFISH_ERROR_BUSY: when to begin it again, as
			    * the server says; 0: it doesn't */
	struct catfish_answer answer;	/* to what is no write */
	struct catfish_written written; /* by a write */
};

/* May begin and cancel requests; mustn't use the connection otherwise. */
typedef void catfish_done(void *context, const struct catfish_result *result);

struct catfish_call {
	catfish_done *done;
	void *context; /* of 'done', and of the items found */

	/* The request is completed with CATFISH_ERROR_TIMEOUT when it isn't
	 * answered within so many milliseconds; 0: the connection's timeout.
	 * The answer is dropped when it comes.  A write may have been applied,
	 * or be applied yet. */
	uint32_t deadline_ms;
};

/* Begins a request; what the arguments point to may change once it returns.
 * '*request', which may be NULL, is for catfish_cancel().  Requests that are
 * begun one after the other are sent together, at the latest by the next
 * catfish_poll(), catfish_wait() or catfish_arm().
 *
 * With the policy to offload, searches are made by the next of these calls, up
 * to 64 together, and are completed by it.  By READs they share round trips,
 * are answered from one version, and what they took is told by the first of
 * them.  Beside requests that only the server can answer it answers the
 * searches, too.  A policy that chooses has no part in this: it compares what
 * one search takes by either path, and those made together have no time each.
 *
 * CATFISH_ERROR_BUSY when as many are outstanding as there is room for (at
 * least 64 searches): poll, and try again.  CATFISH_ERROR_USAGE for more items
 * than a message holds (at least 600).  When it fails, nothing is sent, and
 * 'done' is not called. */
CATFISH_API int catfish_begin_search(struct catfish *server,
				     const struct catfish_query *query,
				     catfish_found *found,
				     const struct catfish_call *call,
				     uint64_t *request);
CATFISH_API int catfish_begin_count(struct catfish *server,
				    const struct catfish_query *query,
				    const struct catfish_call *call,
				    uint64_t *request);
CATFISH_API int catfish_begin_nearest(struct catfish *server,
				      const double point[CATFISH_DIMENSIONS],
				      uint64_t k, catfish_neighbour *found,
				      const struct catfish_call *call,
				      uint64_t *request);
CATFISH_API int catfish_begin_insert(struct catfish *server,
				     const struct catfish_item *items,
				     size_t count,
				     const struct catfish_call *call,
				     uint64_t *request);
CATFISH_API int catfish_begin_delete(struct catfish *server,
				     const struct catfish_item *items,
				     size_t count,
				     const struct catfish_call *call,
				     uint64_t *request);
CATFISH_API int catfish_begin_update(struct catfish *server,
				     const struct catfish_move *moves,
				     size_t count,
				     const struct catfish_call *call,
				     uint64_t *request);

/* Nothing is called for a request any more.  What it asks may be done all the
 * same.  CATFISH_ERROR_USAGE when it is completed, or was cancelled, already.
 */
CATFISH_API int catfish_cancel(struct catfish *server, uint64_t request);

/* Requests whose answer has not come, those included that were cancelled or
 * whose deadline has passed. */
CATFISH_API size_t catfish_outstanding(const struct catfish *server);

/* Completes what can be completed, without waiting, but for the READs of
 * searches that are offloaded: those whose answer has come, and those whose
 * deadline has passed.  '*completed', which may be NULL, is how many.
 *
 * When the connection is lost it is looked for, by a thread of its own that
 * lasts as long as a try, and what is not answered is sent again, in its order.
 * A search that is sent again may see writes that were sent after it, too.  One
 * whose items were handed out in part is completed with
 * CATFISH_ERROR_CONNECTION.  When the connection can't be had back in time, or
 * the server breaks the protocol, all are completed with that
 * error, which is returned. */
CATFISH_API int catfish_poll(struct catfish *server, size_t *completed);

/* The same, but waits for the first for at most 'timeout_ms': a short while
 * awake, then asleep.  That none was completed is no error. */
CATFISH_API int catfish_wait(struct catfish *server, uint32_t timeout_ms,
			     size_t *completed);

/* To wait in an event loop: the file descriptor, and in '*events' what poll(2)
 * is to wait for, POLLIN or POLLIN | POLLOUT; that may change with each call on
 * the connection, also the descriptor, when the connection was lost.  It is -1
 * and no events between two tries to have it back: then wait for the time below
 * alone.  Before each sleep, also when requests were begun since the last, call
 * catfish_arm(), which asks for the descriptor to become readable by what comes
 * from then on, and completes what has come by then, as catfish_poll() does. */
CATFISH_API int catfish_fd(const struct catfish *server, short *events);
CATFISH_API int catfish_arm(struct catfish *server, size_t *completed);

/* Milliseconds until the next deadline of a request, or the next try to have a
 * lost connection back, rounded up: how long to sleep at most before
 * catfish_poll(); -1 when there is none. */
CATFISH_API int catfish_sleep_ms(const struct catfish *server);

/* --- The server --------------------------------------------------------- */

enum { CATFISH_LEVELS = 16 };

struct catfish_stat {
	uint64_t identity;
	uint64_t version;
	uint64_t items;
	uint64_t height;
	uint64_t nodes[CATFISH_LEVELS];	  /* by level, leaves first */
	uint64_t entries[CATFISH_LEVELS]; /* by level */
	uint64_t region_bytes;
	uint64_t page_bytes;
	uint64_t pages;
	uint64_t free_pages;
	uint64_t retired_pages;
	uint64_t lease_ns;
	uint64_t heartbeat_ns;
	uint64_t uptime_ns;
	uint64_t since_save_ns;	   /* UINT64_MAX: never saved */
	uint64_t unsaved_versions; /* lost if the server is killed */
	uint64_t clients;
	uint64_t one_sided_clients;
	uint64_t threads;
	uint64_t searches;
	uint64_t counts;
	uint64_t nearest;
	uint64_t inserts; /* requests; each may hold many items */
	uint64_t updates;
	uint64_t deletes;
	uint64_t loads;
	uint64_t offloaded;   /* searches that clients answered themselves */
	uint64_t pushed_back; /* those that the server left to them */
	double utilisation;   /* of the worker threads, 0 to 1 */
	uint32_t process_id;  /* on the server's machine */
};
CATFISH_API int catfish_stat(struct catfish *server, struct catfish_stat *stat);

/* What the server writes into this process's memory each heartbeat: to look at
 * it asks nothing of the server.  A beat that stays the same for longer than
 * catfish_stat()'s heartbeat_ns tells that the server hangs. */
struct catfish_heartbeat {
	uint64_t beat;	  /* counts up */
	uint64_t version; /* of the tree */
	uint64_t lease_ns;
	double utilisation; /* of the worker threads, 0 to 1 */
	/* What the network devices send, of what their links can carry, 0 to
	 * 1; negative where that is not known. */
	double link_load;
	uint32_t queued; /* connections and jobs that wait for a thread */
	int draining;	 /* the server is about to end */
};

/* Over tcp, by which none is written, it asks the server, and a beat counts
 * what was asked; then no requests may be outstanding. */
CATFISH_API int catfish_heartbeat(struct catfish *server,
				  struct catfish_heartbeat *heartbeat);

/* The nodes of one level.  'area', divided by the root's, is how many of them a
 * search for a point looks at on average, wherever in the root's bounds the
 * point is. */
struct catfish_level {
	uint64_t nodes;
	uint64_t entries;
	uint64_t least; /* entries of one node */
	uint64_t most;
	double area;	/* of their bounds, summed; in space their volume */
	double margin;	/* summed edges of their bounds, each axis once */
	double overlap; /* that each two children of a node share, summed */
};

struct catfish_statistics {
	uint64_t identity;
	uint64_t version;
	uint64_t height;			     /* levels that there are */
	struct catfish_level levels[CATFISH_LEVELS]; /* leaves first */
};

/* Tells the shape of the tree; the server looks at every node of one version.
 */
CATFISH_API int catfish_statistics(struct catfish *server,
				   struct catfish_statistics *statistics);

/* Asks the server to verify every invariant of its tree; '*nodes' is how many
 * it looked at.  CATFISH_ERROR_DAMAGED with the first that is broken.  'nodes'
 * and 'version' may be NULL. */
CATFISH_API int catfish_check(struct catfish *server, uint64_t *nodes,
			      uint64_t *version);

/* Writes a snapshot of one version to a region file, which it replaces whole,
 * while writes go on; the file is of this machine, not of the server's.
 * 'version' and 'bytes' may be NULL.  When it fails, what was at 'path' is as
 * it was. */
CATFISH_API int catfish_save(struct catfish *server, const char *path,
			     uint64_t *version, uint64_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
