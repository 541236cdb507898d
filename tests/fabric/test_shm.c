/* SPDX-License-Identifier: BSD-2-Clause */

/* What only shm does: Unix sockets by name, a mapped region, the owner's death,
 * and memory that a peer may fill with nonsense. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "fabric/handshake.h"
#include "fabric/local_socket.h"
#include "fabric/ring.h"
#include "fabric/shm_memory.h"
#include "tests/fabric/pair.h"

static struct place place;
static struct fabric_link *server, *client;

static void set_up(void)
{
	place_open(&place, "shm");
	connect_pair(&place, &server, &client);
}

static void tear_down(void)
{
	fabric_close(client);
	fabric_close(server);
	place_close(&place);
}

/* --- Sockets by name ----------------------------------------------------- */

static void prepare(void)
{
	place_prepare(&place, "shm");
}

static void leave(void)
{
	place_close(&place);
}

static int try_listen(void)
{
	const struct fabric_listen_options options = {
		.inbox_size = TEST_INBOX_SERVER,
		.socket_mode = 0600,
	};

	return fabric_listen(place.address, &options, &place.listener);
}

static bool exists(const char *suffix)
{
	char path[128];
	struct stat found;

	snprintf(path, sizeof(path), "%s%s", place.path, suffix);
	return !lstat(path, &found);
}

static void listen_for_ever(void *ready)
{
	place_listen(&place);
	MUST(write(*(int *)ready, "x", 1) == 1);
}

START_TEST(the_socket_of_a_killed_server_is_replaced)
{
	int ready[2];
	char byte;

	MUST(!pipe(ready));
	pid_t child = start_child(listen_for_ever, &ready[1]);
	MUST(read(ready[0], &byte, 1) == 1);
	ck_assert_int_eq(try_listen(), ERR_BUSY);
	kill_child(child);
	ck_assert(exists(""));
	ck_assert(exists(".lock"));
	place_listen(&place);
	connect_pair(&place, &server, &client);
	fabric_close(client);
	fabric_close(server);
}
END_TEST

START_TEST(a_socket_that_answers_is_not_replaced_though_it_has_no_lock)
{
	const struct sockaddr_un at = fabric_local_socket_address(place.path);

	int fd = fabric_local_socket_new();
	MUST(!bind(fd, (const struct sockaddr *)&at, sizeof(at)));
	MUST(!listen(fd, 1));
	ck_assert_int_eq(try_listen(), ERR_BUSY);
	ck_assert(exists(""));
	ck_assert(!exists(".lock"));
	close(fd);
	ck_assert_int_eq(try_listen(), 0);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
	int fd = open(place.path, O_CREAT | O_RDWR, 0600);

	MUST(fd >= 0 && write(fd, "mine", 4) == 4);
	ck_assert_int_eq(try_listen(), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err_text(), "is no socket"));
	char text[5] = "";
	ck_assert_int_eq(pread(fd, text, 4, 0), 4);
	ck_assert_str_eq(text, "mine");
	ck_assert(!exists(".lock"));
	MUST(!unlink(place.path));
	close(fd);

	MUST(!mkdir(place.path, 0700));
	ck_assert_int_eq(try_listen(), ERR_USAGE);
	MUST(!rmdir(place.path));

	MUST(!symlink("/nowhere/at/all", place.path));
	ck_assert_int_eq(try_listen(), ERR_USAGE);
	MUST(!unlink(place.path));
}
END_TEST

START_TEST(closing_removes_the_socket_and_its_lock)
{
	place_listen(&place);
	ck_assert(exists(""));
	ck_assert(exists(".lock"));
	fabric_listener_close(place.listener);
	place.listener = NULL;
	ck_assert(!exists(""));
	ck_assert(!exists(".lock"));
}
END_TEST

START_TEST(closing_leaves_what_someone_else_put_in_its_place)
{
	place_listen(&place);
	MUST(!unlink(place.path));
	MUST(!mkdir(place.path, 0700));
	fabric_listener_close(place.listener);
	place.listener = NULL;
	MUST(!rmdir(place.path));
}
END_TEST

