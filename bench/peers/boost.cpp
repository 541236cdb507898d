/* SPDX-License-Identifier: BSD-2-Clause */

/* Boost.Geometry's R-tree: packed (STR) when loaded at once, R* when filled by
 * insertion. */

#include "peer.h"

#include <boost/geometry.hpp>
#include <boost/geometry/index/rtree.hpp>
#include <memory>
#include <utility>
#include <vector>

namespace bg = boost::geometry;
namespace bgi = boost::geometry::index;

using point = bg::model::point<double, 2, bg::cs::cartesian>;
using box = bg::model::box<point>;
using value = std::pair<box, int64_t>;
using tree = bgi::rtree<value, bgi::rstar<16>>;

static std::unique_ptr<tree> the_tree;

static box to_box(const peer_box *b)
{
	return box(point(b->min[0], b->min[1]), point(b->max[0], b->max[1]));
}

static void bulk(const peer_box *items, size_t count)
{
	std::vector<value> values;
	values.reserve(count);
	for (size_t i = 0; i < count; i++)
		values.emplace_back(to_box(&items[i]), (int64_t)i);
	the_tree = std::make_unique<tree>(values);
}

static void clear()
{
	the_tree = std::make_unique<tree>();
}

static void insert(int64_t id, const peer_box *b)
{
	the_tree->insert(value(to_box(b), id));
}

static int remove_item(int64_t id, const peer_box *b)
{
	return (int)the_tree->remove(value(to_box(b), id));
}

/* Stores ids where boost wants to store values. */
struct id_sink {
	using iterator_category = std::output_iterator_tag;
	using value_type = void;
	using difference_type = std::ptrdiff_t;
	using pointer = void;
	using reference = void;
	int64_t *to;
	id_sink &operator*()
	{
		return *this;
	}
	id_sink &operator++()
	{
		return *this;
	}
	id_sink operator++(int)
	{
		return *this;
	}
	id_sink &operator=(const value &v)
	{
		*to++ = v.second;
		return *this;
	}
};

static size_t search(const peer_box *query, int64_t *ids)
{
	return the_tree->query(bgi::intersects(to_box(query)), id_sink{ids});
}

static size_t nearest(const double p[2], size_t k, int64_t *ids)
{
	return the_tree->query(bgi::nearest(point(p[0], p[1]), (unsigned)k),
			       id_sink{ids});
}

extern "C" {
const char *const peer_name = "boost";
const struct peer peer = {bulk, clear, insert, remove_item, search, nearest};
}
