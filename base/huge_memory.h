/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_HUGE_MEMORY_H
#define BASE_HUGE_MEMORY_H

/* Large pieces of memory, on 2 MiB pages where the system gives them to whoever
 * asks (transparent huge pages): with 4 KiB pages most visits to places all
 * over such a piece miss the processor's table of translations, and to be given
 * them takes a fault each.
 *
 * Thread-safety: safe from any thread. */

#include <stddef.h>

/* Zeros, taken from the system as they are touched; NULL, with errno, when
 * there is no room for them. */
void *huge_memory_map(size_t size);

/* A file from its beginning, with mmap()'s protection and flags; NULL, with
 * errno, when that fails. */
void *huge_memory_map_file(int fd, size_t size, int protection, int flags);

/* Moves what is mapped so of a memfd to 2 MiB pages, for whoever else maps it
 * so too, whatever the machine grants such files by itself (MADV_COLLAPSE,
 * since Linux 6.1): as many as there are whole ones in 'size'.  Where that
 * can't be, nothing changes. */
void huge_memory_collapse(void *memory, size_t size);

/* NULL is fine. */
void huge_memory_unmap(void *memory, size_t size);

#endif