static mode_t mode_of_socket(unsigned mode)
{
	const struct fabric_listen_options options = {
		.inbox_size = TEST_INBOX_SERVER,
		.socket_mode = mode,
	};
	struct fabric_listener *listener;
	struct stat found;

	MUST(!fabric_listen(place.address, &options, &listener));
	MUST(!stat(place.path, &found));
	fabric_listener_close(listener);
	return found.st_mode & 07777;
}

START_TEST(the_socket_has_the_mode_asked_for_whatever_the_umask)
{
	static const mode_t masks[] = {0, 022, 077, 0777};

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		mode_t before = umask(masks[i]);
		ck_assert_uint_eq(mode_of_socket(0600), 0600);
		ck_assert_uint_eq(mode_of_socket(0660), 0660);
		ck_assert_uint_eq(mode_of_socket(0666), 0666);
		umask(before);
	}
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_refused)
{
	MUST(strlen(place.address) + 10 < sizeof(place.address));
	strcat(place.address, "/not/there");
	ck_assert_int_eq(try_listen(), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err_text(), "No such file"));
}
END_TEST

static void *race_to_listen(void *argument)
{
	struct fabric_listener **listener = argument;
	const struct fabric_listen_options options = {
		.inbox_size = TEST_INBOX_SERVER,
		.socket_mode = 0600,
	};

	int error = fabric_listen(place.address, &options, listener);
	MUST(!error || error == ERR_BUSY);
	return NULL;
}

START_TEST(of_two_that_listen_at_a_time_one_at_most_gets_it)
{
	for (int round = 0; round < 300; round++) {
		struct fabric_listener *a = NULL, *b = NULL;
		pthread_t thread;

		pthread_create(&thread, NULL, race_to_listen, &a);
		race_to_listen(&b);
		pthread_join(thread, NULL);
		ck_assert(!a != !b);
		fabric_listener_close(a);
		fabric_listener_close(b);
	}
}
END_TEST

static _Atomic int holders;

static void *come_and_go(void *argument)
{
	_Atomic bool *stop = argument;

	for (int taken = 0; taken < 1000 && !*stop;) {
		struct fabric_listener *listener = NULL;

		race_to_listen(&listener);
		if (!listener)
			continue;
		MUST(atomic_fetch_add(&holders, 1) == 0);
		atomic_fetch_sub(&holders, 1);
		fabric_listener_close(listener);
		taken++;
	}
	*stop = true;
	return NULL;
}

START_TEST(listeners_that_come_and_go_never_share_an_address)
{
	static _Atomic bool stop;
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, come_and_go, &stop);
	come_and_go(&stop);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(a_region_that_could_shrink_is_sealed)
{
	place_listen(&place);
	int seals = fcntl(place.region.fd, F_GET_SEALS);
	ck_assert_int_eq(seals & (F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE),
			 F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE);
	ck_assert_int_ne(ftruncate(place.region.fd, 0), 0);
}
END_TEST

START_TEST(a_region_that_cannot_be_sealed_is_refused)
{
	const struct fabric_listen_options options = {
		.region = &place.region,
		.inbox_size = TEST_INBOX_SERVER,
		.socket_mode = 0600,
	};

	MUST(!fcntl(place.region.fd, F_ADD_SEALS, F_SEAL_SEAL));
	ck_assert_int_eq(
		fabric_listen(place.address, &options, &place.listener),
		ERR_USAGE);
}
END_TEST

/* --- The mapped region --------------------------------------------------- */

START_TEST(the_map_shows_what_the_server_writes)
{
	uint64_t size;

	const uint8_t *map = fabric_map(client, &size);
	ck_assert_ptr_nonnull(map);
	ck_assert_uint_eq(size, TEST_REGION_SIZE);
	ck_assert_ptr_ne(map, place.memory);
	ck_assert_mem_eq(map, place.memory, TEST_REGION_SIZE);
	memset(place.memory + 5000, 0xee, 100);
	ck_assert_mem_eq(map, place.memory, TEST_REGION_SIZE);
}
END_TEST

