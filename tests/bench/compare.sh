#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# bench/compare-rtree and bench/compare-services: what they make of their rounds
# and, with CATFISH_TEST_LONG=1 and where the other libraries are, a small
# comparison.

. "${top_srcdir:-.}/tests/tools/lib.sh"

bench=$top_srcdir/bench

table() { # table: of the rounds in $work/rounds
	run awk -v base=boost -v json="$work/json" \
		-f "$bench/rounds.awk" -f "$bench/compare-rtree.awk" \
		"$work/rounds"
}

line() { # line ROUND PROGRAM PHASE SET NS HITS CHECKSUM
	echo "uniform $1 $2 {\"phase\":\"$3\",\"set\":\"$4\",\"items\":10," \
		"\"ns_per_op\":$5,\"hits\":$6,\"checksum\":$7," \
		"\"bytes_per_item\":46.50}"
}

{
	line 1 catfish bulk "" 50 0 0
	line 1 catfish search 1e-5 10 7 18446744073709551615
	line 1 boost search 1e-5 40 7 18446744073709551615
	line 2 catfish search 1e-5 30 7 18446744073709551615
	line 2 boost search 1e-5 40 7 18446744073709551615
	line 3 catfish search 1e-5 20 7 18446744073709551615
	line 3 boost search 1e-5 200 7 18446744073709551615
	line 3 catfish group 1e-5 8 7 18446744073709551615
	line 3 catfish delete "" 8 10 0
} >"$work/rounds"
table
is "a row has the median, least and greatest time" status 0 \
	has '^ *catfish +20\.0 +10\.0 +30\.0 '
is "its ratio is the median of ratios within rounds" \
	has '^ *catfish .* 0\.250 +0\.100 to 0\.750$'
is "groups are compared with single searches" has ' 8\.0 +8\.0 +8\.0 +0\.040 '
is "a phase that the base lacks has no ratio" \
	has '^ *catfish +50\.0 +50\.0 +50\.0 +46\.5 bytes an item$'
cp "$work/json" "$work/out"
is "there is a JSON line for each row" has '^\{"data":"uniform","items":10,"phase":"search","set":"1e-5","program":"catfish","rounds":3,"ns_median":20\.0,.*"checksum":18446744073709551615,.*"ratio_median":0\.2500,.*\}$'
claim "and no other" "$([ "$(wc -l <"$work/out")" -eq 5 ] || wc -l <"$work/out")"

for differs in "boost search 1e-5 40 6 18446744073709551615" \
	"boost search 1e-5 40 7 18446744073709551614" \
	"catfish group 1e-5 9 7 18446744073709551614" "boost delete - 9 9 0"; do
	cp "$work/rounds" "$work/good"
	# shellcheck disable=SC2086
	line 4 $differs | sed 's/:"-"/:""/' >>"$work/rounds"
	table
	is "it fails over $differs" status 1 has ", not (7|10) hits"
	mv "$work/good" "$work/rounds"
done

asked() { # asked ROUND SERVICE RATE HITS
	echo "$1 1e-5 32 $2 {\"searches\":100,\"ops_per_s\":$3,\"hits\":$4,\
\"client_cpu_cores\":0.5}"
}

{
	asked 1 redis 100 0
	asked 1 catfish-tcp 1000 50
	asked 2 redis 200 0
	asked 2 catfish-tcp 1600 50
	asked 3 redis 100 0
	asked 3 catfish-tcp 900 50
} >"$work/rounds"
run awk -v base=redis -v json="$work/json" -f "$bench/rounds.awk" \
	-f "$bench/compare-services.awk" "$work/rounds"
is "a service has its rate, and its ratio within rounds" status 0 \
	has '^ *catfish-tcp +1000 +900 +1600 +9\.00 +8\.00 to 10\.00 +0\.500 +0\.50$'
cp "$work/json" "$work/out"
is "and a JSON line" has '"service":"catfish-tcp","rounds":3,"ops_per_s_median":1000\.0,.*"ratio_median":9\.0000'

run "$bench/compare-rtree" --data round --build "$top_builddir"
is "unknown data are refused" status 2 out "" err "'round': uniform or skewed"

can_build() {
	for header in boost/geometry.hpp geos_c.h spatialindex/SpatialIndex.h \
		sqlite3.h; do
		echo "#include <$header>" | g++ -E -x c++ -o /dev/null - \
			2>/dev/null || return 1
	done
}

if [ -z "$CATFISH_TEST_LONG" ] || ! can_build; then
	tests=$((tests + 1))
	echo "ok $tests - all libraries find the same # SKIP takes a minute" \
		"(CATFISH_TEST_LONG=1) and their packages"
else
	run "$bench/compare-rtree" --build "$top_builddir" --rounds 1 \
		--items 20000 --queries 5000 --small 1000 --json "$work/json"
	is "all libraries find the same" status 0 has 'sqlite'
fi

finish
