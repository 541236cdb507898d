#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The libraries export the functions of catfish.h and nothing else.  Prints TAP.

header=$top_srcdir/client/catfish.h

[ -e "$top_builddir/.libs/libcatfish.so" ] || {
	echo "1..0 # SKIP there is no shared library"
	exit 0
}
# A declared function is a name with a bracket after CATFISH_API.
declared=$(tr '\n' ' ' <"$header" | grep -o 'CATFISH_API [^;(]*(' |
	grep -o 'catfish_[a-z_]*($' | tr -d '(' | sort)
n=0

check_library() { # check_library NAME DECLARED
	exported=$(${NM:-nm} -D --defined-only "$top_builddir/.libs/$1.so" |
		awk '{ print $3 }' | sort)
	stray=$(echo "$exported" | grep -v '^catfish_')
	n=$((n + 1))
	if [ -n "$exported" ] && [ -z "$stray" ]; then
		echo "ok $n - $1: only catfish_ symbols are exported"
	else
		echo "$stray" | sed 's/^/# /'
		echo "not ok $n - $1: only catfish_ symbols are exported"
	fi
	n=$((n + 1))
	if [ "$2" = "$exported" ]; then
		echo "ok $n - $1: every function of catfish.h is there"
	else
		echo "# declared: $2" | tr '\n' ' '
		echo
		echo "# exported: $exported" | tr '\n' ' '
		echo
		echo "not ok $n - $1: every function of catfish.h is there"
	fi
}

echo 1..4
check_library libcatfish "$declared"
check_library libcatfish3d \
	"$(echo "$declared" | sed 's/^catfish_connect$/&_3d/' | sort)"
