/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_IMPORT_PROGRESS_H
#define TOOLS_IMPORT_PROGRESS_H

/* How far an import is, on standard error: a bar when that is a terminal, a
 * line every few seconds when not.
 *
 * Thread-safety: one thread. */

#include <stdbool.h>
#include <stdint.h>

struct import_progress {
	bool is_terminal;
	bool is_shown; /* there is a bar to be wiped out */
	uint64_t started_ns;
	uint64_t shown_ns;
};

void import_progress_begin(struct import_progress *progress);

/* Says, unless it did so lately, that 'items' have been read, and which share,
 * from 0 to 1, of the whole that is; negative when that is not known. */
void import_progress_update(struct import_progress *progress, uint64_t items,
			    double share);

/* Says what is done now, of which there is no share to tell. */
void import_progress_phase(struct import_progress *progress, const char *what);

/* Removes the bar. */
void import_progress_end(struct import_progress *progress);

/* Seconds since it began. */
double import_progress_seconds(const struct import_progress *progress);

#endif
