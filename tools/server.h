/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_SERVER_H
#define TOOLS_SERVER_H

/* The server that a command talks to: the options that name it, and results of
 * the client library in the terms of base/err.h.
 *
 * Thread-safety: one thread. */

#include <stdbool.h>

#include "client/catfish.h"
#include "tools/options.h"

/* --server and --timeout. */
extern const struct command_option server_options[];

/* Whether --server was given, rather than left to the environment. */
bool server_is_named(void);

/* Connects to the server of --server, or else of CATFISH_SERVER, in the way
 * that is wanted, NULL for messaging alone, and with the timeout of --timeout.
 * Unless the dimensions are settled, this program then becomes the one for
 * those of the server's items. */
int server_open(const struct catfish_options *how, struct catfish **server);

/* The same for a server at a certain address, with the timeout that is wanted.
 */
int server_open_at(const char *address, const struct catfish_options *how,
		   struct catfish **server);

/* What a function of catfish.h returned, as an error of base/err.h with its
 * words. */
int server_result(int result);

#endif
