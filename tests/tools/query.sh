#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2086
#
# catfish query: what is found by each relation, way and format.

. "${top_srcdir:-.}/tests/tools/lib.sh"

start_server main

header=id,xmin,ymin,xmax,ymax
one=1,0,0,1,1
two=2,1,1,2,2
three=3,5,5,6,6
large=4,0,0,10,10
point=-5,3.5,3.5,3.5,3.5
digits=6,20.1,0.1,20.3,0.30000000000000004
twin=7,30,30,31,31
line=-9223372036854775808,40,40,41,40
corner=9223372036854775807,-180,-90,-179.5,-89.5

printf '%s\n' $header $one $two $three $large $point $digits $twin $twin \
	$line $corner >"$work/items.csv"
run catfish insert <"$work/items.csv"
is "items are inserted" status 0 has "inserted 10 items"

lines() {
	printf '%s\n' "$@"
}

# --- Relations, by every way ------------------------------------------------

ask_everything() { # ask_everything WAY OPTION...
	way=$1
	shift

	run catfish query "$@" -o csv --bbox 1,1,1,1
	is "$way: touching edges and corners intersect" status 0 \
		sorted "$(lines $header $one $two $large)" err ""
	run catfish query "$@" -o csv --bbox 3,3,4,4 --relation intersects
	is "$way: a point is found" status 0 \
		sorted "$(lines $header $point $large)"
	run catfish query "$@" -o csv --point 1,1
	is "$way: a point on edges and corners finds what they belong to" \
		status 0 sorted "$(lines $header $one $two $large)" err ""
	run catfish query "$@" --point 3.5,3.5 --relation within --count
	is "$way: an item that is the point lies in it" status 0 out 1
	run catfish query "$@" -o csv --bbox 0.5,0.5,1,1 --relation contains
	is "$way: edges count when an item contains the query" status 0 \
		sorted "$(lines $header $one $large)"
	run catfish query "$@" -o csv --bbox 0,0,2,2 --relation within
	is "$way: edges count when an item lies in the query" status 0 \
		sorted "$(lines $header $one $two)"
	run catfish query "$@" -o csv --bbox 100,100,101,101
	is "$way: nothing is found where nothing is" status 0 \
		out $header err ""
	run catfish query "$@" -o csv --bbox 30.5,30.5,32,32
	is "$way: items that are the same are both found" status 0 \
		sorted "$(lines $header $twin $twin)"
	run catfish query "$@" -o csv --bbox 20,0,21,1
	is "$way: coordinates come back digit by digit" status 0 \
		out "$(lines $header $digits)"
	run catfish query "$@" -o csv --bbox 40,-100,50,100
	is "$way: the smallest id comes back" status 0 \
		out "$(lines $header $line)"
	run catfish query "$@" -o csv --bbox -180,-90,-180,-90
	is "$way: the largest id, at negative coordinates, comes back" \
		status 0 out "$(lines $header $corner)"
	run catfish query "$@" --bbox -200,-200,200,200 --count
	is "$way: a count is a number" status 0 out 10 err ""
	run catfish query "$@" --bbox -200,-200,200,200 --limit 3 -o csv
	[ "$(wc -l <"$work/out")" = 4 ] || status="with $(wc -l <"$work/out")"
	is "$way: a limit gives so many and says that there are more" \
		status 0 err "there are more than these 3"
	run catfish query "$@" --bbox 1,1,1,1 --limit 3 -o csv
	is "$way: a limit that is just enough says nothing" status 0 \
		sorted "$(lines $header $one $two $large)" err ""

	triangle='POLYGON((0 0, 10 0, 0 10, 0 0))'
	run catfish query "$@" --wkt "$triangle" --relation within -o csv
	is "$way: within a triangle is not within its envelope" status 0 \
		sorted "$(lines $header $one $two $point)" err ""
	run catfish query "$@" --wkt 'LINESTRING(0 10, 10 0)' -o csv
	is "$way: a line finds what it touches" status 0 \
		sorted "$(lines $header $three $large)" err ""
	run catfish query "$@" --wkt 'POINT(1 1)' --relation contains -o csv
	is "$way: an item covers a point on its corner" status 0 \
		sorted "$(lines $header $one $two $large)" err ""
	run catfish query "$@" --wkt "$triangle" --relation within --count
	is "$way: a count of a geometry counts what it decided" status 0 \
		out 3 err ""
	run catfish query "$@" --wkt "$triangle" --relation within --limit 3 \
		-o csv
	is "$way: a limit counts what the geometry decided" status 0 \
		sorted "$(lines $header $one $two $point)" err ""
	run catfish query "$@" --wkt "$triangle" --relation within --limit 2
	[ "$(wc -l <"$work/out")" = 2 ] || status="with $(wc -l <"$work/out")"
	is "$way: and says that there are more of these" status 0 \
		err "there are more than these 2"
}

