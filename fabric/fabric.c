/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/fabric.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "fabric/link.h"

/* Which fabric it is decides itself once, by the address; from then on every
 * call goes through its table. */

const struct fabric_ops *fabric_ops_of(const struct fabric_address *address)
{
	switch (address->scheme) {
	case FABRIC_SCHEME_SHM:
		return &fabric_shm_ops;
	case FABRIC_SCHEME_VERBS:
#ifdef HAVE_VERBS
		return &fabric_verbs_ops;
#endif
	case FABRIC_SCHEME_TCP:
		break;
	}
	return &fabric_tcp_ops;
}

static int check_inbox_size(uint32_t size)
{
	if (fabric_inbox_size_is_valid(size))
		return 0;
	return err_set(ERR_USAGE, "an inbox has %d to %d bytes, not %u",
		       FABRIC_INBOX_MIN, FABRIC_INBOX_MAX, size);
}

/* --- Server ------------------------------------------------------------- */

bool fabric_maps_region(const char *address)
{
	struct fabric_address parsed;

	return !fabric_address_parse(address, &parsed) &&
	       parsed.scheme == FABRIC_SCHEME_SHM;
}

int fabric_listen(const char *address,
		  const struct fabric_listen_options *options,
		  struct fabric_listener **listener)
{
	struct fabric_address parsed;

	int error = fabric_address_parse(address, &parsed);
	if (!error)
		error = check_inbox_size(options->inbox_size);
	if (error)
		return error;
	if (parsed.is_faulty)
		return err_set(ERR_USAGE,
			       "%s: only a client's link can be faulty",
			       address);
	return fabric_ops_of(&parsed)->listen(&parsed, options, listener);
}

const char *fabric_listener_address(const struct fabric_listener *listener)
{
	return listener->address;
}

bool fabric_listener_is_public(const struct fabric_listener *listener)
{
	return listener->is_public;
}

int fabric_listener_sent(const struct fabric_listener *listener,
			 uint64_t *bytes, uint64_t *speed)
{
	if (listener->ops->listener_sent)
		return listener->ops->listener_sent(listener, bytes, speed);
	return err_set(ERR_UNSUPPORTED, "%s counts nothing of what it sends",
		       listener->ops->name);
}

int fabric_listener_fd(const struct fabric_listener *listener)
{
	return listener->fd;
}

int fabric_listener_next(struct fabric_listener *listener,
			 struct fabric_link **link,
			 uint8_t hello[FABRIC_HELLO_SIZE])
{
	return listener->ops->listener_next(listener, link, hello);
}

int fabric_accept(struct fabric_link *link,
		  const uint8_t answer[FABRIC_HELLO_SIZE])
{
	return link->ops->accept(link, answer);
}

void fabric_refuse(struct fabric_link *link,
		   const uint8_t answer[FABRIC_HELLO_SIZE])
{
	link->ops->refuse(link, answer);
}

void fabric_listener_close(struct fabric_listener *listener)
{
	if (listener)
		listener->ops->listener_close(listener);
}

/* --- Client ------------------------------------------------------------- */

static uint64_t deadline_after(uint64_t timeout_ns)
{
	uint64_t now = clock_now_ns();
	return timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
}

int fabric_connect(const char *address, const uint8_t hello[FABRIC_HELLO_SIZE],
		   const struct fabric_connect_options *options,
		   uint8_t answer[FABRIC_HELLO_SIZE], struct fabric_link **link)
{
	struct fabric_call call = {
		.address = address,
		.hello = hello,
		.inbox_size = options->inbox_size,
		.device = options->device,
		.silence_ns = options->silence_ns,
		.timeout_ns = options->timeout_ns,
		.deadline_ns = deadline_after(options->timeout_ns),
	};
	struct fabric_address parsed;
	struct fabric_reply reply = {0};

	int error = fabric_address_parse(address, &parsed);
	if (!error)
		error = check_inbox_size(options->inbox_size);
	if (!error)
		error = (parsed.is_faulty ? &fabric_faulty_ops
					  : fabric_ops_of(&parsed))
				->connect(&parsed, &call, &reply, link);
	memcpy(answer, reply.hello, FABRIC_HELLO_SIZE);
	return error;
}

/* --- Either end --------------------------------------------------------- */

const char *fabric_link_name(const struct fabric_link *link)
{
	return link->ops->name;
}

