/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/lobby.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

enum {
	/* What an event of the epoll set is about: a guest's number, or: */
	AT_DOOR = FABRIC_LOBBY_GUESTS,
	AT_CLOCK,
	/* Events looked at in one call, so that a flood of guests doesn't keep
	 * the caller from its other work. */
	EVENTS_PER_CALL = 64,
	/* How long the door stays shut when there is no descriptor left. */
	SHORTAGE_MS = 100,
};

struct guest {
	int fd; /* -1: the place is free */
	uint64_t deadline_ns;
	size_t received;
	struct fabric_ask ask;
};

struct fabric_lobby {
	int epoll_fd;
	int door_fd;
	int timer_fd;
	bool door_is_shut;
	bool timer_is_set;
	unsigned guest_count;
	struct guest guests[FABRIC_LOBBY_GUESTS];
};

static int watch(const struct fabric_lobby *lobby, int fd, uint32_t what);
static int admit(struct fabric_lobby *lobby);
static int hear(struct fabric_lobby *lobby, struct guest *guest);
static void look_at_clock(struct fabric_lobby *lobby);
static void turn_out(struct fabric_lobby *lobby, struct guest *guest);
static void leave(struct fabric_lobby *lobby, struct guest *guest);

int fabric_lobby_open(int listening_fd, struct fabric_lobby **lobby)
{
	struct fabric_lobby *l = calloc(1, sizeof(*l));
	if (!l) {
		close(listening_fd);
		return err_set(ERR_NO_MEMORY, "no memory");
	}
	for (int i = 0; i < FABRIC_LOBBY_GUESTS; i++)
		l->guests[i].fd = -1;
	l->door_fd = listening_fd;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd =
		timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->timer_fd < 0 ||
	    watch(l, l->door_fd, AT_DOOR) || watch(l, l->timer_fd, AT_CLOCK)) {
		int error = err_set(ERR_SYSTEM, "can't listen: %s",
				    strerror(errno));
		fabric_lobby_close(l);
		return error;
	}
	*lobby = l;
	return 0;
}

int fabric_lobby_fd(const struct fabric_lobby *lobby)
{
	return lobby->epoll_fd;
}

/* Does what one event of the epoll set asks for.  Returns the number of a guest
 * who has said hello, ERR_AGAIN, or why nobody can be admitted. */
static int attend(struct fabric_lobby *lobby, uint32_t what)
{
	if (what == AT_DOOR)
		return admit(lobby);
	if (what == AT_CLOCK) {
		look_at_clock(lobby);
		return ERR_AGAIN;
	}
	return hear(lobby, &lobby->guests[what]);
}

int fabric_lobby_next(struct fabric_lobby *lobby, int *fd,
		      struct fabric_ask *ask)
{
	struct epoll_event event;

	for (int i = 0; i < EVENTS_PER_CALL; i++) {
		if (epoll_wait(lobby->epoll_fd, &event, 1, 0) != 1)
			return ERR_AGAIN;
		int number = attend(lobby, event.data.u32);
		if (number == ERR_AGAIN)
			continue;
		if (number < 0)
			return number;
		struct guest *guest = &lobby->guests[number];
		*ask = guest->ask;
		*fd = guest->fd;
		leave(lobby, guest);
		return 0;
	}
	return ERR_AGAIN;
}

void fabric_lobby_close(struct fabric_lobby *lobby)
{
	for (int i = 0; i < FABRIC_LOBBY_GUESTS; i++)
		if (lobby->guests[i].fd >= 0)
			close(lobby->guests[i].fd);
	close(lobby->door_fd);
	if (lobby->timer_fd >= 0)
		close(lobby->timer_fd);
	if (lobby->epoll_fd >= 0)
		close(lobby->epoll_fd);
	free(lobby);
}

