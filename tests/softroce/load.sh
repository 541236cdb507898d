#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC1091
#
# The heartbeat tells how busy a server's link is: by what the network interface
# has sent, as soft-RoCE counts nothing itself, and by what the interface says
# or the user says that it can.  Prints TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

items=2000

# load_of SHM-ADDRESS: the last heartbeat's, in parts per thousand, or null.
load_of() {
	catfish stat --watch --times 1 -o jsonl --server "$1" |
		sed 's/.*"link_load":\([^,]*\),.*/\1/' |
		awk '{ print $1 == "null" ? $1 : int($1 * 1000 + 0.5) }'
}

# most_of SHM-ADDRESS: the most that it says in a while.
most_of() {
	catfish stat --watch --times 10 --interval 100ms -o jsonl \
		--server "$1" |
		sed 's/.*"link_load":\([^,]*\),.*/\1/' |
		awk '$1 > most { most = $1 } END { print int(most * 1000 + 0.5) }'
}

from_to() { # from_to LEAST MOST VALUE: claims nothing but says what is amiss.
	[ "$3" -ge "$1" ] && [ "$3" -le "$2" ] || echo "$3 is not from $1 to $2"
}

# begin_searches: over the network, by messaging, until stop_server "$client".
begin_searches() {
	"$top_builddir/tests/system/loop-client" --write --count $items "$shm" \
		1 >/dev/null || exit 99
	"$top_builddir/tests/system/loop-client" --path messaging "$network" 1 \
		$items >"$work/searches" 2>&1 &
	client=$!
	servers="$servers $client"
	until grep -q asked "$work/searches"; do
		kill -0 $client || break
		sleep 0.05
	done
}

# A link that carries 20 Mb/s, whatever there is to be sent.
tc qdisc replace dev eth0 root netem rate 20mbit limit 10000 || exit 99

# What the veth says that it can: 10 Gb/s.
start_server main
begin_searches
claim "an interface's own speed is believed" \
	"$(from_to 1 10 "$(most_of "$shm")")"
stop_server $client KILL
stop_server "$pid"

start_server main --link-speed 1G
claim "a quiet link has no load" "$(from_to 0 1 "$(load_of "$shm")")"
stop_server "$pid"

start_server main --link-speed 40M
begin_searches
most=$(most_of "$shm")
echo "# 20 Mb/s of 40 Mb/s: $most per thousand"
claim "what is sent is compared with what the user says" \
	"$(from_to 100 700 "$most")"
stop_server $client KILL
stop_server "$pid"

start_server main --link-speed 1M
begin_searches
claim "more than all of it is all of it" \
	"$(from_to 1000 1000 "$(most_of "$shm")")"
stop_server $client KILL
stop_server "$pid"
tc qdisc del dev eth0 root

# A port that counts, as hardware does: a copy of what the kernel shows of it,
# with a counter that somebody else drives.
port=$(realpath /sys/class/infiniband/rxe0/ports/1)
cp -r "$port" "$work/port" 2>/dev/null
mkdir "$work/port/counters"
count() { # count WORDS
	echo "$1" >"$work/count"
	mv "$work/count" "$work/port/counters/port_xmit_data"
}
count 0
# Now and then the counter is set back, which is no load.
mount --bind "$work/port" "$port"
for rate in 1:1000:1000 100000:0:50; do
	IFS=: read -r gigabits least most <<<"$rate"
	echo "$gigabits Gb/sec (4X EDR)" >"$work/port/rate"
	start_server main
	for ((n = 1; ; n++)); do
		count "$((n % 3 * 1000000000))"
		sleep 0.02
	done &
	counter=$!
	servers="$servers $counter"
	claim "what a port counts is compared with its rate, $gigabits Gb/s" \
		"$(from_to "$least" "$most" "$(most_of "$shm")")"
	stop_server $counter KILL
	stop_server "$pid"
done
umount "$port"

# An interface that doesn't know its speed, as a dummy doesn't.
ip link add eth2 mtu 4500 type dummy
ip addr add 10.78.0.1/24 dev eth2
ip link set eth2 up
rdma link add rxe2 type rxe netdev eth2
for _ in {1..100}; do
	[[ $(cat /sys/class/infiniband/rxe2/ports/1/gids/1) != *:ffff:* ]] ||
		break
	sleep 0.05
done
CATFISH_TEST_RDMA_ADDRESS=10.78.0.1
start_server main
is_unknown=$(for _ in {1..5}; do load_of "$shm"; done | sort -u)
claim "where nobody knows the speed, the load is not known either" \
	"$([ "$is_unknown" = null ] || echo "$is_unknown")"
stop_server "$pid"
rdma link del rxe2
ip link del eth2

finish
