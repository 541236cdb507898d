/* SPDX-License-Identifier: BSD-2-Clause */

/* Redis' geographic index, which has points only: the items' centres.  The
 * unit square lies on the earth between 80 degrees south and north, as the
 * index ends at 85, and a query is a box in metres about its centre, whose
 * sides follow the sphere: it finds about as many points as a rectangle. */

#include "service.h"

#include <hiredis/hiredis.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEGREES		  160.0				/* of one unit */
#define METRES_PER_DEGREE (6372797.560856 * M_PI / 180) /* as Redis has it */

enum { LOAD_AT_ONCE = 1000 };

static redisContext *redis;

static void fail(const char *what)
{
	fprintf(stderr, "redis: %s\n", what);
	exit(1);
}

static void connect_redis(const char *path)
{
	redis = redisConnectUnix(path);
	if (!redis || redis->err)
		fail(redis ? redis->errstr : "no memory");
}

static void disconnect_redis(void)
{
	redisFree(redis);
}

static size_t count_and_free(redisReply *reply)
{
	size_t count = reply->elements;

	if (reply->type == REDIS_REPLY_ERROR)
		fail(reply->str);
	freeReplyObject(reply);
	return count;
}

static size_t wait_redis(void)
{
	void *reply;

	if (redisGetReply(redis, &reply) != REDIS_OK)
		fail(redis->errstr);
	return count_and_free(reply);
}

static int poll_redis(size_t *count)
{
	void *reply;

	if (redisGetReplyFromReader(redis, &reply) != REDIS_OK)
		fail(redis->errstr);
	if (!reply)
		return 0;
	*count = count_and_free(reply);
	return 1;
}

static double degrees(double low, double high)
{
	return ((low + high) / 2 - 0.5) * DEGREES;
}

static void load_redis(const struct service_box *items, size_t count)
{
	redisAppendCommand(redis, "FLUSHALL");
	wait_redis();
	for (size_t i = 0; i < count; i++) {
		const struct service_box *b = &items[i];
		redisAppendCommand(redis, "GEOADD items %.12f %.12f %llu",
				   degrees(b->min[0], b->max[0]),
				   degrees(b->min[1], b->max[1]),
				   (unsigned long long)i);
		if ((i + 1) % LOAD_AT_ONCE && i + 1 != count)
			continue;
		for (size_t n = i % LOAD_AT_ONCE + 1; n--;)
			wait_redis();
	}
}

static void ask_redis(const struct service_box *b)
{
	double latitude = degrees(b->min[1], b->max[1]);
	double metres = DEGREES * METRES_PER_DEGREE;

	redisAppendCommand(redis,
			   "GEOSEARCH items FROMLONLAT %.12f %.12f BYBOX %.9f "
			   "%.9f m",
			   degrees(b->min[0], b->max[0]), latitude,
			   (b->max[0] - b->min[0]) * metres *
				   cos(latitude * M_PI / 180),
			   (b->max[1] - b->min[1]) * metres);
}

const struct service service = {
	.name = "redis",
	.connect = connect_redis,
	.disconnect = disconnect_redis,
	.load = load_redis,
	.ask = ask_redis,
	.wait = wait_redis,
	.poll = poll_redis,
};
