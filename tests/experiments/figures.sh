#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Each figure's experiment, on little data: it ends well, has a line for all that it
# says it varies, and draws.  Prints TAP.

. "${top_srcdir:?}/tests/experiments/lib.sh"
needs_gnuplot

# figure NAME LINES OPTION...: LINES of CSV, and as many of JSON, and an SVG, all by
# that name, or by NAME-$of.
figure() {
	local name=$1 lines=$2 file=$1${of:+-$of}
	shift 2
	"$top_srcdir/experiments/$name" --programs "$top_builddir" \
		--out "$work" --items 3000 "$@" >"$work/$file.md" 2>"$work/err"
	report $? "$file ends well"
	[ "$(wc -l <"$work/$file.json")" = "$lines" ] &&
		[ "$(wc -l <"$work/$file.csv")" = $((lines + 1)) ]
	report $? "$file has $lines lines"
	! tail -n +2 "$work/$file.csv" | cut -d, -f1-4 | grep -q ',,\|,$'
	report $? "$file has all that was varied"
	! grep '"simulated":true' "$work/$file.json" |
		grep -qv '"\(throughput\|round_trips\)":[0.]*[1-9]'
	report $? "$file has what was simulated"
	grep -q '</svg>' "$work/$file.svg"
	report $? "$file is drawn"
}

# 2 parts of inserts, 2 scales; 4 policies and 2 of TCP for 2 numbers of clients;
# and 4 policies run.
figure clients $((2 * 2 * (6 * 2 + 4))) --time 1ms --warmup 1ms \
	--scales "1e-2 powerlaw" --clients 1,8 --run-clients 1 --run-items 1000 \
	--seconds 0.01 --rounds 1 --run-warmup 1ms \
	--server-under env --clients-under env
for environment in rdma-100g tcp-1g tcp-40g shm; do
	grep -q "^$environment," "$work/clients.csv"
	report $? "clients has $environment"
done
# The same of items that a server keeps; what is run only searches.
"$top_builddir/catfish" generate skewed --count 2000 --seed 1 |
	"$top_builddir/catfish" import - --region "$work/places.region" \
		>"$work/out" 2>"$work/err"
report $? "there are items in a file"
of=places figure clients $((2 * 2 * 6 * 2 + 2 * 4)) \
	--data "$work/places.region" --time 2ms --warmup 1ms \
	--scales "1e-2 powerlaw" --clients 1,8 --run-clients 1 \
	--seconds 0.01 --rounds 1 --run-warmup 1ms \
	--server-under env --clients-under env
# 3 losses, 4 policies, 3 phases of 2 points.
figure timeline $((3 * 4 * 3 * 2)) --clients 4 --phase 2 --every 1
[ "$(grep -c '^| \(cores\|network\|both\) ' "$work/timeline.md")" = 18 ]
report $? "it says how long each policy took after each change"
# 2 heartbeats, 2 policies, 4 points.
figure herd $((2 * 2 * 4)) --clients 20 --time 4 --warmup 1
# 4 policies; T and N; catfish, adaptive and N by heartbeat; exploration.
figure sensitivity $((4 + 4 + 2 * 4 + 2)) --clients 4 --phase 1 --warmup 1 \
	--thresholds "0.9 0.95" --backoffs "4 8" --heartbeats "1 2" \
	--explorations "0.001 0.01"
grep -q "times the best catfish of the sweep" "$work/sensitivity.md"
report $? "it says what adaptive reaches beside the best catfish"
# 2 parts of inserts, 2 scales; 2 caches run, 3 simulated.
figure round-trips $((2 * 2 * 5)) --scales "1e-3 1e-2" --seconds 0.05 \
	--server-under env --clients-under env
finish
