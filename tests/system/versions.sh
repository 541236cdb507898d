#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# While writers insert, move and delete at full speed, every answer by every
# path is exactly the state of the version that it names; see version-checker
# --help.  Half a minute, or with CATFISH_TEST_LONG=1 a minute for each setting
# and more of them.  It goes on, with other seeds, until a million answers over shm
# and faulty were compared, if the build has no sanitizer; with
# CATFISH_TEST_ANSWERS=100000000, until so many were.  Prints TAP.

: "${top_builddir:=$(pwd)}"
checker=$top_builddir/tests/system/version-checker
dimensions= # of checker and server: "" for two, "-3d"
seed=${CATFISH_TEST_SEED:-1}
tests=0 bad=0
compared=0 # answers over shm and faulty
said=$(mktemp) || exit 99
trap 'rm -f "$said"' EXIT
trap 'exit 99' HUP INT TERM

# check_versions OPTION...: sets status to the checker's, not to that of sed.
check_versions() {
	status=$({ {
		"$checker$dimensions" \
			--server "$top_builddir/catfishd$dimensions" \
			--seconds "$seconds" --seed "$seed" "$@" 3>&- 4>&-
		echo $? >&3
	} | sed 's/^/# /' | tee "$said" >&4; } 3>&1) 4>&1
	case $* in *tcp*) return ;; esac
	compared=$((compared + $(awk '$2 == "all" { n = $3 }
		END { print n + 0 }' "$said")))
}

# replays NAME SECONDS OPTION...
replays() {
	name=$1 seconds=${CATFISH_TEST_LONG:+60}
	: "${seconds:=$2}"
	shift 2
	tests=$((tests + 1))
	echo "# version-checker --seconds $seconds --seed $seed $*"
	# 3 says that all was right but that too little happened, as it may on
	# a busy machine: then again.
	for _ in 1 2 3 4 5; do
		check_versions "$@"
		[ "$status" = 3 ] || break
	done
	if [ "$status" = 0 ]; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		bad=1
	fi
}

replays "messaging, copy and mapped answer from the version they name" 12
replays "so they do when pages are short and reused at once" 6 \
	--changes 1 --writers 4 --items 2000 --memory 900K --lease 1ms
replays "so do links that tear, delay and reorder, and break" 6 \
	--fabric faulty --readers 2
replays "so they do when the region is full, and no page is lost" 6 \
	--fill --changes 1 --writers 8 --items 20000 --memory 740K --lease 2ms
replays "so do searches that the server leaves to its clients" 3 \
	--push-back 0 --paths messaging --readers 2
replays "so does tcp, where no lease but only pins hold pages" 6 \
	--fabric tcp --readers 2
dimensions=-3d
replays "so they do in three dimensions" 6
dimensions=

if [ -n "$CATFISH_TEST_LONG" ]; then
	replays "so do higher trees and larger answers" 60 \
		--items 100000 --memory 96M
	replays "so do many connections in each process" 60 \
		--writers 8 --readers 4 --lease 2ms --memory 16M
fi
case $("$top_builddir/config.status" --config) in
*with-sanitizer=*) wanted=0 ;;
*) wanted=1000000 ;;
esac
wanted=${CATFISH_TEST_ANSWERS:-$wanted}
while [ "$compared" -lt "$wanted" ] && [ $bad = 0 ]; do
	seed=$((seed + 1))
	replays "so do more of them, with another seed" 6
	replays "and by links that tear, delay and reorder" 6 \
		--fabric faulty --readers 2
done
echo "# $compared answers were compared over shm and faulty"
echo "1..$tests"
exit $bad
