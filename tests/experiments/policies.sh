#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# experiments/policies leaves out no cell and draws its figure.  Prints TAP.

. "${top_srcdir:?}/tests/experiments/lib.sh"
needs_gnuplot

"$top_srcdir/experiments/policies" --programs "$top_builddir" \
	--environment "$top_srcdir/sim/environments/rdma-100g.conf" \
	--out "$work" --items 5000 --time 1ms --warmup 1ms \
	--scales "1e-2 powerlaw" --clients "1 8" --run-clients 1 \
	--run-items 1000 --seconds 0.01 --rounds 1 --run-warmup 1ms \
	--server-under env --clients-under env >"$work/table" 2>"$work/err"
report $? "the experiment ends well"
[ "$(wc -l <"$work/policies.json")" = 160 ] &&
	[ "$(wc -l <"$work/policies.csv")" = 161 ] &&
	[ "$(cut -d, -f1-5,12 "$work/policies.csv" | sort -u | wc -l)" = 161 ]
report $? "each policy has a line for each cell"
[ "$(grep -c '^| \(none\|cores\|network\|both\) .* | simulated |' "$work/table")" = 32 ]
report $? "the table has each simulated cell"
[ "$(grep -c '"simulated":false,"short":"\(none\|cores\)"' "$work/policies.json")" = 32 ]
report $? "others were run"
! grep true "$work/policies.csv" | awk -F, 'NF != 13 || $6 <= 0' | grep -q .
report $? "each simulated cell has its figures"
grep -q '</svg>' "$work/policies.svg" && grep -q adaptive "$work/policies.svg"
report $? "the figure is drawn"
! "$top_srcdir/experiments/policies" --speed 2 >"$work/out" 2>"$work/err" &&
	grep -q "no option '--speed'" "$work/err"
report $? "an option that isn't one is refused"
finish
