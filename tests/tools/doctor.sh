#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# catfish doctor names what is wrong with a machine, and what mends it.  The
# machines are made up; tests/softroce has a real one.

. "${top_srcdir:-.}/tests/tools/lib.sh"

# --- Machines ---------------------------------------------------------------

# file PATH TEXT: a file of the machine.
file() {
	mkdir -p "$machine/${1%/*}"
	printf '%s\n' "$2" >"$machine/$1"
}

# limits SOFT HARD CAPABILITIES: of the process that asks.
limits() {
	file proc/self/limits "Limit                     Soft Limit           Hard Limit           Units
Max processes             95788                95788                processes
Max locked memory         $1             $2             bytes
Max address space         unlimited            unlimited            bytes"
	file proc/self/status "Name:	catfish
CapInh:	0000000000000000
CapEff:	$3"
}

huge_pages() { # huge_pages FOLDER COUNT
	file "$1/hugepages/hugepages-2048kB/free_hugepages" "$2"
}

# interface NAME MTU STATE
interface() {
	file "sys/class/net/$1/type" 1
	file "sys/class/net/$1/mtu" "$2"
	file "sys/class/net/$1/operstate" "$3"
}

# port DEVICE NUMBER STATE LINK RATE
port() {
	port=sys/class/infiniband/$1/ports/$2
	file "$port/state" "$3"
	file "$port/link_layer" "$4"
	file "$port/rate" "$5"
	file "$port/gids/0" 0000:0000:0000:0000:0000:0000:0000:0000
}

# gid INDEX GID TYPE INTERFACE: of the port made last.
gid() {
	file "$port/gids/$1" "$2"
	file "$port/gid_attrs/types/$1" "$3"
	file "$port/gid_attrs/ndevs/$1" "$4"
}

# device NAME NUMBER: what processes open is called by the number.
device() {
	file "sys/class/infiniband/$1/device/numa_node" -1
	file "sys/class/infiniband_verbs/uverbs$2/ibdev" "$1"
	file "dev/infiniband/uverbs$2" ""
}

# A machine of 16 GiB that is all right, with a card of 100 Gb/s.
begin_machine() {
	machine=$work/machine
	rm -rf "$machine"
	file proc/meminfo "MemTotal:       16777216 kB
MemFree:        12345678 kB"
	file proc/sys/kernel/osrelease 6.1.0
	limits unlimited unlimited 0000000000000000
	huge_pages sys/kernel/mm 4096
	interface ens1 9000 up
	device mlx5_0 0
	port mlx5_0 1 "4: ACTIVE" Ethernet "100 Gb/sec (4X EDR)"
	gid 0 fe80:0000:0000:0000:0e42:a1ff:fe00:0001 "IB/RoCE v1" ens1
	gid 3 0000:0000:0000:0000:0000:ffff:0a00:0005 "RoCE v2" ens1
	file "$port/counters/port_xmit_data" 12345
	file dev/infiniband/rdma_cm ""
}

doctor() {
	run catfish doctor --sysroot "$machine" "$@"
}

# --- What is all right ------------------------------------------------------

begin_machine
doctor
is "a machine that is all right is told so" status 0 has '^mlx5_0$' \
	has '^  ok +port 1 is active: RoCE on ens1, 100 Gb/sec' \
	has '^  ok +GID 3 is 10\.0\.0\.5, RoCE v2' has '^  ok +no limit$' \
	has '^  ok +8\.0 GiB are free for a region of 4\.0 GiB' \
	has '^verbs:// can be used here' err ""
claim "and nothing is noted" "$(grep -E '^  (note|wrong)' "$work/out")"

# --- Devices ----------------------------------------------------------------

rm -r "${machine:?}/sys/class/infiniband" "${machine:?}/dev"
doctor
is "without a device and without its module that is said" status 1 \
	has '^  wrong +there is none' has 'no module rdma_rxe' \
	has "verbs:// can't be used .*shm:// and tcp:// can" err ""
file lib/modules/6.1.0/modules.dep \
	"kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko.xz: kernel/a.ko"
doctor
is "with the module, how a device is made of the interface that is up" \
	status 1 has 'rdma link add rxe0 type rxe netdev ens1 '
interface ens1 1500 down
doctor
is "or of one that has yet to be found" status 1 has 'netdev INTERFACE '

