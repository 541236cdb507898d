#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC1091
#
# Which device a server listens with and a client connects by: that of the
# address, also of IPv6, that of the route, or the one that is named.  Prints
# TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

everything=-1,-1,2,2

# sent DEVICE: packets that it has sent.
sent() {
	cat "/sys/class/infiniband/$1/ports/1/hw_counters/sent_pkts"
}

# searches NAME ADDRESS OPTION...: both paths to it find what is there.
searches() {
	local name=$1 path
	shift
	for path in messaging offload; do
		run catfish query --bbox $everything -o csv --policy $path \
			--server "$@"
		sort "$work/out" >"$work/found"
		is "$name: by $path" status 0 err ""
		claim "$name: $path finds everything" \
			"$(cmp "$work/found" "$work/expected" 2>&1)"
	done
}

# --- IPv6 -------------------------------------------------------------------

CATFISH_TEST_RDMA_ADDRESS='[fd77::1]' start_server main --device rxe0
claim "a server listens at an IPv6 address" \
	"$([[ $network == 'verbs://[fd77::1]:'* ]] || echo "$network")"
"$top_builddir/tests/system/loop-client" --write --count 2000 "$network" 1 \
	>/dev/null || exit 99
catfish query --bbox $everything -o csv | sort >"$work/expected"
before=$(sent rxe1)
searches "IPv6" "$network"
after=$(sent rxe1)
claim "and that went over the link" \
	"$([ "$after" -gt "$before" ] || echo "$before packets, then $after")"

# --- Devices by their names -------------------------------------------------

run catfish query --bbox $everything --count --policy offload \
	--server "$network" --device rxe1
is "a client may name the device that the route takes" status 0 out 2000
run catfish query --bbox $everything --server "$network" --device rxe7
is "one that isn't there is an error" status 2 out "" \
	err "there is no RDMA device 'rxe7'"
stop_server "$pid"

CATFISH_TEST_RDMA_ADDRESS=0.0.0.0 start_server main --device rxe1
port=${network##*:}
"$top_builddir/tests/system/loop-client" --write --count 2000 "$shm" 1 \
	>/dev/null || exit 99
searches "a server's device is the one that it was told" \
	"verbs://10.77.0.2:$port"
run catfish query --bbox $everything --server "verbs://10.77.0.1:$port"
is "and no other is listened at" status 3 err 'nobody listens'
stop_server "$pid"

run catfishd --listen verbs://10.77.0.1:0 --device rxe1 --memory 16M
is "a server can't listen by a device that has another address" status 2 \
	out "" err '^catfishd: the address belongs to device rxe0, not to rxe1$'
run catfishd --listen verbs://0.0.0.0:0 --device rxe7 --memory 16M
is "nor by one that isn't there" status 2 out "" \
	err "^catfishd: there is no RDMA device 'rxe7'"
run catfishd --listen verbs://10.77.0.9:0 --memory 16M
is "nor at an address that no device has" status 2 out "" \
	err 'no RDMA device of this machine has that address'

finish