static int watch(const struct fabric_lobby *lobby, int fd, uint32_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};
	return epoll_ctl(lobby->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* Asks for an event of the clock, unless one is on its way. */
static void set_timer(struct fabric_lobby *lobby, uint64_t time_ns)
{
	const struct itimerspec at = {
		.it_value = {.tv_sec = (time_t)(time_ns / NS_PER_S),
			     .tv_nsec = (long)(time_ns % NS_PER_S)},
	};

	if (lobby->timer_is_set)
		return;
	timerfd_settime(lobby->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	lobby->timer_is_set = true;
}

static void watch_door(struct fabric_lobby *lobby, bool shut)
{
	struct epoll_event event = {
		.events = shut ? 0 : EPOLLIN,
		.data.u32 = AT_DOOR,
	};

	if (lobby->door_is_shut == shut)
		return;
	epoll_ctl(lobby->epoll_fd, EPOLL_CTL_MOD, lobby->door_fd, &event);
	lobby->door_is_shut = shut;
}

/* A descriptor or memory is missing, and will be for a while. */
static int shut_door_for_a_while(struct fabric_lobby *lobby, int number)
{
	watch_door(lobby, true);
	lobby->timer_is_set = false;
	set_timer(lobby, clock_now_ns() + SHORTAGE_MS * NS_PER_MS);
	return err_set(ERR_NO_ROOM, "can't accept a connection: %s",
		       strerror(number));
}

static struct guest *free_place(struct fabric_lobby *lobby)
{
	for (int i = 0; i < FABRIC_LOBBY_GUESTS; i++)
		if (lobby->guests[i].fd < 0)
			return &lobby->guests[i];
	return NULL;
}

/* Who comes in and has said hello already need not wait at all.  Also a door
 * that is shut has events: its errors, which nobody asks for. */
static int admit(struct fabric_lobby *lobby)
{
	struct guest *guest = free_place(lobby);

	if (!guest)
		return ERR_AGAIN;
	int fd = accept4(lobby->door_fd, NULL, NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		       errno == ENOBUFS))
		return shut_door_for_a_while(lobby, errno);
	/* Anything else is about that connection, which has gone. */
	if (fd < 0)
		return ERR_AGAIN;

	guest->fd = fd;
	guest->received = 0;
	guest->deadline_ns =
		clock_now_ns() + FABRIC_LOBBY_PATIENCE_MS * NS_PER_MS;
	if (watch(lobby, fd, (uint32_t)(guest - lobby->guests))) {
		int error = shut_door_for_a_while(lobby, errno);
		guest->fd = -1;
		close(fd);
		return error;
	}
	set_timer(lobby, guest->deadline_ns);
	if (++lobby->guest_count == FABRIC_LOBBY_GUESTS)
		watch_door(lobby, true);
	return hear(lobby, guest);
}

/* Takes in what a guest says; its number when that was all.  One who speaks
 * another version learns ours by being refused. */
static int hear(struct fabric_lobby *lobby, struct guest *guest)
{
	static const uint8_t nothing_to_say[FABRIC_HELLO_SIZE];

	ssize_t size = recv(guest->fd, (char *)&guest->ask + guest->received,
			    sizeof(guest->ask) - guest->received, 0);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return ERR_AGAIN;
	if (size > 0)
		guest->received += (size_t)size;
	if (size > 0 && guest->received < sizeof(guest->ask))
		return ERR_AGAIN;
	if (size > 0 && fabric_ask_is_valid(&guest->ask))
		return (int)(guest - lobby->guests);
	if (size > 0)
		fabric_handshake_refuse(guest->fd, nothing_to_say);
	turn_out(lobby, guest);
	return ERR_AGAIN;
}

/* Turns out who has waited too long, and opens the door again. */
static void look_at_clock(struct fabric_lobby *lobby)
{
	uint64_t now = clock_now_ns();
	uint64_t next = UINT64_MAX;
	uint64_t ticks;

	if (read(lobby->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	lobby->timer_is_set = false;
	for (int i = 0; i < FABRIC_LOBBY_GUESTS; i++) {
		struct guest *guest = &lobby->guests[i];
		if (guest->fd < 0)
			continue;
		if (guest->deadline_ns <= now)
			turn_out(lobby, guest);
		else if (guest->deadline_ns < next)
			next = guest->deadline_ns;
	}
	if (next != UINT64_MAX)
		set_timer(lobby, next);
	if (lobby->guest_count < FABRIC_LOBBY_GUESTS)
		watch_door(lobby, false);
}

static void turn_out(struct fabric_lobby *lobby, struct guest *guest)
{
	int fd = guest->fd;
	leave(lobby, guest);
	close(fd);
}

/* Frees the place of a guest, whose socket stays open. */
static void leave(struct fabric_lobby *lobby, struct guest *guest)
{
	epoll_ctl(lobby->epoll_fd, EPOLL_CTL_DEL, guest->fd, NULL);
	guest->fd = -1;
	lobby->guest_count--;
	watch_door(lobby, false);
}
