/* SPDX-License-Identifier: BSD-2-Clause */

/* Region files: one version, its nodes in breadth-first order without gaps.
 *
 * Page 0 of the file is its header; the root is page 1.  Every page carries a
 * checksum over all of its bytes, those that are not used being 0, so no damage
 * goes unnoticed.  docs/memory-format.md draws it. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/file.h"
#include "base/parse.h"
#include "rtree/batch.h"
#include "rtree/check.h"
#include "rtree/statistics.h"

/* "catfishF" */
#define FILE_MAGIC UINT64_C(0x4668736966746163)

struct file_header {
	uint64_t magic;
	uint64_t fingerprint; /* RTREE_LAYOUT_FINGERPRINT */
	uint64_t version;
	uint64_t page_count; /* of the file, this one included */
	uint64_t item_count;
	uint8_t unused[RTREE_PAGE_SIZE - 48];
	uint64_t checksum; /* of the bytes before */
};

static_assert(sizeof(struct file_header) == RTREE_PAGE_SIZE, "one page");

/* --- Taking a snapshot -------------------------------------------------- */

struct rtree_snapshot {
	struct rtree *tree;
	struct rtree_pin pin;
	uint64_t page_count;
	uint64_t item_count;

	/* The node of page i of the file, and the next page to be made. */
	node_ref *refs;
	uint64_t refs_known;
	uint64_t next_page;

	/* The page that is being handed out, and how much of it was. */
	union {
		struct node node;
		struct file_header header;
	} page;
	size_t page_used;
};

int rtree_snapshot_begin(struct rtree *tree, struct rtree_snapshot **snapshot)
{
	struct level_counts counts;
	struct rtree_snapshot *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(ERR_NO_MEMORY, "no memory for a snapshot");
	int error = rtree_pin(tree, &s->pin);
	if (error)
		goto free_snapshot;
	s->tree = tree;
	statistics_count(tree, s->pin.root.ref, &counts);
	s->page_count = 1 + statistics_nodes(&counts);
	s->item_count = counts.entries[0];
	s->refs = malloc(s->page_count * sizeof(*s->refs));
	if (!s->refs) {
		error = err_set(ERR_NO_MEMORY, "no memory for a snapshot");
		goto unpin;
	}
	s->refs[1] = s->pin.root.ref;
	s->refs_known = 2;
	s->page_used = sizeof(s->page);
	*snapshot = s;
	return 0;

unpin:
	rtree_unpin(tree, &s->pin);
free_snapshot:
	free(s);
	return error;
}

void rtree_snapshot_end(struct rtree_snapshot *s)
{
	if (!s)
		return;
	rtree_unpin(s->tree, &s->pin);
	free(s->refs);
	free(s);
}

uint64_t rtree_snapshot_size(const struct rtree_snapshot *s)
{
	return s->page_count * RTREE_PAGE_SIZE;
}

uint64_t rtree_snapshot_version(const struct rtree_snapshot *s)
{
	return s->pin.root.version;
}

static void make_header(struct rtree_snapshot *s)
{
	struct file_header *header = &s->page.header;

	memset(header, 0, sizeof(*header));
	header->magic = FILE_MAGIC;
	header->fingerprint = RTREE_LAYOUT_FINGERPRINT;
	header->version = s->pin.root.version;
	header->page_count = s->page_count;
	header->item_count = s->item_count;
	header->checksum =
		checksum64(header, offsetof(struct file_header, checksum));
}

/* Copies what a node uses, into a page that is 0 elsewhere. */
static void copy_used(const struct node *from, struct node *to)
{
	size_t count = from->header.count;

	memset(to, 0, sizeof(*to));
	to->header = from->header;
	to->bounds = from->bounds;
	for (int d = 0; d < DIMENSIONS; d++) {
		memcpy(to->cell_min[d], from->cell_min[d], count);
		memcpy(to->cell_max[d], from->cell_max[d], count);
	}
	memcpy(to->child, from->child, count * sizeof(to->child[0]));
	if (from->header.level == 0)
		memcpy(to->rect, from->rect, count * sizeof(to->rect[0]));
}

