/* SPDX-License-Identifier: BSD-2-Clause */

/* Fuzz target: a whole server, and a client over shared memory that sends it
 * anything, while a second thread rewrites what the server is reading.  The
 * server drops the client or answers; it doesn't crash or hang, and another
 * client is served as ever.
 *
 * An input is a list of steps: requests that are right in part, bytes that are
 * none, WRITEs to anywhere with any immediate, new connections in the sessions
 * of old ones. */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "client/catfish.h"
#include "fabric/fabric.h"
#include "fabric/ring.h"
#include "server/server.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rtree/effort.h"
#include "wire/message.h"

const char *const fuzz_name = "session";
const uint64_t fuzz_inputs = 400;

enum {
	REGION_SIZE = 4 << 20,
	CLIENT_INBOX = 16384,
	BODY_MAX = 2048,
	/* How often all items are replaced by none. */
	CLEAN_EVERY = 256,
};

#define PATIENCE_MS 60000

/* --- The server ----------------------------------------------------------- */

static char folder[] = "/tmp/catfish-fuzz-XXXXXX";
static char address[128];
static _Atomic bool is_ready;

static void *serve(void *argument)
{
	const struct rtree_options tree_options = {
		.size = REGION_SIZE,
		.is_mappable = true,
	};
	const char *addresses[] = {address};
	const struct server_options options = {
		.addresses = addresses,
		.address_count = 1,
		.threads = 1,
		.socket_mode = 0600,
		.heartbeat_ns = 10 * NS_PER_MS,
		.max_clients = 100,
		.memory_per_client = 1 << 21,
	};
	const struct server_saved saved = {0};
	struct server *server;
	struct rtree *tree;

	fuzz_require(!rtree_create(&tree_options, &tree), "%s", err_text());
	fuzz_require(!server_start(tree, &options, &saved, &server), "%s",
		     err_text());
	atomic_store(&is_ready, true);
	server_run(server);
	return argument;
}

static void remove_folder(void)
{
	unlink(address + strlen("shm://"));
	rmdir(folder);
}

/* --- The other client ----------------------------------------------------- */

static struct catfish *other;

static void must(int error, const char *what)
{
	/* What the fuzzed client has written may leave no room. */
	fuzz_require(!error || error == CATFISH_ERROR_NO_ROOM,
		     "another client can't %s: %s", what, catfish_error_text());
}

static void connect_other(void)
{
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_MESSAGING,
		.timeout_ms = PATIENCE_MS,
		.reconnect_ms = CATFISH_NO_RECONNECT,
	};

	fuzz_require(!catfish_connect(address, &options, &other), "%s",
		     catfish_error_text());
}

static void is_served(void)
{
	static uint64_t inputs;
	const struct catfish_item item = {1, {0}};
	const struct catfish_query query = {.box = {0}};

	if (inputs++ % CLEAN_EVERY == 0) {
		must(catfish_load_begin(other, CATFISH_LOAD_REPLACE, 0),
		     "begin a load");
		must(catfish_load_commit(other, NULL), "load");
	}
	must(catfish_insert(other, &item, 1, NULL), "insert");
	must(catfish_count(other, &query, NULL, NULL), "count");
}

/* --- The fuzzed client ---------------------------------------------------- */

struct bytes {
	const uint8_t *next;
	const uint8_t *end;
};

static struct fabric_link *link_;
static struct fabric_ring *ring;
static uint64_t session, sequence;
static void *received;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of 'link_' */
static _Atomic bool rewrites;

static uint8_t take(struct bytes *bytes)
{
	return bytes->next < bytes->end ? *bytes->next++ : 0;
}

/* Rewrites the server's ring.  Not under TSan: that two write there, and a
 * third reads, is what it is for. */
static void *rewrite(void *argument)
{
	struct random random;
	uint8_t noise[16];

	random_seed(&random, 1);
	for (;;) {
		if (!atomic_load(&rewrites)) {
			usleep(100);
			continue;
		}
		pthread_mutex_lock(&lock);
		for (int i = 0; link_ && i < 64; i++) {
			uint64_t word = random_next(&random);
			memcpy(noise, &word, sizeof(word));
			(void)fabric_write_silently(
				link_, (uint32_t)random_below(&random, 4096),
				noise, 1 + word % 8);
		}
		pthread_mutex_unlock(&lock);
	}
	return argument;
}

static void hang_up(void)
{
	pthread_mutex_lock(&lock);
	fabric_ring_destroy(ring);
	fabric_close(link_);
	ring = NULL;
	link_ = NULL;
	pthread_mutex_unlock(&lock);
}

static void dial(void)
{
	const struct wire_hello hello = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.fingerprint = RTREE_LAYOUT_FINGERPRINT,
	};
	const struct fabric_connect_options options = {
		.inbox_size = CLIENT_INBOX,
		.timeout_ns = PATIENCE_MS * NS_PER_MS,
	};
	uint8_t answer[FABRIC_HELLO_SIZE];
	struct fabric_link *dialled;

	fuzz_require(!fabric_connect(address, (const uint8_t *)&hello, &options,
				     answer, &dialled),
		     "%s", err_text());
	pthread_mutex_lock(&lock);
	link_ = dialled;
	fuzz_require(!fabric_ring_create(link_, &ring), "no ring");
	pthread_mutex_unlock(&lock);
	received = realloc(received, fabric_ring_receive_max(ring));
}

