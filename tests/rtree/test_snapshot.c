/* SPDX-License-Identifier: BSD-2-Clause */

/* A region file is the version that was saved, or it is refused. */

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/err.h"
#include "rtree/batch.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/model.h"
#include "tests/rtree/shape.h"

enum { PAGE = RTREE_PAGE_SIZE, LINE = 64 };

/* --- Trees and files ------------------------------------------------------ */

static struct rtree *make_tree(uint64_t size)
{
	const struct rtree_options options = {.size = size};
	struct rtree *tree;

	ck_assert_int_eq(rtree_create(&options, &tree), 0);
	return tree;
}

static void insert_random(struct rtree *tree, struct model *model,
			  enum shape shape, uint64_t count)
{
	struct rtree_batch *batch;
	struct random random;
	uint64_t version;

	random_seed(&random, test_seed());
	ck_assert_int_eq(rtree_batch_begin(tree, &batch), 0);
	for (uint64_t id = 0; id < count; id++) {
		struct item item = {(int64_t)id, shape_rect(shape, &random)};
		if (rtree_insert(batch, &item))
			ck_abort_msg("%s", err_text());
		model_insert(model, &item);
	}
	rtree_batch_commit(batch, &version);
}

/* The bytes of a region file. */
struct file {
	char *bytes;
	size_t size;
	uint64_t version;
};

/* In pieces of every size. */
static void read_snapshot(struct rtree_snapshot *snapshot, struct file *file)
{
	size_t piece = 1, done = 0;

	file->size = rtree_snapshot_size(snapshot);
	file->version = rtree_snapshot_version(snapshot);
	file->bytes = malloc(file->size + 1);
	for (;;) {
		size_t room = file->size + 1 - done;
		int64_t got = rtree_snapshot_read(snapshot, file->bytes + done,
						  piece < room ? piece : room);
		if (got == 0)
			break;
		done += (size_t)got;
		piece = piece * 3 % 8191;
	}
	ck_assert_uint_eq(done, file->size);
}

static struct file take_snapshot(struct rtree *tree)
{
	struct rtree_snapshot *snapshot;
	struct file file;

	ck_assert_int_eq(rtree_snapshot_begin(tree, &snapshot), 0);
	read_snapshot(snapshot, &file);
	rtree_snapshot_end(snapshot);
	return file;
}

/* A file of 'count' items. */
static struct file make_file(uint64_t count, struct model *model)
{
	struct rtree *tree = make_tree(rtree_size_forecast(4 * count));

	insert_random(tree, model, SHAPE_UNIFORM, count);
	struct file file = take_snapshot(tree);
	rtree_destroy(tree);
	return file;
}

static struct file copy_file(const struct file *file)
{
	struct file copy = *file;

	copy.bytes = malloc(file->size);
	memcpy(copy.bytes, file->bytes, file->size);
	return copy;
}

