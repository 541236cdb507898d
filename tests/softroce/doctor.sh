#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC1091
#
# catfish doctor on a machine with two real devices.  Prints TAP.

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

ip addr del 10.77.0.2/24 dev eth1
await 'ip addr add'
is "a device without an IP address is found" status 1 \
	has '^ +ip addr add ADDRESS/PREFIX dev eth1$'
ip addr add 10.77.0.2/24 dev eth1
ip link set eth1 down
await 'is not active'
is "and ports that are down" status 1 has 'port 1 is not active but DOWN' \
	has '^ +ip link set eth1 up '
ip link set eth1 up
"$top_srcdir/tests/softroce/link-routes"
await '10\.77\.0\.2'
is "until they are up again" status 0

finish
