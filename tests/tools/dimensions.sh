#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2034
#
# Items of three dimensions, by every command and path, against a linear scan;
# and what happens where two dimensions meet three.

. "${top_srcdir:-.}/tests/tools/lib.sh"

header=id,xmin,ymin,zmin,xmax,ymax,zmax

# scan CONDITION: what a linear scan of items.csv finds; x, y, z and X, Y, Z are
# the corners.
scan() {
	awk -F, 'NR > 1 {
		id = $1; x = $2; y = $3; z = $4; X = $5; Y = $6; Z = $7
		if ('"$1"') print
	}' "$work/items.csv" | sort
}

# finds NAME CONDITION OPTION...: by all paths what the linear scan does.
finds() {
	found=$1 wanted=$(scan "$2")
	shift 2
	for way in "--policy messaging" "--offload copy" "--offload mapped" \
		"--server $tcp"; do
		# shellcheck disable=SC2086
		run catfish query "$@" -o csv $way
		is "$found, $way" status 0 err "" sorted "$header
$wanted"
	done
}

# --- Data -------------------------------------------------------------------

run catfish generate uniform --count 5000 --seed 7 --edge 0.2 --dimensions 3
cp "$work/out" "$work/items.csv"
is "boxes are generated" status 0 has "^$header\$" has '^5000,' err ""
claim "and lie in the unit cube" "$(awk -F, 'NR > 1 {
	for (i = 2; i <= 4; i++)
		if (!(0 <= $i && $i < $(i + 3) && $(i + 3) <= 1))
			print
}' "$work/items.csv")"

start_server main --dimensions 3 --region "$work/main.region"
main=$pid
run catfish import "$work/items.csv"
is "CSV with a z is imported" status 0 out "" err '5000 items imported'
run catfish check
is "the tree holds its invariants" status 0 has 'every invariant holds' err ""
run catfish stat
is "the server says what it holds" status 0 has 'items +5000' err ""

# --- Queries ----------------------------------------------------------------

finds "items that intersect a box" \
	'x <= .5 && X >= .4 && y <= .3 && Y >= .2 && z <= .9 && Z >= .85' \
	--bbox .4,.2,.85,.5,.3,.9
finds "items within a box" \
	'x >= .1 && X <= .5 && y >= .2 && Y <= .6 && z >= .3 && Z <= .8' \
	--bbox .1,.2,.3,.5,.6,.8 --relation within
finds "items that contain a box" \
	'x <= .5 && X >= .51 && y <= .4 && Y >= .41 && z <= .3 && Z >= .31' \
	--bbox .5,.4,.3,.51,.41,.31 --relation contains
finds "items above and below a geometry" \
	'x <= .5 && X >= .5 && y <= .5 && Y >= .5' --wkt 'POINT(.5 .5)'
finds "items in the column of a geometry" \
	'x >= .1 && X <= .4 && y >= .1 && Y <= .4' --relation within \
	--wkt 'POLYGON((.1 .1,.4 .1,.4 .4,.1 .4,.1 .1))'
finds "items everywhere" 1 --bbox -1,-1,-1,2,2,2

usage "no item contains all heights" 'all heights' \
	catfish query --wkt 'POINT(.5 .5)' --relation contains --dimensions 3
run catfish query --bbox .4,.2,.85,.5,.3,.9 --count
is "items are counted" status 0 err "" out "$(scan \
	'x <= .5 && X >= .4 && y <= .3 && Y >= .2 && z <= .9 && Z >= .85' |
	wc -l | tr -d ' ')"
printf '%s\n' "$header" 1,0,0,0,.1,.1,.1 2,.9,.9,.9,1,1,1 >"$work/queries.csv"
run catfish query --queries "$work/queries.csv" --count
is "each box of a file is a query" status 0 err "" out "$(
	printf '1: %d\n2: %d' \
		"$(scan 'x <= .1 && y <= .1 && z <= .1' | wc -l)" \
		"$(scan 'X >= .9 && Y >= .9 && Z >= .9' | wc -l)"
)"

