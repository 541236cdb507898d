/* SPDX-License-Identifier: BSD-2-Clause */

/* Fuzz target: a region file that was changed in any way, but has the right
 * checksums.  Either it is refused, or it is a tree in which everything works;
 * and a client that reads such nodes from a server finds out, or finds
 * something, but never reads what it must not or goes on for ever.
 *
 * An input is a list of changes, 12 bytes each. */

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/err.h"
#include "rtree/batch.h"
#include "rtree/nearest.h"
#include "rtree/rtree.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rtree/model.h"
#include "tests/rtree/shape.h"

const char *const fuzz_name = "region";
const uint64_t fuzz_inputs = 20000;

enum { PAGE = RTREE_PAGE_SIZE, PAGE_WORDS = PAGE / 8 };

/* A region file: page 0, the header, and nodes. */
struct image {
	struct node *pages;
	uint64_t page_count;
};

static void must(int error)
{
	fuzz_require(!error, "%s", err_text());
}

/* --- The files that are changed ------------------------------------------- */

static struct rtree *make_tree(uint64_t pages)
{
	const struct rtree_options options = {
		.size = rtree_size_min() + pages * PAGE,
	};
	struct rtree *tree;

	must(rtree_create(&options, &tree));
	return tree;
}

static void insert_some(struct rtree *tree, int count, struct model *model)
{
	struct rtree_batch *batch;
	struct random random;
	uint64_t version;

	random_seed(&random, 1);
	must(rtree_batch_begin(tree, &batch));
	for (int id = 0; id < count; id++) {
		struct item item = {id, shape_rect(SHAPE_MIXED, &random)};
		must(rtree_insert(batch, &item));
		model_insert(model, &item);
	}
	rtree_batch_commit(batch, &version);
}

static struct image make_image(int items)
{
	struct rtree *tree = make_tree((uint64_t)items + 10);
	struct rtree_snapshot *snapshot;
	struct model model = {0};
	struct image image;

	insert_some(tree, items, &model);
	must(rtree_snapshot_begin(tree, &snapshot));
	uint64_t size = rtree_snapshot_size(snapshot);
	image.pages = malloc(size);
	image.page_count = size / PAGE;
	fuzz_require(rtree_snapshot_read(snapshot, image.pages, size) ==
			     (int64_t)size,
		     "a snapshot that is too short");
	rtree_snapshot_end(snapshot);
	rtree_destroy(tree);
	model_fini(&model);
	return image;
}

/* An empty one, one of a leaf, and one of several levels. */
static const struct image *base_image(uint8_t which)
{
	static const int items[] = {0, 3, 90, 90};
	static struct image images[4];
	struct image *image = &images[which % 4];

	if (!image->pages)
		*image = make_image(items[which % 4]);
	return image;
}

static struct image copy_image(const struct image *from)
{
	struct image copy = {
		.pages = malloc(from->page_count * PAGE),
		.page_count = from->page_count,
	};

	memcpy(copy.pages, from->pages, from->page_count * PAGE);
	return copy;
}

/* --- Changes -------------------------------------------------------------- */

struct command {
	uint8_t kind;
	uint8_t place;
	uint16_t page;
	uint64_t value;
};

static_assert(sizeof(struct command) == 12 + 4, "padded in memory only");

static double interesting_double(uint64_t value)
{
	static const double doubles[] = {
		0.0, -0.0,     NAN,	  INFINITY, -INFINITY, DBL_MAX,
		1,   -DBL_MAX, 0x1p-1074, 1e300,    0.5,       -1,
	};
	double d;

	if (value % 3)
		return doubles[value / 3 % 12];
	memcpy(&d, &value, sizeof(d));
	return d;
}

static uint64_t interesting_word(uint64_t value)
{
	switch (value & 7) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return value >> 3 & 0xff;
	case 3:
		return UINT64_C(1) << (value >> 3 & 63);
	default:
		return value;
	}
}

