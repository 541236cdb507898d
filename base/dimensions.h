/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_DIMENSIONS_H
#define BASE_DIMENSIONS_H

/* Programs for two dimensions and for three.  Users know one, which is for two:
 * it becomes its sibling, NAME-3d, when the items have three.  The sibling is
 * beside the program, as in a build tree, or else where it was installed.
 *
 * Thread-safety: for the main thread, before there are others. */

/* Keeps the command line that a sibling is to get.  The array must live on; its
 * words may be put in another order. */
void dimensions_init(char **argv);

/* Takes the value of --dimensions: 0, and it is settled, when this program is
 * for that many; otherwise becomes its sibling.  ERR_USAGE when the text is
 * neither 2 nor 3, or what was given before it has other dimensions. */
int dimensions_take(const char *text);

/* Settles that this program it is, whatever else there is to follow. */
void dimensions_settle(void);

/* Becomes the sibling if 'dimensions', which something tells that was given, a
 * file or a server, are its, and nothing is settled.  0 when not: where the
 * dimensions matter they are then found to be wrong. */
int dimensions_follow(int dimensions);

#endif
