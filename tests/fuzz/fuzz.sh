#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Fuzz targets.
#
#	fuzz.sh
#		runs all of them on random inputs of a fixed seed; prints TAP
#	fuzz.sh --libfuzzer TARGET [ARGUMENT...]
#		builds one with clang and libFuzzer, AddressSanitizer and
#		UBSan, as ./fuzz-TARGET, and runs it with these arguments, such
#		as a folder for its corpus and -max_total_time=60
#
# Both need a build tree: the current folder, or $top_builddir.

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
top_builddir=${top_builddir:-.}
targets="operations region"

fail() {
	echo "fuzz.sh: $*" >&2
	exit 99
}

run_all() {
	n=0 bad=0
	for target in $targets; do
		n=$((n + 1))
		if line=$("$top_builddir/tests/fuzz/$target" | sed -n 2p) &&
			[ "${line%% *}" = ok ]; then
			echo "ok $n ${line#ok 1 }"
		else
			echo "not ok $n ${line#not ok 1 }"
			bad=1
		fi
	done
	echo "1..$n"
	exit $bad
}

build() {
	[ -f "$top_builddir/config.h" ] ||
		fail "run this in a build tree: there is no config.h here"
	# shellcheck disable=SC2086,SC2046
	${CLANG:-clang} -std=gnu11 -g -O1 -ffp-contract=off -DRTREE_FANOUT=4 \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined \
		-include "$top_builddir/config.h" -I"$top_srcdir" \
		-DPKGLIBEXECDIR='""' \
		$(pkg-config --cflags libxxhash) -pthread \
		"$top_srcdir/tests/fuzz/$1.c" "$top_srcdir/tests/fuzz/fail.c" \
		"$top_srcdir"/tests/rtree/model.c \
		"$top_srcdir"/tests/rtree/shape.c \
		"$top_srcdir"/rtree/*.c "$top_srcdir"/base/*.c \
		-lm -o "fuzz-$1"
}

case ${1:-} in
"")
	run_all
	;;
--libfuzzer)
	target=${2:?which target: $targets}
	shift 2
	build "$target" || fail "$target can't be built"
	exec "./fuzz-$target" "$@"
	;;
*)
	sed -n 's/^#\t\(fuzz\.sh.*\)/usage: \1/p' "$0" >&2
	exit 2
	;;
esac
