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

compile() {
	pc=$(find "$root" -name catfish.pc) &&
		flags=$(PKG_CONFIG_SYSROOT_DIR=$root \
			PKG_CONFIG_PATH=${pc%/*} \
			pkg-config --cflags --libs catfish) &&
		# The compiler and the flags are several words.
		${CC:-cc} $SANITIZER_CFLAGS "$(find "$root" -name example.c)" \
			-o "$root/example" $flags
}

start_server() {
	address=shm://$root/sock
	"${CATFISHD:-$top_builddir/catfishd}" --listen "$address" \
		--memory 64M >"$root/ready" &
	server=$!
	for i in 1 2 3 4 5 6 7 8 9 10; do
		grep -q '^catfishd ready' "$root/ready" && return 0
		kill -0 "$server" || return 1
		sleep 0.2
	done
}

run_example() {
	library=$(find "$root" -name libcatfish.so)
	LD_LIBRARY_PATH=${library%/*} "$root/example" "$address" \
		>"$root/answer" &&
		cat "$root/answer" &&
		grep -qx '42: 2.22,48.81 to 2.47,48.91' "$root/answer"
}

run_without_server() {
	library=$(find "$root" -name libcatfish.so)
	LD_LIBRARY_PATH=${library%/*} "$root/example" "shm://$root/nobody" \
		2>"$root/error" && return 1
	cat "$root/error"
	grep -q '^example: no server at shm://' "$root/error"
}

echo 1..5
check "the library installs" install_library
check "the example compiles by pkg-config alone" compile
check "a server starts" start_server
check "the example finds its item" run_example
check "the example says when there is no server" run_without_server
