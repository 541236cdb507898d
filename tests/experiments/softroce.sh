#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# In the guest: an experiment that --on soft-roce has brought there says what was run.
# Prints TAP.

. "${top_srcdir:?}/tests/experiments/lib.sh"

"$top_srcdir/experiments/policies" --programs "$top_builddir" --on soft-roce \
	--run-clients 1 --run-short none --scales 1e-3 --inserts 0 \
	--run-items 1000 --seconds 0.05 --rounds 1 --run-warmup 10ms \
	--server-under env --clients-under env >"$work/lines" 2>"$work/err"
report $? "policies runs"
[ "$(grep -c '"environment":"soft-roce".*"throughput":[0-9.]*[1-9]' \
	"$work/lines")" = 4 ]
report $? "it says what each policy reaches over the device"
finish
