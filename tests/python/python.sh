#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# The Python module, with the library of this build.  Prints TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

# The interpreter knows nothing of sanitizers.
case $("$top_builddir/config.status" --config) in
*with-sanitizer=*)
	echo "1..0 # SKIP Python can't load a library with a sanitizer"
	exit 0
	;;
esac
if ! "${PYTHON:-python3}" -c 'import ctypes' 2>/dev/null; then
	echo "1..0 # SKIP there is no Python 3"
	exit 0
fi

start_server plane
plane=$shm
start_server space --dimensions 3
"$top_builddir/tests/python/layout" >"$work/layout" || exit 99

LD_LIBRARY_PATH=$top_builddir/.libs PYTHONPATH=$top_srcdir/python \
	PYTHONDONTWRITEBYTECODE=1 \
	"${PYTHON:-python3}" "$top_srcdir/tests/python/use.py" \
	"$plane" "$shm" "$work/layout"
