/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fabric/pair.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

/* --- RDMA devices ------------------------------------------------------- */

/* The network interface of an RDMA device. */
static bool interface_of(const char *device, char interface[IF_NAMESIZE])
{
	char path[320];

	snprintf(path, sizeof(path),
		 "/sys/class/infiniband/%s/ports/1/gid_attrs/ndevs/0", device);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool found = fscanf(file, "%15s", interface) == 1;
	fclose(file);
	return found;
}

static bool address_of(const char *interface, char address[INET_ADDRSTRLEN])
{
	struct ifaddrs *all;
	bool found = false;

	MUST(!getifaddrs(&all));
	for (const struct ifaddrs *a = all; a && !found; a = a->ifa_next) {
		if (strcmp(a->ifa_name, interface) || !a->ifa_addr ||
		    a->ifa_addr->sa_family != AF_INET)
			continue;
		const struct sockaddr_in *v4 = (const void *)a->ifa_addr;
		found = inet_ntop(AF_INET, &v4->sin_addr, address,
				  INET_ADDRSTRLEN);
	}
	freeifaddrs(all);
	return found;
}

static bool find_rdma_address(char address[INET_ADDRSTRLEN])
{
	DIR *devices = opendir("/sys/class/infiniband");
	char interface[IF_NAMESIZE];
	const struct dirent *entry;
	bool found = false;

	while (devices && !found && (entry = readdir(devices)))
		found = entry->d_name[0] != '.' &&
			interface_of(entry->d_name, interface) &&
			address_of(interface, address);
	if (devices)
		closedir(devices);
	return found;
}

const char *rdma_address(void)
{
	static char address[INET_ADDRSTRLEN];
	const char *named = getenv("CATFISH_TEST_RDMA_ADDRESS");

	if (named && *named)
		return named;
	if (!address[0] && !find_rdma_address(address))
		return NULL;
	return address;
}

static const char *carrier_of(const char *fabric)
{
	size_t size = strlen("faulty:");

	return strncmp(fabric, "faulty:", size) ? fabric : fabric + size;
}

const char *why_no_fabric(const char *fabric)
{
	if (strcmp(carrier_of(fabric), "verbs") || rdma_address())
		return NULL;
	return "no RDMA device with an IPv4 address";
}

/* --- Places ------------------------------------------------------------- */