/* Makes page 'next_page' of the file, its children being numbered as they are
 * met.  All nodes of a file are born in its version. */
static void make_node(struct rtree_snapshot *s)
{
	struct node *node = &s->page.node;
	uint64_t version = s->pin.root.version;

	copy_used(rtree_node(s->tree, s->refs[s->next_page]), node);
	node->header.page = (uint32_t)s->next_page;
	node->header.birth = version;
	for (int i = 0; node->header.level && i < node->header.count; i++) {
		uint32_t page = (uint32_t)s->refs_known;
		s->refs[s->refs_known++] = node->child[i];
		node->child[i] = node_ref_make(page, version);
	}
	node->checksum = 0;
	node->checksum = checksum64(node, sizeof(*node));
}

static void make_next_page(struct rtree_snapshot *s)
{
	if (s->next_page == 0)
		make_header(s);
	else
		make_node(s);
	s->next_page++;
	s->page_used = 0;
}

int64_t rtree_snapshot_read(struct rtree_snapshot *s, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		if (s->page_used == sizeof(s->page)) {
			if (s->next_page == s->page_count)
				break;
			make_next_page(s);
		}
		size_t part = sizeof(s->page) - s->page_used;
		if (part > size - done)
			part = size - done;
		memcpy((char *)bytes + done,
		       (const char *)&s->page + s->page_used, part);
		s->page_used += part;
		done += part;
	}
	return (int64_t)done;
}

/* --- Writing a file ----------------------------------------------------- */

static int write_snapshot(struct rtree_snapshot *s,
			  struct file_replacement *file)
{
	enum { CHUNK = 1 << 20 };
	char *chunk = malloc(CHUNK);
	int error = 0;

	if (!chunk)
		return err_set(ERR_NO_MEMORY, "no memory to save");
	for (;;) {
		int64_t size = rtree_snapshot_read(s, chunk, CHUNK);
		if (size <= 0)
			break;
		error = file_replace_write(file, chunk, (size_t)size);
		if (error)
			break;
	}
	free(chunk);
	return error;
}

int rtree_save(struct rtree *tree, const char *path, uint64_t *version)
{
	struct rtree_snapshot *s;
	struct file_replacement file;
	int error = rtree_snapshot_begin(tree, &s);
	if (error)
		return error;
	uint64_t saved = rtree_snapshot_version(s);
	error = file_replace_begin(&file, path);
	if (error)
		goto end_snapshot;
	error = write_snapshot(s, &file);
	if (error)
		file_replace_abort(&file);
	else
		error = file_replace_commit(&file);
	if (!error)
		*version = saved;
end_snapshot:
	rtree_snapshot_end(s);
	return error;
}

/* --- Loading a file ----------------------------------------------------- */

int rtree_file_dimensions(const char *path)
{
	uint64_t header[2]; /* magic and fingerprint */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int dimensions = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, header, sizeof(header), 0) == sizeof(header) &&
	    header[0] == FILE_MAGIC)
		dimensions = node_layout_dimensions(header[1]);
	close(fd);
	return dimensions;
}

