/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/client/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/rect.h"

void model_clear(struct model *model)
{
	free(model->items);
	memset(model, 0, sizeof(*model));
}

void model_add(struct model *model, const struct catfish_item *item)
{
	if (model->count == model->capacity) {
		model->capacity = model->capacity ? 2 * model->capacity : 64;
		model->items =
			realloc(model->items, model->capacity * sizeof(*item));
		if (!model->items)
			abort();
	}
	model->items[model->count++] = *item;
}

bool model_remove(struct model *model, const struct catfish_item *item)
{
	for (size_t i = 0; i < model->count; i++)
		if (!memcmp(&model->items[i], item, sizeof(*item))) {
			model->items[i] = model->items[--model->count];
			return true;
		}
	return false;
}

/* A multiple of 1/64, so that edges touch and rectangles repeat. */
static double coordinate(struct random *random)
{
	return (double)random_below(random, 65) / 64;
}

static void random_box(struct random *random, double box[4])
{
	uint64_t kind = random_below(random, 4);

	box[0] = kind ? random_unit(random) : coordinate(random);
	box[1] = kind ? random_unit(random) : coordinate(random);
	box[2] = kind == 1 ? box[0] : box[0] + coordinate(random) / 8;
	box[3] = kind < 3 ? box[1] : box[1] + coordinate(random) / 8;
}

void model_add_random(struct model *model, struct random *random, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct catfish_item item = {
			.id = (int64_t)random_below(random, 1 + count / 2) -
			      (int64_t)count / 4,
		};
		random_box(random, item.box);
		if (model->count && random_below(random, 16) == 0)
			item = model->items[random_below(random, model->count)];
		model_add(model, &item);
	}
}

struct catfish_query model_random_query(const struct model *model,
					struct random *random, double edge)
{
	struct catfish_query query = {
		.relation = (enum catfish_relation)random_below(random, 3),
	};

	if (model->count && random_below(random, 2)) {
		const struct catfish_item *item =
			&model->items[random_below(random, model->count)];
		memcpy(query.box, item->box, sizeof(query.box));
		if (random_below(random, 2)) {
			query.box[2] = query.box[0];
			query.box[3] = query.box[1];
		}
		return query;
	}
	query.box[0] = random_unit(random);
	query.box[1] = random_unit(random);
	query.box[2] = query.box[0] + edge * random_unit(random);
	query.box[3] = query.box[1] + edge * random_unit(random);
	return query;
}

void model_search(const struct model *model, const struct catfish_query *query,
		  struct model *found)
{
	struct rect box, rect;

	memcpy(&box, query->box, sizeof(box));
	for (size_t i = 0; i < model->count; i++) {
		memcpy(&rect, model->items[i].box, sizeof(rect));
		if (rect_relation_holds((enum relation)query->relation, &rect,
					&box))
			model_add(found, &model->items[i]);
	}
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct catfish_item));
}

static void sort(struct model *model)
{
	if (model->count)
		qsort(model->items, model->count, sizeof(*model->items),
		      compare);
}

bool model_equal(struct model *a, struct model *b)
{
	sort(a);
	sort(b);
	return a->count == b->count &&
	       (!a->count ||
		!memcmp(a->items, b->items, a->count * sizeof(*a->items)));
}

bool model_includes(struct model *whole, struct model *part)
{
	size_t at = 0;

	sort(whole);
	sort(part);
	for (size_t i = 0; i < part->count; i++, at++) {
		while (at < whole->count &&
		       compare(&whole->items[at], &part->items[i]))
			at++;
		if (at >= whole->count)
			return false;
	}
	return true;
}

int model_take(void *context, int64_t id, const double box[4])
{
	struct catfish_item item = {.id = id};

	memcpy(item.box, box, sizeof(item.box));
	model_add(context, &item);
	return 0;
}
