#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Everything that needs an RDMA device, in one virtual machine that has two
# soft-RoCE devices with a link between them, and huge pages for one server's
# region, which a device locks sooner.  Prints TAP; one SKIP where there can be no
# such machine.

: "${top_srcdir:=$(pwd)}" "${top_builddir:=$(pwd)}"
export top_srcdir top_builddir
softroce=$top_srcdir/tests/softroce

# In all, beside whatever else is built and tested meanwhile.
limit_s=1800
[ -z "$CATFISH_TEST_LONG" ] || limit_s=7200

# 120: no such machine can be had here; run has said why.
why=$("$softroce/run" --prepare 2>&1)
case $? in
0) ;;
120)
	[ -z "$CATFISH_REQUIRE_SOFTROCE" ] || exec echo "Bail out! $why"
	echo "1..0 # SKIP ${why##*run: }"
	exit ;;
*) echo "Bail out! $why"; exit 99 ;;
esac

# shellcheck disable=SC2086 # a list of words
exec "$softroce/run" --link --numa 2 --huge-pages 48 --timeout "$limit_s" \
	"$softroce/run-tests" ${softroce_tests:?}