static void write_to(void *map)
{
	*(volatile uint8_t *)map = 1;
	_exit(0);
}

START_TEST(writing_to_the_map_is_a_fault)
{
	uint64_t size;
	int status;

	void *map = (void *)fabric_map(client, &size);
	ck_assert_int_ne(mprotect(map, 4096, PROT_READ | PROT_WRITE), 0);
	ck_assert_int_eq(errno, EACCES);
	pid_t child = start_child(write_to, map);
	MUST(waitpid(child, &status, 0) == child);
	/* A sanitizer reports the fault in its own way. */
	ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV
				      : WEXITSTATUS(status) != 0);
}
END_TEST

/* --- The server's end ---------------------------------------------------- */

static int read_something(void)
{
	uint8_t bytes[64];
	const struct fabric_read read = {0, bytes, sizeof(bytes)};
	struct fabric_event event;

	int error = fabric_read(client, &read, 1, 1);
	if (error)
		return error;
	ck_assert_int_eq(fabric_poll(client, &event, 1), 1);
	ck_assert_int_eq(event.kind, FABRIC_READ);
	return 0;
}

START_TEST(a_read_fails_once_the_owner_has_ended)
{
	static const uint32_t words[] = {0, 0x40000000, 0x40000000 | 1234,
					 0x80000000};

	ck_assert_int_eq(read_something(), 0);
	ck_assert(!fabric_server_has_left(client));
	memcpy(place.memory + TEST_OWNER_OFFSET, &words[_i], 4);
	ck_assert_int_eq(read_something(), ERR_CONNECTION);
	ck_assert_ptr_nonnull(strstr(err_text(), "the server has ended"));
	ck_assert(fabric_server_has_left(client));
}
END_TEST

START_TEST(a_read_fails_once_the_server_has_closed_the_link)
{
	ck_assert_int_eq(read_something(), 0);
	ck_assert(!fabric_server_has_left(client));
	fabric_close(server);
	server = NULL;
	ck_assert_int_eq(read_something(), ERR_CONNECTION);
	ck_assert(fabric_server_has_left(client));
}
END_TEST

/* Serves a region that begins with a robust mutex which it holds. */
static void owner_process(void *ready)
{
	uint8_t hello[FABRIC_HELLO_SIZE];
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	void *owner = place.memory + TEST_OWNER_OFFSET;
	MUST(!pthread_mutex_init(owner, &attributes));
	MUST(!pthread_mutex_lock(owner));
	place_listen(&place);
	MUST(write(*(int *)ready, "x", 1) == 1);
	MUST(!fabric_accept(await_client(&place, hello), hello));
}

START_TEST(the_death_of_a_robust_mutex_ends_reads)
{
	int ready[2];
	char byte;
	struct dial dial;

	MUST(!pipe(ready));
	pid_t child = start_child(owner_process, &ready[1]);
	MUST(read(ready[0], &byte, 1) == 1);
	dial_init(&dial, place.address);
	dial_begin(&dial);
	ck_assert_int_eq(dial_end(&dial), 0);
	client = dial.link;
	ck_assert_int_eq(read_something(), 0);
	kill_child(child);
	ck_assert_int_eq(read_something(), ERR_CONNECTION);
	fabric_close(client);
	/* Removes what the child left. */
	place_listen(&place);
}
END_TEST

/* --- A client that breaks the rules --------------------------------------- */

/* A client made by hand, with all that a real one keeps to itself. */
struct bare_client {
	int socket;
	int fds[FABRIC_FDS_MAX];
	size_t fd_count;
	struct fabric_reply reply;
	struct shm_memory memory;
};

