/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/tcp_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

enum {
	/* A silent peer is asked after so many seconds whether it is there, and
	 * again, and has gone after so many tries. */
	KEEPALIVE_IDLE_S = 10,
	KEEPALIVE_INTERVAL_S = 5,
	KEEPALIVE_TRIES = 3,
	/* As long, what was sent may stay without acknowledgement. */
	USER_TIMEOUT_MS = 25000,
};

static int listen_at(const struct addrinfo *at, const char *address, int *fd);
static int describe_listener(int fd, const struct fabric_address *address,
			     char text[FABRIC_ADDRESS_SIZE], bool *is_public);

int fabric_tcp_socket_listen(const struct fabric_address *address,
			     char text[FABRIC_ADDRESS_SIZE], bool *is_public,
			     int *fd)
{
	struct addrinfo *found;

	int error = fabric_address_resolve(address, true, ERR_USAGE, &found);
	if (error)
		return error;
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		error = listen_at(at, address->text, fd);
		if (!error)
			break;
	}
	freeaddrinfo(found);
	if (error)
		return error;
	error = describe_listener(*fd, address, text, is_public);
	if (error)
		close(*fd);
	return error;
}

static int new_socket(const struct addrinfo *at)
{
	return socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		      at->ai_protocol);
}

static int connect_to(const struct addrinfo *at, const struct fabric_call *call,
		      int *fd)
{
	int made = new_socket(at);
	if (made < 0)
		return err_set(ERR_CONNECTION, "no server at %s: %s",
			       call->address, strerror(errno));
	int error = fabric_handshake_connect(made, at->ai_addr, at->ai_addrlen,
					     call);
	if (error) {
		close(made);
		return error;
	}
	fabric_tcp_socket_tune(made);
	*fd = made;
	return 0;
}

int fabric_tcp_socket_connect(const struct fabric_address *address,
			      const struct fabric_call *call, int *fd)
{
	struct addrinfo *found;

	int error =
		fabric_address_resolve(address, false, ERR_CONNECTION, &found);
	if (error)
		return error;
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		error = connect_to(at, call, fd);
		if (!error)
			break;
	}
	freeaddrinfo(found);
	return error;
}

static void set_option(int fd, int level, int name, int value)
{
	/* What can't be had is missed only when a network fails. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

void fabric_tcp_socket_tune(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

static int cannot_listen(const char *address, int number)
{
	switch (number) {
	case EADDRINUSE:
		return err_set(ERR_BUSY, "address in use: %s", address);
	case EADDRNOTAVAIL:
		return err_set(ERR_USAGE,
			       "can't listen at %s: this machine has no such "
			       "address",
			       address);
	case EACCES:
		return err_set(ERR_USAGE, "can't listen at %s: %s", address,
			       strerror(number));
	default:
		return err_set(ERR_SYSTEM, "can't listen at %s: %s", address,
			       strerror(number));
	}
}

static int listen_at(const struct addrinfo *at, const char *address, int *fd)
{
	const int on = 1;

	int made = new_socket(at);
	if (made < 0)
		return cannot_listen(address, errno);
	/* An address whose last connections are only waiting out their time is
	 * free; one that is listened at still is not. */
	if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(made, at->ai_addr, at->ai_addrlen) ||
	    listen(made, SOMAXCONN)) {
		int error = cannot_listen(address, errno);
		close(made);
		return error;
	}
	*fd = made;
	return 0;
}

static bool is_loopback(const struct sockaddr_storage *at)
{
	if (at->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)at;
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
	const struct sockaddr_in6 *v6 = (const void *)at;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) &&
		v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

static int describe_listener(int fd, const struct fabric_address *address,
			     char text[FABRIC_ADDRESS_SIZE], bool *is_public)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof(at);
	char port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&at, &size) ||
	    getnameinfo((struct sockaddr *)&at, size, NULL, 0, port,
			sizeof(port), NI_NUMERICSERV))
		return err_set(ERR_SYSTEM, "%s: can't tell the port: %s",
			       address->text, strerror(errno));
	snprintf(text, FABRIC_ADDRESS_SIZE,
		 strchr(address->host, ':') ? "tcp://[%s]:%s" : "tcp://%s:%s",
		 address->host, port);
	*is_public = !is_loopback(&at);
	return 0;
}
