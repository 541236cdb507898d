#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The devices of the virtual machine with --link are there and work, by programs
# that aren't ours: what fails here is no fault of Catfish.  Prints TAP.

tests=0 failures=0

claim() { # claim NAME STATUS
	tests=$((tests + 1))
	if [ "$2" = 0 ]; then
		echo "ok $tests - $1"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $1"
		sed 's/^/# /' "$said"
	fi
}

sent() { # sent INTERFACE: packets that it has sent
	cat "/sys/class/net/$1/statistics/tx_packets"
}

said=$(mktemp) || exit 99
grep -q ACTIVE /sys/class/infiniband/rxe0/ports/1/state \
	/sys/class/infiniband/rxe1/ports/1/state >"$said" 2>&1
claim "both devices are active" $?

before=$(sent eth1)
rping -s -a 10.77.0.1 -C 100 >"$said" 2>&1 &
server=$!
# Until it listens, its client is refused.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	rping -c -a 10.77.0.1 -C 100 >"$said" 2>&1
	status=$?
	[ $status != 0 ] || break
	sleep 0.2
done
claim "messages, READs and WRITEs of rping arrive" "$status"
kill $server 2>/dev/null
wait $server 2>/dev/null
echo "$before packets before, $(sent eth1) now" >"$said"
[ "$(sent eth1)" -ge $((before + 400)) ]
claim "and cross the link, as nobody bound an address" $?

echo "1..$tests"
[ "$failures" = 0 ]
