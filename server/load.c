/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/load.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/parse.h"
#include "rtree/rtree.h"

enum {
	ITEMS_MIN = 1024, /* of the first allocation */
};

static int check_room(const struct load *load, uint64_t count);
static int reserve(struct load *load, uint64_t count);
static int grow(struct load *load, uint64_t count);

int load_create(struct load_budget *budget, const struct wire_load *request,
		uint64_t present, struct load **load)
{
	if (request->mode > WIRE_LOAD_REPLACE)
		return err_set(ERR_USAGE,
			       "import mode %" PRIu32 " is not known",
			       request->mode);
	struct load *l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(ERR_NO_MEMORY, "no memory for an import");
	l->budget = budget;
	l->mode = (enum wire_load_mode)request->mode;
	l->others = present;

	int error = load_check_mode(l, present);
	if (!error)
		error = check_room(l, request->item_count);
	if (error) {
		load_destroy(l);
		return error;
	}
	*load = l;
	return 0;
}

int load_check_mode(const struct load *load, uint64_t present)
{
	if (load->mode != WIRE_LOAD_EMPTY || !present)
		return 0;
	return err_set(ERR_USAGE,
		       "the server holds %" PRIu64 " items already: say "
		       "whether to append or to replace them",
		       present);
}

int load_append(struct load *load, const struct wire_item *items,
		uint32_t count)
{
	int error = reserve(load, load->count + count);
	if (!error)
		error = grow(load, load->count + count);
	for (uint32_t i = 0; !error && i < count; i++) {
		error = wire_get_item(&items[i], &load->items[load->count]);
		load->count += !error;
	}
	return error;
}

/* Whether the region could hold that many items at once. */
static bool region_holds(const struct load_budget *budget, uint64_t items)
{
	/* Beyond it the forecast could overflow, and no region is so large. */
	return items <= budget->region_size / sizeof(struct item) &&
	       rtree_size_forecast(items) <= budget->region_size;
}

static int refuse(const struct load *load, uint64_t count)
{
	char have[FORMAT_SIZE_SIZE], need[FORMAT_SIZE_SIZE];
	uint64_t size = load->budget->region_size;

	if (count > size || load->others > size)
		return err_set(ERR_NO_ROOM,
			       "no region of %s holds %" PRIu64 " items",
			       format_size(have, size), count);
	return err_set(
		ERR_NO_ROOM,
		"%" PRIu64 " items besides the %" PRIu64
		" there are need a region of %s, and this one has %s: "
		"start the server with more --memory",
		count, load->others,
		format_size(need, rtree_size_forecast(count + load->others)),
		format_size(have, size));
}

/* Whether 'count' items would fit at all.  Even when the old items are to be
 * replaced they stay until the new version is published. */
static int check_room(const struct load *load, uint64_t count)
{
	if (count <= UINT64_MAX - load->others &&
	    region_holds(load->budget, count + load->others))
		return 0;
	return refuse(load, count);
}

/* Takes what is missing for 'count' items from the budget. */
static int reserve(struct load *load, uint64_t count)
{
	struct load_budget *budget = load->budget;

	int error = check_room(load, count);
	if (error)
		return error;
	uint64_t more = count - load->reserved;
	uint64_t staged = atomic_fetch_add(&budget->items, more) + more;
	if (!region_holds(budget, staged)) {
		atomic_fetch_sub(&budget->items, more);
		return err_set(ERR_BUSY,
			       "other imports are being sent, and together "
			       "they would take too much memory");
	}
	load->reserved = count;
	return 0;
}

static int grow(struct load *load, uint64_t count)
{
	uint64_t capacity = load->capacity ? load->capacity : ITEMS_MIN;

	if (count <= load->capacity)
		return 0;
	while (capacity < count)
		capacity += capacity / 2;
	struct item *items = realloc(load->items, capacity * sizeof(*items));
	if (!items)
		return err_set(ERR_NO_MEMORY,
			       "no memory to stage %" PRIu64 " items", count);
	load->items = items;
	load->capacity = capacity;
	return 0;
}

void load_destroy(struct load *load)
{
	if (!load)
		return;
	atomic_fetch_sub(&load->budget->items, load->reserved);
	free(load->items);
	free(load);
}
