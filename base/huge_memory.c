/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/huge_memory.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_PAGE_SIZE = 2 << 20 };

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* the C library may be older than the system */
#endif

/* What the system maps and unmaps: whole pages. */
static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return size ? (size + page - 1) / page * page : page;
}

/* Maps at an address where a 2 MiB page begins: reserves more than enough, maps
 * in place of that, and gives the rest back. */
static void *map_aligned(size_t size, int protection, int flags, int fd)
{
	size_t used = whole_pages(size);
	char *from = mmap(NULL, used + HUGE_PAGE_SIZE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (from == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)from % HUGE_PAGE_SIZE;
	void *mapped =
		mmap(from + before, used, protection, flags | MAP_FIXED, fd, 0);
	int error = errno;
	if (before)
		munmap(from, before);
	munmap(from + before + used, HUGE_PAGE_SIZE - before);
	if (mapped != MAP_FAILED)
		return mapped;
	munmap(from + before, used);
	errno = error;
	return NULL;
}

void *huge_memory_map(size_t size)
{
	void *memory =
		map_aligned(size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	/* A wish: where it isn't granted, 4 KiB pages do. */
	if (memory)
		madvise(memory, whole_pages(size), MADV_HUGEPAGE);
	return memory;
}

void *huge_memory_map_file(int fd, size_t size, int protection, int flags)
{
	return map_aligned(size, protection, flags, fd);
}

void huge_memory_collapse(void *memory, size_t size)
{
	madvise(memory, size / HUGE_PAGE_SIZE * HUGE_PAGE_SIZE, MADV_COLLAPSE);
}

void huge_memory_unmap(void *memory, size_t size)
{
	if (memory)
		munmap(memory, whole_pages(size));
}
