/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/client/fake.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/err.h"
#include "fabric/ring.h"

enum { INBOX_SIZE = 1 << 16, MESSAGE_MAX = 1 << 16 };

struct fake_threads {
	pthread_t thread;
	struct fabric_listener *listener;
	struct fabric_link *link;
	struct fabric_ring *ring;
	char folder[64];
	_Atomic bool stop;
};

static void make_tree(struct fake *fake, int64_t count, uint64_t lease_ns);
static void listen_in_folder(struct fake *fake);
static void *serve(void *argument);

void fake_start(struct fake *fake, int64_t count, uint64_t lease_ns)
{
	memset(fake, 0, sizeof(*fake));
	fake->threads = calloc(1, sizeof(*fake->threads));
	make_tree(fake, count, lease_ns);
	fake->hello = (struct wire_hello){
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.fingerprint = RTREE_LAYOUT_FINGERPRINT,
	};
	fake->description = (struct wire_description){
		.identity = fake->region.identity,
		.region_size = fake->region.size,
		.page_count = fake->region.page_count,
		.root_record_offset = ROOT_RECORD_OFFSET,
		.lease_ns = lease_ns,
		.page_size = RTREE_PAGE_SIZE,
	};
	listen_in_folder(fake);
	ck_assert_int_eq(
		pthread_create(&fake->threads->thread, NULL, serve, fake), 0);
}

void fake_stop(struct fake *fake)
{
	struct fake_threads *t = fake->threads;

	atomic_store(&t->stop, true);
	pthread_join(t->thread, NULL);
	fabric_listener_close(t->listener);
	rmdir(t->folder);
	rtree_destroy(fake->tree);
	free(t);
}

void fake_answer_with(struct fake *fake, fake_handler *handle)
{
	atomic_store(&fake->handle, handle);
}

struct fake_segment fake_segment_to(const struct wire_header *request)
{
	return (struct fake_segment){
		.operation = (enum wire_operation)request->operation,
		.sequence = request->sequence,
	};
}

void fake_send(struct fake *fake, const struct fake_segment *segment)
{
	static char message[MESSAGE_MAX];
	uint32_t size = sizeof(struct wire_header);

	if (segment->fixed_size)
		memcpy(message + size, segment->fixed, segment->fixed_size);
	size += segment->fixed_size;
	if (segment->entries_size)
		memcpy(message + size, segment->entries, segment->entries_size);
	size += segment->entries_size;
	wire_seal((void *)message, segment->operation,
		  segment->flags | WIRE_ANSWER, segment->sequence,
		  segment->count, size);
	if (segment->spoilt)
		message[size - 1] ^= 1;
	fabric_ring_send(fake->threads->ring, message, size);
}

void fake_send_found(struct fake *fake, struct fake_segment segment,
		     const struct wire_found *found,
		     const struct wire_item *items, uint32_t count)
{
	segment.fixed = found;
	segment.fixed_size = sizeof(*found);
	segment.entries = items;
	segment.entries_size = count * (uint32_t)sizeof(*items);
	segment.count = count;
	fake_send(fake, &segment);
}

struct root_page *fake_root_page(const struct fake *fake)
{
	return (struct root_page *)fake->region.memory;
}

struct node *fake_page(const struct fake *fake, uint32_t page)
{
	return (struct node *)fake->region.memory + page;
}

void fake_write_record(const struct fake *fake, const struct root *root)
{
	const uint64_t words[7] = {root->identity, root->version, root->ref,
				   root->horizon, root->item_count};
	uint64_t checksum = checksum64(words, sizeof(words));
	struct root_record *record = &fake_root_page(fake)->record;

	memcpy((void *)record, words, sizeof(words));
	record->checksum = checksum;
}

static void make_tree(struct fake *fake, int64_t count, uint64_t lease_ns)
{
	const struct rtree_options options = {
		.size = 1 << 24,
		.lease_ns = lease_ns,
		.is_mappable = true,
	};
	struct rtree_batch *batch;
	uint64_t version;

	ck_assert_int_eq(rtree_create(&options, &fake->tree), 0);
	ck_assert_int_eq(rtree_batch_begin(fake->tree, &batch), 0);
	for (int64_t i = 0; i < count; i++) {
		struct item item = {i, {{i, i}, {i, i}}};
		ck_assert_int_eq(rtree_insert(batch, &item), 0);
	}
	rtree_batch_commit(batch, &version);
	rtree_describe(fake->tree, &fake->region);
}