static void send_message(const void *message, uint32_t size)
{
	pthread_mutex_lock(&lock);
	/* No room, or the server has dropped this client. */
	(void)fabric_ring_send(ring, message, size);
	pthread_mutex_unlock(&lock);
}

/* Takes what has come; answers tell the session. */
static void take_answers(void)
{
	int64_t size;

	pthread_mutex_lock(&lock);
	while ((size = fabric_ring_receive(ring, received, NULL)) > 0) {
		const struct wire_header *header = received;
		const struct wire_description *description =
			(const void *)(header + 1);
		if (header->operation == WIRE_DESCRIBE &&
		    !(header->flags & WIRE_ERROR))
			session = description->session;
	}
	pthread_mutex_unlock(&lock);
}

/* Any double from a byte: mostly such that rectangles of them are some. */
static double take_number(struct bytes *bytes)
{
	uint8_t byte = take(bytes);

	return byte < 0xfc    ? byte % 16
	       : byte == 0xff ? 0.0 / 0.0
			      : 1e308 * byte;
}

static void put_rect(struct bytes *bytes, struct wire_rect *rect)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		rect->min[d] = take_number(bytes);
		rect->max[d] = rect->min[d] + take(bytes) % 4;
	}
}

/* A request that is sealed as it should be, of any operation, with a body that
 * fits it or one that doesn't. */
static void send_request(struct bytes *bytes)
{
	_Alignas(8) uint8_t message[sizeof(struct wire_header) + BODY_MAX];
	uint8_t *body = message + sizeof(struct wire_header);
	unsigned operation = take(bytes) % (WIRE_OPERATION_MAX + 2);
	uint32_t count = take(bytes) % 32, size = 0;
	uint64_t number = take(bytes) % 16;

	memset(message, 0, sizeof(message));
	if (operation == WIRE_DESCRIBE) {
		memcpy(body, &session, sizeof(session));
		size = sizeof(session);
		count = 0;
	} else if (operation == WIRE_SEARCH || operation == WIRE_COUNT) {
		put_rect(bytes, (void *)body);
		size = sizeof(struct wire_query);
		count = 0;
	} else if (operation >= WIRE_INSERT && operation <= WIRE_DELETE) {
		memcpy(body, &number, sizeof(number));
		size = sizeof(struct wire_write);
		size_t each = operation == WIRE_UPDATE
				      ? sizeof(struct wire_move)
				      : sizeof(struct wire_item);
		count %= (BODY_MAX - size) / each;
		for (uint32_t i = 0; i < count; i++, size += each)
			put_rect(bytes,
				 &((struct wire_item *)(void *)(body + size))
					  ->rect);
	} else {
		size = take(bytes) % 64 * 8;
		for (uint32_t i = 0; i < size; i += 8)
			body[i] = take(bytes);
		count = take(bytes) & 1 ? count : 0;
	}
	/* Now and then another size than that. */
	uint8_t spoil = take(bytes);
	if (spoil > 0xf0)
		size = spoil % 8 * 8;
	wire_seal_request((struct wire_header *)message,
			  (enum wire_operation)operation, ++sequence, count,
			  sizeof(struct wire_header) + size,
			  spoil % 4 ? 0 : spoil);
	send_message(message, sizeof(struct wire_header) + size);
}

static void send_bytes(struct bytes *bytes)
{
	uint8_t message[256];
	uint32_t size = 1u + take(bytes);

	for (uint32_t i = 0; i < size; i++)
		message[i] = take(bytes);
	send_message(message, size);
}

/* Anywhere in the server's inbox, announcing anything. */
static void write_anywhere(struct bytes *bytes)
{
	uint8_t noise[8];
	uint32_t offset = take(bytes) << 4 | take(bytes);
	uint32_t immediate = (uint32_t)take(bytes) << 24 | take(bytes);
	bool silently = take(bytes) & 1;

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = take(bytes);
	pthread_mutex_lock(&lock);
	if (silently)
		(void)fabric_write_silently(link_, offset, noise,
					    sizeof(noise));
	else
		(void)fabric_write(link_, offset, noise, sizeof(noise),
				   immediate);
	pthread_mutex_unlock(&lock);
}

static void step(struct bytes *bytes)
{
	uint8_t what = take(bytes);

	if (what < 0xa0)
		send_request(bytes);
	else if (what < 0xb0)
		send_bytes(bytes);
	else if (what < 0xc0)
		write_anywhere(bytes);
	else if (what < 0xe0)
		take_answers();
	else if (what < 0xf0)
		atomic_store(&rewrites, what & 1 && !TEST_UNDER_TSAN);
	else {
		hang_up();
		dial();
	}
}

static void start(void)
{
	pthread_t thread;

	setenv("CATFISH_LOG", "error", 0);
	log_init("fuzz-session");
	signal(SIGPIPE, SIG_IGN);
	fuzz_require(mkdtemp(folder), "no folder");
	snprintf(address, sizeof(address), "shm://%s/sock", folder);
	atexit(remove_folder);
	fuzz_require(!pthread_create(&thread, NULL, serve, NULL), "no thread");
	while (!atomic_load(&is_ready))
		usleep(1000);
	fuzz_require(!pthread_create(&thread, NULL, rewrite, NULL),
		     "no thread");
	connect_other();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = {data, data + size};

	if (!other)
		start();
	dial();
	while (bytes.next < bytes.end)
		step(&bytes);
	take_answers();
	atomic_store(&rewrites, false);
	hang_up();
	is_served();
	return 0;
}