static void change_header(struct node_header *header, uint8_t place,
			  uint64_t value)
{
	switch (place % 8) {
	case 0:
		header->birth = interesting_word(value);
		break;
	case 1:
		header->page = (uint32_t)value;
		break;
	case 2:
		header->count = value & 1 ? (uint16_t)value
					  : value >> 1 & (NODE_CAPACITY - 1);
		break;
	case 3:
		header->level =
			value & 1 ? (uint8_t)(value >> 8) : value >> 1 & 3;
		break;
	case 4:
		header->kind = (uint8_t)value;
		break;
	case 5:
		header->origin[value & 1] = interesting_double(value >> 1);
		break;
	default:
		header->scale[value & 1] = interesting_double(value >> 1);
	}
}

/* Makes an entry name another page, with the birth that nodes of a file have.
 */
static void change_ref(struct node *node, uint8_t place, uint64_t value)
{
	node_ref *ref = &node->child[place % NODE_CAPACITY];

	*ref = node_ref_make(
		(uint32_t)(value & 1 ? value >> 1 : value >> 1 & 63),
		node_ref_birth(*ref));
}

static void change_rect(struct node *node, uint8_t place, uint64_t value)
{
	struct rect *rect = place & 128 ? &node->bounds
					: &node->rect[place % NODE_CAPACITY];

	if (value & 1)
		rect->min[value >> 1 & 1] = interesting_double(value >> 2);
	else
		rect->max[value >> 1 & 1] = interesting_double(value >> 2);
}

static void change(struct image *image, const struct command *command)
{
	uint64_t page = command->page % image->page_count;
	uint64_t value = command->value;
	struct node *node = &image->pages[page];
	uint8_t *bytes = (uint8_t *)node;

	switch (command->kind % 8) {
	case 0:
		bytes[value % PAGE] ^= (uint8_t)(value >> 32 | 1);
		break;
	case 1:
		value = interesting_word(value);
		memcpy(bytes + command->place % PAGE_WORDS * 8, &value,
		       sizeof(value));
		break;
	case 2:
		*node = image->pages[value % image->page_count];
		break;
	case 3:
	case 4:
		change_ref(node, command->place, value);
		break;
	case 5:
		change_rect(node, command->place, value);
		break;
	default:
		change_header(&node->header, command->place, value);
	}
}

static void change_all(struct image *image, const uint8_t *data, size_t size)
{
	for (; size >= 12; data += 12, size -= 12) {
		struct command command = {.kind = data[0], .place = data[1]};
		memcpy(&command.page, data + 2, 2);
		memcpy(&command.value, data + 4, 8);
		change(image, &command);
	}
}

static void reseal(struct image *image)
{
	uint64_t *words = (uint64_t *)(void *)image->pages;

	words[PAGE_WORDS - 1] = checksum64(image->pages, PAGE - 8);
	for (uint64_t page = 1; page < image->page_count; page++) {
		struct node *node = &image->pages[page];
		node->checksum = 0;
		node->checksum = checksum64(node, sizeof(*node));
	}
}

/* --- A server that loads it ----------------------------------------------- */

static int load(struct rtree *tree, const struct image *image)
{
	size_t size = image->page_count * PAGE;
	int fd = memfd_create("region", MFD_CLOEXEC);

	fuzz_require(fd >= 0 &&
			     write(fd, image->pages, size) == (ssize_t)size &&
			     lseek(fd, 0, SEEK_SET) == 0,
		     "no file in memory");
	int error = rtree_load(tree, fd, "region");
	close(fd);
	return error;
}

static void list_items(struct rtree *tree, struct model *model)
{
	const struct rect all = model_everywhere();
	struct rtree_pin pin;

	must(rtree_pin(tree, &pin));
	must(rtree_search(tree, &pin.root, &all, RELATION_INTERSECTS,
			  model_add_hits, model));
	rtree_unpin(tree, &pin);
}

static void delete_all(struct rtree *tree, struct model *model)
{
	struct rtree_batch *batch;
	uint64_t version;

	must(rtree_batch_begin(tree, &batch));
	while (model->count)
		must(rtree_delete(batch, &model->items[--model->count]));
	rtree_batch_commit(batch, &version);
}

