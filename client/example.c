/* SPDX-License-Identifier: BSD-2-Clause */

/* Puts one item into a Catfish server and looks for it:
 *
 *	cc example.c -o example $(pkg-config --cflags --libs catfish)
 *	./example shm:///run/catfish.sock */

#include <catfish.h>
#include <stdio.h>

static int print(void *context, int64_t id, const double box[4])
{
	(void)context;
	printf("%lld: %g,%g to %g,%g\n", (long long)id, box[0], box[1], box[2],
	       box[3]);
	return 0; /* go on */
}

int main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "shm:///run/catfish.sock";
	const struct catfish_item paris = {42, {2.22, 48.81, 2.47, 48.91}};
	const struct catfish_query query = {.box = {2, 48, 3, 49}};
	struct catfish *server = NULL;

	int error = catfish_connect(address, NULL, &server);
	if (!error)
		error = catfish_insert(server, &paris, 1, NULL);
	if (!error)
		error = catfish_search(server, &query, print, NULL, NULL);
	if (error)
		fprintf(stderr, "example: %s\n", catfish_error_text());
	catfish_close(server);
	return error ? 1 : 0;
}
