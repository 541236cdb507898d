/* SPDX-License-Identifier: BSD-2-Clause */

/* Fuzz target: a client that offloads, by copy with and without a cache and
 * mapped, from a region that is changed in any way between its searches.  It
 * finds something, or says that the region is damaged or that it can't vouch
 * for its answer; it never reads what it must not or goes on for ever.
 *
 * An input is a list of steps, 12 bytes each: a change or a search. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "client/fetch.h"
#include "client/nearest.h"
#include "client/offload.h"
#include "fabric/link.h"
#include "rtree/rtree.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_name = "offload";
const uint64_t fuzz_inputs = 3000;

enum {
	ITEMS = 5000, /* three levels */
	INBOX = 65536,
	WAYS = 3,
};

/* --- The region, and a link to it ---------------------------------------- */

static struct node *image;
static uint64_t image_pages;
static unsigned reads_done;

static int link_read(struct fabric_link *link, const struct fabric_read *reads,
		     size_t count, uint64_t cookie)
{
	uint64_t size = image_pages * RTREE_PAGE_SIZE;

	(void)cookie;
	for (size_t i = 0; i < count; i++) {
		fuzz_require(reads[i].offset <= size &&
				     reads[i].size <= size - reads[i].offset,
			     "a READ beyond the region");
		memcpy(reads[i].to, (const char *)image + reads[i].offset,
		       reads[i].size);
	}
	link->counters.reads += count;
	reads_done++;
	return 0;
}

static int link_poll(struct fabric_link *link, struct fabric_event *events,
		     size_t max)
{
	(void)link;
	if (!reads_done || !max)
		return 0;
	reads_done--;
	events[0] = (struct fabric_event){.kind = FABRIC_READ};
	return 1;
}

static int link_write_silently(struct fabric_link *link, uint32_t offset,
			       const void *bytes, uint32_t size)
{
	(void)link;
	(void)offset;
	(void)bytes;
	(void)size;
	return 0;
}

static bool link_server_has_left(const struct fabric_link *link)
{
	(void)link;
	return false;
}

static const struct fabric_ops link_ops = {
	.name = "fuzz",
	.read = link_read,
	.poll = link_poll,
	.write_silently = link_write_silently,
	.server_has_left = link_server_has_left,
};

static void must(int error)
{
	fuzz_require(!error, "%s", err_text());
}

/* The region of a tree, as it is before any change. */
static const struct node *pristine(void)
{
	static struct rtree_region region;
	const struct rtree_options options = {
		.size = rtree_size_min() + 128 * RTREE_PAGE_SIZE,
		.is_mappable = true,
	};
	static struct item items[ITEMS];
	static struct rtree *tree; /* the region's owner */
	struct rtree_batch *batch;
	uint64_t version;

	if (region.memory)
		return region.memory;
	for (int i = 0; i < ITEMS; i++) {
		items[i].id = i;
		for (int d = 0; d < DIMENSIONS; d++) {
			items[i].rect.min[d] = (d ? i / 71 : i % 71) / 71.0;
			items[i].rect.max[d] = items[i].rect.min[d] + 0.01;
		}
	}
	must(rtree_create(&options, &tree));
	must(rtree_batch_begin(tree, &batch));
	must(rtree_replace(batch, items, ITEMS, NULL));
	rtree_batch_commit(batch, &version);
	rtree_describe(tree, &region);
	image_pages = region.page_count;
	return region.memory;
}

/* --- Clients ------------------------------------------------------------- */

static uint8_t inbox[INBOX];

