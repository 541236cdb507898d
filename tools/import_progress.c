/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/import_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/command.h"

enum {
	BAR_INTERVAL_MS = 100,
	LINE_INTERVAL_MS = 3000,
	BAR_WIDTH = 30,
	STATE_SIZE = 96,
};

static bool is_due(const struct import_progress *progress, uint64_t now_ns);
static void describe(char text[STATE_SIZE], uint64_t items, double share,
		     double seconds);
static void show_bar(struct import_progress *progress, const char *text,
		     double share);

void import_progress_begin(struct import_progress *progress)
{
	uint64_t now_ns = clock_now_ns();

	*progress = (struct import_progress){
		.is_terminal = isatty(STDERR_FILENO),
		.started_ns = now_ns,
		.shown_ns = now_ns,
	};
}

void import_progress_update(struct import_progress *progress, uint64_t items,
			    double share)
{
	uint64_t now_ns = clock_now_ns();
	char text[STATE_SIZE];

	if (!is_due(progress, now_ns))
		return;
	progress->shown_ns = now_ns;
	describe(text, items, share, import_progress_seconds(progress));
	if (progress->is_terminal)
		show_bar(progress, text, share);
	else
		command_note("%s", text);
}

void import_progress_phase(struct import_progress *progress, const char *what)
{
	if (progress->is_terminal)
		show_bar(progress, what, 1);
	else if (import_progress_seconds(progress) > 2)
		command_note("%s", what);
}

void import_progress_end(struct import_progress *progress)
{
	if (progress->is_shown)
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
}

double import_progress_seconds(const struct import_progress *progress)
{
	return (double)(clock_now_ns() - progress->started_ns) / NS_PER_S;
}

static bool is_due(const struct import_progress *progress, uint64_t now_ns)
{
	uint64_t interval_ms =
		progress->is_terminal ? BAR_INTERVAL_MS : LINE_INTERVAL_MS;

	return now_ns - progress->shown_ns >= interval_ms * NS_PER_MS;
}

/* "1200000 items, 45 %, 600000/s, 2 s left" */
static void describe(char text[STATE_SIZE], uint64_t items, double share,
		     double seconds)
{
	int size = snprintf(text, STATE_SIZE, "%" PRIu64 " items", items);

	if (share >= 0)
		size += snprintf(text + size, STATE_SIZE - (size_t)size,
				 ", %.0f %%", 100 * share);
	size += snprintf(text + size, STATE_SIZE - (size_t)size, ", %.0f/s",
			 (double)items / seconds);
	if (share > 0)
		snprintf(text + size, STATE_SIZE - (size_t)size,
			 ", %.0f s left", seconds / share - seconds);
}

static void show_bar(struct import_progress *progress, const char *text,
		     double share)
{
	char bar[BAR_WIDTH + 1];

	for (int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < share * BAR_WIDTH ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	if (share < 0)
		fprintf(stderr, "\r%s\033[K", text);
	else
		fprintf(stderr, "\r[%s] %s\033[K", bar, text);
	fflush(stderr);
	progress->is_shown = true;
}
