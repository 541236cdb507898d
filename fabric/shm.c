/* SPDX-License-Identifier: BSD-2-Clause */

/* The fabric of one host.  A WRITE is a copy into memory that both ends have
 * mapped, a READ a copy out of the region, which the client has mapped too:
 * fabric/shm_link.c does that.  Here links are made and closed.
 *
 * A Unix socket carries the handshake and then stays open, silent: that it
 * hangs up tells one end that the other has gone, however it went.
 *
 * To be woken each end has a bell, an eventfd that the peer writes, and sleeps
 * on an epoll set of bell and socket.  The set takes the bell's edges, so
 * nobody ever reads it.  The server makes both bells and gives the client the
 * one to write and a set that holds the other: a client that had the eventfd
 * itself could fill its counter and make it block, and the server with it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "fabric/lobby.h"
#include "fabric/local_socket.h"
#include "fabric/shm_link.h"

/* The descriptors that come with a reply, in this order. */
enum {
	PASSED_MEMORY,
	PASSED_SERVER_BELL, /* for the client to write */
	PASSED_EPOLL,	    /* holds the client's bell */
	PASSED_REGION,	    /* unless there is none */
};

struct shm_listener {
	struct fabric_listener base;
	struct fabric_lobby *lobby;
	struct fabric_local_socket socket;
	struct fabric_region region; /* size 0: none */
	int region_fd;		     /* for reading only */
	uint32_t inbox_size;
};

static struct shm_link *new_link(int socket_fd)
{
	struct shm_link *shm = calloc(1, sizeof(*shm));
	if (!shm)
		return NULL;
	shm->base.ops = &fabric_shm_ops;
	shm->socket_fd = socket_fd;
	shm->epoll_fd = -1;
	shm->peer_bell = -1;
	shm->own_bell = -1;
	return shm;
}

/* --- Server ------------------------------------------------------------- */

static void shm_listener_close(struct fabric_listener *base)
{
	struct shm_listener *listener = (struct shm_listener *)base;

	fabric_local_socket_remove(&listener->socket);
	fabric_lobby_close(listener->lobby);
	if (listener->region_fd >= 0)
		close(listener->region_fd);
	free(listener);
}

static int offer_region(struct shm_listener *listener,
			const struct fabric_region *region)
{
	if (!region)
		return 0;
	if (region->owner_offset % sizeof(uint32_t) ||
	    region->size < sizeof(uint32_t) ||
	    region->owner_offset > region->size - sizeof(uint32_t))
		return err_set(ERR_USAGE, "the owner is not in the region");
	listener->region = *region;
	return fabric_shm_region_open(region, &listener->region_fd);
}

static int shm_listen(const struct fabric_address *address,
		      const struct fabric_listen_options *options,
		      struct fabric_listener **base)
{
	struct shm_listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return err_set(ERR_NO_MEMORY, "no memory");
	listener->base.ops = &fabric_shm_ops;
	strcpy(listener->base.address, address->text);
	listener->inbox_size = options->inbox_size;
	listener->region_fd = -1;

	int error = offer_region(listener, options->region);
	if (error)
		goto free_listener;
	error = fabric_local_socket_listen(address->path, options->socket_mode,
					   &listener->socket);
	if (error)
		goto close_region;
	error = fabric_lobby_open(listener->socket.fd, &listener->lobby);
	if (error)
		goto remove_socket;
	listener->base.fd = fabric_lobby_fd(listener->lobby);
	*base = &listener->base;
	return 0;

remove_socket:
	fabric_local_socket_remove(&listener->socket);
close_region:
	if (listener->region_fd >= 0)
		close(listener->region_fd);
free_listener:
	free(listener);
	return error;
}

static int shm_listener_next(struct fabric_listener *base,
			     struct fabric_link **link,
			     uint8_t hello[FABRIC_HELLO_SIZE])
{
	struct shm_listener *listener = (struct shm_listener *)base;
	struct fabric_ask ask;
	int fd;

	int error = fabric_lobby_next(listener->lobby, &fd, &ask);
	if (error)
		return error;
	struct shm_link *shm = new_link(fd);
	if (!shm) {
		close(fd);
		return err_set(ERR_NO_MEMORY, "no memory");
	}
	shm->listener = listener;
	shm->base.is_server = true;
	shm->base.one_sided = listener->region_fd >= 0;
	shm->base.inbox_size = listener->inbox_size;
	shm->base.peer_inbox_size = ask.inbox_size;
	shm->base.one_sided = listener->region_fd >= 0;
	memcpy(hello, ask.hello, FABRIC_HELLO_SIZE);
	*link = &shm->base;
	return 0;
}