ask_everything "shm, messaging" --server "$shm" --policy messaging
ask_everything "shm, copy" --server "$shm" --policy offload --offload copy
ask_everything "shm, mapped" --server "$shm" --policy offload --offload mapped
ask_everything "tcp" --server "$tcp" --policy messaging

usage "offloading over tcp is refused" "tcp" \
	catfish query --server "$tcp" --policy offload --bbox 0,0,1,1
run catfish query --bbox 0,0,1,1 --server "$tcp" --explain
is "over tcp there is only messaging" err '^policy: adaptive$' \
	err '^chosen: messaging$' err '^reason: the fabric has no other$'

# --- Many queries -----------------------------------------------------------

lines $header 70,0.2,0.2,0.3,0.3 -8,100,100,101,101 70,30,30,30,30 \
	>"$work/queries.csv"
for way in "--policy messaging" "--offload copy" "--offload mapped"; do
	run catfish query --queries "$work/queries.csv" $way -o csv
	is "$way: each result begins with its query's id" status 0 \
		sorted "$(lines query,$header 70,$one 70,$large 70,$twin \
			70,$twin)" err ""
	run catfish query --queries - $way --count -o csv \
		<"$work/queries.csv"
	is "$way: queries from standard input are counted in order" status 0 \
		out "$(lines query,count 70,2 -8,0 70,2)" err ""
done
run catfish query --queries "$work/queries.csv" --limit 1 -o csv
is "a limit is for each query" status 0 \
	err "query 70: there are more than these 1"
claim "and gives so many of each" \
	"$([ "$(wc -l <"$work/out")" = 3 ] || echo "not 2 results")"
run catfish query --queries "$work/queries.csv" --explain --count
is "what each query took begins with its id" status 0 err '^query: -8$'
lines $header >"$work/none.csv"
run catfish query --queries "$work/none.csv" -o csv
is "no queries have no results" status 0 out query,$header err ""

lines $header 1,0,0,1,1 2,0,0,1 >"$work/bad.csv"
run catfish query --queries "$work/bad.csv" --count
is "a query with a missing field is named by its line" status 5 out "1: 3" \
	err "bad.csv:3: "
lines $header 1,0,0,nan,1 >"$work/bad.csv"
run catfish query --queries "$work/bad.csv"
is "a query that is no rectangle is bad data" status 5 out "" \
	err "bad.csv:2: "
lines number,left,right >"$work/bad.csv"
run catfish query --queries "$work/bad.csv"
is "queries need their columns" status 5 out "" err "bad.csv"

# --- The nearest ------------------------------------------------------------

for way in "--server $shm" "--server $shm --offload copy" \
	"--server $shm --offload mapped" "--server $tcp"; do
	run catfish query $way --nearest 5.5,7 -o csv
	is "$way: the nearest is one, with its distance" status 0 \
		out "$(lines $header,distance $large,0)" err ""
	run catfish query $way --nearest 4,3.5 --k 3 -o csv
	is "$way: the nearest come in order of distance" status 0 \
		out "$(lines $header,distance $large,0 $point,0.5 \
			$three,1.8027756377319946)" err ""
	run catfish query $way --nearest 30.5,35 --k 2 -o csv
	is "$way: items that are the same are both near" status 0 \
		out "$(lines $header,distance $twin,4 $twin,4)" err ""
	run catfish query $way --nearest 0,0 --k 1000000000000 -o csv
	claim "$way: there are no more than there are" \
		"$([ "$(wc -l <"$work/out")" = 11 ] || echo "not 10 items")"
done
run catfish query --nearest 1,1 --k 3 -o csv
is "who is equally near comes in order of id" status 0 \
	out "$(lines $header,distance $one,0 $two,0 $large,0)"
