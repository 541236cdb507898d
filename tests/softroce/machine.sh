#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tests/softroce/run passes on what its caller and its command say.  Prints TAP.

: "${top_srcdir:=$(pwd)}"
run=$top_srcdir/tests/softroce/run
tests=0 failures=0
work=$(mktemp -d "${TMPDIR:-/tmp}/softroce-test.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

# in_guest ARGUMENT...: keeps its status, output and errors.
in_guest() {
	ran="run $*"
	"$run" "$@" >"$work/out" 2>"$work/err"
	status=$?
}

claim() { # claim NAME CONDITION-COMMAND...
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@"; then
		echo "ok $tests - $name"
		return
	fi
	failures=$((failures + 1))
	echo "not ok $tests - $name"
	printf '# %s\n' "$ran" "status $status" "$*"
	sed 's/^/# | /' "$work/out" "$work/err"
}

status_is() {
	[ "$status" = "$1" ]
}

errors_say() {
	grep -Eq -e "$1" "$work/err"
}

# --- Without a machine ------------------------------------------------------

for wrong in "" "--cpus none true" "--memory 16 true" "--numa 8 true" \
	"--frob true"; do
	# shellcheck disable=SC2086 # words
	in_guest $wrong
	claim "'run $wrong' is a wrong command line" status_is 2
done

# The programs that it needs, but for QEMU.
mkdir "$work/bin"
for program in bash dirname uname; do
	ln -s "$(command -v $program)" "$work/bin/"
done
ran="run without QEMU"
PATH=$work/bin "$run" true >"$work/out" 2>"$work/err"
status=$?
claim "without QEMU it has a status of its own" status_is 120
claim "and says what to install" \
	errors_say 'qemu-system-x86_64.* not found; install'

# --- With one ---------------------------------------------------------------

in_guest --prepare
if [ "$status" = 120 ] && [ -z "$CATFISH_REQUIRE_SOFTROCE" ]; then
	why=$(tail -n 1 "$work/err")
	echo "ok $((tests += 1)) - a machine # SKIP ${why##*run: }"
	echo "1..$tests"
	exit "$((failures > 0))"
fi
claim "what a machine needs can be fetched" status_is 0

export of_the_caller="a word"
# shellcheck disable=SC2016 # the guest's
in_guest --huge-pages 16 --numa 2 --memory 1024 --cpus 2 sh -c '
	echo "$of_the_caller, in $(pwd), with $1"
	echo "to errors" >&2
	cat /sys/devices/system/node/node[01]/cpulist
	cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	echo written >there
	exit 7' sh "an argument"
claim "the status is the command's" status_is 7
claim "so are its output, its folder, its environment and its options" \
	[ "$(cat "$work/out")" = "a word, in $work, with an argument
0
1
16" ]
claim "errors come out as such" errors_say '^to errors$'
claim "and what it wrote is gone" [ ! -e there ]

in_guest --timeout 1 sleep 60
claim "a command that takes too long is ended" status_is 124
claim "and that is said" errors_say 'not done after 1 s: sleep 60'

echo "1..$tests"
[ "$failures" = 0 ]