static int read_header(int fd, const char *name, struct file_header *header)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(ERR_SYSTEM, "%s: %s", name, strerror(errno));
	if (st.st_size < (off_t)sizeof(*header) ||
	    file_read_full(fd, header, sizeof(*header)))
		return err_set(ERR_DAMAGED, "%s: %lld bytes are no region file",
			       name, (long long)st.st_size);
	if (header->magic != FILE_MAGIC)
		return err_set(ERR_DAMAGED,
			       "%s: no region file (it doesn't start with "
			       "'catfishF')",
			       name);
	/* Then the page is of another size. */
	int dimensions = node_layout_dimensions(header->fingerprint);
	if (dimensions && dimensions != DIMENSIONS)
		return err_set(ERR_USAGE,
			       "%s: items of %d dimensions, not of %d", name,
			       dimensions, DIMENSIONS);
	if (header->checksum !=
	    checksum64(header, offsetof(struct file_header, checksum)))
		return err_set(ERR_DAMAGED, "%s: page 0: wrong checksum", name);
	if (header->fingerprint != RTREE_LAYOUT_FINGERPRINT)
		return err_set(ERR_DAMAGED,
			       "%s: written in another layout (%016llx, not "
			       "%016llx)",
			       name, (unsigned long long)header->fingerprint,
			       (unsigned long long)RTREE_LAYOUT_FINGERPRINT);
	/* Versions count from 1, and are to go on for as long as anyone can
	 * publish them. */
	if (header->version == 0 || header->version > INT64_MAX)
		return err_set(ERR_DAMAGED, "%s: version %llu can't be", name,
			       (unsigned long long)header->version);
	if (header->page_count < 2 ||
	    (uint64_t)st.st_size / RTREE_PAGE_SIZE != header->page_count ||
	    st.st_size % RTREE_PAGE_SIZE)
		return err_set(ERR_DAMAGED,
			       "%s: %lld bytes, not the %llu pages of %d that "
			       "it says",
			       name, (long long)st.st_size,
			       (unsigned long long)header->page_count,
			       RTREE_PAGE_SIZE);
	return 0;
}

static int check_page(struct node *node, uint64_t page, const char *name)
{
	uint64_t checksum = node->checksum;

	node->checksum = 0;
	if (checksum == checksum64(node, sizeof(*node)))
		return 0;
	return err_set(ERR_DAMAGED,
		       "%s: page %llu (byte %llu on): wrong "
		       "checksum",
		       name, (unsigned long long)page,
		       (unsigned long long)page * RTREE_PAGE_SIZE);
}

/* Reads all nodes to the pages that they name. */
static int read_nodes(struct region *region, int fd, const char *name,
		      const struct file_header *header)
{
	int error = file_read_full(fd, region_node(region, 1),
				   (header->page_count - 1) * RTREE_PAGE_SIZE);
	if (error)
		return err_prefix(error, "%s", name);
	for (uint64_t page = 1; page < header->page_count; page++) {
		error = check_page(region_node(region, (uint32_t)page), page,
				   name);
		if (error)
			return error;
	}
	uint64_t nodes, items;
	error = check_tree(region->pages, header->page_count,
			   node_ref_make(1, header->version), header->version,
			   &nodes, &items);
	if (error)
		return err_prefix(error, "%s", name);
	if (nodes != header->page_count - 1 || items != header->item_count)
		return err_set(ERR_DAMAGED,
			       "%s: %llu nodes and %llu items, "
			       "not %llu and %llu",
			       name, (unsigned long long)nodes,
			       (unsigned long long)items,
			       (unsigned long long)header->page_count - 1,
			       (unsigned long long)header->item_count);
	return 0;
}

int rtree_load(struct rtree *tree, int fd, const char *name)
{
	struct region *region = &tree->region;
	struct file_header header;
	int error = read_header(fd, name, &header);
	if (error)
		return error;
	if (header.page_count + PAGES_RESERVED > region->page_count)
		return err_set(ERR_NO_ROOM,
			       "%s needs a region of %llu bytes at least; this "
			       "one has %llu: give it more --memory",
			       name,
			       (unsigned long long)(header.page_count +
						    PAGES_RESERVED) *
				       RTREE_PAGE_SIZE,
			       (unsigned long long)region->size);
	/* The file's root comes where that of the empty tree is. */
	struct node before = *region_node(region, node_ref_page(region->root));
	error = read_nodes(region, fd, name, &header);
	if (error) {
		*region_node(region, before.header.page) = before;
		return error;
	}
	region->fresh_page = header.page_count;
	region->free_count = 0;
	tree->page_count = header.page_count - 1;
	region_publish(region, header.version, node_ref_make(1, header.version),
		       header.item_count);
	region_show_pages(region);
	return 0;
}
