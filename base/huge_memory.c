/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/huge_memory.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_PAGE_SIZE = 2 << 20 };

/* What the system maps and unmaps: whole pages. */
static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return size ? (size + page - 1) / page * page : page;
}

void *huge_memory_map(size_t size)
{
	size_t used = whole_pages(size);
	char *from = mmap(NULL, used + HUGE_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (from == MAP_FAILED)
		return NULL;
	/* It begins where a 2 MiB page does. */
	size_t before = -(uintptr_t)from % HUGE_PAGE_SIZE;
	if (before)
		munmap(from, before);
	munmap(from + before + used, HUGE_PAGE_SIZE - before);
	/* A wish: where it isn't granted, 4 KiB pages do. */
	madvise(from + before, used, MADV_HUGEPAGE);
	return from + before;
}

void huge_memory_unmap(void *memory, size_t size)
{
	if (memory)
		munmap(memory, whole_pages(size));
}
