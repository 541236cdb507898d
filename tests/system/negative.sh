#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# The tests of this folder notice what they are there for: in a build whose
# guards can be switched off (base/guard.h), the same run that is right with a
# guard gives a wrong answer without it.  Pauses lose the races that are won
# nearly always.  CATFISH_TEST_LONG=1 takes more time for the runs that are
# right.  Prints TAP, and each wrong answer.

. "${top_srcdir:-.}/tests/tools/lib.sh"

# It is about answers; the same code without faults runs under sanitizers anyway.
case $("$top_builddir/config.status" --config) in
*with-sanitizer=*)
	echo "1..0 # SKIP a sanitizer has nothing new to see here"
	exit 0
	;;
esac

system=$top_builddir/tests/system
seed=${CATFISH_TEST_SEED:-1}
right_s=${CATFISH_TEST_LONG:+20}
: "${right_s:=2}"

# check SECONDS OPTION...: one run of the checker on the build with guards.
check() {
	seconds=$1
	shift
	run "$system/seeded-version-checker" \
		--server "$system/seeded-catfishd" --seed "$seed" \
		--seconds "$seconds" "$@"
}

# needs NAME GUARD SIDE PAUSE SIDE OPTION...: SIDE, server or client, says whose
# guard is switched off and who is slow.
needs() {
	name=$1 guard=$2 side=$3 pause=$4 slow=$5
	shift 5
	check "$right_s" "--$slow-env" "CATFISH_PAUSE=$pause" "$@"
	# 3: all was right, but there was little of it.
	if [ "$status" != 0 ] && [ "$status" != 3 ]; then
		claim "$name" "wrong although '$guard' is there"
		return
	fi
	# What goes wrong may end the client before an answer shows it.
	for _ in 1 2 3 4 5; do
		check 30 "--$side-env" "CATFISH_FAULT=$guard" \
			"--$slow-env" "CATFISH_PAUSE=$pause" "$@"
		! grep -q '^WRONG ANSWER' "$work/out" || break
	done
	echo "# $ran"
	sed -n '/^WRONG ANSWER/,/^  seed/p' "$work/out" | cut -c1-200 |
		sed 's/^/# /'
	if grep -q '^WRONG ANSWER' "$work/out" && [ "$status" = 1 ]; then
		claim "$name" ""
	else
		claim "$name" "nothing wrong was noticed without '$guard'"
	fi
}

# In the middle of a READ the client loses its processor for two leases.
needs "the lease keeps reused pages out of what was READ" \
	lease client read:10000:20 client --paths copy --readers 4

# The births of nodes find most of what the lease would have: without both, a
# walk goes from one version into another.
needs "the births of nodes tell one version from another" \
	lease,birth client read:10000:50 client --paths copy

# What is in the cache was right some time.
needs "the root record tells whether the cache is of the newest version" \
	cache-root client none:1:1 client --paths copy

# The server is slow to write the root record.
needs "its checksum tells a torn root record" \
	record-checksum client publish:50:1 server --paths copy

# Between finding items in a mapped leaf and copying them.
needs "the horizon keeps reused pages out of what was mapped" \
	horizon client gather:10000:50 client --paths mapped

# The server says that pages are reused with the version after that, and is slow
# to publish it.  Here and below the births of nodes would find most of that.
needs "the horizon is raised before a page is reused" \
	horizon-raise server gather:10000:50 client --paths mapped \
	--server-env CATFISH_PAUSE=commit:5000:4 --client-env CATFISH_FAULT=birth

# The server is slow to write the nodes of a version that can be seen.
needs "a root is published after the nodes below it" \
	publish-last server commit:500:3 server --paths mapped

# The server is slow to write the version of a root that can be seen; the client
# doesn't see that it answered from a later one before.
needs "a root is published after its version" \
	root-last server publish:2000:3 server --paths mapped --seconds 1 \
	--client-env CATFISH_FAULT=version

# The server reads the clock, and is slow to publish; the client is slow to READ
# what was published before, but no slower than the lease.
needs "the lease begins when the version without a page is published" \
	retire-time server read:10000:10 client --paths copy --readers 4 \
	--lease 20ms --memory 2M --client-env CATFISH_FAULT=birth \
	--server-env CATFISH_PAUSE=commit:30000:5

