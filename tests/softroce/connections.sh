#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC1091
#
# Clients that come and go, or are killed, leave nothing behind in the server:
# no queue pairs, memory regions, file descriptors or memory; 500 of them with
# CATFISH_TEST_LONG=1.  Prints TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

loop_client=$top_builddir/tests/system/loop-client
items=1000
rounds=2
[ -z "$CATFISH_TEST_LONG" ] || rounds=50

# What a server may take for good, whatever is done with it, in KiB: less than
# what 500 links that keep 8 KiB each would.
slack=2048

# held KIND: objects of that kind that the server has, of all devices.
held() {
	rdma resource show "$1" | grep -c " pid $pid "
}

# memory FIELD: of /proc/PID/status, in KiB.
memory() {
	sed -n "s/^$1:[ \t]*\([0-9]*\) kB/\1/p" "/proc/$pid/status"
}

# What is held as often as before, exactly.
holdings() {
	local kind
	for kind in qp cq mr pd cm_id; do
		echo "$kind $(held $kind)"
	done
	set -- "/proc/$pid/fd/"*
	echo "fd $#"
	echo "pinned $(memory VmPin)"
}

begin() { # begin PATH: a client that searches all the time
	: >"$work/client"
	"$loop_client" --path "$1" "$network" 1 $items >"$work/client" 2>&1 &
	client=$!
	servers="$servers $client"
	until grep -q asked "$work/client"; do
		kill -0 $client 2>/dev/null || break
		sleep 0.02
	done
}

# Ten connections, of which two are killed in their searches, one of each path.
come_and_go() {
	local path i
	for path in messaging copy; do
		begin $path
		for i in 1 2 3 4; do
			catfish query --bbox -1,-1,2,2 --count --timeout 60s \
				--server "$network"
		done >>"$work/counts"
		stop_server $client KILL
	done
}

# settle EXPECTED: waits until the killed are forgotten; the device sees to it
# that they are noticed within the link's timeout.
settle() {
	local i
	for i in {1..100}; do
		[ "$(holdings)" != "$1" ] || return
		sleep 0.2
	done
}

start_server main --memory 16M
"$loop_client" --write --count $items "$shm" 1 >/dev/null || exit 99
before=$(holdings)
# What the first ones make the server keep for good.
come_and_go
settle "$before"
resident=$(memory RssAnon)
: >"$work/counts"
for ((i = 0; i < rounds; i++)); do
	come_and_go
done
settle "$before"
after=$(holdings)
echo "# $((rounds * 10)) connections; resident before and after:" \
	"$resident $(memory RssAnon) KiB; held: ${after//$'\n'/, }"
claim "every client was answered" "$(grep -vx $items "$work/counts" | sort |
	uniq -c; [ "$(wc -l <"$work/counts")" = $((rounds * 8)) ] || echo some)"
begin copy
some=$(holdings)
stop_server $client KILL
claim "a client holds something at all" "$([ "$some" != "$before" ] ||
	echo "$some")"
claim "those who have gone hold nothing" "$([ "$after" = "$before" ] ||
	diff <(echo "$before") <(echo "$after"))"
claim "nor memory" "$(grown=$(($(memory RssAnon) - resident))
	[ $grown -lt $slack ] || echo "$grown KiB more")"
stop_server "$pid"

finish
