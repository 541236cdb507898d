/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/shm_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/huge_memory.h"

enum {
	SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW,
	LINK_SEALS = SIZE_SEALS | F_SEAL_SEAL,
	REGION_SEALS = SIZE_SEALS | F_SEAL_FUTURE_WRITE,
};

static size_t whole_pages(size_t size)
{
	return (size + SHM_PAGE - 1) & ~(size_t)(SHM_PAGE - 1);
}

/* Both ends know both sizes and so come to the same layout. */
static size_t memory_size(uint32_t server_inbox_size,
			  uint32_t client_inbox_size)
{
	return SHM_INBOXES + whole_pages(server_inbox_size) +
	       whole_pages(client_inbox_size);
}

static int map_memory(int fd, uint32_t server_inbox_size, size_t size,
		      struct shm_memory *memory)
{
	uint8_t *start =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (start == MAP_FAILED)
		return err_set(ERR_NO_MEMORY, "can't map %zu bytes: %s", size,
			       strerror(errno));
	memory->control = (struct shm_control *)(void *)start;
	memory->server_inbox = start + SHM_INBOXES;
	memory->client_inbox =
		memory->server_inbox + whole_pages(server_inbox_size);
	memory->size = size;
	return 0;
}

int fabric_shm_memory_create(uint32_t server_inbox_size,
			     uint32_t client_inbox_size,
			     struct shm_memory *memory, int *fd)
{
	size_t size = memory_size(server_inbox_size, client_inbox_size);

	int made =
		memfd_create("catfish-link", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (made < 0)
		return err_set(ERR_NO_MEMORY, "can't make a memfd: %s",
			       strerror(errno));
	int error = 0;
	if (ftruncate(made, (off_t)size) ||
	    fcntl(made, F_ADD_SEALS, LINK_SEALS))
		error = err_set(ERR_NO_MEMORY, "can't make a memfd: %s",
				strerror(errno));
	if (!error)
		error = map_memory(made, server_inbox_size, size, memory);
	if (error) {
		close(made);
		return error;
	}
	*fd = made;
	return 0;
}

/* Whether a descriptor from a server is a memfd of at least 'size' bytes that
 * will stay so. */
static int check_memfd(int fd, uint64_t size, const char *what)
{
	struct stat found;

	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return err_set(ERR_PROTOCOL,
			       "the server's %s is no sealed memfd", what);
	if (fstat(fd, &found) || (uint64_t)found.st_size < size)
		return err_set(ERR_PROTOCOL,
			       "the server's %s is smaller than it says", what);
	return 0;
}

int fabric_shm_memory_adopt(int fd, uint32_t server_inbox_size,
			    uint32_t client_inbox_size,
			    struct shm_memory *memory)
{
	size_t size = memory_size(server_inbox_size, client_inbox_size);

	int error = check_memfd(fd, size, "memory of the link");
	return error ? error : map_memory(fd, server_inbox_size, size, memory);
}

void fabric_shm_memory_unmap(struct shm_memory *memory)
{
	if (memory->control)
		munmap(memory->control, memory->size);
	memory->control = NULL;
}

static int seal_region(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals >= 0 && (seals & REGION_SEALS) == REGION_SEALS)
		return 0;
	if (seals >= 0 && !fcntl(fd, F_ADD_SEALS, REGION_SEALS & ~seals))
		return 0;
	return err_set(ERR_USAGE, "can't seal the region's memfd: %s",
		       strerror(errno));
}

/* A duplicate would share the server's right to write; opening the file anew
 * gives a description of its own.  Whoever opens it for writing all the same
 * is stopped by F_SEAL_FUTURE_WRITE. */
int fabric_shm_region_open(const struct fabric_region *region, int *fd)
{
	char path[32];

	int error = seal_region(region->fd);
	if (error)
		return error;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", region->fd);
	int opened = open(path, O_RDONLY | O_CLOEXEC);
	if (opened < 0)
		return err_set(ERR_SYSTEM,
			       "can't open the region for reading: %s: %s",
			       path, strerror(errno));
	*fd = opened;
	return 0;
}

int fabric_shm_region_map(int fd, uint64_t size, const uint8_t **memory)
{
	int error = check_memfd(fd, size, "region");
	if (error)
		return error;
	void *mapped = huge_memory_map_file(fd, size, PROT_READ, MAP_SHARED);
	if (!mapped)
		return err_set(ERR_NO_MEMORY,
			       "can't map the region of %llu bytes: %s",
			       (unsigned long long)size, strerror(errno));
	*memory = mapped;
	return 0;
}
