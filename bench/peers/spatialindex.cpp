/* SPDX-License-Identifier: BSD-2-Clause */

/* libspatialindex's R*-tree in memory. */

#include "peer.h"

#include <memory>
#include <spatialindex/SpatialIndex.h>

using namespace SpatialIndex;

static IStorageManager *storage;
static ISpatialIndex *tree;

static Region to_region(const peer_box *b)
{
	return Region(b->min, b->max, 2);
}

/* Hands the items to the bulk loader one by one. */
class stream : public IDataStream
{
      public:
	stream(const peer_box *from, size_t n) : items(from), count(n)
	{
	}
	IData *getNext() override
	{
		Region r = to_region(&items[next]);
		return new RTree::Data(0, nullptr, r, (id_type)next++);
	}
	bool hasNext() override
	{
		return next < count;
	}
	uint32_t size() override
	{
		return (uint32_t)count;
	}
	void rewind() override
	{
		next = 0;
	}

      private:
	const peer_box *items;
	size_t count;
	size_t next = 0;
};

static void drop()
{
	delete tree;
	delete storage;
	storage = StorageManager::createNewMemoryStorageManager();
	tree = nullptr;
}

static void bulk(const peer_box *items, size_t count)
{
	id_type id;
	stream all(items, count);

	drop();
	tree = RTree::createAndBulkLoadNewRTree(RTree::BLM_STR, all, *storage,
						0.9, 32, 32, 2, RTree::RV_RSTAR,
						id);
}

static void clear()
{
	id_type id;

	drop();
	tree = RTree::createNewRTree(*storage, 0.7, 32, 32, 2, RTree::RV_RSTAR,
				     id);
}

static void insert(int64_t id, const peer_box *b)
{
	tree->insertData(0, nullptr, to_region(b), id);
}

static int remove_item(int64_t id, const peer_box *b)
{
	return tree->deleteData(to_region(b), id);
}

class sink : public IVisitor
{
      public:
	explicit sink(int64_t *ids) : to(ids)
	{
	}
	void visitNode(const INode &) override
	{
	}
	void visitData(const IData &d) override
	{
		*to++ = d.getIdentifier();
	}
	void visitData(std::vector<const IData *> &) override
	{
	}
	int64_t *to;
};

static size_t search(const peer_box *query, int64_t *ids)
{
	sink s(ids);

	tree->intersectsWithQuery(to_region(query), s);
	return (size_t)(s.to - ids);
}

static size_t nearest(const double p[2], size_t k, int64_t *ids)
{
	sink s(ids);

	tree->nearestNeighborQuery((uint32_t)k, Point(p, 2), s);
	return (size_t)(s.to - ids);
}

extern "C" {
const char *const peer_name = "spatialindex";
const struct peer peer = {bulk, clear, insert, remove_item, search, nearest};
}
