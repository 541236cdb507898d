#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The installed library, header and pkg-config file suffice to build the example
# and run it, without anything of the source tree.  Prints TAP.

root=$(mktemp -d) || exit 99
server=
cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -rf "$root"
}
trap cleanup EXIT
n=0

check() { # check DESCRIPTION COMMAND...
	n=$((n + 1))
	what=$1
	shift
	if "$@" >"$root/out" 2>&1; then
		echo "ok $n - $what"
	else
		sed 's/^/# /' "$root/out"
		echo "not ok $n - $what"
	fi
}

install_library() {
	# What runs this may be a make of its own.
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		${MAKE:-make} -C "$top_builddir" DESTDIR="$root" \
		install-libLTLIBRARIES install-includeHEADERS \
		install-pkgconfigDATA install-dist_exampleDATA
}

package_flags() { # package_flags PACKAGE
	pc=$(find "$root" -name catfish.pc) &&
		PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=${pc%/*} \
			pkg-config --cflags --libs "$1"
}

compile() { # compile SOURCE PROGRAM FLAGS
	# The compiler and the flags are several words.
	${CC:-cc} $SANITIZER_CFLAGS "$1" -o "$root/$2" $3
}

compile_example() {
	flags=$(package_flags catfish) &&
		compile "$(find "$root" -name example.c)" example "$flags"
}

compile_events() {
	flags=$(package_flags "catfish libevent_core") &&
		compile "$(find "$root" -name events.c)" events "$flags"
}

compile_space() {
	cat >"$root/space.c" <<-'SOURCE'
		#include <catfish.h>
		#include <stdio.h>

		static int print(void *context, int64_t id, const double *box)
		{
			(void)context;
			printf("%lld: %g,%g,%g to %g,%g,%g\n", (long long)id,
			       box[0], box[1], box[2], box[3], box[4], box[5]);
			return 0;
		}

		int main(int argc, char **argv)
		{
			struct catfish_item item = {7, {1, 2, 3, 4, 5, 6}};
			struct catfish_query query = {.box = {4, 5, 6, 7, 8, 9}};
			struct catfish_query below = {.box = {4, 5, 1, 7, 8, 2}};
			struct catfish *server = NULL;
			int error = catfish_connect(argv[argc - 1], NULL, &server);
			if (!error)
				error = catfish_insert(server, &item, 1, NULL);
			if (!error)
				error = catfish_search(server, &query, print, NULL,
						       NULL);
			if (!error)
				error = catfish_search(server, &below, print, NULL,
						       NULL);
			if (error)
				fprintf(stderr, "%s\n", catfish_error_text());
			catfish_close(server);
			return error ? 1 : 0;
		}
	SOURCE
	flags=$(package_flags catfish3d) &&
		compile "$root/space.c" space "$flags"
}

# Arrays of four numbers where the library has six.
link_wrongly() {
	flags=$(package_flags catfish3d) &&
		! compile "$(find "$root" -name example.c)" wrong \
			"$flags -UCATFISH_DIMENSIONS" &&
		grep -q catfish_connect "$root/out"
}

start_server() { # start_server [OPTION...]
	address=shm://$root/sock
	# Before the server does it, or an earlier one's line would be taken for
	# its own.
	: >"$root/ready"
	"${CATFISHD:-$top_builddir/catfishd}" --listen "$address" \
		--memory 64M "$@" >"$root/ready" &
	server=$!
	until grep -q '^catfishd ready' "$root/ready"; do
		kill -0 "$server" || return 1
		sleep 0.05
	done
}

run_example() {
	library=$(find "$root" -name libcatfish.so)
	LD_LIBRARY_PATH=${library%/*} "$root/example" "$address" \
		>"$root/answer" &&
		cat "$root/answer" &&
		grep -qx '42: 2.22,48.81 to 2.47,48.91' "$root/answer"
}

# Each of the 1,000 counts is answered; the item lies in none of them.
run_events() {
	library=$(find "$root" -name libcatfish.so)
	LD_LIBRARY_PATH=${library%/*} "$root/events" "$1" >"$root/answer" &&
		cat "$root/answer" &&
		grep -q "^1000 requests, 0 late, $2 items" "$root/answer"
}

# Items that 10 of the counts find each.
insert_items() {
	printf '%s\n' id,xmin,ymin,xmax,ymax 1,.5005,.5,.5005,.5 2,.9995,.1,.9995,.1 |
		"$top_builddir/catfish" insert --server "$address"
}

run_space() {
	kill "$server" && wait "$server"
	start_server --dimensions 3 || return 1
	library=$(find "$root" -name libcatfish3d.so)
	LD_LIBRARY_PATH=${library%/*} "$root/space" "$address" >"$root/answer" &&
		cat "$root/answer" &&
		[ "$(cat "$root/answer")" = "7: 1,2,3 to 4,5,6" ]
}

run_without_server() {
	library=$(find "$root" -name libcatfish.so)
	LD_LIBRARY_PATH=${library%/*} "$root/example" "shm://$root/nobody" \
		2>"$root/error" && return 1
	cat "$root/error"
	grep -q '^example: no server at shm://' "$root/error"
}

echo 1..12
check "the library installs" install_library
check "the example compiles by pkg-config alone" compile_example
check "and that of an event loop, with libevent" compile_events
check "so does a program for three dimensions" compile_space
check "what is compiled for two doesn't link with three" link_wrongly
check "a server starts" start_server
check "the example finds its item" run_example
check "the example of an event loop finds nothing where nothing is" \
	run_events "$address" 0
check "items are inserted" insert_items
check "the example of an event loop finds them" run_events "$address" 20
check "an item of three dimensions is found" run_space
check "the example says when there is no server" run_without_server
