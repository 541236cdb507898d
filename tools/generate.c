/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish generate: the synthetic sets of the literature as CSV. */

#include <stdio.h>

#include "base/err.h"
#include "datasets/generate.h"
#include "datasets/writer.h"
#include "tools/command.h"

static struct generate_options options;
static bool has_count, has_seed, has_edge, has_scale;

static const struct command_option generate_options[] = {
	{
		.name = "count",
		.value = "N",
		.help = "make so many",
		.take = options_take_uint64,
		.to = &options.count,
		.given = &has_count,
	},
	{
		.name = "seed",
		.value = "S",
		.help = "the same bytes for the same seed, on every machine",
		.take = options_take_uint64,
		.to = &options.seed,
		.given = &has_seed,
	},
	{
		.name = "edge",
		.value = "E",
		.help = "edges uniform in (0, E] (default: 0.0001)",
		.take = options_take_double,
		.to = &options.edge,
		.given = &has_edge,
	},
	{
		.name = "scale",
		.value = "S",
		.help = "a query set: edges uniform in (0, S], S being a\n"
			"fraction of the data's extent",
		.take = options_take_double,
		.to = &options.scale,
		.given = &has_scale,
	},
	{0},
};

static int check_options(void)
{
	if (!has_count || !has_seed)
		return err_set(ERR_USAGE, "--count and --seed are needed");
	if (has_edge && has_scale)
		return err_set(ERR_USAGE,
			       "--edge and --scale exclude each other");
	if ((has_edge && options.edge <= 0) ||
	    (has_scale && options.scale <= 0))
		return err_set(ERR_USAGE, "--%s: more than 0, please",
			       has_edge ? "edge" : "scale");
	return 0;
}

static int generate_run(const char *kind)
{
	struct generator generator;
	struct writer writer;
	struct item item;
	int error = generate_kind_parse(kind, &options.kind);

	if (!error)
		error = check_options();
	if (!error)
		error = generate_begin(&generator, &options);
	if (error)
		return error;

	writer_begin(&writer, stdout, WRITER_CSV, false);
	while (!error && generate_next(&generator, &item))
		error = writer_item(&writer, 0, &item);
	return error ? error : writer_end(&writer);
}

#define EXTENT DIMENSIONAL("square", "cube")

const struct command generate_command = {
	.name = "generate",
	.summary = "make a synthetic data or query set",
	.usage = "uniform|skewed|powerlaw-queries --count N --seed S\n"
		 "\t[--edge E | --scale S]",
	.text = "Prints rectangles in the unit " EXTENT
		" as CSV, with the columns "
		"of items.\n"
		"\n"
		"  uniform           centres uniform\n"
		"  skewed            centres in 64 clusters, whose shares fall "
		"as 1, 1/2, 1/3 ...\n"
		"  powerlaw-queries  centres uniform; each query's scale S is "
		"drawn between\n"
		"                    1e-5 and 1e-2, its density falling as "
		"S^-2\n",
	.example = "  catfish generate uniform --count 1000000 --seed 1 | "
		   "catfish import -\n"
		   "  catfish generate uniform --count 1000 --seed 2 "
		   "--scale 0.01 > boxes.csv\n",
	.options = generate_options,
	.operand = "uniform, skewed or powerlaw-queries",
	.run = generate_run,
};