/* What was accepted has to be a tree like any other. */
static void use_tree(struct rtree *tree)
{
	struct model model = {0};

	list_items(tree, &model);
	must(model_compare(&model, tree));
	insert_some(tree, 20, &model);
	must(model_compare(&model, tree));
	delete_all(tree, &model);
	must(model_compare(&model, tree));
	model_fini(&model);
}

static void load_and_use(const struct image *image)
{
	struct rtree *tree = make_tree(2 * image->page_count + 100);
	int error = load(tree, image);

	fuzz_require(error == 0 || error == ERR_DAMAGED, "%s", err_text());
	if (!error)
		use_tree(tree);
	rtree_destroy(tree);
}

/* --- A client that reads it ----------------------------------------------- */

/* The root, as the record of a server would name it. */
static node_ref root_of(const struct image *image)
{
	return node_ref_make(1, image->pages[1].header.birth);
}

static int check_hits(void *context, const struct node *leaf, uint64_t hits)
{
	const struct image *image = context;

	fuzz_require(leaf > image->pages &&
			     leaf < image->pages + image->page_count,
		     "a leaf that isn't in the region");
	fuzz_require(hits >> (NODE_CAPACITY - 1) <= 1,
		     "an entry that a leaf can't have");
	return 0;
}

static void require_end(int error, uint64_t nodes, const struct image *image)
{
	fuzz_require(error == 0 || error == ERR_DAMAGED, "%s", err_text());
	fuzz_require(nodes <= image->page_count, "%llu nodes of %llu pages",
		     (unsigned long long)nodes,
		     (unsigned long long)image->page_count);
}

static void walk_by_run(struct image *image, const struct rect *query,
			enum relation relation)
{
	const struct walk_pages pages = {image->pages, image->page_count};
	struct walk_visited visited = {0};
	int error = walk_run(&pages, root_of(image), query, relation,
			     check_hits, image, &visited);

	require_end(error, visited.nodes, image);
}

static void walk_by_feed(struct image *image, const struct rect *query,
			 enum relation relation)
{
	struct walk_wanted wanted;
	struct walk walk;
	int error = walk_begin(&walk, query, relation, root_of(image),
			       image->page_count);

	if (error)
		return;
	while (!error && walk_next(&walk, &wanted)) {
		const struct node *node =
			&image->pages[node_ref_page(wanted.ref)];
		size_t size = wanted.level == WALK_LEVEL_UNKNOWN
				      ? (size_t)PAGE
				      : node_size(wanted.level);
		struct node *read = malloc(size);
		uint64_t hits;
		memcpy(read, node, size);
		error = walk_feed(&walk, &wanted, read, &hits);
		if (!error)
			check_hits(image, node, hits);
		free(read);
	}
	require_end(error, walk.nodes, image);
	walk_end(&walk);
}

static void find_nearest(const struct image *image, const double *point)
{
	struct walk_wanted wanted;
	struct nearest nearest;
	int error = nearest_begin(&nearest, point, 10, root_of(image),
				  image->page_count);

	if (error)
		return;
	while (!error && nearest_next(&nearest, &wanted))
		error = nearest_feed(&nearest, &wanted,
				     &image->pages[node_ref_page(wanted.ref)]);
	nearest_sort(&nearest);
	require_end(error, error ? 0 : nearest.nodes, image);
	nearest_end(&nearest);
}

static void read_as_client(struct image *image)
{
	struct random random;

	random_seed(&random, image->pages[1].checksum);
	for (int relation = 0; relation <= RELATION_WITHIN; relation++) {
		struct rect query = shape_rect(SHAPE_MIXED, &random);
		walk_by_run(image, &query, relation);
		walk_by_feed(image, &query, relation);
		find_nearest(image, query.min);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct image image = copy_image(base_image(data[0]));
	change_all(&image, data + 1, size - 1);
	reseal(&image);
	load_and_use(&image);
	read_as_client(&image);
	free(image.pages);
	return 0;
}
