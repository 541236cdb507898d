#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# experiments/clients runs on the hosts of a file, by a remote shell that runs all
# here.  Prints TAP.

. "${top_srcdir:?}/tests/experiments/lib.sh"
needs_gnuplot

# As ssh: a host and a command, which is one string for a shell there.
cat >"$work/shell" <<-'END'
	#!/bin/sh
	case $1 in absent*) echo "no such host" >&2; exit 255 ;; esac
	echo "$1" >>"${0%/*}/asked"
	exec sh -c "$2"
END
chmod +x "$work/shell"

on_hosts() { # on_hosts LINE...: and what it says on errors
	printf '%s\n' "$@" >"$work/hosts"
	"$top_srcdir/experiments/clients" --programs "$(cd "$top_builddir" && pwd)" \
		--out "$work" --items 3000 --time 1ms --warmup 1ms \
		--scales 1e-2 --clients 1 --run-clients 3 --run-items 1000 \
		--seconds 0.02 --rounds 1 --run-warmup 1ms --limit 60 \
		--hosts "$work/hosts" --remote-shell "$work/shell" \
		>"$work/out" 2>"$work/err"
}

refused() { # refused REGEX LINE...
	local wanted=$1
	shift
	! on_hosts "$@" && grep -q "$wanted" "$work/err"
	report $? "refused: $wanted"
}

socket=shm://$work/server.sock
on_hosts "# two hosts of clients" "server $socket" "" one two
report $? "it runs on three hosts"
[ "$(sort -u "$work/asked" | paste -sd ' ')" = "one server two" ]
report $? "each is asked"
# 4 policies, with and without inserts.
[ "$(grep -c '"environment":"cluster".*"clients":3,' "$work/clients.json")" = 8 ]
report $? "clients of all hosts are counted together"
[ "$(grep -c '^{"host":"one".*"clients":2,' "$work/hosts.json")" = 8 ] &&
	[ "$(grep -c '^{"host":"two".*"clients":1,' "$work/hosts.json")" = 8 ]
report $? "they are divided among the hosts, whose own lines are kept"
awk '{
		match($0, /"ops_per_s":[0-9.]*/)
		sum += substr($0, RSTART + 12, RLENGTH - 12)
	} END { printf "%.1f\n", sum }' "$work/hosts.json" >"$work/sum"
grep '^cluster,' "$work/clients.csv" | awk -F, '{ sum += $6 }
	END { printf "%.1f\n", sum }' | cmp - "$work/sum" 2>"$work/err"
report $? "their rates are added"
[ ! -S "$work/server.sock" ]
report $? "the server has ended"

refused "host absent2: " "server $socket" one absent2
refused "host absent: catfishd did not start" "absent $socket" one
refused "hosts:1: the server's host needs an address" "server" one
refused "hosts:2: what is 'tcp://x'" "server $socket" "one tcp://x"
refused "hosts:2: '-oProxy' is not the name of a host" "server $socket" "-oProxy"
refused "names no host for clients" "server $socket"
! "$top_srcdir/experiments/clients" --hosts "$work/none" 2>"$work/err" &&
	grep -q "can't read '$work/none'" "$work/err"
report $? "refused: a file that isn't there"
finish
