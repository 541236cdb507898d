# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154
#
# What the tests of the experiments share: a folder that goes away again, and results
# in TAP, with what was said on errors where there is one.  Sourced; ends with finish.

set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0 bad=0

needs_gnuplot() {
	command -v gnuplot >/dev/null && return
	echo "1..0 # SKIP gnuplot is not installed"
	exit 0
}

report() { # report STATUS FACT
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" && return
	echo "not ok $n - $2"
	sed 's/^/# /' "$work/err"
	bad=1
}

finish() {
	echo "1..$n"
	exit $bad
}