run catfish query --nearest 4,3.5 --k 2
is "text shows the distance" status 0 \
	has '^ +-5  \(3.5, 3.5\) - \(3.5, 3.5\)  distance 0.5$'
run catfish query --nearest -180,-90 -o jsonl
is "jsonl has the distance" status 0 \
	out '{"id":9223372036854775807,"bbox":[-180,-90,-179.5,-89.5],"distance":0}'
run catfish query --nearest 40,43 -o geojson
is "geojson has it among the properties" status 0 \
	has '"properties":\{"distance":3\}' has '"LineString"'
run catfish query --nearest 40,43 -o wkt
is "wkt is the item's" status 0 \
	out "-9223372036854775808 LINESTRING(40 40,41 40)"
run catfish query --nearest 40,43 --policy messaging --explain
is "an explanation of the nearest by messaging" status 0 \
	err '^path: messaging$' err '^found: 1$' err '^round_trips: 1$' \
	err '^nodes: [1-9]'
run catfish query --nearest 40,43 --policy offload --explain
is "the nearest by offloading" status 0 \
	err '^path: offload$' err '^offload: mapped$' err '^found: 1$' \
	err '^nodes: [1-9]'
run catfish stat -o jsonl
is "and are counted by the server" status 0 has '"nearest":[1-9]'
run catfish stat
is "for people, too" status 0 has '^  nearest +[1-9]'

# --- Exit status ------------------------------------------------------------

run catfish query --bbox 100,100,101,101
is "to find nothing is no error" status 0 out "" err ""
start_server empty
run catfish query --nearest 0,0 --k 5 -o csv
is "an empty tree has no nearest" status 0 out "$header,distance" err ""
run catfish query --nearest 0,0 --exit-code
is "which is nothing found" status 1 out "" err ""
stop_server "$pid"
CATFISH_SERVER=shm://$work/main.sock

run catfish query --bbox 100,100,101,101 --exit-code
is "unless one asks for it" status 1 out "" err ""
run catfish query --bbox 100,100,101,101 --exit-code --count
is "a count of 0 is nothing found, too" status 1 out 0 err ""
run catfish query --queries "$work/queries.csv" --exit-code
is "one answer of several is enough to be found" status 0 err ""

# --- Formats ----------------------------------------------------------------

run catfish query --bbox 20,0,21,1
is "text" status 0 has "^ +6  \(20.1, 0.1\) - \(20.3, 0.30000000000000004\)$"
run catfish query --bbox 20,0,21,1 -o jsonl
is "jsonl" status 0 \
	out '{"id":6,"bbox":[20.1,0.1,20.3,0.30000000000000004]}'
run catfish query --bbox 5,5,6,6 --relation within -o wkt
is "wkt" status 0 out "3 POLYGON((5 5,6 5,6 6,5 6,5 5))"
run catfish query --bbox 3,3,4,4 --relation within --output wkt
is "a point is a point in wkt" status 0 has '^-5 POINT ?\(3.5 3.5\)$'
run catfish query --bbox 5,5,6,6 -o geojson
is "geojson" status 0 has '"FeatureCollection"' \
	has '\[\[\[5,5\],\[6,5\],\[6,6\],\[5,6\],\[5,5\]\]\]'
run catfish query --bbox 100,100,101,101 -o geojson
is "geojson without a feature is a collection" status 0 \
	has 'FeatureCollection'
run catfish query --queries "$work/queries.csv" -o jsonl
is "jsonl names the query" status 0 \
	has '^\{"query":70,"id":1,"bbox":\[0,0,1,1\]\}$'
run catfish query --bbox 0,0,1,1 --count -o jsonl
is "a count as jsonl" status 0 out '{"count":3}'
run catfish query --bbox 0,0,1,1 --count -o csv
is "a count as csv" status 0 out "$(lines count 3)"
run catfish query --queries "$work/queries.csv" --count -o jsonl
is "counts as jsonl name the query" status 0 has \
	'^\{"query":-8,"count":0\}$'

# --- The cache of nodes -----------------------------------------------------

for size in 0 4K 1M; do
	run catfish query --queries "$work/queries.csv" --count -o csv \
		--offload copy --cache $size
	cp "$work/out" "$work/cache-$size"
	is "a cache of $size" status 0