const void *fabric_inbox(const struct fabric_link *link, uint32_t *size)
{
	*size = link->inbox_size;
	return link->inbox;
}

uint32_t fabric_peer_inbox_size(const struct fabric_link *link)
{
	return link->peer_inbox_size;
}

static int check_write(const struct fabric_link *link, uint32_t offset,
		       uint32_t size)
{
	if (offset <= link->peer_inbox_size &&
	    size <= link->peer_inbox_size - offset)
		return 0;
	return err_set(
		ERR_USAGE,
		"a WRITE of %u bytes at %u leaves the peer's inbox of %u", size,
		offset, link->peer_inbox_size);
}

static void count_write(struct fabric_link *link, uint32_t size)
{
	link->counters.writes++;
	link->counters.written_bytes += size;
}

int fabric_write(struct fabric_link *link, uint32_t offset, const void *bytes,
		 uint32_t size, uint32_t immediate)
{
	int error = check_write(link, offset, size);
	if (!error)
		error = link->ops->write(link, offset, bytes, size, immediate);
	if (!error)
		count_write(link, size);
	return error;
}

int fabric_write_silently(struct fabric_link *link, uint32_t offset,
			  const void *bytes, uint32_t size)
{
	int error = check_write(link, offset, size);
	if (!error)
		error = link->ops->write_silently(link, offset, bytes, size);
	if (!error)
		count_write(link, size);
	return error;
}

void fabric_gather(struct fabric_link *link)
{
	link->gathers = true;
}

int fabric_flush(struct fabric_link *link)
{
	return link->ops->flush ? link->ops->flush(link) : 0;
}

bool fabric_is_one_sided(const struct fabric_link *link)
{
	return link->one_sided;
}

static int check_list(const struct fabric_read *reads, size_t count)
{
	uint64_t size = 0;

	if (count > FABRIC_READS_MAX)
		return err_set(ERR_USAGE, "%zu READs in one list, %d at most",
			       count, FABRIC_READS_MAX);
	for (size_t i = 0; i < count; i++)
		size += reads[i].size;
	if (size <= FABRIC_READ_LIST_SIZE_MAX)
		return 0;
	return err_set(ERR_USAGE, "%llu bytes in one list of READs, %d at most",
		       (unsigned long long)size, FABRIC_READ_LIST_SIZE_MAX);
}

int fabric_read(struct fabric_link *link, const struct fabric_read *reads,
		size_t count, uint64_t cookie)
{
	int error = check_list(reads, count);

	return error ? error : link->ops->read(link, reads, count, cookie);
}

int fabric_read_now(struct fabric_link *link, const struct fabric_read *reads,
		    size_t count)
{
	if (!link->ops->read_now)
		return ERR_UNSUPPORTED;
	int error = check_list(reads, count);
	return error ? error : link->ops->read_now(link, reads, count);
}

const void *fabric_map(const struct fabric_link *link, uint64_t *size)
{
	return link->ops->map(link, size);
}

bool fabric_server_has_left(const struct fabric_link *link)
{
	return link->ops->server_has_left(link);
}

int fabric_poll(struct fabric_link *link, struct fabric_event *events,
		size_t max)
{
	return link->ops->poll(link, events, max);
}

int fabric_arm(struct fabric_link *link)
{
	return link->ops->arm(link);
}

int fabric_fd(const struct fabric_link *link, short *events)
{
	return link->ops->fd(link, events);
}

const struct fabric_counters *
fabric_link_counters(const struct fabric_link *link)
{
	return &link->counters;
}

void fabric_close(struct fabric_link *link)
{
	if (link)
		link->ops->close(link);
}

int fabric_peer_has_gone(const struct fabric_link *link)
{
	return err_set(ERR_CONNECTION,
		       link->is_server
			       ? "the client has gone"
			       : "the server has gone, or has dropped this "
				 "client, as it does when nothing is taken of "
				 "an answer for long");
}

int fabric_check_reads(const struct fabric_read *reads, size_t count,
		       uint64_t region_size)
{
	for (size_t i = 0; i < count; i++)
		if (reads[i].offset > region_size ||
		    reads[i].size > region_size - reads[i].offset)
			return err_set(ERR_USAGE,
				       "a READ of %u bytes at %llu leaves the "
				       "region of %llu",
				       reads[i].size,
				       (unsigned long long)reads[i].offset,
				       (unsigned long long)region_size);
	return 0;
}
