/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_FILE_LOCK_H
#define BASE_FILE_LOCK_H

/* Locks on files that are replaced whole.
 *
 * The lock is one of flock(2) on a file of its own beside it, FILE.lock, since
 * a lock on FILE itself would stay with what was replaced; where FILE is a
 * symbolic link, beside what it leads to.  FILE.lock is left
 * where it is, as whoever removes it might remove what another just locked.
 *
 * Thread-safety: safe. */

/* Locks the file, which need not exist; ERR_BUSY when another process has it
 * locked.  close(*fd) unlocks it, as the end of the process does. */
int file_lock(const char *path, int *fd);

#endif
