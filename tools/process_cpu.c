/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/process_cpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* Between the start of a process and that of what it calls its uptime it may
 * load a region file. */
#define STARTING_NS (60 * NS_PER_S)

struct process {
	char name[32];
	uint64_t used_ticks;
	uint64_t start_ticks; /* since the machine started */
};

/* Fields 2, 14, 15 and 22 of /proc/PID/stat, as proc(5) counts them.  The name
 * ends with the last ')'. */
static bool parse(const char *line, struct process *process)
{
	const char *name = strchr(line, '(');
	const char *end = strrchr(line, ')');
	uint64_t user, system;

	if (!name || !end || end < name)
		return false;
	snprintf(process->name, sizeof(process->name), "%.*s",
		 (int)(end - name - 1), name + 1);
	if (sscanf(end + 1,
		   " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%" SCNu64 " %" SCNu64 " %*s %*s %*s %*s %*s %*s %" SCNu64,
		   &user, &system, &process->start_ticks) != 3)
		return false;
	process->used_ticks = user + system;
	return true;
}

static bool look_up(int pid, struct process *process)
{
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool is_read = fgets(line, sizeof(line), file);
	fclose(file);
	return is_read && parse(line, process);
}

static uint64_t ns_of_ticks(uint64_t ticks)
{
	return ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool process_cpu_ns(int pid, uint64_t *time_ns)
{
	struct process process;

	if (!look_up(pid, &process))
		return false;
	*time_ns = ns_of_ticks(process.used_ticks);
	return true;
}

bool process_is(int pid, const char *name, uint64_t uptime_ns)
{
	uint64_t began_ns = clock_now_ns() - uptime_ns;
	struct process process;

	if (!look_up(pid, &process) ||
	    strncmp(process.name, name, strlen(name)) != 0)
		return false;
	uint64_t start_ns = ns_of_ticks(process.start_ticks);
	/* Both clocks count from the machine's start, to a tick. */
	return start_ns < began_ns + NS_PER_S &&
	       start_ns + STARTING_NS > began_ns;
}