static void *connect_bare(void *argument)
{
	struct bare_client *bare = argument;
	const uint8_t hello[FABRIC_HELLO_SIZE] = {0};
	const struct sockaddr_un to = fabric_local_socket_address(place.path);
	const struct fabric_call call = {
		.address = place.address,
		.hello = hello,
		.inbox_size = TEST_INBOX_CLIENT,
		.deadline_ns = clock_now_ns() + TEST_PATIENCE_NS,
	};

	bare->socket = fabric_local_socket_new();
	MUST(!fabric_handshake_connect(
		bare->socket, (const struct sockaddr *)&to, sizeof(to), &call));
	MUST(!fabric_handshake_ask(bare->socket, &call, &bare->reply, bare->fds,
				   &bare->fd_count));
	MUST(bare->fd_count == 4);
	MUST(!fabric_shm_memory_adopt(bare->fds[0], TEST_INBOX_SERVER,
				      TEST_INBOX_CLIENT, &bare->memory));
	return NULL;
}

static struct bare_client bare;

static void set_up_bare(void)
{
	uint8_t hello[FABRIC_HELLO_SIZE];
	pthread_t thread;

	place_open(&place, "shm");
	pthread_create(&thread, NULL, connect_bare, &bare);
	server = await_client(&place, hello);
	ck_assert_int_eq(fabric_accept(server, hello), 0);
	pthread_join(thread, NULL);
}

static void tear_down_bare(void)
{
	fabric_shm_memory_unmap(&bare.memory);
	for (size_t i = 0; i < bare.fd_count; i++)
		close(bare.fds[i]);
	close(bare.socket);
	fabric_close(server);
	place_close(&place);
}

START_TEST(an_impossible_tail_is_an_error)
{
	static const uint32_t tails[] = {QUEUE_SIZE + 1, 1U << 31, UINT32_MAX};
	struct fabric_event event;

	atomic_store(&bare.memory.control->to_server.tail, tails[_i]);
	ck_assert_int_eq(fabric_poll(server, &event, 1), ERR_PROTOCOL);
}
END_TEST

START_TEST(an_impossible_head_is_an_error)
{
	static const uint32_t heads[] = {1, QUEUE_SIZE, 1U << 31,
					 UINT32_MAX - QUEUE_SIZE};

	atomic_store(&bare.memory.control->to_client.head, heads[_i]);
	ck_assert_int_eq(fabric_write(server, 0, "x", 1, 0), ERR_PROTOCOL);
}
END_TEST

START_TEST(a_client_that_takes_nothing_is_an_error)
{
	for (int i = 0; i < FABRIC_WRITES_MAX; i++)
		ck_assert_int_eq(fabric_write(server, 0, "x", 1, 0), 0);
	ck_assert_int_eq(fabric_write(server, 0, "x", 1, 0), ERR_PROTOCOL);
}
END_TEST

START_TEST(a_client_that_talks_on_the_socket_is_an_error)
{
	struct fabric_event event;

	MUST(send(bare.socket, "x", 1, MSG_NOSIGNAL) == 1);
	int count = _i ? sleep_for_event(server, &event)
		       : spin_for_event(server, &event);
	ck_assert_int_eq(count, ERR_PROTOCOL);
}
END_TEST

/* Whatever stands in shared memory, the server lives and gives either events or
 * an error. */
START_TEST(garbage_in_shared_memory_does_no_harm)
{
	struct fabric_event events[16];
	struct random random;

	random_seed(&random, (uint64_t)_i);
	for (int round = 0; round < 2000; round++) {
		uint64_t *words = (uint64_t *)bare.memory.control;
		size_t count = sizeof(struct shm_control) / 8;
		words[random_below(&random, count)] =
			random_next(&random) >> random_below(&random, 64);
		(void)fabric_poll(server, events, 16);
		(void)fabric_arm(server);
		(void)fabric_write(server, 0, &round, 4, 1);
	}
}
END_TEST

START_TEST(link_memory_cannot_be_cut_short)
{
	ck_assert_int_ne(ftruncate(bare.fds[0], 0), 0);
	ck_assert_int_ne(fcntl(bare.fds[0], F_ADD_SEALS, F_SEAL_WRITE), 0);
}
END_TEST

