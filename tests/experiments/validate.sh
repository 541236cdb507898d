#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# experiments/measure writes environments that catfish-sim takes, and
# experiments/validate leaves out no setting and no policy.  How far predictions
# are off is no matter here.  Prints TAP.

. "${top_srcdir:?}/tests/experiments/lib.sh"

where=(--programs "$top_builddir" --out "$work" --items 2000
	--server-under env --clients-under env --seconds 0.01 --rounds 1
	--warmup 1ms --settle 1ms --queries 500 --limit 0)
"$top_srcdir/experiments/measure" "${where[@]}" >"$work/out" 2>"$work/err"
report $? "the parameters are measured"
for name in shm shm-copy; do
	"$top_builddir/sim/catfish-sim" --environment "$work/$name.conf" \
		--items 2000 --queries 100 --time 1ms >"$work/out" 2>"$work/err"
	report $? "$name.conf is an environment"
	! grep -v '^#' "$work/$name.conf" | grep -v '^$' | grep -qv '# .'
	report $? "each of its numbers has its source"
done
"$top_srcdir/experiments/validate" "${where[@]}" --simulated 5ms \
	>"$work/table" 2>"$work/err"
report $? "they are validated"
[ "$(grep -c "pass" "$work/err")" = 1 ]
report $? "once, where there is no time for more"
[ "$(cut -d, -f1,6 "$work/validate-shm.csv" | sort -u | wc -l)" = 41 ] &&
	[ "$(wc -l <"$work/validate-shm.json")" = 40 ]
report $? "in every setting, by every policy"
[ "$(grep -c '^| [A-J] ' "$work/table")" = 40 ] &&
	grep -q "^10 settings: [0-9]* of 40 predictions" "$work/table"
report $? "the table has all of them"
! tail -n +2 "$work/validate-shm.csv" | awk -F, 'NF != 9 || $8 !~ /^[0-9.]+$/' | grep -q .
report $? "and what was predicted of each"
finish
