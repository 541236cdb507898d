/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_STATION_H
#define SIM_STATION_H

/* What serves one after the other, in order of arrival: a worker, a direction
 * of a link.  When arrivals are told in the order of time, the end of each
 * service is known at its arrival.
 *
 * Thread-safety: one struct, one thread. */

struct station {
	double free_ns; /* when all that has arrived will be served */
	double busy_ns; /* of service, all together */
};

/* An arrival; returns when its service ends. */
static inline double station_serve(struct station *s, double now_ns,
				   double service_ns)
{
	double begin = s->free_ns > now_ns ? s->free_ns : now_ns;

	s->busy_ns += service_ns;
	return s->free_ns = begin + service_ns;
}

/* What has been served until now, of all that has arrived. */
static inline double station_done_ns(const struct station *s, double now_ns)
{
	double ahead = s->free_ns - now_ns;

	return s->busy_ns - (ahead > 0 ? ahead : 0);
}

#endif
