/* SPDX-License-Identifier: BSD-2-Clause */

/* A sealed memfd, or anonymous memory. */

#include "rtree/region_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/huge_memory.h"

enum { HUGE_PAGE_SIZE = 2 << 20 };

static bool make_memfd(struct region_memory *memory, uint64_t size,
		       unsigned fd_flags, int map_flags);
static int no_memory(uint64_t size);

int region_memory_init(struct region_memory *memory, uint64_t size,
		       bool is_mappable)
{
	const unsigned huge_fd = MFD_HUGETLB | MFD_HUGE_2MB;
	uint64_t huge =
		(size + HUGE_PAGE_SIZE - 1) / HUGE_PAGE_SIZE * HUGE_PAGE_SIZE;

	*memory = (struct region_memory){.size = size, .fd = -1};
	if (!is_mappable) {
		memory->bytes = huge_memory_map(size);
		return memory->bytes ? 0 : no_memory(size);
	}
	/* Reserved pages are all taken at once, or there are too few. */
	memory->is_reserved = make_memfd(memory, huge, huge_fd, 0);
	if (memory->is_reserved || make_memfd(memory, size, 0, MAP_NORESERVE))
		return 0;
	return no_memory(size);
}

static bool make_memfd(struct region_memory *memory, uint64_t size,
		       unsigned fd_flags, int map_flags)
{
	int fd = memfd_create("catfish-region",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING | fd_flags);
	if (fd < 0)
		return false;
	if (ftruncate(fd, (off_t)size))
		goto close_fd;
	void *bytes = huge_memory_map_file(fd, size, PROT_READ | PROT_WRITE,
					   MAP_SHARED | map_flags);
	if (!bytes)
		goto close_fd;
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
			  F_SEAL_SEAL))
		goto unmap;
	/* A wish, which systems grant for such memory only where they were told
	 * to. */
	madvise(bytes, size, MADV_HUGEPAGE);
	memory->bytes = bytes;
	memory->size = size;
	memory->fd = fd;
	return true;

unmap:
	munmap(bytes, size);
close_fd:
	close(fd);
	return false;
}

static int no_memory(uint64_t size)
{
	return err_set(ERR_NO_MEMORY, "no region of %llu bytes: %s",
		       (unsigned long long)size, strerror(errno));
}

void region_memory_settle(const struct region_memory *memory, uint64_t size)
{
	if (memory->fd >= 0 && !memory->is_reserved)
		huge_memory_collapse(memory->bytes, size);
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