static int load_bytes(struct rtree *tree, const char *bytes, size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	if (write(fd, bytes, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		ck_abort_msg("a file in memory can't be written");
	int error = rtree_load(tree, fd, "FILE");
	close(fd);
	return error;
}

/* Into a new tree, which stays empty when it fails, and is dropped. */
static int try_to_load(const char *bytes, size_t size)
{
	struct rtree *tree = make_tree(rtree_size_min() + size);
	int error = load_bytes(tree, bytes, size);
	struct model none = {0};

	if (error)
		ck_assert_int_eq(model_compare(&none, tree), 0);
	rtree_destroy(tree);
	return error;
}

/* --- Saving and loading --------------------------------------------------- */

START_TEST(what_was_saved_is_loaded)
{
	static const uint64_t counts[] = {0, 1, NODE_CAPACITY,
					  NODE_CAPACITY + 1, 3000};

	for (int i = 0; i < 5; i++) {
		struct rtree *tree = make_tree(rtree_size_forecast(10000));
		struct model model = {0};
		insert_random(tree, &model, _i, counts[i]);
		struct file file = take_snapshot(tree);
		struct rtree *other = make_tree(rtree_size_forecast(10000));
		ck_assert_int_eq(load_bytes(other, file.bytes, file.size), 0);
		ck_assert_msg(!model_compare(&model, other), "%s", err_text());
		struct file again = take_snapshot(other);
		ck_assert_uint_eq(again.version, file.version);
		ck_assert_uint_eq(again.size, file.size);
		ck_assert(!memcmp(again.bytes, file.bytes, file.size));
		insert_random(other, &model, _i, 1000);
		ck_assert_msg(!model_compare(&model, other), "%s", err_text());
		free(file.bytes);
		free(again.bytes);
		rtree_destroy(tree);
		rtree_destroy(other);
		model_fini(&model);
	}
}
END_TEST

START_TEST(a_file_is_written_whole)
{
	char folder[] = "/tmp/catfish-test-XXXXXX", path[64];
	struct rtree *tree = make_tree(rtree_size_forecast(5000));
	struct model model = {0};
	uint64_t version = 0;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/region", folder);
	insert_random(tree, &model, SHAPE_UNIFORM, 1000);
	struct file file = take_snapshot(tree);
	ck_assert_int_eq(rtree_save(tree, path, &version), 0);
	ck_assert_uint_eq(version, file.version);
	FILE *saved = fopen(path, "r");
	ck_assert_ptr_nonnull(saved);
	char *bytes = malloc(file.size + 1);
	ck_assert_uint_eq(fread(bytes, 1, file.size + 1, saved), file.size);
	ck_assert(!memcmp(bytes, file.bytes, file.size));
	fclose(saved);
	unlink(path);
	/* Nothing else was left there. */
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(rtree_save(tree, path, &version), ERR_NOT_FOUND);
	free(bytes);
	free(file.bytes);
	rtree_destroy(tree);
	model_fini(&model);
}
END_TEST

START_TEST(a_region_that_is_too_small_names_the_size_that_is_not)
{
	struct model model = {0};
	struct file file = make_file(20000, &model);
	struct rtree *small = make_tree(rtree_size_min());
	unsigned long long size = 0;

	ck_assert_int_eq(load_bytes(small, file.bytes, file.size), ERR_NO_ROOM);
	const char *text = strstr(err_text(), "region of ");
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(sscanf(text, "region of %llu bytes", &size), 1);
	/* It is as good as before. */
	struct model none = {0};
	ck_assert_msg(!model_compare(&none, small), "%s", err_text());
	rtree_destroy(small);

	struct rtree *almost = make_tree(size - 1);
	ck_assert_int_eq(load_bytes(almost, file.bytes, file.size),
			 ERR_NO_ROOM);
	rtree_destroy(almost);
	struct rtree *enough = make_tree(size);
	ck_assert_int_eq(load_bytes(enough, file.bytes, file.size), 0);
	ck_assert_msg(!model_compare(&model, enough), "%s", err_text());
	rtree_destroy(enough);
	free(file.bytes);
	model_fini(&model);
}
END_TEST

/* --- Damage that the checksums find --------------------------------------- */

START_TEST(damage_to_any_line_of_a_file_is_found)
{
	struct model model = {0};
	struct file file = make_file(200, &model);
	struct random random;

	random_seed(&random, test_seed());
	for (size_t line = 0; line < file.size; line += LINE) {
		size_t at = line + random_below(&random, LINE);
		char bit = (char)(1 << random_below(&random, 8));
		file.bytes[at] ^= bit;
		if (try_to_load(file.bytes, file.size) != ERR_DAMAGED)
			ck_abort_msg("byte %zu was changed unnoticed", at);
		file.bytes[at] ^= bit;
	}
	ck_assert_int_eq(try_to_load(file.bytes, file.size), 0);
	free(file.bytes);
	model_fini(&model);
}
END_TEST

START_TEST(a_file_of_another_length_is_refused)
{
	struct model model = {0};
	struct file file = make_file(200, &model);
	const size_t size = file.size;
	const size_t lengths[] = {
		0,	  1,	    LINE - 1,  LINE,	    PAGE - 1,
		PAGE,	  PAGE + 1, 2 * PAGE,  size - PAGE, size - LINE,
		size - 1, size + 1, size + 64, size + PAGE,
	};

	file.bytes = realloc(file.bytes, size + PAGE);
	memset(file.bytes + size, 0, PAGE);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		ck_assert_int_eq(try_to_load(file.bytes, lengths[i]),
				 ERR_DAMAGED);
	free(file.bytes);
	model_fini(&model);
}
END_TEST

START_TEST(other_files_are_refused)
{
	static const char text[] = "id,xmin,ymin,xmax,ymax\n1,2,3,4,5\n";
	char *zeros = calloc(10, PAGE);

	ck_assert_int_eq(try_to_load(text, sizeof(text) - 1), ERR_DAMAGED);
	ck_assert_int_eq(try_to_load(zeros, 10 * PAGE), ERR_DAMAGED);
	ck_assert_ptr_nonnull(strstr(err_text(), "no region file"));
	free(zeros);
}
END_TEST

/* --- Damage under right checksums ----------------------------------------- */

/* Words of page 0. */
enum { AT_MAGIC, AT_FINGERPRINT, AT_VERSION, AT_PAGE_COUNT, AT_ITEM_COUNT };

static uint64_t *header_words(const struct file *file)
{
	return (void *)file->bytes;
}

static struct node *page_of(const struct file *file, uint64_t page)
{
	return (struct node *)(void *)file->bytes + page;
}

static struct node *root_of(const struct file *file)
{
	return page_of(file, 1);
}

static struct node *first_leaf(const struct file *file)
{
	struct node *node = root_of(file);

	while (node->header.level)
		node = page_of(file, node_ref_page(node->child[0]));
	return node;
}

static void reseal(const struct file *file)
{
	uint64_t *words = header_words(file);

	words[PAGE / 8 - 1] = checksum64(file->bytes, PAGE - 8);
	for (uint64_t page = 1; page < file->size / PAGE; page++) {
		struct node *node = page_of(file, page);
		node->checksum = 0;
		node->checksum = checksum64(node, sizeof(*node));
	}
}

static void break_magic(const struct file *file)
{
	header_words(file)[AT_MAGIC]++;
}

static void break_fingerprint(const struct file *file)
{
	header_words(file)[AT_FINGERPRINT] += UINT64_C(1) << 32;
}

static void zero_version(const struct file *file)
{
	header_words(file)[AT_VERSION] = 0;
}

static void endless_version(const struct file *file)
{
	header_words(file)[AT_VERSION] = UINT64_MAX;
}

static void older_version(const struct file *file)
{
	header_words(file)[AT_VERSION]--;
}

static void more_pages(const struct file *file)
{
	header_words(file)[AT_PAGE_COUNT]++;
}

static void more_items(const struct file *file)
{
	header_words(file)[AT_ITEM_COUNT]++;
}

static void name_page_0(const struct file *file)
{
	root_of(file)->child[1] &= UINT32_MAX;
}

static void name_no_page(const struct file *file)
{
	root_of(file)->child[1] |= UINT64_C(0xffffffff) << 32;
}

static void name_a_page_twice(const struct file *file)
{
	root_of(file)->child[1] = root_of(file)->child[0];
}

static void name_the_root(const struct file *file)
{
	root_of(file)->child[1] = node_ref_make(1, file->version);
}

static void break_kind(const struct file *file)
{
	first_leaf(file)->header.kind++;
}

static void break_page(const struct file *file)
{
	first_leaf(file)->header.page++;
}

static void break_birth(const struct file *file)
{
	first_leaf(file)->header.birth++;
}

static void be_born_later(const struct file *file)
{
	first_leaf(file)->header.birth += UINT64_C(1) << 32;
}

static void break_level(const struct file *file)
{
	first_leaf(file)->header.level++;
}

static void break_root_level(const struct file *file)
{
	root_of(file)->header.level = UINT8_MAX;
}

static void have_too_many(const struct file *file)
{
	first_leaf(file)->header.count = NODE_CAPACITY + 1;
}

static void have_too_few(const struct file *file)
{
	first_leaf(file)->header.count = NODE_MIN - 1;
}

static void have_one_child(const struct file *file)
{
	root_of(file)->header.count = 1;
}

static void be_nan(const struct file *file)
{
	first_leaf(file)->rect[0].min[0] = NAN;
}

static void be_infinite(const struct file *file)
{
	first_leaf(file)->rect[1].max[1] = INFINITY;
}

static void be_inverted(const struct file *file)
{
	struct rect *rect = &first_leaf(file)->rect[1];

	rect->max[0] = nextafter(rect->min[0], -INFINITY);
}

static void break_cell(const struct file *file)
{
	first_leaf(file)->cell_min[0][0] ^= 1;
}

static void break_inner_cell(const struct file *file)
{
	root_of(file)->cell_max[1][1] ^= 1;
}

static void widen_bounds(const struct file *file)
{
	struct rect *bounds = &root_of(file)->bounds;

	bounds->max[0] = nextafter(bounds->max[0], INFINITY);
}

static void widen_grid(const struct file *file)
{
	struct node *node = first_leaf(file);

	node->header.scale[0] = 0;
	for (int i = 0; i < node->header.count; i++)
		node->cell_min[0][i] = node->cell_max[0][i] = 0;
}

/* What is broken, and what the error says then. */
static const struct {
	void (*do_it)(const struct file *file);
	const char *says;
} breakages[] = {
	{break_magic, "no region file"},
	{break_fingerprint, "another layout"},
	{zero_version, "version 0"},
	{endless_version, "version 18446744073709551615"},
	{older_version, "invariant 3"},
	{more_pages, "pages"},
	{more_items, "items"},
	{name_page_0, "invariant 1"},
	{name_no_page, "invariant 1"},
	{name_a_page_twice, "invariant 2"},
	{name_the_root, "invariant 2"},
	{break_kind, "invariant 3"},
	{break_page, "invariant 3"},
	{break_birth, "invariant 3"},
	{be_born_later, "invariant 3"},
	{break_level, "invariant 4"},
	{break_root_level, "invariant 4"},
	{have_too_many, "invariant 5"},
	{have_too_few, "invariant 5"},
	{have_one_child, "invariant 5"},
	{be_nan, "invariant 6"},
	{be_infinite, "invariant 6"},
	{be_inverted, "invariant 6"},
	{break_cell, "invariant 7"},
	{break_inner_cell, "invariant 7"},
	{widen_bounds, "invariant 8"},
	{widen_grid, "invariant 9"},
};

enum { BREAKAGES = sizeof(breakages) / sizeof(breakages[0]) };

START_TEST(a_file_that_breaks_an_invariant_is_refused)
{
	struct model model = {0};
	struct file file = make_file(5 * NODE_CAPACITY, &model);

	for (int i = 0; i < BREAKAGES; i++) {
		struct file broken = copy_file(&file);
		breakages[i].do_it(&broken);
		reseal(&broken);
		ck_assert_int_eq(try_to_load(broken.bytes, broken.size),
				 ERR_DAMAGED);
		ck_assert_msg(strstr(err_text(), breakages[i].says),
			      "breakage %d: '%s' doesn't say '%s'", i,
			      err_text(), breakages[i].says);
		free(broken.bytes);
	}
	free(file.bytes);
	model_fini(&model);
}
END_TEST

START_TEST(an_empty_node_has_no_bounds)
{
	struct model model = {0};
	struct file file = make_file(0, &model);

	root_of(&file)->bounds = (struct rect){{0, 0}, {1, 1}};
	reseal(&file);
	ck_assert_int_eq(try_to_load(file.bytes, file.size), ERR_DAMAGED);
	free(file.bytes);
}
END_TEST

/* --- Versions ------------------------------------------------------------- */

/* Turns the file into one of another version. */
static void set_version(struct file *file, uint64_t version)
{
	file->version = version;
	header_words(file)[AT_VERSION] = version;
	for (uint64_t page = 1; page < file->size / PAGE; page++) {
		struct node *node = page_of(file, page);
		node->header.birth = version;
		for (int i = 0; node->header.level && i < node->header.count;
		     i++)
			node->child[i] = node_ref_make(
				node_ref_page(node->child[i]), version);
	}
	reseal(file);
}

START_TEST(versions_go_on_past_32_bits)
{
	static const uint64_t before[] = {
		UINT32_MAX - 20,
		UINT32_MAX,
		(UINT64_C(5) << 32) - 20,
		(uint64_t)INT64_MAX - 20,
	};

	for (int i = 0; i < 4; i++) {
		struct model model = {0};
		struct file file = make_file(500, &model);
		struct rtree *tree = make_tree(rtree_size_forecast(50000));
		struct rtree_stat stat;
		set_version(&file, before[i]);
		ck_assert_int_eq(load_bytes(tree, file.bytes, file.size), 0);
		for (int more = 1; more <= 20; more++) {
			insert_random(tree, &model, SHAPE_UNIFORM, 1);
			ck_assert_int_eq(rtree_stat(tree, &stat), 0);
			ck_assert_uint_eq(stat.root.version,
					  before[i] + (uint64_t)more);
			ck_assert_msg(!model_compare(&model, tree), "%s",
				      err_text());
		}
		rtree_destroy(tree);
		free(file.bytes);
		model_fini(&model);
	}
}
END_TEST

/* --- While writes go on --------------------------------------------------- */

enum {
	/* Version v has the item of every version from v - WINDOW + 1 on, but
	 * version 1 has none. */
	WINDOW = 700,
};

static struct item item_of_version(uint64_t version)
{
	struct random random;

	random_seed(&random, version);
	return (struct item){(int64_t)version,
			     shape_rect(SHAPE_UNIFORM, &random)};
}

static void publish_next(struct rtree *tree, uint64_t version)
{
	struct rtree_batch *batch;
	struct item item = item_of_version(version);
	uint64_t published;

	for (;;) {
		ck_assert_int_eq(rtree_batch_begin(tree, &batch), 0);
		int error = rtree_insert(batch, &item);
		if (!error && version > WINDOW + 1) {
			struct item old = item_of_version(version - WINDOW);
			error = rtree_delete(batch, &old);
		}
		if (!error)
			break;
		/* The snapshot holds pages. */
		ck_assert_int_eq(error, ERR_AGAIN);
		rtree_batch_abort(batch);
		sched_yield();
	}
	rtree_batch_commit(batch, &published);
	ck_assert_uint_eq(published, version);
}

struct writer {
	struct rtree *tree;
	_Atomic bool end;
};

static void *write_on(void *argument)
{
	struct writer *writer = argument;

	for (uint64_t version = 2; !atomic_load(&writer->end); version++)
		publish_next(writer->tree, version);
	return NULL;
}

static void check_version(const struct file *file)
{
	struct rtree *tree = make_tree(rtree_size_min() + file->size);
	struct model model = {0};
	uint64_t first =
		file->version > WINDOW ? file->version - WINDOW + 1 : 2;

	for (uint64_t v = first; v <= file->version; v++) {
		struct item item = item_of_version(v);
		model_insert(&model, &item);
	}
	int error = load_bytes(tree, file->bytes, file->size);
	if (!error)
		error = model_compare(&model, tree);
	ck_assert_msg(!error, "version %llu: %s",
		      (unsigned long long)file->version, err_text());
	rtree_destroy(tree);
	model_fini(&model);
}

START_TEST(a_snapshot_is_one_version_while_writes_go_on)
{
	struct writer writer = {
		.tree = make_tree(rtree_size_forecast(3 * WINDOW)),
	};
	uint64_t last = 0, changes = 0;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, write_on, &writer), 0);
	/* Until enough is shown, however busy the machine. */
	for (uint64_t i = test_effort(200); i > 0 || changes < 2;) {
		struct file file = take_snapshot(writer.tree);
		check_version(&file);
		ck_assert_uint_ge(file.version, last);
		changes += file.version > last;
		last = file.version;
		free(file.bytes);
		i -= i > 0;
	}
	atomic_store(&writer.end, true);
	pthread_join(thread, NULL);
	rtree_destroy(writer.tree);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("snapshot");
	TCase *files = tcase_create("files");

	tcase_set_timeout(files, TEST_TIMEOUT_S);
	tcase_add_loop_test(files, what_was_saved_is_loaded, 0, SHAPES);
	tcase_add_test(files, a_file_is_written_whole);
	tcase_add_test(files,
		       a_region_that_is_too_small_names_the_size_that_is_not);
	tcase_add_test(files, damage_to_any_line_of_a_file_is_found);
	tcase_add_test(files, a_file_of_another_length_is_refused);
	tcase_add_test(files, other_files_are_refused);
	tcase_add_test(files, a_file_that_breaks_an_invariant_is_refused);
	tcase_add_test(files, an_empty_node_has_no_bounds);
	tcase_add_test(files, versions_go_on_past_32_bits);
	tcase_add_test(files, a_snapshot_is_one_version_while_writes_go_on);
	suite_add_tcase(suite, files);
	return suite;
}