static struct catfish *make_client(enum catfish_offload offload,
				   uint64_t cache_size)
{
	static char address[] = "fuzz";
	const struct root_page *page = (const void *)image;
	struct catfish *c = calloc(1, sizeof(*c));
	struct fabric_link *link = calloc(1, sizeof(*link));

	fuzz_require(c && link, "no memory");
	link->ops = &link_ops;
	link->inbox = inbox;
	link->inbox_size = link->peer_inbox_size = INBOX;
	link->one_sided = true;
	c->address = address;
	c->timeout_ns = 1000000000;
	c->link = link;
	must(fabric_ring_create(link, &c->ring));
	c->segment = malloc(fabric_ring_receive_max(c->ring));
	c->server = (struct wire_description){
		.identity = page->header.identity,
		.page_count = image_pages,
		.root_record_offset = ROOT_RECORD_OFFSET,
		.lease_ns = 1000000000,
	};
	c->offload = offload;
	c->cache_size = cache_size;
	c->region = page;
	c->pages = (struct walk_pages){image, image_pages};
	if (offload == CATFISH_OFFLOAD_COPY)
		must(fetch_create(c, &c->fetch));
	return c;
}

static void destroy_client(struct catfish *c)
{
	fetch_destroy(c->fetch);
	fabric_ring_destroy(c->ring);
	free(c->link);
	free(c->segment);
	free(c->found.items);
	free(c);
}

static void require_end(struct catfish *c, int error,
			const struct catfish_answer *answer)
{
	fuzz_require(error == 0 || error == ERR_AGAIN || error == ERR_DAMAGED ||
			     error == ERR_PROTOCOL || error == ERR_CONNECTION,
		     "%d: %s", error, err_text());
	/* A wrong guess, and three tries in mapped memory. */
	fuzz_require(answer->nodes <= 4 * image_pages, "%llu nodes",
		     (unsigned long long)answer->nodes);
	c->broken = false;
	c->version = 0;
}

static int take_item(void *context, int64_t id, const double *box)
{
	(void)id;
	fuzz_require(rect_valid((const struct rect *)(const void *)box),
		     "an item without a rectangle");
	++*(uint64_t *)context;
	return 0;
}

static int take_neighbour(void *context, int64_t id, const double *box,
			  double distance)
{
	fuzz_require(distance >= 0, "no distance");
	return take_item(context, id, box);
}

/* Returns how many items it found: from the root that stands in the region, or
 * from another, which a message told. */
static uint64_t search_from(struct catfish *c, unsigned relation,
			    const struct rect *rect, const struct root *root)
{
	uint64_t count = 0;
	struct catfish_answer answer = {0};
	struct search s = {
		.box = rect,
		.relation = (enum relation)(relation % 3),
		.found = relation % 4 ? take_item : NULL,
		.context = &count,
		.answer = &answer,
	};

	int error = root ? client_search_by_offload_from(c, &s, root, 0)
			 : client_search_by_offload(c, &s);
	fuzz_require(error || !s.found || answer.count == count,
		     "items that don't count");
	require_end(c, error, &answer);
	return error ? 0 : answer.count;
}

static uint64_t search(struct catfish *c, unsigned relation,
		       const struct rect *rect)
{
	return search_from(c, relation, rect, NULL);
}

static void find_nearest(struct catfish *c, uint64_t k, const struct rect *rect)
{
	uint64_t count = 0;
	struct nearest_call call = {
		.query.k = 1 + k % 100,
		.found = take_neighbour,
		.context = &count,
	};

	for (int d = 0; d < DIMENSIONS; d++)
		call.query.point[d] = rect->min[d];
	int error = client_nearest_by_offload(c, &call);
	fuzz_require(error || (call.answer.count == count && count <= 100),
		     "neighbours that don't count");
	require_end(c, error, &call.answer);
}

/* --- Steps --------------------------------------------------------------- */

struct step {
	uint8_t kind, place;
	uint16_t page;
	uint64_t value;
};

static struct node *page_of(const struct step *step)
{
	return &image[1 + step->page % (image_pages - 1)];
}

static void write_record(const struct step *step)
{
	struct root_record *record = &((struct root_page *)image)->record;
	uint64_t words[7];

	memcpy(words, (const void *)record, sizeof(words));
	if (step->place % 2)
		words[step->page % 5] += step->value % 3;
	else
		words[step->page % 5] = step->value;
	memcpy((void *)record, words, sizeof(words));
	record->checksum = checksum64(words, sizeof(words));
}

