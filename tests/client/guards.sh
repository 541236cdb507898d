#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Takes the client's guards away one at a time, in a build that can, and sees
# the test of hostile servers fail each time.  Prints TAP.

test=$top_builddir/tests/client/seeded-hostile
guards="lease horizon version owner-died record-checksum"

echo 1..6
if CATFISH_FAULT= "$test" >/dev/null 2>&1; then
	echo "ok 1 - with all guards hostile servers are found out"
else
	echo "not ok 1 - with all guards hostile servers are found out"
fi
n=1
for guard in $guards; do
	n=$((n + 1))
	result="not ok"
	CATFISH_FAULT=$guard "$test" >/dev/null 2>&1 || result="ok"
	echo "$result $n - without '$guard' one is believed"
done
