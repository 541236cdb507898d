/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/host.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/kernel_file.h"

enum {
	TEXT_SIZE = 8192,	  /* of a file in /proc */
	CAPABILITY_IPC_LOCK = 14, /* see linux/capability.h */
	HARDWARE_ETHERNET = 1,	  /* see linux/if_arp.h */
};

/* What follows 'key' in a file of lines "key value"; NULL when nothing does. */
static const char *find_value(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? found + strlen(key) : NULL;
}

uint64_t host_memory(const char *root)
{
	char text[TEXT_SIZE];

	if (kernel_file_read(text, sizeof(text), "%s/proc/meminfo", root))
		return 0;
	const char *value = find_value(text, "MemTotal:");
	return value ? strtoull(value, NULL, 10) * 1024 : 0;
}

/* --- Locked memory ------------------------------------------------------ */

static uint64_t take_limit(const char **text)
{
	while (**text == ' ')
		++*text;
	if (!strncmp(*text, "unlimited", strlen("unlimited"))) {
		*text += strlen("unlimited");
		return UINT64_MAX;
	}
	char *end;
	uint64_t limit = strtoull(*text, &end, 10);
	*text = end;
	return limit;
}

static bool has_capability(const char *root, int capability)
{
	char text[TEXT_SIZE];

	if (kernel_file_read(text, sizeof(text), "%s/proc/self/status", root))
		return false;
	const char *value = find_value(text, "CapEff:");
	return value && strtoull(value, NULL, 16) >> capability & 1;
}

void host_lock_limit(const char *root, struct host_lock_limit *limit)
{
	char text[TEXT_SIZE];
	const char *value = NULL;

	if (!kernel_file_read(text, sizeof(text), "%s/proc/self/limits", root))
		value = find_value(text, "Max locked memory");
	limit->soft = value ? take_limit(&value) : 0;
	limit->hard = value ? take_limit(&value) : 0;
	limit->is_privileged = has_capability(root, CAPABILITY_IPC_LOCK);
}

/* --- Huge pages and nodes ----------------------------------------------- */

uint64_t host_free_huge_pages(const char *root, int node)
{
	char folder[PATH_MAX] = "/sys/kernel/mm";
	int64_t pages;

	if (node >= 0)
		snprintf(folder, sizeof(folder),
			 "/sys/devices/system/node/node%d", node);
	if (kernel_file_read_number(&pages,
				    "%s%s/hugepages/hugepages-2048kB/%s", root,
				    folder, "free_hugepages") ||
	    pages < 0)
		return 0;
	return (uint64_t)pages * HOST_HUGE_PAGE_SIZE;
}

int host_node_count(const char *root)
{
	char path[PATH_MAX];
	int count = 0;

	do
		snprintf(path, sizeof(path),
			 "%s/sys/devices/system/node/node%d", root, count);
	while (access(path, F_OK) == 0 && ++count);
	return count ? count : 1;
}

/* --- Interfaces and modules --------------------------------------------- */

static bool is_ethernet_and_up(const char *root, const char *name)
{
	char state[HOST_WORD_SIZE];
	int64_t type;

	return !kernel_file_read_number(&type, "%s/sys/class/net/%s/type", root,
					name) &&
	       type == HARDWARE_ETHERNET &&
	       !kernel_file_read(state, sizeof(state),
				 "%s/sys/class/net/%s/operstate", root, name) &&
	       !strcmp(state, "up");
}

void host_ethernet_interface(const char *root, char name[HOST_WORD_SIZE])
{
	char path[PATH_MAX];
	struct dirent **entry;

	*name = '\0';
	snprintf(path, sizeof(path), "%s/sys/class/net", root);
	int count = scandir(path, &entry, NULL, versionsort);
	if (count < 0)
		return;
	for (int i = 0; i < count; i++) {
		const char *candidate = entry[i]->d_name;
		if (!*name && is_ethernet_and_up(root, candidate))
			snprintf(name, HOST_WORD_SIZE, "%.15s", candidate);
		free(entry[i]);
	}
	free(entry);
}

/* Modules that can be loaded are listed in a file of a megabyte, one a line
 * with its path first. */
static bool is_listed(const char *path, const char *name)
{
	char wanted[HOST_WORD_SIZE], *line = NULL;
	size_t size = 0;
	bool found = false;

	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	snprintf(wanted, sizeof(wanted), "/%s.ko", name);
	while (!found && getline(&line, &size, file) > 0) {
		line[strcspn(line, ":")] = '\0';
		found = strstr(line, wanted) != NULL;
	}
	free(line);
	fclose(file);
	return found;
}

bool host_has_module(const char *root, const char *name)
{
	char path[PATH_MAX], release[HOST_WORD_SIZE];

	snprintf(path, sizeof(path), "%s/sys/module/%s", root, name);
	if (access(path, F_OK) == 0)
		return true;
	if (kernel_file_read(release, sizeof(release),
			     "%s/proc/sys/kernel/osrelease", root))
		return false;
	snprintf(path, sizeof(path), "%s/lib/modules/%s/modules.dep", root,
		 release);
	return is_listed(path, name);
}