static int watch(int epoll_fd, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event event = {.events = events, .data.u32 = what};
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int watch_bell(int epoll_fd, int bell)
{
	return watch(epoll_fd, bell, EPOLLIN | EPOLLET, SHM_BELL);
}

static int watch_socket(const struct shm_link *shm)
{
	return watch(shm->epoll_fd, shm->socket_fd, EPOLLIN | EPOLLRDHUP,
		     SHM_SOCKET);
}

/* Makes both bells and both epoll sets; the client's is '*client_epoll'. */
static int create_bells(struct shm_link *shm, int *client_epoll)
{
	shm->own_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	shm->peer_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	shm->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	*client_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (shm->own_bell < 0 || shm->peer_bell < 0 || shm->epoll_fd < 0 ||
	    *client_epoll < 0 || watch_bell(shm->epoll_fd, shm->own_bell) ||
	    watch_bell(*client_epoll, shm->peer_bell) || watch_socket(shm))
		return err_set(ERR_NO_ROOM, "can't accept a client: %s",
			       strerror(errno));
	return 0;
}

static int send_reply(const struct shm_link *shm,
		      const uint8_t answer[FABRIC_HELLO_SIZE],
		      const int fds[FABRIC_FDS_MAX])
{
	const struct shm_listener *listener = shm->listener;
	struct fabric_reply reply = {
		.magic = FABRIC_MAGIC,
		.version = FABRIC_VERSION,
		.inbox_size = shm->base.inbox_size,
		.accepted = 1,
		.region_size = listener->region.size,
		.owner_offset = listener->region.owner_offset,
	};

	memcpy(reply.hello, answer, FABRIC_HELLO_SIZE);
	return fabric_handshake_reply(shm->socket_fd, &reply, fds,
				      shm->base.one_sided ? PASSED_REGION + 1
							  : PASSED_REGION);
}

/* Makes all that the two ends share and passes the client its part. */
static int create_shared(struct shm_link *shm,
			 const uint8_t answer[FABRIC_HELLO_SIZE],
			 int *memory_fd, int *client_epoll)
{
	const struct shm_listener *listener = shm->listener;
	struct fabric_link *base = &shm->base;
	struct shm_memory *memory = &shm->memory;

	int error = fabric_shm_memory_create(
		base->inbox_size, base->peer_inbox_size, memory, memory_fd);
	if (!error)
		error = create_bells(shm, client_epoll);
	if (error)
		return error;
	base->inbox = memory->server_inbox;
	shm->peer_inbox = memory->client_inbox;
	shm->in.shared = &memory->control->to_server;
	shm->out.shared = &memory->control->to_client;
	const int fds[FABRIC_FDS_MAX] = {
		[PASSED_MEMORY] = *memory_fd,
		[PASSED_SERVER_BELL] = shm->own_bell,
		[PASSED_EPOLL] = *client_epoll,
		[PASSED_REGION] = listener->region_fd,
	};
	return send_reply(shm, answer, fds);
}

/* What is the client's alone is closed here in any case. */
static int shm_accept(struct fabric_link *link,
		      const uint8_t answer[FABRIC_HELLO_SIZE])
{
	struct shm_link *shm = shm_link_of(link);
	int memory_fd = -1, client_epoll = -1;

	int error = create_shared(shm, answer, &memory_fd, &client_epoll);
	if (memory_fd >= 0)
		close(memory_fd);
	if (client_epoll >= 0)
		close(client_epoll);
	shm->listener = NULL;
	return error;
}

static void shm_refuse(struct fabric_link *link,
		       const uint8_t answer[FABRIC_HELLO_SIZE])
{
	fabric_handshake_refuse(shm_link_of(link)->socket_fd, answer);
	fabric_close(link);
}

/* --- Client ------------------------------------------------------------- */

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int map_region(struct shm_link *shm, const struct fabric_reply *reply,
		      int fd)
{
	uint64_t size = reply->region_size, owner = reply->owner_offset;

	if (size < sizeof(uint32_t) || owner > size - sizeof(uint32_t) ||
	    owner % sizeof(uint32_t))
		return err_set(ERR_PROTOCOL, "the region's owner is not in it");
	int error = fabric_shm_region_map(fd, size, &shm->region);
	if (error)
		return error;
	shm->region_size = size;
	shm->owner =
		(const _Atomic uint32_t *)(const void *)(shm->region + owner);
	shm->base.one_sided = true;
	return 0;
}

/* Takes over what came with the reply; the entries of 'fds' that the link keeps
 * become -1. */
static int adopt(struct shm_link *shm, const struct fabric_reply *reply,
		 int fds[FABRIC_FDS_MAX], size_t fd_count)
{
	struct fabric_link *base = &shm->base;
	struct shm_memory *memory = &shm->memory;

	if (fd_count !=
	    (reply->region_size ? PASSED_REGION + 1 : PASSED_REGION))
		return err_set(ERR_PROTOCOL,
			       "the server passed %zu descriptors", fd_count);
	int error =
		fabric_shm_memory_adopt(fds[PASSED_MEMORY], reply->inbox_size,
					base->inbox_size, memory);
	if (!error && reply->region_size)
		error = map_region(shm, reply, fds[PASSED_REGION]);
	if (error)
		return error;
	base->inbox = memory->client_inbox;
	base->peer_inbox_size = reply->inbox_size;
	shm->peer_inbox = memory->server_inbox;
	shm->in.shared = &memory->control->to_client;
	shm->out.shared = &memory->control->to_server;
	shm->peer_bell = fds[PASSED_SERVER_BELL];
	shm->epoll_fd = fds[PASSED_EPOLL];
	fds[PASSED_SERVER_BELL] = fds[PASSED_EPOLL] = -1;
	if (watch_socket(shm))
		return err_set(ERR_PROTOCOL,
			       "can't sleep on the server's bell: %s",
			       strerror(errno));
	return 0;
}

/* Connects the link's socket, asks, and takes what the reply brings. */
static int meet(struct shm_link *shm, const struct fabric_address *address,
		const struct fabric_call *call, struct fabric_reply *reply)
{
	const struct sockaddr_un to =
		fabric_local_socket_address(address->path);
	int fds[FABRIC_FDS_MAX];
	size_t fd_count;

	int error = fabric_handshake_connect(
		shm->socket_fd, (const struct sockaddr *)&to, sizeof(to), call);
	if (error)
		return error;
	error = fabric_handshake_ask(shm->socket_fd, call, reply, fds,
				     &fd_count);
	if (!error)
		error = adopt(shm, reply, fds, fd_count);
	close_all(fds, fd_count);
	return error;
}

static int shm_connect(const struct fabric_address *address,
		       const struct fabric_call *call,
		       struct fabric_reply *reply, struct fabric_link **link)
{
	int fd = fabric_local_socket_new();
	if (fd < 0)
		return err_set(ERR_SYSTEM, "can't make a socket: %s",
			       strerror(errno));
	struct shm_link *shm = new_link(fd);
	if (!shm) {
		close(fd);
		return err_set(ERR_NO_MEMORY, "no memory");
	}
	shm->base.inbox_size = call->inbox_size;
	int error = meet(shm, address, call, reply);
	if (error) {
		fabric_close(&shm->base);
		return error;
	}
	*link = &shm->base;
	return 0;
}

/* A server says that it leaves before anything else: READs of this client that
 * are done later than that may find pages that nobody keeps for it. */
static void shm_close(struct fabric_link *link)
{
	struct shm_link *shm = shm_link_of(link);
	const int fds[] = {shm->socket_fd, shm->epoll_fd, shm->peer_bell,
			   shm->own_bell};

	if (link->is_server && shm->memory.control)
		atomic_store(&shm->memory.control->server_has_left, 1);
	close_all(fds, sizeof(fds) / sizeof(fds[0]));
	fabric_shm_memory_unmap(&shm->memory);
	if (shm->region)
		munmap((void *)shm->region, shm->region_size);
	free(shm);
}

const struct fabric_ops fabric_shm_ops = {
	.name = "shm",
	.listen = shm_listen,
	.listener_next = shm_listener_next,
	.listener_close = shm_listener_close,
	.accept = shm_accept,
	.refuse = shm_refuse,
	.connect = shm_connect,
	.write = fabric_shm_write,
	.write_silently = fabric_shm_write_silently,
	.read_now = fabric_shm_read_now,
	.read = fabric_shm_read,
	.map = fabric_shm_map,
	.server_has_left = fabric_shm_server_has_left,
	.poll = fabric_shm_poll,
	.arm = fabric_shm_arm,
	.fd = fabric_shm_fd,
	.close = shm_close,
};