# The server answers a write and then publishes it.
needs "a write is published before it is acknowledged" \
	acknowledge-last server acknowledge:500:3 server --paths messaging

# The server reuses pages at once; no search takes as long as the lease.  Births
# would find most of that, and end the search.
needs "retired pages wait for the lease" \
	retire-wait server read:2000:50 client --paths copy \
	--client-env CATFISH_FAULT=birth

# Over tcp there is no lease, only pins, and the births, as above.
needs "pinned pages are not reused" \
	pin,birth server hand-out:10000:50 server --fabric tcp

# stops PATH PAUSE: clients are stopped for ten leases, most of them in the
# middle of a search, where the pause keeps them.
stops() {
	for _ in 1 2 3 4 5; do
		check "${CATFISH_TEST_LONG:+6}6" --lease 30ms --memory 4M \
			--stops 10 --paths "$1" \
			--client-env "CATFISH_PAUSE=$2"
		[ "$status" = 3 ] || break
	done
	sed -n "s/^$1 .*/# &/p" "$work/out"
	is "a client that is stopped for ten leases expires: $1" status 0 \
		has '^stops of the readers: 10$' has '^wrong answers: 0$'
}

stops copy read:1000:8
stops mapped gather:1000:64

# expires_once PATH POINT: one client is held up once, for ten leases, before it
# knows whether what it read is good.  The searches that it has in flight then
# expire, each of them once; a server that is starved meanwhile has reused no page,
# and none does.
expires_once() {
	for _ in 1 2 3 4 5; do
		check 3 --lease 100ms --memory 1M --paths "$1" \
			--client-env "CATFISH_PAUSE=$2:1000000:200:1"
		expiries=$(sed -n 's/^lease expiries of one search: at most //p' \
			"$work/out")
		[ "$expiries" = 0 ] || break
	done
	sed -n "s/^$1 .*/# &/p" "$work/out"
	claim "a search that is held up for ten leases expires once: $1" \
		"$([ "$expiries" = 1 ] || echo "it expired $expiries times")"
	claim "and gives no wrong answer: $1" \
		"$(grep -q '^wrong answers: 0$' "$work/out" || cat "$work/out")"
}

expires_once copy vouch
expires_once mapped gather

# dies NAME GUARD PATH: a server dies, and another takes its place, while a
# client stays connected to the dead one.
dies() {
	for fault in "" "$2"; do
		start_server owner
		"$system/loop-client" --write --count 100 "$shm" 1 >/dev/null ||
			exit 99
		rm -f "$work/steps" "$work/out"
		mkfifo "$work/steps"
		: >"$work/out"
		CATFISH_FAULT=$fault "$system/seeded-loop-client" --step \
			--path "$3" "$shm" 1 100 <"$work/steps" \
			>"$work/out" 2>"$work/err" &
		client=$!
		servers="$servers $client"
		exec 3>"$work/steps"
		echo >&3
		until grep -q asked "$work/out"; do
			kill -0 "$client" 2>/dev/null || break
			sleep 0.02
		done
		stop_server "$pid" KILL
		# Without the pipe, whose other end waits for its end.
		start_server owner 3>&-
		"$system/loop-client" --write --count 70 "$shm" 1000 \
			>/dev/null || exit 99
		# A client that has ended already is told by its status.
		(trap '' PIPE && echo >&3) 2>/dev/null
		exec 3>&-
		wait "$client"
		status=$? ran="loop-client --step --path $3, its server killed"
		stop_server "$pid"
		answers=$(grep -c asked "$work/out")
		if [ -z "$fault" ] && [ "$status.$answers" != 3.1 ]; then
			claim "$1" "it went on although '$2' is there"
			return
		fi
	done
	if [ "$answers" = 2 ]; then
		echo "# WRONG ANSWER: path $3: 100 items of a dead server"
		claim "$1" ""
	else
		claim "$1" "nothing wrong was noticed without '$2'"
	fi
}

dies "the owner's mark keeps a dead server's region from being searched" \
	owner-died mapped
dies "and from being READ" owner copy

finish
