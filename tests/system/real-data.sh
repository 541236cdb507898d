#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2086
#
# The world's shorelines, an item for each of their segments: every path gives
# exactly the items that a linear scan and GEOS's STRtree give.  Where neither
# the quickstart has left them nor gmt can make them, generated rectangles of
# the same number take their place; fewer where a sanitizer slows all down.  With
# an RDMA device they are those of Europe, and asked for over verbs alone.  Prints
# TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

real_data=$top_builddir/tests/system/real-data
segments=1785139
file=$work/data
left_by_quickstart=$top_srcdir/_build/data/shorelines.gmt
region=-R-180/180/-90/90 resolution=-Dh
if [ -n "$CATFISH_TEST_RDMA_ADDRESS" ]; then
	segments=57428
	left_by_quickstart=
	region=-R-12/40/35/70 resolution=-Di
fi

# What the shorelines need.
reason=
grep -q '^#define HAVE_GDAL 1' "$top_builddir/config.h" ||
	reason="built without GDAL"
case $("$top_builddir/config.status" --config) in
*with-sanitizer=*)
	segments=100000
	reason="too many for a build with a sanitizer"
	;;
esac
if [ -z "$reason" ] && [ ! -s "$left_by_quickstart" ] &&
	! gmt coast -R7/14/54/58 $resolution -W -M >/dev/null 2>&1; then
	reason="neither scripts/quickstart nor gmt has them"
fi

start_server main --memory 512M
if [ -n "$reason" ]; then
	tests=$((tests + 1))
	echo "ok $tests - the shorelines are imported # SKIP $reason"
	catfish generate skewed --count $segments --seed 1 >"$file" || exit 99
	run catfish import "$file"
	is "generated items are imported" status 0
else
	if [ -s "$left_by_quickstart" ]; then
		file=$left_by_quickstart
	else
		{
			echo '# @VGMT1.0 @GLINESTRING'
			gmt coast $region $resolution -W -M
		} >"$work/shorelines.gmt" || exit 99
		file=$work/shorelines.gmt
	fi
	run catfish import "$file" --segments
	is "the shorelines are imported" status 0
fi
run catfish query --bbox -1000,-1000,1000,1000 --count
is "there are $segments items" status 0 out $segments

ways="strtree,shm messaging,shm copy,shm mapped,tcp messaging"
addresses="$shm $tcp"
if [ -n "$CATFISH_TEST_RDMA_ADDRESS" ]; then
	ways="strtree,verbs messaging,verbs copy"
	addresses=$network
fi
run "$real_data" "$file" $addresses
ran="real-data FILE $addresses"
sed 's/^/# /' "$work/out"
IFS=,
for way in $ways; do
	is "$way gives what a linear scan gives" \
		has "^$way: 1000 queries found the same, 0 did not"
done
is "and nothing else is wrong" status 0 err ""

finish
