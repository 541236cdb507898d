#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# libcatfish exports the functions of catfish.h and nothing else.  Prints TAP.

library=$top_builddir/.libs/libcatfish.so
header=$top_srcdir/client/catfish.h

[ -e "$library" ] || {
	echo "1..0 # SKIP there is no shared library"
	exit 0
}
echo 1..2
exported=$(${NM:-nm} -D --defined-only "$library" | awk '{ print $3 }' | sort)
stray=$(echo "$exported" | grep -v '^catfish_')
if [ -n "$exported" ] && [ -z "$stray" ]; then
	echo "ok 1 - only catfish_ symbols are exported"
else
	echo "$stray" | sed 's/^/# /'
	echo "not ok 1 - only catfish_ symbols are exported"
fi

# A declared function is a name with a bracket after CATFISH_API.
declared=$(tr '\n' ' ' <"$header" | grep -o 'CATFISH_API [^;(]*(' |
	grep -o 'catfish_[a-z_]*($' | tr -d '(' | sort)
if [ "$declared" = "$exported" ]; then
	echo "ok 2 - every function of catfish.h is there"
else
	echo "# declared: $declared" | tr '\n' ' '
	echo
	echo "# exported: $exported" | tr '\n' ' '
	echo
	echo "not ok 2 - every function of catfish.h is there"
fi
