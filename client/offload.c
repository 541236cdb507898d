/* SPDX-License-Identifier: BSD-2-Clause */

/* What both ways of offloading have in common. */

#include "client/offload.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/guard.h"
#include "client/fetch.h"

enum {
	GATHERING_MIN = 256,
};

static int map_region(struct catfish *c);
static int reserve(struct gathering *found, size_t more);

int client_prepare_offload(struct catfish *c, enum catfish_offload offload)
{
	if (!fabric_is_one_sided(c->link))
		return err_set(ERR_UNSUPPORTED,
			       "offloading is not possible over %s (%s): use "
			       "messaging, or shm on the server's machine",
			       fabric_link_name(c->link), c->address);
	int error = offload == CATFISH_OFFLOAD_COPY ? ERR_UNSUPPORTED
						    : map_region(c);
	bool can_map = error == 0;
	if (error == ERR_UNSUPPORTED && offload != CATFISH_OFFLOAD_MAPPED)
		error = c->fetch ? 0 : fetch_create(c, &c->fetch);
	if (!error)
		c->offload =
			can_map ? CATFISH_OFFLOAD_MAPPED : CATFISH_OFFLOAD_COPY;
	return error;
}

int client_search_by_offload_from(struct catfish *c, struct search *s,
				  const struct root *root, uint64_t asked_ns)
{
	s->gathered = &c->found;
	int error = c->offload == CATFISH_OFFLOAD_MAPPED
			    ? client_search_mapped_from(c, s, root)
			    : client_search_by_copy_from(c, s, root, asked_ns);
	if (!error)
		client_hand_out_offloaded(c, s);
	return error;
}

void client_report_offloaded(struct catfish *c)
{
	const struct wire_report report = {
		.offloaded = c->offloaded,
		.complement = ~c->offloaded,
	};

	if (!c->offloaded || c->broken || c->lost)
		return;
	int error = fabric_write_silently(c->link, 0, &report, sizeof(report));
	/* The answer at hand is right all the same; the next call will say
	 * that the server has gone. */
	if (error && error != ERR_AGAIN)
		client_break(c, error);
}

int client_gather(struct search *s, const struct node *leaf, uint64_t hits)
{
	struct gathering *found = s->gathered;
	uint64_t room = (s->limit ? s->limit : UINT64_MAX) - s->answer->count;
	uint64_t count = __builtin_popcountll(hits);

	if (count > room) {
		s->answer->truncated = 1;
		count = room;
	}
	s->answer->count += count;
	if (!s->found)
		return 0;
	GUARD_PAUSE("gather");
	int error = reserve(found, count);
	if (error)
		return error;

	struct catfish_item *to = found->items + found->count;
	found->count += count;
	for (; count--; hits &= hits - 1, to++) {
		int i = __builtin_ctzll(hits);
		struct rect rect = leaf->rect[i];
		if (!rect_valid(&rect) ||
		    !rect_relation_holds(s->relation, &rect, s->box))
			return err_set(ERR_DAMAGED,
				       "page %u gives an item that is no "
				       "answer",
				       leaf->header.page);
		to->id = leaf->id[i];
		memcpy(to->box, &rect, sizeof(to->box));
	}
	return 0;
}

void client_hand_out(const struct search *s)
{
	const struct catfish_item *item = s->gathered->items;

	for (size_t i = 0; i < s->gathered->count; i++, item++)
		if (s->found(s->context, item->id, item->box))
			return;
}

static int map_region(struct catfish *c)
{
	uint64_t size;
	const struct root_page *region = fabric_map(c->link, &size);

	if (!region)
		return err_set(
			ERR_UNSUPPORTED,
			"the region can't be mapped over %s (%s): offload "
			"by copy",
			fabric_link_name(c->link), c->address);
	if (size < c->server.page_count * RTREE_PAGE_SIZE)
		return err_set(ERR_PROTOCOL,
			       "%s describes a region larger than what it "
			       "shares",
			       c->address);
	c->region = region;
	c->pages =
		(struct walk_pages){(const void *)region, c->server.page_count};
	return 0;
}

/* Allocates only until the buffer is as large as the largest answer. */
static int reserve(struct gathering *found, size_t more)
{
	if (found->capacity - found->count >= more)
		return 0;
	size_t capacity = found->capacity ? 2 * found->capacity : GATHERING_MIN;
	struct catfish_item *items =
		realloc(found->items, capacity * sizeof(*items));
	if (!items)
		return err_set(ERR_NO_MEMORY,
			       "no memory for an answer of more than %zu items",
			       found->count);
	found->items = items;
	found->capacity = capacity;
	return 0;
}