# Distances are compared as printed, so their digits are those of the program.
run catfish query --nearest .5,.5,1.5 --k 20 -o csv
cut -d, -f8 "$work/out" | tail -n +2 >"$work/distances"
awk -F, 'NR > 1 {
	dx = $2 > .5 ? $2 - .5 : $5 < .5 ? .5 - $5 : 0
	dy = $3 > .5 ? $3 - .5 : $6 < .5 ? .5 - $6 : 0
	dz = $4 > 1.5 ? $4 - 1.5 : $7 < 1.5 ? 1.5 - $7 : 0
	printf "%.17g\n", sqrt(dx * dx + dy * dy + dz * dz)
}' "$work/items.csv" | sort -g | head -n 20 | paste - "$work/distances" |
	awk 'function abs(v) { return v < 0 ? -v : v }
		abs($1 - $2) > 1e-12 { print } END { if (NR != 20) print NR }' \
		>"$work/wrong"
claim "the nearest are found in order" "$(cat "$work/wrong")"
is "and say how far they are" status 0 has "^$header,distance\$" err ""

run catfish query --bbox .4,.2,.85,.5,.3,.9 --limit 1 -o jsonl
is "an item as JSON has six numbers" status 0 \
	has '"bbox":\[([^,]*,){5}[^,]*\]\}$'
run catfish query --bbox .4,.2,.85,.5,.3,.9 --limit 1 -o geojson
is "GeoJSON tells heights by the bbox" status 0 \
	has '"bbox":\[([^,]*,){5}[^,]*\],"geometry":\{"type":"Polygon"'

# --- Writes -----------------------------------------------------------------

change() { # change NAME WORD OPTION...
	fact=$1 word=$2
	shift 2
	run catfish "$@"
	is "$fact" status 0 has "^$word" err ""
}

change "an item is inserted" 'inserted 1 item,' \
	insert --id -5 --bbox 7,8,9,10,11,12
echo -5,7,8,9,10,11,12 >>"$work/items.csv"
finds "the new item" 'id == -5' --bbox 10,11,12,10,11,12
change "an item is moved" 'updated 1 item,' \
	update --id -5 --bbox 7,8,9,10,11,12 --to 7,8,19,10,11,22
sed -i 's/^-5,.*/-5,7,8,19,10,11,22/' "$work/items.csv"
finds "nothing where it was" 0 --bbox 7,8,9,10,11,12
finds "it where it is" 'id == -5' --bbox 7,8,22,10,11,22
run catfish delete --id -5 --bbox 7,8,19,10,11,21
is "an item with another z is no such item" status 1 \
	err 'not found: id -5, rectangle 7,8,19,10,11,21$'
change "many are moved" 'updated 5000 items' \
	update --dimensions 3 <<CSV
