/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/* Tells the service manager how far the server is, by the datagrams that
 * sd_notify(3) describes.
 *
 * Thread-safety: for the main thread. */

/* Sends 'state', such as "READY=1", to the socket that the environment's
 * NOTIFY_SOCKET names; does nothing when there is none. */
void notify(const char *state);

#endif
