/* SPDX-License-Identifier: BSD-2-Clause */

/* A sealed memfd, or anonymous memory. */

#include "rtree/region_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/huge_memory.h"

static int make_mappable(struct region_memory *memory);
static int no_memory(uint64_t size);

int region_memory_init(struct region_memory *memory, uint64_t size,
		       bool is_mappable)
{
	*memory = (struct region_memory){.size = size, .fd = -1};
	if (is_mappable)
		return make_mappable(memory);
	memory->bytes = huge_memory_map(size);
	return memory->bytes ? 0 : no_memory(size);
}

static int make_mappable(struct region_memory *memory)
{
	int fd =
		memfd_create("catfish-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set(ERR_SYSTEM, "memfd_create: %s", strerror(errno));
	if (ftruncate(fd, (off_t)memory->size))
		goto close_fd;
	memory->bytes = mmap(NULL, memory->size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (memory->bytes == MAP_FAILED)
		goto close_fd;
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
			  F_SEAL_SEAL))
		goto unmap;
	/* A wish, which systems grant for such memory only where they were told
	 * to. */
	madvise(memory->bytes, memory->size, MADV_HUGEPAGE);
	memory->fd = fd;
	return 0;

unmap:
	munmap(memory->bytes, memory->size);
close_fd:
	no_memory(memory->size);
	close(fd);
	return ERR_NO_MEMORY;
}

static int no_memory(uint64_t size)
{
	return err_set(ERR_NO_MEMORY, "no region of %llu bytes: %s",
		       (unsigned long long)size, strerror(errno));
}

void region_memory_fini(struct region_memory *memory)
{
	if (memory->fd < 0) {
		huge_memory_unmap(memory->bytes, memory->size);
		return;
	}
	munmap(memory->bytes, memory->size);
	close(memory->fd);
}
