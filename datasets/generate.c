/* SPDX-License-Identifier: BSD-2-Clause */

/* Synthetic sets.  Every operation on doubles here is exact or rounded once as
 * IEEE 754 says, in the order that the source has them in, which the compiler
 * must neither fuse nor carry out in another precision. */

#include "datasets/generate.h"

#include <assert.h>
#include <float.h>
#include <string.h>

#include "base/err.h"

static_assert(FLT_EVAL_METHOD == 0, "doubles must be computed as doubles");

/* Sequences of random numbers that have nothing to do with each other, all
 * from one seed. */
enum stream {
	STREAM_CLUSTERS,
	STREAM_DATA,	/* and the kind's number */
	STREAM_QUERIES, /* the same */
	STREAMS_PER_KIND = 2,
};

static const char *const kind_names[] = {
	[GENERATE_UNIFORM] = "uniform",
	[GENERATE_SKEWED] = "skewed",
	[GENERATE_POWERLAW_QUERIES] = "powerlaw-queries",
};

static int check_options(const struct generate_options *options);
static void seed_stream(struct random *random, uint64_t seed, unsigned stream);
static void place_clusters(struct generator *generator);
static double draw_scale(struct random *random);
static void draw_uniform_point(struct random *random, double point[DIMENSIONS]);
static void draw_clustered_point(struct generator *generator,
				 double point[DIMENSIONS]);
static struct rect draw_rect(struct random *random,
			     const double centre[DIMENSIONS], double edge);

int generate_kind_parse(const char *text, enum generate_kind *kind)
{
	for (int i = GENERATE_UNIFORM; i <= GENERATE_POWERLAW_QUERIES; i++)
		if (!strcmp(kind_names[i], text)) {
			*kind = (enum generate_kind)i;
			return 0;
		}
	return err_set(ERR_USAGE,
		       "no kind '%s'; there are uniform, skewed and "
		       "powerlaw-queries",
		       text);
}

int generate_begin(struct generator *generator,
		   const struct generate_options *options)
{
	int error = check_options(options);
	if (error)
		return error;

	*generator = (struct generator){.options = *options};
	unsigned stream = options->scale != 0 ? STREAM_QUERIES : STREAM_DATA;
	stream += STREAMS_PER_KIND * options->kind;
	seed_stream(&generator->random, options->seed, stream);
	if (options->kind == GENERATE_SKEWED)
		place_clusters(generator);
	if (options->scale != 0)
		generator->options.edge = options->scale;
	else if (options->edge == 0)
		generator->options.edge = GENERATE_DEFAULT_EDGE;
	return 0;
}

bool generate_next(struct generator *generator, struct item *item)
{
	double edge = generator->options.edge;
	double centre[DIMENSIONS];

	if (generator->made == generator->options.count)
		return false;
	if (generator->options.kind == GENERATE_POWERLAW_QUERIES)
		edge = draw_scale(&generator->random);
	if (generator->options.kind == GENERATE_SKEWED)
		draw_clustered_point(generator, centre);
	else
		draw_uniform_point(&generator->random, centre);
	item->id = (int64_t)++generator->made;
	item->rect = draw_rect(&generator->random, centre, edge);
	return true;
}

static int check_options(const struct generate_options *options)
{
	bool given = options->edge != 0 || options->scale != 0;
	double edge = options->edge != 0 ? options->edge : options->scale;

	if (options->kind == GENERATE_POWERLAW_QUERIES && given)
		return err_set(ERR_USAGE, "powerlaw-queries draws its own "
					  "scales; it takes no edge or scale");
	if (options->edge != 0 && options->scale != 0)
		return err_set(ERR_USAGE, "either an edge, for data, or a "
					  "scale, for queries");
	if (given && !(edge > 0 && edge <= 1))
		return err_set(ERR_USAGE,
			       "%g is no fraction of the extent's edge: "
			       "it must be above 0 and at most 1",
			       edge);
	if (options->count > INT64_MAX)
		return err_set(ERR_USAGE, "more items than there are ids");
	return 0;
}

/* Seeds the generator with one of the numbers that the seed's own sequence
 * begins with. */
static void seed_stream(struct random *random, uint64_t seed, unsigned stream)
{
	random_seed(random, seed);
	for (unsigned i = 0; i < stream; i++)
		random_next(random);
	random_seed(random, random_next(random));
}

static void place_clusters(struct generator *generator)
{
	const uint64_t largest_share = UINT64_C(1) << 40;
	struct random random;
	uint64_t shares = 0;

	seed_stream(&random, generator->options.seed, STREAM_CLUSTERS);
	for (int i = 0; i < GENERATE_CLUSTERS; i++) {
		draw_uniform_point(&random, generator->cluster[i].centre);
		shares += largest_share / (uint64_t)(i + 1);
		generator->cluster[i].shares_end = shares;
	}
}

/* The inverse of the distribution function 1/a - 1/S of the density S^-2, with
 * a = 1e-5 and b = 1e-2: S = 1 / (1/a - u (1/a - 1/b)). */
static double draw_scale(struct random *random)
{
	return 1 / (1e5 - random_unit(random) * (1e5 - 1e2));
}

static void draw_uniform_point(struct random *random, double point[DIMENSIONS])
{
	for (int d = 0; d < DIMENSIONS; d++)
		point[d] = random_unit(random);
}

/* The sum of twelve numbers uniform in [0, 1), less its mean of 6: variance 1,
 * and close to normal.  Summed up as integers, with 56 bits each. */
static double draw_normal(struct random *random)
{
	uint64_t sum = 0;

	for (int i = 0; i < 12; i++)
		sum += random_next(random) >> 8;
	return (double)(int64_t)(sum - (UINT64_C(6) << 56)) * 0x1p-56;
}

static void draw_clustered_point(struct generator *generator,
				 double point[DIMENSIONS])
{
	struct random *random = &generator->random;
	uint64_t shares = generator->cluster[GENERATE_CLUSTERS - 1].shares_end;
	uint64_t share = random_below(random, shares);
	int i = 0;

	while (generator->cluster[i].shares_end <= share)
		i++;
	for (int d = 0; d < DIMENSIONS; d++)
		do
			point[d] = generator->cluster[i].centre[d] +
				   draw_normal(random) * GENERATE_DEVIATION;
		while (!(point[d] >= 0 && point[d] < 1));
}

static struct rect draw_rect(struct random *random,
			     const double centre[DIMENSIONS], double edge)
{
	struct rect rect;

	for (int d = 0; d < DIMENSIONS; d++) {
		double half = (1 - random_unit(random)) * edge / 2;
		rect.min[d] = centre[d] - half < 0 ? 0 : centre[d] - half;
		rect.max[d] = centre[d] + half > 1 ? 1 : centre[d] + half;
	}
	return rect;
}