static void change_entry(const struct step *step)
{
	struct node *node = page_of(step);
	unsigned i = step->place % NODE_LANES;
	double number;

	memcpy(&number, &step->value, sizeof(number));
	switch (step->value % 4) {
	case 0:
		node->child[i] = node_ref_make((uint32_t)(step->value >> 8) %
						       (uint32_t)image_pages,
					       step->value >> 40);
		break;
	case 1:
		node->child[i] = node->child[(step->value >> 8) % NODE_LANES];
		break;
	case 2:
		node->rect[i].min[step->value >> 8 & 1] = number;
		break;
	default:
		node->cell_max[step->value >> 8 & 1][i] ^=
			(uint8_t)(step->value >> 16);
	}
}

static struct rect rect_of(const struct step *step)
{
	struct rect rect;

	for (int d = 0; d < DIMENSIONS; d++) {
		rect.min[d] =
			(double)(step->value >> (16 * d) & 0xffff) / 0xffff;
		rect.max[d] = rect.min[d] + ldexp(1, -(step->page % 12));
	}
	return rect;
}

static void search_where_told(const struct step *step, struct catfish *c,
			      const struct rect *rect)
{
	const struct root root = {
		.identity = c->server.identity,
		.version = step->value >> 32,
		.ref = node_ref_make((uint32_t)step->value %
					     (uint32_t)(image_pages + 2),
				     step->value >> 32),
		.item_count = step->value,
	};

	search_from(c, step->page, rect, &root);
}

static void take_step(const struct step *step, struct catfish *const *clients)
{
	struct rect rect = rect_of(step);
	struct node *node = page_of(step);

	switch (step->kind % 8) {
	case 0:
		((uint8_t *)node)[step->place] ^= (uint8_t)step->value;
		break;
	case 1:
		memcpy((uint64_t *)(void *)&node->header + step->place % 8,
		       &step->value, sizeof(step->value));
		break;
	case 2:
		change_entry(step);
		break;
	case 3:
		write_record(step);
		break;
	case 4:
		memcpy(node, &image[1 + step->value % (image_pages - 1)],
		       sizeof(*node));
		break;
	case 5:
		find_nearest(clients[step->place % WAYS], step->page, &rect);
		break;
	case 6:
		search_where_told(step, clients[step->place % WAYS], &rect);
		break;
	default:
		search(clients[step->place % WAYS], step->page, &rect);
	}
}

/* 'least' items are there. */
static void search_everything(struct catfish *const *clients, uint64_t least)
{
	const struct rect everything = {{-1, -1}, {2, 2}};

	for (int i = 0; i < WAYS; i++)
		fuzz_require(search(clients[i], 3, &everything) >= least,
			     "way %d doesn't find all", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct node *from = pristine();

	if (!image)
		image = aligned_alloc(64, image_pages * RTREE_PAGE_SIZE);
	fuzz_require(image, "no memory");
	memcpy(image, from, image_pages * RTREE_PAGE_SIZE);
	struct catfish *const clients[WAYS] = {
		make_client(CATFISH_OFFLOAD_COPY, 1 << 20),
		make_client(CATFISH_OFFLOAD_COPY, 0),
		make_client(CATFISH_OFFLOAD_MAPPED, 0),
	};
	search_everything(clients, ITEMS);
	for (; size >= 12; data += 12, size -= 12) {
		struct step step = {.kind = data[0], .place = data[1]};
		memcpy(&step.page, data + 2, sizeof(step.page));
		memcpy(&step.value, data + 4, sizeof(step.value));
		take_step(&step, clients);
	}
	search_everything(clients, 0);
	for (int i = 0; i < WAYS; i++)
		destroy_client(clients[i]);
	return 0;
}
