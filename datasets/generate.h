/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DATASETS_GENERATE_H
#define DATASETS_GENERATE_H

/* The synthetic data and query sets of the literature.
 *
 * A set is the same, bit for bit, for the same options on every machine and
 * compiler: it is made from the integers of base/random.h with additions,
 * multiplications and divisions of doubles alone, which IEEE 754 fixes.
 *
 * All rectangles lie in the unit square, or in three dimensions the unit cube.
 * Centres are drawn there, then all edges; what would stick out is cut off. Ids
 * are 1, 2, ... count.
 *
 * uniform: centres uniform, edges uniform in (0, edge], as "Uniform" of the
 *	R*-tree (Beckmann, Kriegel, Schneider and Seeger, SIGMOD 1990).
 *
 * skewed: centres in GENERATE_CLUSTERS clusters, whose own centres are uniform
 *	and whose shares fall as 1, 1/2, 1/3, ... (Zipf); in a cluster, both
 *	coordinates are normal (the sum of twelve uniform numbers) with
 *	GENERATE_DEVIATION, and are drawn again when not in the square.  Edges
 *	uniform in (0, edge].
 *
 * powerlaw-queries: centres uniform; each query draws its scale S in
 *	[1e-5, 1e-2) with a density that falls as S^-2, and then its edges
 *	uniform in (0, S].
 *
 * A query set of a fixed scale is a uniform or skewed set with 'scale' in place
 * of 'edge'.  The rectangles are then other ones than those of the data set of
 * that seed, but the clusters are the same: queries go where the data are.
 *
 * Thread-safety: one generator, one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/rect.h"

enum generate_kind {
	GENERATE_UNIFORM,
	GENERATE_SKEWED,
	GENERATE_POWERLAW_QUERIES,
};

enum { GENERATE_CLUSTERS = 64 };
#define GENERATE_DEVIATION    0.03125
#define GENERATE_DEFAULT_EDGE 1e-4

/* The kind of that name ("uniform"); ERR_USAGE, with the names there are,
 * otherwise. */
int generate_kind_parse(const char *text, enum generate_kind *kind);

struct generate_options {
	enum generate_kind kind;
	uint64_t count;
	uint64_t seed;
	double edge;  /* longest edge; 0: GENERATE_DEFAULT_EDGE */
	double scale; /* the same of a query set; 0: a data set */
};

struct generator {
	struct generate_options options;
	struct random random;
	uint64_t made;
	struct {
		double centre[DIMENSIONS];
		uint64_t shares_end; /* of it and all clusters before */
	} cluster[GENERATE_CLUSTERS];
};

/* Starts a set.  ERR_USAGE when an edge or scale is not in (0, 1], both are
 * given, or either is given for powerlaw-queries. */
int generate_begin(struct generator *generator,
		   const struct generate_options *options);

/* Makes the next item; false when there are no more. */
bool generate_next(struct generator *generator, struct item *item);

#endif