static void listen_in_folder(struct fake *fake)
{
	const struct fabric_region region = {
		.memory = fake->region.memory,
		.size = fake->region.size,
		.fd = fake->region.fd,
		.owner_offset = offsetof(struct root_page, owner),
	};
	const struct fabric_listen_options options = {
		.region = &region,
		.inbox_size = INBOX_SIZE,
		.socket_mode = 0600,
	};
	struct fake_threads *t = fake->threads;

	strcpy(t->folder, "/tmp/catfish-fake-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(t->folder));
	snprintf(fake->address, sizeof(fake->address), "shm://%s/sock",
		 t->folder);
	ck_assert_msg(!fabric_listen(fake->address, &options, &t->listener),
		      "%s", err_text());
}

/* --- The thread --------------------------------------------------------- */

static void take_client(struct fake *fake)
{
	struct fake_threads *t = fake->threads;
	uint8_t asked[FABRIC_HELLO_SIZE];
	struct fabric_link *link;

	if (fabric_listener_next(t->listener, &link, asked))
		return;
	if (fake->refuses) {
		fabric_refuse(link, (const uint8_t *)&fake->hello);
		return;
	}
	if (fabric_accept(link, (const uint8_t *)&fake->hello))
		return;
	t->link = link;
	if (fabric_ring_create(link, &t->ring))
		abort();
}

static void drop_client(struct fake *fake)
{
	struct fake_threads *t = fake->threads;

	fabric_ring_destroy(t->ring);
	fabric_close(t->link);
	t->link = NULL;
}

static void answer_honestly(struct fake *fake,
			    const struct wire_header *request)
{
	struct fake_segment segment = fake_segment_to(request);
	const struct wire_found found = {
		.identity = fake->region.identity,
		.version = FAKE_VERSION,
		.total = 1,
	};
	const struct wire_item item = {FAKE_ITEM, {{0, 0}, {1, 1}}};

	if (request->operation == WIRE_SEARCH) {
		fake_send_found(fake, segment, &found, &item, 1);
	} else if (request->operation == WIRE_COUNT) {
		fake_send_found(fake, segment, &found, NULL, 0);
	} else {
		const struct wire_error error = {.code = WIRE_E_BUSY};
		segment.flags = WIRE_ERROR;
		segment.fixed = &error;
		segment.fixed_size = sizeof(error);
		fake_send(fake, &segment);
	}
}

static void answer(struct fake *fake, const struct wire_header *request)
{
	fake_handler *handle = atomic_load(&fake->handle);

	if (request->operation == WIRE_DESCRIBE) {
		struct fake_segment segment = fake_segment_to(request);
		segment.fixed = &fake->description;
		segment.fixed_size = sizeof(fake->description);
		fake_send(fake, &segment);
	} else if (handle) {
		handle(fake, request);
	} else {
		answer_honestly(fake, request);
	}
}

static void look_at_report(struct fake *fake)
{
	struct wire_report report;
	uint32_t size;

	memcpy(&report, fabric_inbox(fake->threads->link, &size),
	       sizeof(report));
	if (report.offloaded == ~report.complement)
		atomic_store(&fake->offloaded, report.offloaded);
}

static void *serve(void *argument)
{
	static union {
		struct wire_header header;
		char bytes[MESSAGE_MAX];
	} request;
	struct fake *fake = argument;
	struct fake_threads *t = fake->threads;

	while (!atomic_load(&t->stop)) {
		if (!t->link)
			take_client(fake);
		int64_t size = 0;
		if (t->link)
			size = fabric_ring_receive(t->ring, &request, NULL);
		if (t->link)
			look_at_report(fake);
		if (size > 0 && !wire_check(&request, (size_t)size))
			answer(fake, &request.header);
		else if (size < 0)
			drop_client(fake);
		else
			usleep(50);
	}
	if (t->link)
		drop_client(fake);
	return NULL;
}
