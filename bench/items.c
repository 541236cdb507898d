/* SPDX-License-Identifier: BSD-2-Clause */

/* Items from files that other libraries can be given as well. */

#include "bench/items.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/parse.h"
#include "datasets/csv.h"

int items_append(struct items *items, const struct item *item)
{
	if (items->count == items->capacity) {
		size_t capacity = items->count ? 2 * items->count : 1024;
		struct item *grown =
			realloc(items->items, capacity * sizeof(*grown));
		if (!grown)
			return err_set(ERR_NO_MEMORY, "no memory for items");
		items->items = grown;
		items->capacity = capacity;
	}
	items->items[items->count++] = *item;
	return 0;
}

static int read_csv(const char *path, struct items *items)
{
	struct csv_reader *reader;
	struct item item;
	int error = csv_open(path, CSV_ITEMS, &reader);
	if (error)
		return error;
	while ((error = csv_next_item(reader, &item)) > 0) {
		error = items_append(items, &item);
		if (error)
			break;
	}
	csv_close(reader);
	return error;
}

/* Little-endian doubles, min and max corner of each; ids from 0. */
static int read_raw(const char *path, struct items *items)
{
	enum { NUMBERS = 2 * DIMENSIONS };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		err_set(ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return ERR_NOT_FOUND;
	}
	size_t size = (size_t)st.st_size;
	if (!size || size % (NUMBERS * sizeof(double))) {
		close(fd);
		return err_set(ERR_DATA,
			       "%s: %zu bytes are no rectangles of %d "
			       "doubles",
			       path, size, NUMBERS);
	}
	items->count = size / (NUMBERS * sizeof(double));
	items->capacity = items->count;
	items->items = malloc(items->count * sizeof(*items->items));
	const double *numbers = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (!items->items || numbers == MAP_FAILED)
		return err_set(ERR_DATA, "%s: can't be read whole", path);
	int error = 0;
	for (size_t i = 0; !error && i < items->count; i++) {
		struct item *item = &items->items[i];
		item->id = (int64_t)i;
		memcpy(&item->rect, numbers + i * NUMBERS, sizeof(item->rect));
		error = parse_check_rect(&item->rect);
		if (error)
			err_prefix(error, "%s, rectangle %zu", path, i);
	}
	munmap((void *)numbers, size);
	return error;
}

int items_read(const char *path, struct items *items)
{
	size_t length = strlen(path);

	if (length > 4 && strcmp(path + length - 4, ".f64") == 0)
		return read_raw(path, items);
	return read_csv(path, items);
}

int items_save_raw(const char *path, const struct items *items)
{
	struct file_replacement file;
	int error = file_replace_begin(&file, path);

	for (size_t i = 0; !error && i < items->count; i++)
		error = file_replace_write(&file, &items->items[i].rect,
					   sizeof(items->items[i].rect));
	if (!error)
		return file_replace_commit(&file);
	file_replace_abort(&file);
	return error;
}

void items_fini(struct items *items)
{
	free(items->items);
	*items = (struct items){0};
}
