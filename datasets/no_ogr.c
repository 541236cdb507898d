/* SPDX-License-Identifier: BSD-2-Clause */

/* What a build without GDAL has in place of datasets/ogr.c. */

#include "datasets/ogr.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

const char *ogr_verdict_text(enum ogr_verdict verdict)
{
	(void)verdict;
	return "";
}

int ogr_open(const struct ogr_options *options, struct ogr_source **source)
{
	(void)source;
	if (access(options->source, F_OK))
		return err_set(err_of_errno(errno), "%s: %s", options->source,
			       strerror(errno));
	return err_set(ERR_UNSUPPORTED,
		       "%s: this build has no GDAL and reads only CSV with the "
		       "columns id," RECT_COLUMNS,
		       options->source);
}

int ogr_next(struct ogr_source *source, struct ogr_feature *feature)
{
	(void)source;
	(void)feature;
	return 0;
}

uint64_t ogr_feature_count(const struct ogr_source *source)
{
	(void)source;
	return 0;
}

void ogr_close(struct ogr_source *source)
{
	(void)source;
}
