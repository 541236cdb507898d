/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

/* What each request asks for, and who does it.
 *
 * Thread-safety: a connection belongs to its worker. */

struct connection;

/* Looks at the connection's request.  Returns 1 when it was taken: it is being
 * answered, has become a job, or is answered by an error; 0 when it must wait
 * until those before it are answered. */
int request_dispatch(struct connection *connection);

#endif