$(awk -F, 'NR == 1 { print $0 ",new_xmin,new_ymin,new_zmin," \
	"new_xmax,new_ymax,new_zmax" }
	NR > 1 && $1 > 0 { print $0 "," $2 "," $3 "," $4 - 2 "," $5 "," $6 \
	"," $7 - 2 }' "$work/items.csv")
CSV
finds "nothing in the cube that all have left" 0 --bbox 0,0,0,1,1,1
head -n 2001 "$work/items.csv" | awk -F, -v OFS=, \
	'NR > 1 { $4 -= 2; $7 -= 2 } { print }' >"$work/leaving.csv"
change "many are deleted" 'deleted 2000 items' \
	delete --dimensions 3 <"$work/leaving.csv"
awk -F, -v OFS=, 'NR > 1 && $1 > 0 { $4 -= 2; $7 -= 2 }
	NR == 1 || NR > 2001 { print }' "$work/items.csv" >"$work/left.csv"
mv "$work/left.csv" "$work/items.csv"
finds "what is left" 1 --bbox -9,-9,-9,99,99,99
run catfish check
is "the tree still holds its invariants" status 0 has 'every' err ""

# --- Saving -----------------------------------------------------------------

run catfish save "$work/saved.region"
is "a snapshot is written" status 0 has 'saved version' err ""
run catfish check --region "$work/saved.region"
is "it is found to have three dimensions" status 0 has 'every' err ""
stop_server "$main"
start_server again --region "$work/main.region"
finds "the same after a restart" 1 --bbox -9,-9,-9,99,99,99
stop_server "$pid"
run catfish import "$work/leaving.csv" --region "$work/saved.region" --append
is "a region file tells an import its dimensions" status 0 err '2000 items'
start_server appended --region "$work/saved.region"
run catfish query --bbox -9,-9,-9,99,99,99 --count
is "all that it held is still there" status 0 out 5001 err ""
stop_server "$pid"

# --- Two dimensions and three -----------------------------------------------

# refused NAME STATUS REGEX COMMAND...: nothing but the reason is printed.
refused() {
	fact=$1 wanted=$2 why=$3
	shift 3
	run "$@"
	is "$fact" status "$wanted" out "" err "$why"
}

start_server space --dimensions 3
space=$shm
echo "$header
1,0,0,0,1,1,1" >"$work/space.csv"
start_server plane
plane=$shm
echo "id,xmin,ymin,xmax,ymax
1,0,0,1,1" >"$work/plane.csv"

refused "a server in space refuses a box in the plane" 2 \
	'holds items of 3 dimensions, and this is a client for 2' \
	catfish query --bbox 0,0,1,1 --server "$space"
refused "a server in the plane refuses a box in space" 2 \
	'holds items of 2 dimensions, and this is a client for 3' \
	catfish query --bbox 0,0,0,1,1,1 --server "$plane"
refused "a server in the plane refuses a point in space" 2 \
	'holds items of 2 dimensions, and this is a client for 3' \
	catfish query --nearest 0,0,0 --server "$plane"
refused "a server in space refuses a file of the plane" 2 \
	'holds items of 3 dimensions, and this is a client for 2' \
	catfish import "$work/plane.csv" --server "$space"
refused "a server in the plane is not asked for space" 2 \
	'holds items of 2 dimensions, and this is a client for 3' \
	catfish stat --dimensions 3 --server "$plane"
refused "a server in the plane refuses a file of space" 2 \
	'holds items of 2 dimensions, and this is a client for 3' \
	catfish import "$work/space.csv" --server "$plane"
refused "a stream of space needs the option" 5 \
	"column 'zmin': give --dimensions 3" \
	catfish insert --server "$space" <"$work/space.csv"
refused "CSV of the plane is none of space" 5 \
	'5 columns; .*zmin' \
	catfish import "$work/plane.csv" --dimensions 3 --server "$space"
run catfish query --wkt 'POINT(0 0)' --count --server "$space"
is "a server tells what a geometry is asked of" status 0 out 0 err ""

usage "a box has the numbers of the dimensions asked for" \
	"xmin,ymin,xmax,ymax of" \
	catfish query --dimensions 2 --bbox 0,0,0,1,1,1
usage "in three dimensions six" "xmin,ymin,zmin,xmax,ymax,zmax" \
	catfish query --dimensions 3 --bbox 0,0,1,1
usage "in whichever order" "dimensions: 2, but what is given before" \
	catfish query --bbox 0,0,0,1,1,1 --dimensions 2
usage "there are two dimensions or three" "expected 2 or 3, not '4'" \
	catfish query --bbox 0,0,1,1 --dimensions 4
usage "so it is for a server" "expected 2 or 3, not '1'" \
	catfishd --dimensions 1 --listen "$work/none.sock"

run catfish import "$work/plane.csv" --region "$work/plane.region"
for file in saved:3:2 plane:2:3; do
	name=${file%%:*} have=${file#*:} want=${file##*:}
	have=${have%:*}
	cp "$work/$name.region" "$work/before"
	for command in "catfish check" "catfish import $work/plane.csv" \
		"catfishd --listen shm://$work/none.sock"; do
		case $command:$want in *plane.csv:3) continue ;; esac
		# shellcheck disable=SC2086
		refused "a file of $have is not for $want: ${command%% /*}" 2 \
			"items of $have dimensions, not of $want" \
			$command --region "$work/$name.region" \
			--dimensions "$want"
	done
	cmp "$work/before" "$work/$name.region" >"$work/out" 2>&1
	claim "the file of $have stays as it was" "$(cat "$work/out")"
done

finish