begin_machine
rm "$machine/dev/infiniband/uverbs0"
doctor
is "a device that nobody can open" status 1 has '^ +modprobe ib_uverbs$'
begin_machine
rm "$machine/dev/infiniband/rdma_cm"
doctor
is "no way to connect" status 1 has '^ +modprobe rdma_ucm$'
if [ "$(id -u)" != 0 ]; then
	begin_machine
	chmod 0 "$machine/dev/infiniband/"*
	doctor
	is "a device that this user can't open" status 1 \
		has 'may not open /dev/infiniband/uverbs0: Permission' \
		has '^ +chmod a\+rw /dev/infiniband/rdma_cm$'
fi

# --- Ports ------------------------------------------------------------------

begin_machine
port mlx5_0 1 "1: DOWN" Ethernet "40 Gb/sec (4X QDR)"
doctor
is "the only port is down" status 1 has '^  wrong +port 1 is .* but DOWN' \
	has '^ +ip link set ens1 up '
begin_machine
port mlx5_0 2 "1: DOWN" Ethernet "40 Gb/sec (4X QDR)"
doctor
is "another port than the one in use may be down" status 0 \
	has '^  note +port 2 is not active but DOWN'
begin_machine
rm "$machine/$port/gids/3"
doctor
is "no IP address" status 1 has '^  wrong +port 1 has no IP address' \
	has '^ +ip addr add ADDRESS/PREFIX dev ens1$'
begin_machine
file "$port/gid_attrs/types/3" "IB/RoCE v1"
doctor
is "an address for RoCE v1 alone, which no router passes on" status 1 \
	has '^  wrong +port 1 has no IP address'
begin_machine
interface ens1 1500 up
doctor
is "small packets" status 0 \
	has '^  note +with the MTU of ens1, 1500, .* 1024 bytes' \
	has '^ +ip link set ens1 mtu 4200 '
begin_machine
port mlx5_0 1 "4: ACTIVE" InfiniBand "200 Gb/sec (4X HDR)"
rm -r "$machine/$port/gid_attrs"
gid=fe80:0000:0000:0000:0e42:a1ff:fe00:0001
file "$port/gids/0" $gid
doctor
is "InfiniBand without IP" status 1 has '^ +modprobe ib_ipoib ' \
	has 'port 1 is active: InfiniBand, 200 Gb/sec'
mkdir -p "$machine/sys/class/infiniband/mlx5_0/device/net/ib0"
doctor
is "InfiniBand with IP" status 0 has 'by the IP address of ib0$'
port mlx5_0 1 "2: INIT" InfiniBand "200 Gb/sec (4X HDR)"
doctor
is "InfiniBand without a subnet manager" status 1 \
	has '^ +systemctl start opensm '

# --- Memory -----------------------------------------------------------------

begin_machine
limits 8388608 unlimited 0000000000000000
doctor
is "a limit that the user can lift" status 1 \
	has '^  wrong +8\.0 MiB may be locked, .* region, 4\.0 GiB' \
	has '^ +ulimit -l unlimited ' has 'LimitMEMLOCK=infinity'
doctor --memory 1M
is "and that is enough for a small region" status 0
limits 8388608 8388608 0000000000000000
doctor
is "a limit that only root can lift" status 1 \
	has 'memlock unlimited.*limits.d'
limits 8388608 8388608 0000000000004000
doctor
is "a user whom no limit binds" status 0 has 'as much as there is'
begin_machine
huge_pages sys/kernel/mm 3
doctor
is "too few huge pages" status 0 has '^  note +6\.0 MiB are free' \
	has '^ +sysctl vm\.nr_hugepages=2048$'

# --- NUMA -------------------------------------------------------------------

begin_machine
huge_pages sys/devices/system/node/node0 4000
huge_pages sys/devices/system/node/node1 96
doctor
is "a device that is on no node" status 0 has "^  note +it doesn't tell"
file sys/class/infiniband/mlx5_0/device/numa_node 1
doctor
is "the node where a server does best" status 0 \
	has '^ +numactl --cpunodebind=1 --membind=1 catfishd' \
	has '^  note +192\.0 MiB of them are on NUMA node 1, where mlx5_0 is' \
	has '^ +echo 2048 >/sys/devices/system/node/node1/'

# --- Nothing to go by -------------------------------------------------------

machine=$work/nothing
mkdir "$machine"
doctor
is "an empty folder is a machine without anything" status 1 \
	has "there is none" err ""
begin_machine
file "$port/gids/3" "not an address"
file "$port/state" ""
file sys/class/infiniband/mlx5_0/device/numa_node many
doctor
is "what can't be read is not believed" status 1 has 'but unknown$'

usage "a size is a size" "size" catfish doctor --memory much
finish
