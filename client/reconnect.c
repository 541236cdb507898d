/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/reconnect.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"

/* The longest wait before the first try but one, and before any. */
#define WAIT_MIN_NS (2 * NS_PER_MS)
#define WAIT_MAX_NS (1 * NS_PER_S)

enum { TEXT_SIZE = 512 };

static bool come_back(struct catfish *c, struct client_retry *retry,
		      int *error);
static int try_once(struct catfish *c, struct client_retry *retry);
static bool is_time(const struct catfish *c, struct client_retry *retry);
static uint64_t time_for_try(const struct catfish *c,
			     const struct client_retry *retry);
static void sleep_until(uint64_t until_ns);
static bool wait_for_turn(struct catfish *c, struct client_retry *retry);
static uint64_t draw_wait(struct client_retry *retry);
static int judge(struct catfish *c, struct client_retry *retry, int error);

bool client_retry(struct catfish *c, struct client_retry *retry, int *error)
{
	if (!*error)
		return false;
	if (*error == ERR_CONNECTION && c->lost && !c->gave_up)
		return come_back(c, retry, error);
	if (*error == ERR_BUSY && c->retry_us)
		return wait_for_turn(c, retry);
	return false;
}

int client_reconnect(struct catfish *c)
{
	struct client_retry retry = {0};
	int error;

	while ((error = try_once(c, &retry)) == ERR_AGAIN)
		sleep_until(retry.next_ns);
	return error;
}

/* All losses of one call have to be made good within the same time. */
static bool come_back(struct catfish *c, struct client_retry *retry, int *error)
{
	int failed;

	if (retry->until_ns && clock_now_ns() >= retry->until_ns)
		return false;
	while ((failed = try_once(c, retry)) == ERR_AGAIN)
		sleep_until(retry->next_ns);
	/* Should it be lost again at once, the next try waits. */
	retry->next_ns = clock_now_ns() + draw_wait(retry);
	*error = failed;
	return !failed;
}

int client_reconnect_poll(struct catfish *c, struct client_retry *retry)
{
	int error = 0;

	if (c->opening)
		error = client_reopen_end(c);
	else if (is_time(c, retry))
		error = client_reopen_begin(c, time_for_try(c, retry));
	else
		return ERR_AGAIN;
	if (error == ERR_AGAIN || c->opening)
		return ERR_AGAIN;
	return error ? judge(c, retry, error) : 0;
}

/* One try, if it is time for that.  ERR_AGAIN when the next is to be made, at
 * retry->next_ns. */
static int try_once(struct catfish *c, struct client_retry *retry)
{
	if (!is_time(c, retry))
		return ERR_AGAIN;
	int error = client_reopen(c, time_for_try(c, retry));
	return error ? judge(c, retry, error) : 0;
}

/* Whether to try now; from the first time on it counts how long. */
static bool is_time(const struct catfish *c, struct client_retry *retry)
{
	uint64_t now = clock_now_ns();

	if (!retry->until_ns)
		retry->until_ns = now + c->reconnect_ns;
	return now >= retry->next_ns;
}

static uint64_t time_for_try(const struct catfish *c,
			     const struct client_retry *retry)
{
	uint64_t now = clock_now_ns();
	uint64_t left =
		retry->until_ns > now ? retry->until_ns - now : NS_PER_MS;

	return left < c->timeout_ns ? left : c->timeout_ns;
}

/* Up to twice as long as before the last try. */
static uint64_t draw_wait(struct client_retry *retry)
{
	uint64_t longest = WAIT_MIN_NS;

	for (unsigned i = 0; i < retry->tries && longest < WAIT_MAX_NS; i++)
		longest *= 2;
	retry->tries++;
	return random_entropy() % longest;
}

/* Whether a try that failed is followed by another. */
static int judge(struct catfish *c, struct client_retry *retry, int error)
{
	char cause[TEXT_SIZE];

	snprintf(cause, sizeof(cause), "%s", err_text());
	if (!c->broken) {
		retry->next_ns = clock_now_ns() + draw_wait(retry);
		if (retry->next_ns < retry->until_ns)
			return ERR_AGAIN;
	}
	return err_set(error == ERR_BUSY ? error : ERR_CONNECTION,
		       "the connection to %s was lost: %s%s", c->address, cause,
		       c->broken ? "; close it and connect again" : "");
}

/* At some time around that which the server gave, if that is not too late. */
static bool wait_for_turn(struct catfish *c, struct client_retry *retry)
{
	uint64_t now = clock_now_ns();
	uint64_t wait = c->retry_us * NS_PER_US;

	if (!retry->busy_until_ns)
		retry->busy_until_ns = now + c->answer_timeout_ns;
	uint64_t next = now + wait / 2 + random_entropy() % (wait + 1);
	if (next >= retry->busy_until_ns)
		return false;
	sleep_until(next);
	return true;
}

static void sleep_until(uint64_t until_ns)
{
	uint64_t now = clock_now_ns();

	if (until_ns <= now)
		return;
	const struct timespec time = {
		.tv_sec = (time_t)((until_ns - now) / NS_PER_S),
		.tv_nsec = (long)((until_ns - now) % NS_PER_S),
	};
	nanosleep(&time, NULL);
}
