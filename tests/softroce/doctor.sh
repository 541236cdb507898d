#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC1091
#
# catfish doctor on a machine with two real devices and two NUMA nodes, as
# verbs.sh starts it, and what a server makes of the memory there.  Prints TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

# Commands as a user whom limits bind.
as_nobody() {
	setpriv --reuid 65534 --clear-groups --inh-caps=-all \
		--bounding-set=-all "$@"
}

run catfish doctor --memory 64M
is "both devices are found, and verbs can be used" status 0 \
	has '^rxe0, a device made by software$' has '^rxe1, ' \
	has '^  ok +port 1 is active on eth1' \
	has '^  ok +GID [0-9]+ is 10\.77\.0\.1, RoCE v2$' \
	has '^  ok +this user may open /dev/infiniband/rdma_cm$' \
	has "^  note +it doesn't tell which of the 2 NUMA nodes it is on" \
	has '^verbs:// can be used here' err ""

ulimit -S -l 64
run as_nobody catfish doctor --memory 64M
is "a user's limit of locked memory is seen" status 1 \
	has '^  wrong +64\.0 KiB may be locked' has '^ +ulimit -l unlimited '
ulimit -l 131072
run as_nobody catfish doctor --memory 64M
is "and a higher one suffices" status 0 has '^  ok +128\.0 MiB may be locked'
chmod 600 /dev/infiniband/rdma_cm
run as_nobody catfish doctor --memory 64M
is "who may not connect is told" status 1 \
	has '^  wrong +/dev/infiniband/rdma_cm: Permission denied'
chmod 666 /dev/infiniband/rdma_cm

# await REGEX: asks until it says so; the kernel follows in its own time.
await() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		run catfish doctor --memory 64M
		grep -Eq "$1" "$work/out" && break
		sleep 0.2
	done
}

huge_pages() { # huge_pages COUNT
	echo "$1" >/proc/sys/vm/nr_hugepages
}

# pages_of SIZE: what a server that is READ by a device gets its region in.
pages_of() {
	start_server paged --memory "$1"
	run catfish query --bbox -1,-1,2,2 --count --policy offload \
		--server "$network"
	stop_server "$pid"
	sed -n 's/.* pages=\([^ ]*\) .*/\1/p' "$work/paged.ready" >"$work/pages"
}

had=$(cat /proc/sys/vm/nr_hugepages)
huge_pages 32
run catfish doctor --memory 64M
is "huge pages that suffice are seen" status 0 \
	has '^  ok +64\.0 MiB are free for a region of 64\.0 MiB'
pages_of 64M
is "a region on huge pages can be READ" status 0 out 0
claim "and is on such" "$(grep -vx 2MiB "$work/pages")"
huge_pages 8
run catfish doctor --memory 64M
is "too few are noted, with what gets them" status 0 \
	has '^  note +16\.0 MiB are free; a region of 64\.0 MiB would' \
	has '^ +sysctl vm\.nr_hugepages=32$'
pages_of 64M
is "a region on small pages can be READ" status 0 out 0
claim "and is on such, too" "$(grep -vx 4KiB "$work/pages")"
huge_pages "$had"

# placed OPTION...: where a server with items has its threads and its region.
placed() {
	start_server placed --memory 16M "$@"
	run catfish import --server "$shm" "$work/items.csv"
	sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' \
		/proc/"$pid"/task/*/status | sort -u >"$work/processors"
	grep -F memfd:catfish-region /proc/"$pid"/numa_maps >"$work/maps"
	stop_server "$pid"
}

catfish generate uniform --count 10000 --seed 1 >"$work/items.csv"
for node in 0 1; do
	other=$((1 - node))
	placed --numa-node $node
	claim "a server keeps its threads to node $node" "$(diff \
		"$work/processors" /sys/devices/system/node/node$node/cpulist)"
	claim "and has its region there" "$(grep -q "N$node=" "$work/maps" ||
		echo none; grep "N$other=" "$work/maps")"
	claim "and says so" "$(grep -q \
		"on NUMA node $node of 2, as --numa-node says" \
		"$work/placed.log" || cat "$work/placed.log")"
done
placed
claim "else, with a device that tells no node, it has all processors" \
	"$(diff "$work/processors" /sys/devices/system/cpu/online)"
claim "and says what could be done" "$(grep -q \
	'no RDMA device tells which .* --numa-node N' "$work/placed.log" ||
	cat "$work/placed.log")"
run catfishd --listen "shm://$work/none.sock" --numa-node 2
is "a node that isn't there is refused" status 2 \
	err "catfishd: --numa-node: there is no node 2 with memory that this process may use"

ip addr del 10.77.0.2/24 dev eth1
ip addr del fd77::2/64 dev eth1
await 'ip addr add'
is "a device without an IP address is found" status 1 \
	has '^ +ip addr add ADDRESS/PREFIX dev eth1$'
ip addr add 10.77.0.2/24 dev eth1
"$top_srcdir/tests/softroce/link-routes"
ip link set eth1 down
await 'is not active'
is "and ports that are down" status 1 has 'port 1 is not active but DOWN' \
	has '^ +ip link set eth1 up '
ip link set eth1 up
"$top_srcdir/tests/softroce/link-routes"
await '10\.77\.0\.2'
is "until they are up again" status 0

finish