static void make_region(struct place *place)
{
	struct fabric_region *region = &place->region;

	region->size = TEST_REGION_SIZE;
	region->owner_offset = TEST_OWNER_OFFSET;
	region->fd =
		memfd_create("test-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	MUST(region->fd >= 0);
	MUST(!ftruncate(region->fd, TEST_REGION_SIZE));
	place->memory = mmap(NULL, TEST_REGION_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED, region->fd, 0);
	MUST(place->memory != MAP_FAILED);
	region->memory = place->memory;
	for (int i = 0; i < TEST_REGION_SIZE; i++)
		place->memory[i] = (uint8_t)(i * 7 + i / 251);
	const uint32_t owner = (uint32_t)gettid();
	memcpy(place->memory + TEST_OWNER_OFFSET, &owner, sizeof(owner));
}

void place_prepare(struct place *place, const char *fabric)
{
	memset(place, 0, sizeof(*place));
	place->server_inbox_size = TEST_INBOX_SERVER;
	place->client_inbox_size = TEST_INBOX_CLIENT;
	strcpy(place->folder, "/tmp/catfish-fabric-XXXXXX");
	MUST(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/sock", place->folder);
	place->carrier = carrier_of(fabric);
	place->is_faulty = place->carrier != fabric;
	if (!strcmp(place->carrier, "shm"))
		snprintf(place->address, sizeof(place->address), "shm://%s",
			 place->path);
	else if (!strcmp(place->carrier, "verbs"))
		snprintf(place->address, sizeof(place->address), "verbs://%s:0",
			 rdma_address());
	else
		strcpy(place->address, "tcp://127.0.0.1:0");
	make_region(place);
}

void place_listen(struct place *place)
{
	const struct fabric_listen_options options = {
		.region = place->without_region ? NULL : &place->region,
		.inbox_size = place->server_inbox_size,
		.socket_mode = 0600,
	};

	int error = fabric_listen(place->address, &options, &place->listener);
	ck_assert_msg(!error, "%s: %s", place->address, err_text());
	snprintf(place->client_address, sizeof(place->client_address), "%s%s",
		 place->is_faulty ? "faulty:1:" : "",
		 fabric_listener_address(place->listener));
}

void place_open(struct place *place, const char *fabric)
{
	place_prepare(place, fabric);
	place_listen(place);
}

/* Fails when anything is left behind in the folder. */
void place_close(struct place *place)
{
	fabric_listener_close(place->listener);
	munmap(place->memory, TEST_REGION_SIZE);
	close(place->region.fd);
	MUST(!rmdir(place->folder));
}

const char *place_address(const struct place *place)
{
	return place->client_address;
}

void dial_init(struct dial *dial, const char *address)
{
	memset(dial, 0, sizeof(*dial));
	strcpy(dial->address, address);
	strcpy((char *)dial->hello, "hello, server");
	dial->inbox_size = TEST_INBOX_CLIENT;
	dial->timeout_ns = TEST_PATIENCE_NS;
}

static void *run_dial(void *argument)
{
	struct dial *dial = argument;
	const struct fabric_connect_options options = {
		.inbox_size = dial->inbox_size,
		.timeout_ns = dial->timeout_ns,
	};

	dial->error = fabric_connect(dial->address, dial->hello, &options,
				     dial->answer, &dial->link);
	if (dial->error)
		strcpy(dial->text, err_text());
	return NULL;
}

void dial_begin(struct dial *dial)
{
	MUST(!pthread_create(&dial->thread, NULL, run_dial, dial));
}

int dial_end(struct dial *dial)
{
	MUST(!pthread_join(dial->thread, NULL));
	return dial->error;
}

struct fabric_link *await_client(struct place *place,
				 uint8_t hello[FABRIC_HELLO_SIZE])
{
	struct pollfd ready = {fabric_listener_fd(place->listener), POLLIN, 0};
	uint64_t deadline = clock_now_ns() + TEST_PATIENCE_NS;
	struct fabric_link *link = NULL;

	while (clock_now_ns() < deadline) {
		int error = fabric_listener_next(place->listener, &link, hello);
		if (!error)
			return link;
		MUST(error == ERR_AGAIN);
		poll(&ready, 1, TEST_PATIENCE_MS);
	}
	MUST(!"a client came");
}

void connect_pair(struct place *place, struct fabric_link **server,
		  struct fabric_link **client)
{
	uint8_t hello[FABRIC_HELLO_SIZE] = {0};
	struct dial dial;

	dial_init(&dial, place_address(place));
	dial.inbox_size = place->client_inbox_size;
	dial_begin(&dial);
	*server = await_client(place, hello);
	ck_assert_msg(!fabric_accept(*server, hello), "%s", err_text());
	ck_assert_msg(!dial_end(&dial), "%s", dial.text);
	*client = dial.link;
}

int spin_for_event(struct fabric_link *link, struct fabric_event *event)
{
	uint64_t deadline = clock_now_ns() + TEST_PATIENCE_NS;

	while (clock_now_ns() < deadline) {
		int count = fabric_poll(link, event, 1);
		if (count)
			return count;
		sched_yield();
	}
	MUST(!"an event came");
}

bool wait_ready(struct fabric_link *link, int timeout_ms)
{
	struct pollfd ready = {.fd = -1};

	ready.fd = fabric_fd(link, &ready.events);
	return poll(&ready, 1, timeout_ms) > 0;
}

int sleep_for_event(struct fabric_link *link, struct fabric_event *event)
{
	for (;;) {
		int count = fabric_poll(link, event, 1);
		if (count)
			return count;
		int error = fabric_arm(link);
		if (error)
			return error;
		count = fabric_poll(link, event, 1);
		if (count)
			return count;
		MUST(wait_ready(link, TEST_PATIENCE_MS));
	}
}

uint32_t await_immediate(struct fabric_link *link)
{
	struct fabric_event event;

	int count = sleep_for_event(link, &event);
	ck_assert_msg(count == 1, "%d: %s", count, err_text());
	ck_assert_int_eq(event.kind, FABRIC_WRITE);
	return event.immediate;
}

int count_fds(void)
{
	int count = 0;
	DIR *folder = opendir("/proc/self/fd");

	MUST(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static pid_t test_process;

void must_failed(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: failed: %s (%s)\n", file, line, condition,
		err_text());
	if (test_process && getpid() != test_process)
		_exit(99);
	ck_abort_msg("%s:%d: failed: %s", file, line, condition);
	abort();
}

pid_t start_child(void (*run)(void *), void *context)
{
	test_process = getpid();
	pid_t child = fork();
	MUST(child >= 0);
	if (child)
		return child;
	run(context);
	for (;;)
		pause();
}

void kill_child(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	MUST(waitpid(child, &status, 0) == child);
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
