/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* Errors: what every function of Catfish returns when it fails.
 *
 * A function returns 0 or one of the negative numbers below; each has one
 * meaning throughout.  The first function that knows what failed also puts it
 * into words, with err_set(); those that only pass the number on leave the
 * words alone.
 *
 * Thread-safety: the words are kept per thread. */

#include <errno.h>

enum err {
	/* An argument or option value that can't be right. */
	ERR_USAGE = -EINVAL,
	/* Well-formed, but not possible here: offloading over tcp. */
	ERR_UNSUPPORTED = -EOPNOTSUPP,
	/* No server there, or the connection to it is gone. */
	ERR_CONNECTION = -ENOTCONN,
	/* The peer doesn't keep to the protocol, or speaks another version. */
	ERR_PROTOCOL = -EPROTO,
	/* The server can't take this now; try again later. */
	ERR_BUSY = -EBUSY,
	/* Input data that can't be used: a bad CSV line, a NaN. */
	ERR_DATA = -EILSEQ,
	/* A region, or a region file, that breaks its invariants. */
	ERR_DAMAGED = -EUCLEAN,
	/* No room: the region, a file system or a limit is full. */
	ERR_NO_ROOM = -ENOSPC,
	/* Nothing by that name: an item to delete, a file to read. */
	ERR_NOT_FOUND = -ENOENT,
	/* No memory. */
	ERR_NO_MEMORY = -ENOMEM,
	/* The time that was given for it is over; whether it was done isn't
	 * known. */
	ERR_TIMEOUT = -ETIMEDOUT,
	/* Not now; ask again when there is an event.  Never leaves a program.
	 */
	ERR_AGAIN = -EAGAIN,
	/* An error of the operating system with no meaning of its own here. */
	ERR_SYSTEM = -EIO,
};

/* Exit statuses of every program. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_NOTHING_FOUND = 1,
	EXIT_USAGE = 2,
	EXIT_NO_CONNECTION = 3,
	EXIT_BUSY = 4,
	EXIT_BAD_DATA = 5,
	EXIT_DAMAGED = 6,
	EXIT_NO_ROOM = 7,
};

/* Keeps the words of 'format' (as printf's) as this thread's error text and
 * returns 'error', so that one line fails: return err_set(ERR_DATA, ...). */
int err_set(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts "format: " in front of this thread's error text; returns 'error'. */
int err_prefix(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* This thread's error text: one line without a full stop, at most 511 bytes;
 * "" when nothing failed yet.  Valid until the next err_set(). */
const char *err_text(void);

/* A few words for an error number, such as "no connection". */
const char *err_name(int error);

/* The exit status that a program ends with for an error. */
enum exit_status err_exit_status(int error);

/* The error that a failed system call's errno stands for. */
int err_of_errno(int number);

#endif