/* Neither by what was passed nor by opening it anew. */
START_TEST(no_client_gets_to_write_to_the_region)
{
	char path[64];
	int region = bare.fds[3];

	ck_assert_int_lt(pwrite(region, "x", 1, 0), 0);
	ck_assert_ptr_eq(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, region, 0),
		MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", region);
	int again = open(path, O_RDWR | O_CLOEXEC);
	if (again < 0)
		return;
	ck_assert_int_lt(pwrite(again, "x", 1, 0), 0);
	ck_assert_ptr_eq(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0),
		MAP_FAILED);
	close(again);
}
END_TEST

/* The bells are made so that no client can hold up the server with them. */
START_TEST(a_client_that_fills_its_bell_holds_up_nobody)
{
	const uint64_t most = UINT64_MAX - 1;
	struct fabric_event event;
	int bell = bare.fds[1];

	/* The server's bell, made to block and full. */
	MUST(!fcntl(bell, F_SETFL, 0));
	MUST(write(bell, &most, sizeof(most)) == sizeof(most));
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(fabric_arm(server), 0);
		ck_assert_int_eq(fabric_poll(server, &event, 1), 0);
		ck_assert(!wait_ready(server, 0));
	}
	/* The client's can't be reached: what was passed is no eventfd. */
	ck_assert_int_lt(write(bare.fds[2], &most, sizeof(most)), 0);
	atomic_store(&bare.memory.control->to_client.armed, 1);
	ck_assert_int_eq(fabric_write(server, 0, "x", 1, 0), 0);
}
END_TEST

/* --- A server that breaks the rules ----------------------------------------
 */

/* What a server made by hand gives to a client. */
struct offer {
	struct fabric_reply reply;
	int fds[FABRIC_FDS_MAX];
	size_t fd_count;
};

