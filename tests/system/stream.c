/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/system/stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static uint64_t power_of_two(uint64_t at_least)
{
	uint64_t size = 1 << 16;

	while (size < at_least)
		size *= 2;
	return size;
}

void stream_init(struct stream *stream, uint64_t size)
{
	stream->size = power_of_two(size);
	int fd = memfd_create("records", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)stream->size))
		die("memfd_create");
	stream->bytes =
		mmap(NULL, 2 * stream->size, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stream->bytes == MAP_FAILED)
		die("mmap");
	for (int half = 0; half < 2; half++)
		if (mmap(stream->bytes + half * stream->size, stream->size,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 0) == MAP_FAILED)
			die("mmap");
	close(fd);
}

static void *at(const struct stream *stream, uint64_t position)
{
	return stream->bytes + position % stream->size;
}

void *stream_room(struct stream *stream, uint64_t size)
{
	const struct timespec a_moment = {.tv_nsec = 200 * 1000};
	uint64_t put = atomic_load_explicit(&stream->put, memory_order_relaxed);

	assert(size <= stream->size / 2);
	/* Acquire: the other end has read what is now written over. */
	while (put + size -
		       atomic_load_explicit(&stream->taken,
					    memory_order_acquire) >
	       stream->size)
		nanosleep(&a_moment, NULL);
	return at(stream, put);
}

void stream_put(struct stream *stream)
{
	uint64_t put = atomic_load_explicit(&stream->put, memory_order_relaxed);
	const struct record *record = at(stream, put);

	assert(record->size % 8 == 0);
	/* Release: the record is seen by who sees that it is there. */
	atomic_store_explicit(&stream->put, put + record->size,
			      memory_order_release);
}

void stream_end(struct stream *stream)
{
	atomic_store_explicit(&stream->ended, true, memory_order_release);
}

const struct record *stream_next(const struct stream *stream)
{
	uint64_t taken =
		atomic_load_explicit(&stream->taken, memory_order_relaxed);

	if (atomic_load_explicit(&stream->put, memory_order_acquire) == taken)
		return NULL;
	return at(stream, taken);
}

bool stream_ended(const struct stream *stream)
{
	return atomic_load_explicit(&stream->ended, memory_order_acquire);
}

void stream_take(struct stream *stream)
{
	uint64_t taken =
		atomic_load_explicit(&stream->taken, memory_order_relaxed);
	const struct record *record = at(stream, taken);

	atomic_store_explicit(&stream->taken, taken + record->size,
			      memory_order_release);
}
