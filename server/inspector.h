/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_INSPECTOR_H
#define SERVER_INSPECTOR_H

/* The inspector: one thread that looks at the whole tree when a client asks for
 * its statistics, wants it checked, or begins to save it.  That takes time that
 * a worker's other clients would notice.
 *
 * Thread-safety: inspector_run() is a thread of its own; others hand it jobs by
 * the server's queue 'inspections'. */

/* Works until the queue is closed and empty; 'server' is a struct server. */
void *inspector_run(void *server);

#endif