done
claim "the cache's size makes no difference to what is found" \
	"$(cmp "$work/cache-0" "$work/cache-4K" 2>&1
	cmp "$work/cache-0" "$work/cache-1M" 2>&1)"
run catfish query --bbox 0,0,1,1 --offload mapped --cache 1M
is "nodes that are read in place need no cache" status 2 \
	err '--cache is for --offload copy'

# --- Explanations -----------------------------------------------------------

keys="policy chosen reason messaging_predicted_us offload_predicted_us \
messaging_measured_us offload_measured_us path version found round_trips reads nodes cached read_bytes retries \
lease_expiries pushed_back microseconds"
for way in messaging copy mapped; do
	case $way in
	messaging) set -- --policy messaging ;;
	*) set -- --policy offload --offload $way ;;
	esac
	run catfish query --bbox 0,0,1,1 --count --explain "$@"
	missing=
	for key in $keys; do
		grep -Eq "^$key: [a-z0-9., ]+$" "$work/err" ||
			missing="$missing $key"
	done
	claim "$way: an explanation says all there is to say" "$missing"
	claim "$way: and nothing that is no key with a value" \
		"$(grep -Ev '^[a-z_]+: [a-z0-9., ]+$' "$work/err")"
done
run catfish query --bbox 0,0,1,1 --offload copy --explain
is "copying says how it was offloaded" err '^offload: copy$' \
	err '^reads: [1-9]' err '^read_bytes: [1-9]' err '^round_trips: [1-9]'
run catfish query --bbox 0,0,1,1 --policy offload --explain
is "what can be mapped is mapped, unless one says otherwise" \
	err '^offload: mapped$' err '^reads: 0$' err '^round_trips: 0$'
run catfish query --bbox 0,0,1,1 --explain --policy messaging
is "messaging is one round trip" err '^path: messaging$' \
	err '^round_trips: 1$' err '^reads: 0$'
run catfish query --wkt 'POINT(1 1)' --explain --count
is "a geometry says how many items it was held against" \
	err '^candidates: 3$' err '^found: 3$'

for i in $(seq 100); do
	echo "$i,0,0,1,1"
done | (echo id,xmin,ymin,xmax,ymax && cat) >"$work/hundred.csv"
run catfish query --queries "$work/hundred.csv" --count --explain
is "unless one says otherwise the path is chosen by what is predicted" \
	err '^policy: adaptive$' err '^path: messaging$' err '^path: offload$' \
	err '^reason: too little is known' err '^messaging_predicted_us: [0-9]' \
	err '^offload_measured_us: [0-9]' \
	err '^reason: (it is predicted|both take)'
run catfish query --bbox 0,0,1,1 --policy catfish --explain
is "as in the papers" err '^policy: catfish$' \
	err '^reason: the server (is not busy|was)'

# --- Many results -----------------------------------------------------------

start_server large
catfish generate uniform --count 50000 --seed 3 --edge 0.01 \
	>"$work/many.csv"
run catfish insert <"$work/many.csv"
is "50,000 items are inserted" status 0 has "inserted 50000 items"

sort "$work/many.csv" >"$work/all"
awk -F, 'NR == 1 || ($2 <= 0.4 && $4 >= 0.2 && $3 <= 0.5 && $5 >= 0.3)' \
	"$work/many.csv" | sort >"$work/some"
for way in "--policy messaging" "--offload copy" "--offload mapped" \
	"--server $tcp"; do
	run catfish query --bbox 0,0,1,1 $way -o csv
	sort "$work/out" >"$work/found"
	claim "$way: all of many items, each once" \
		"$(cmp "$work/found" "$work/all" 2>&1)"
	run catfish query --bbox 0.2,0.3,0.4,0.5 $way -o csv
	sort "$work/out" >"$work/found"
	claim "$way: what a linear scan finds" \
		"$(cmp "$work/found" "$work/some" 2>&1)"
	run catfish query --bbox 0,0,1,1 $way --limit 1234
	claim "$way: a limit across segments" \
		"$([ "$(wc -l <"$work/out")" = 1234 ] || echo "not 1234")"
done

{
	catfish query --bbox 0,0,1,1 2>"$work/err"
	echo $? >"$work/status"
} | head -n 1 >"$work/out"
status=$(cat "$work/status") ran="catfish query | head"
is "a reader that has seen enough ends a query without a word" status 141 \
	err ""

finish
