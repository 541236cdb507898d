#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC1091
#
# A link that goes down, or that loses everything without a word, is noticed, as
# late as a server was told to wait; what was acknowledged is there, and once the link is back clients are served
# again.  Prints TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

loop_client=$top_builddir/tests/system/loop-client
items=2000

# begin NAME ARGUMENT...: starts a loop client and waits for its first answer.
begin() {
	local name=$1
	shift
	: >"$work/$name.out"
	"$loop_client" --timeout-ms 60000 "$@" >"$work/$name.out" \
		2>"$work/$name.err" &
	pid_of[$name]=$!
	servers="$servers $!"
	until grep -q asked "$work/$name.out"; do
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
}

begin_searches() {
	pid_of=()
	begin messaging --path messaging "$searched" 1 $items
	begin copy --path copy "$searched" 1 $items
}

# why_not_well NAME STATUS: it should have ended by itself, long before a call
# would give up, with one line that says that there is no connection.
why_not_well() {
	[ "$2" = 3 ] || echo "$1: status $2"
	[ "$(wc -l <"$work/$1.err")" = 1 ] || echo "$1: not one line of error"
	! grep 'no answer within' "$work/$1.err" || echo "$1 gave up waiting"
	! grep WRONG "$work/$1.out"
}

await_ends() {
	local name
	why='' status=''
	for name in "${!pid_of[@]}"; do
		wait "${pid_of[$name]}"
		status=$?
		sed "s/^/# $name: /" "$work/$name.err"
		why+=$(why_not_well "$name" $status)
	done
}

# clients_of SHM-ADDRESS: how many it has besides the one that asks.
clients_of() {
	catfish stat -o jsonl --server "$1" |
		sed 's/.*"clients":\([0-9]*\).*/\1/' |
		awk '{ print $1 - 1 }'
}

forgotten_by() { # forgotten_by SHM-ADDRESS
	local count
	for _ in {1..100}; do
		count=$(clients_of "$1")
		[ "$count" != 0 ] || return 0
		sleep 0.2
	done
	echo "$1 still has $count clients"
}

# The requests of a writer that were acknowledged, and at most one more.
compare_with_acknowledged() {
	local wanted count
	wanted=$(($(sed -n 's/^acknowledged //p' "$work/writer.out")))
	count=$(catfish query --bbox=-1,-1,2,2 --count --server "$written_shm")
	why=
	((count >= wanted && count <= wanted + 64)) ||
		why="$wanted were acknowledged, $count are there"
}

noticed() { # noticed WHAT
	local begin=$SECONDS why
	await_ends
	echo "# after $((SECONDS - begin)) s"
	claim "$1: its clients say that the connection is lost" "$why"
	claim "$1: the servers have forgotten them" \
		"$(forgotten_by "$searched_shm"; forgotten_by "$written_shm")"
}

is_back() { # is_back WHAT
	for _ in {1..20}; do
		run catfish query --bbox=-1,-1,2,2 --count --server "$searched"
		[ "$status" != 0 ] || break
		sleep 0.5
	done
	is "$1: it carries searches again" status 0 out $items
}

# The client's interface is up again.  An rxe of Linux 6.1 that had to send while
# it was down sets up no connection any more, so that is made anew.
make_anew() {
	local gid
	ip link set eth1 up
	"$top_srcdir/tests/softroce/link-routes"
	rdma link del rxe1
	rdma link add rxe1 type rxe netdev eth1
	for _ in {1..100}; do
		gid=$(cat /sys/class/infiniband/rxe1/ports/1/gids/1)
		[[ $gid != *:ffff:* ]] || break
		sleep 0.1
	done
}

declare -A pid_of
start_server patient --memory 16M --link-timeout 600s
patient=$network patient_shm=$shm
start_server searched --memory 16M
searched=$network searched_shm=$shm
start_server written --memory 16M
written=$network written_shm=$shm
"$loop_client" --write --count $items "$searched_shm" 1 >/dev/null || exit 99

begin_searches
begin writer --write "$written" 1000000
begin waited_for --write "$patient" 1000000
tc qdisc replace dev eth1 root netem loss 100%
noticed "the link loses everything"
claim "a server that was told to wait longer does" \
	"$([ "$(clients_of "$patient_shm")" = 1 ] || echo "it has none")"
compare_with_acknowledged
claim "what was acknowledged before is there, once" "$why"
tc qdisc del dev eth1 root
is_back "the link loses nothing any more"

begin_searches
ip link set eth1 down
noticed "the client's end goes down"
make_anew
is_back "the client's end is up"

finish
