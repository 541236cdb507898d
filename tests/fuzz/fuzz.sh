#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Fuzz targets.
#
#	fuzz.sh
#		runs all of them on the inputs that are kept and on random ones
#		of a fixed seed; prints TAP
#	fuzz.sh --libfuzzer TARGET FOLDER [ARGUMENT...]
#		builds one with clang and libFuzzer, AddressSanitizer and
#		UBSan, as ./fuzz-TARGET, and runs it with these arguments, such
#		as -max_total_time=60; its corpus is in FOLDER, which gets the
#		inputs that are kept
#	fuzz.sh --keep TARGET FOLDER
#		after that: keeps as few inputs of FOLDER as reach all that they
#		reach together, in TARGET.corpus
#
# All need a build tree: the current folder, or $top_builddir.

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
top_builddir=${top_builddir:-.}
export top_srcdir top_builddir
targets="offload operations region session"

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
	# What a client is made of, for one that meets nodes as they are.
	set -- "$1" -DRTREE_FANOUT=4 "$top_srcdir"/tests/rtree/model.c \
		"$top_srcdir"/tests/rtree/shape.c
	# shellcheck disable=SC2046
	case $1 in
	offload | session)
		set -- "$1" $(pkg-config --libs libevent) \
			"$top_srcdir"/client/[!e]*.c \
			"$top_srcdir"/client/error.c \
			"$top_srcdir"/adaptive/*.c \
			"$top_srcdir"/fabric/*.c "$top_srcdir"/wire/*.c
		! grep -q '^#define HAVE_VERBS' "$top_builddir/config.h" ||
			set -- "$@" $(pkg-config --libs libibverbs librdmacm)
		;;
	esac
	# And a server, but for what makes it a program.
	[ "$1" != session ] ||
		for file in "$top_srcdir"/server/*.c; do
			case ${file##*/} in
			main.c | options.c | region_file.c | notify.c) ;;
			*) set -- "$@" "$file" ;;
			esac
		done
	target=$1
	shift
	# shellcheck disable=SC2086,SC2046
	${CLANG:-clang} -std=gnu11 -g -O1 -ffp-contract=off \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined \
		-include "$top_builddir/config.h" -I"$top_srcdir" \
		-DPKGLIBEXECDIR='""' \
		$(pkg-config --cflags libxxhash) -pthread \
		"$top_srcdir/tests/fuzz/$target.c" \
		"$top_srcdir/tests/fuzz/fail.c" "$@" \
		"$top_srcdir"/rtree/*.c "$top_srcdir"/base/*.c \
		-lm -o "fuzz-$target"
}

# An input is a line of TARGET.corpus, two hexadecimal digits a byte.
unpack() { # unpack TARGET FOLDER
	mkdir -p "$2"
	perl -e 'while (<STDIN>) {
		chomp;
		next if /^#/;
		open my $to, ">:raw", sprintf("%s/kept-%04d", $ARGV[0], $.) or die;
		print $to pack("H*", $_);
	}' "$2" <"$top_srcdir/tests/fuzz/$1.corpus"
}

keep() { # keep TARGET FOLDER
	kept=$top_srcdir/tests/fuzz/$1.corpus
	work=$(mktemp -d) || fail "no temporary folder"
	"./fuzz-$1" -set_cover_merge=1 "$work" "$2" ||
		fail "run it with --libfuzzer first"
	{
		echo "# SPDX-License-Identifier: BSD-2-Clause"
		perl -0777 -ne 'print unpack("H*", $_), "\n"' "$work"/* | sort
	} >"$kept"
	rm -r "$work"
}

case ${1:-} in
"")
	run_all
	;;
--libfuzzer)
	target=${2:?which target: $targets}
	folder=${3:?which folder for its corpus}
	shift 3
	build "$target" || fail "$target can't be built"
	unpack "$target" "$folder" || fail "no folder $folder"
	exec "./fuzz-$target" "$folder" "$@"
	;;
--keep)
	keep "${2:?which target: $targets}" "${3:?which folder}"
	;;
*)
	sed -n 's/^#\t\(fuzz\.sh.*\)/usage: \1/p' "$0" >&2
	exit 2
	;;
esac
