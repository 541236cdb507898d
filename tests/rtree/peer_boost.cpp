/* SPDX-License-Identifier: BSD-2-Clause */

/* Boost.Geometry's R-tree, packed. */

#define BOOST_ALLOW_DEPRECATED_HEADERS

#include "tests/rtree/peer.h"

#include <boost/geometry.hpp>
#include <boost/geometry/index/rtree.hpp>
#include <boost/iterator/function_output_iterator.hpp>
#include <utility>
#include <vector>

namespace bg = boost::geometry;
namespace bgi = boost::geometry::index;

using point = bg::model::point<double, 2, bg::cs::cartesian>;
using box = bg::model::box<point>;
using value = std::pair<box, int64_t>;

struct peer_tree {
	bgi::rtree<value, bgi::rstar<16>> tree;
};

static box to_box(const peer_item &item)
{
	return box(point(item.min[0], item.min[1]),
		   point(item.max[0], item.max[1]));
}

static peer_tree *create(const peer_item *items, size_t count)
{
	std::vector<value> values;

	for (size_t i = 0; i < count; i++)
		values.emplace_back(to_box(items[i]), items[i].id);
	return new peer_tree{bgi::rtree<value, bgi::rstar<16>>(values)};
}

static void destroy(peer_tree *t)
{
	delete t;
}

static int knows(peer_relation)
{
	return 1;
}

template <typename predicate>
static size_t ask(peer_tree *t, const predicate &which, int64_t *ids)
{
	int64_t *to = ids;

	return t->tree.query(
		which, boost::make_function_output_iterator(
			       [&to](const value &v) { *to++ = v.second; }));
}

static size_t search(peer_tree *t, peer_relation relation,
		     const peer_item *query, int64_t *ids)
{
	switch (relation) {
	case PEER_CONTAINS:
		return ask(t, bgi::covers(to_box(*query)), ids);
	case PEER_WITHIN:
		return ask(t, bgi::covered_by(to_box(*query)), ids);
	default:
		return ask(t, bgi::intersects(to_box(*query)), ids);
	}
}

static size_t nearest(peer_tree *t, const double p[2], size_t k, int64_t *ids)
{
	return ask(t, bgi::nearest(point(p[0], p[1]), (unsigned)k), ids);
}

extern "C" {
const struct peer peer = {"Boost", create, destroy, knows, search, nearest};
}
