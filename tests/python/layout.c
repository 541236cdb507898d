/* SPDX-License-Identifier: BSD-2-Clause */

/* Prints where the fields of the library's structs are, and how large these
 * are: what the Python module has to know by itself. */

#include <stddef.h>
#include <stdio.h>

#include "client/catfish.h"

#define SIZE(type) printf(#type " %zu\n", sizeof(struct catfish_##type))
#define FIELD(type, field)                                                     \
	printf(#type "." #field " %zu\n",                                      \
	       offsetof(struct catfish_##type, field))

static void print_options(void)
{
	SIZE(options);
	FIELD(options, policy);
	FIELD(options, offload);
	FIELD(options, timeout_ms);
	FIELD(options, reconnect_ms);
	FIELD(options, device);
	FIELD(options, cache_size);
	FIELD(options, threshold);
	FIELD(options, backoff);
	FIELD(options, exploration);
	FIELD(options, seed);
}

static void print_answer(void)
{
	SIZE(answer);
	FIELD(answer, identity);
	FIELD(answer, version);
	FIELD(answer, count);
	FIELD(answer, truncated);
	FIELD(answer, path);
	FIELD(answer, offload);
	FIELD(answer, round_trips);
	FIELD(answer, reads);
	FIELD(answer, read_bytes);
	FIELD(answer, nodes);
	FIELD(answer, cached);
	FIELD(answer, retries);
	FIELD(answer, lease_expiries);
	FIELD(answer, pushed_back);
	FIELD(answer, time_ns);
}

static void print_written(void)
{
	SIZE(written);
	FIELD(written, identity);
	FIELD(written, version);
	FIELD(written, applied);
	FIELD(written, not_found);
	FIELD(written, uncertain);
}

static void print_stat(void)
{
	SIZE(stat);
	FIELD(stat, identity);
	FIELD(stat, version);
	FIELD(stat, items);
	FIELD(stat, height);
	FIELD(stat, nodes);
	FIELD(stat, entries);
	FIELD(stat, region_bytes);
	FIELD(stat, page_bytes);
	FIELD(stat, pages);
	FIELD(stat, free_pages);
	FIELD(stat, retired_pages);
	FIELD(stat, lease_ns);
	FIELD(stat, heartbeat_ns);
	FIELD(stat, uptime_ns);
	FIELD(stat, since_save_ns);
	FIELD(stat, unsaved_versions);
	FIELD(stat, clients);
	FIELD(stat, one_sided_clients);
	FIELD(stat, threads);
	FIELD(stat, searches);
	FIELD(stat, counts);
	FIELD(stat, nearest);
	FIELD(stat, inserts);
	FIELD(stat, updates);
	FIELD(stat, deletes);
	FIELD(stat, loads);
	FIELD(stat, offloaded);
	FIELD(stat, pushed_back);
	FIELD(stat, utilisation);
	FIELD(stat, process_id);
}

int main(void)
{
	print_options();
	print_answer();
	print_written();
	print_stat();
	return 0;
}
