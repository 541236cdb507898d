/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/rtree/scarce.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic bool counting;
static _Atomic uint64_t calls;
static uint64_t failing;
static enum scarce_how failing_how;

static _Atomic int64_t blocks, mapped;

/* --- For tests ------------------------------------------------------------ */

void scarce_begin(uint64_t nth, enum scarce_how how)
{
	failing = nth;
	failing_how = how;
	atomic_store(&calls, 0);
	atomic_store(&counting, true);
}

uint64_t scarce_end(void)
{
	atomic_store(&counting, false);
	return atomic_load(&calls);
}

struct scarce_held scarce_held(void)
{
	enum { DESCRIPTORS_MAX = 256 };
	struct scarce_held held = {
		.blocks = atomic_load(&blocks),
		.mapped = atomic_load(&mapped),
	};

	for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
		held.descriptors += fcntl(fd, F_GETFD) >= 0;
	return held;
}

/* --- In place of the C library -------------------------------------------- */

static bool fails(void)
{
	if (!atomic_load(&counting))
		return false;
	uint64_t call = atomic_fetch_add(&calls, 1) + 1;
	if (failing_how == SCARCE_ONCE ? call != failing : call < failing)
		return false;
	errno = ENOMEM;
	return true;
}

static void *count_block(void *block)
{
	if (block)
		atomic_fetch_add(&blocks, 1);
	return block;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : count_block(__real_malloc(size));
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : count_block(__real_calloc(count, size));
}

void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size)
{
	if (fails())
		return NULL;
	void *grown = __real_realloc(block, size);
	return block ? grown : count_block(grown);
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL
		       : count_block(__real_aligned_alloc(alignment, size));
}

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
	if (block)
		atomic_fetch_sub(&blocks, 1);
	__real_free(block);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : count_block(__real_strdup(text));
}

char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved)
{
	return fails() ? NULL : count_block(__real_realpath(path, resolved));
}

int __wrap_asprintf(char **text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list args;

	if (fails())
		return -1;
	va_start(args, format);
	int length = vasprintf(text, format, args);
	va_end(args);
	if (length >= 0)
		count_block(*text);
	return length;
}

/* A map may be given back in pieces. */
static int64_t pages_of(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (int64_t)((size + page - 1) / page);
}

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd,
		  off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd,
		  off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd,
		  off_t offset)
{
	if (fails())
		return MAP_FAILED;
	void *map = __real_mmap(at, size, protection, flags, fd, offset);
	/* At a fixed address it takes the place of what was mapped there. */
	if (map != MAP_FAILED && !(flags & MAP_FIXED))
		atomic_fetch_add(&mapped, pages_of(size));
	return map;
}

int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size)
{
	int error = __real_munmap(at, size);

	if (!error)
		atomic_fetch_sub(&mapped, pages_of(size));
	return error;
}

typedef void *thread_body(void *);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  thread_body *body, void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  thread_body *body, void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  thread_body *body, void *argument)
{
	if (fails())
		return EAGAIN;
	return __real_pthread_create(thread, attributes, body, argument);
}