static int memfd_of(uint64_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	MUST(fd >= 0 && !ftruncate(fd, (off_t)size));
	MUST(!fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static void make_offer(struct offer *offer)
{
	*offer = (struct offer){
		.reply = {.magic = FABRIC_MAGIC,
			  .version = FABRIC_VERSION,
			  .inbox_size = FABRIC_INBOX_MIN,
			  .accepted = 1,
			  .region_size = 8192,
			  .owner_offset = 4096},
		.fds = {memfd_of(1 << 20, F_SEAL_SHRINK), eventfd(0, 0),
			epoll_create1(0), memfd_of(8192, F_SEAL_SHRINK)},
		.fd_count = 4,
	};
}

static void replace_fd(struct offer *offer, int which, int fd)
{
	close(offer->fds[which]);
	offer->fds[which] = fd;
}

/* Connects a client to a server that makes this offer; returns how that went.
 */
static int take_offer(struct offer *offer)
{
	const struct sockaddr_un at = fabric_local_socket_address(place.path);
	struct fabric_ask ask;
	struct dial dial;

	int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(!bind(door, (const struct sockaddr *)&at, sizeof(at)));
	MUST(!listen(door, 1));
	dial_init(&dial, place.address);
	dial_begin(&dial);
	int fd = accept(door, NULL, NULL);
	MUST(recv(fd, &ask, sizeof(ask), MSG_WAITALL) == sizeof(ask));
	MUST(!fabric_handshake_reply(fd, &offer->reply, offer->fds,
				     offer->fd_count));
	int error = dial_end(&dial);
	fabric_close(dial.link);
	for (size_t i = 0; i < FABRIC_FDS_MAX; i++)
		close(offer->fds[i]);
	close(fd);
	close(door);
	MUST(!unlink(place.path));
	return error;
}

START_TEST(a_good_offer_is_taken)
{
	struct offer offer;

	make_offer(&offer);
	ck_assert_int_eq(take_offer(&offer), 0);
}
END_TEST

START_TEST(a_bad_offer_is_refused_and_leaves_nothing_open)
{
	struct offer offer;

	int before = count_fds();
	make_offer(&offer);
	switch (_i) {
	case 0:
		offer.fd_count = 3;
		break;
	case 1:
		offer.fd_count = 0;
		break;
	case 2:
		replace_fd(&offer, 0, memfd_of(1 << 20, 0));
		break;
	case 3:
		replace_fd(&offer, 0, memfd_of(40960, F_SEAL_SHRINK));
		break;
	case 4:
		replace_fd(&offer, 0, eventfd(0, 0));
		break;
	case 5:
		replace_fd(&offer, 2, eventfd(0, 0));
		break;
	case 6:
		replace_fd(&offer, 3, memfd_of(8192, F_SEAL_GROW));
		break;
	case 7:
		replace_fd(&offer, 3, memfd_of(8191, F_SEAL_SHRINK));
		break;
	case 8:
		offer.reply.owner_offset = 8189;
		break;
	case 9:
		offer.reply.owner_offset = UINT64_MAX - 3;
		break;
	case 10:
		offer.reply.owner_offset = 3;
		break;
	case 11:
		offer.reply.inbox_size = FABRIC_INBOX_MAX + 1U;
		break;
	case 12:
		offer.reply.magic = 0;
		break;
	case 13:
		offer.reply.version++;
		break;
	case 14:
		offer.reply.region_size = 0;
		break;
	case 15:
		offer.reply.region_size = 3;
		break;
	}
	ck_assert_int_eq(take_offer(&offer), ERR_PROTOCOL);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

static TCase *name_tests(void)
{
	TCase *tests = tcase_create("names");

	tcase_add_checked_fixture(tests, prepare, leave);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, the_socket_of_a_killed_server_is_replaced);
	tcase_add_test(
		tests,
		a_socket_that_answers_is_not_replaced_though_it_has_no_lock);
	tcase_add_test(tests, what_is_no_socket_is_left_alone);
	tcase_add_test(tests, closing_removes_the_socket_and_its_lock);
	tcase_add_test(tests,
		       closing_leaves_what_someone_else_put_in_its_place);
	tcase_add_test(tests,
		       the_socket_has_the_mode_asked_for_whatever_the_umask);
	tcase_add_test(tests, a_folder_that_is_not_there_is_refused);
	tcase_add_test(tests, of_two_that_listen_at_a_time_one_at_most_gets_it);
	tcase_add_test(tests,
		       listeners_that_come_and_go_never_share_an_address);
	tcase_add_test(tests, a_region_that_could_shrink_is_sealed);
	tcase_add_test(tests, a_region_that_cannot_be_sealed_is_refused);
	tcase_add_test(tests, the_death_of_a_robust_mutex_ends_reads);
	tcase_add_test(tests, a_good_offer_is_taken);
	tcase_add_loop_test(
		tests, a_bad_offer_is_refused_and_leaves_nothing_open, 0, 16);
	return tests;
}

static TCase *map_tests(void)
{
	TCase *tests = tcase_create("map");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, the_map_shows_what_the_server_writes);
	tcase_add_test(tests, writing_to_the_map_is_a_fault);
	tcase_add_loop_test(tests, a_read_fails_once_the_owner_has_ended, 0, 4);
	tcase_add_test(tests, a_read_fails_once_the_server_has_closed_the_link);
	return tests;
}

static TCase *hostile_client_tests(void)
{
	TCase *tests = tcase_create("hostile client");

	tcase_add_checked_fixture(tests, set_up_bare, tear_down_bare);
	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, an_impossible_tail_is_an_error, 0, 3);
	tcase_add_loop_test(tests, an_impossible_head_is_an_error, 0, 4);
	tcase_add_test(tests, a_client_that_takes_nothing_is_an_error);
	tcase_add_loop_test(
		tests, a_client_that_talks_on_the_socket_is_an_error, 0, 2);
	tcase_add_loop_test(tests, garbage_in_shared_memory_does_no_harm, 0,
			    10);
	tcase_add_test(tests, link_memory_cannot_be_cut_short);
	tcase_add_test(tests, no_client_gets_to_write_to_the_region);
	tcase_add_test(tests, a_client_that_fills_its_bell_holds_up_nobody);
	return tests;
}

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("shm");

	(void)why;
	suite_add_tcase(suite, name_tests());
	suite_add_tcase(suite, map_tests());
	suite_add_tcase(suite, hostile_client_tests());
	return suite;
}
