/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/opening.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "client/connection.h"

enum { TEXT_SIZE = 512 };

/* Whichever thread comes second has the opening to itself. */
enum state { GOES_ON, ENDED, ABANDONED };

struct client_opening {
	struct catfish *next;
	uint64_t timeout_ns;
	pthread_t thread;
	int event_fd;
	_Atomic enum state state;
	int error;
	char text[TEXT_SIZE]; /* of the error */
};

static void *run(void *opening);
static int start_thread(struct client_opening *opening);
static void destroy(struct client_opening *opening);

int client_opening_begin(struct catfish *next, uint64_t timeout_ns,
			 struct client_opening **opening)
{
	struct client_opening *o = calloc(1, sizeof(*o));

	if (!o) {
		catfish_close(next);
		return err_set(ERR_NO_MEMORY, "no memory to connect");
	}
	o->next = next;
	o->timeout_ns = timeout_ns;
	o->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = o->event_fd < 0
			    ? err_set(ERR_SYSTEM, "can't make an eventfd: %s",
				      strerror(errno))
			    : start_thread(o);
	if (error)
		destroy(o);
	else
		*opening = o;
	return error;
}

/* What the caller's process does about signals is not this thread's. */
static int start_thread(struct client_opening *o)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&o->thread, NULL, run, o);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed ? err_set(ERR_SYSTEM, "can't start a thread: %s",
				strerror(failed))
		      : 0;
}

static void *run(void *opening)
{
	struct client_opening *o = opening;

	o->error = client_open(o->next, o->timeout_ns);
	if (o->error)
		snprintf(o->text, sizeof(o->text), "%s", err_text());
	/* The owner joins this thread before it closes the eventfd. */
	enum state goes_on = GOES_ON;
	if (atomic_compare_exchange_strong(&o->state, &goes_on, ENDED))
		(void)eventfd_write(o->event_fd, 1);
	else
		destroy(o);
	return NULL;
}

int client_opening_fd(const struct client_opening *o)
{
	return o->event_fd;
}

int client_opening_end(struct client_opening *o, struct catfish **next)
{
	if (o->state == GOES_ON)
		return ERR_AGAIN;
	pthread_join(o->thread, NULL);
	int error = o->error ? err_set(o->error, "%s", o->text) : 0;
	*next = o->next;
	o->next = NULL;
	destroy(o);
	return error;
}

void client_opening_abandon(struct client_opening *o)
{
	if (!o)
		return;
	pthread_t thread = o->thread;
	enum state goes_on = GOES_ON;
	if (atomic_compare_exchange_strong(&o->state, &goes_on, ABANDONED)) {
		pthread_detach(thread);
		return;
	}
	pthread_join(thread, NULL);
	destroy(o);
}

static void destroy(struct client_opening *o)
{
	catfish_close(o->next);
	if (o->event_fd >= 0)
		close(o->event_fd);
	free(o);
}
