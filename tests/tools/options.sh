#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What catfish does without a server: its help, wrong command lines, what it
# generates, and output that can't be written.

. "${top_srcdir:-.}/tests/tools/lib.sh"

# --- Help -------------------------------------------------------------------

run catfish --help
is "catfish has a help" status 0 has '^  query ' err ""
run catfish --version
is "catfish has a version" status 0 has '^catfish [0-9]+\.[0-9]+' err ""

for command in query insert update delete stat check save dump generate \
	bench doctor; do
	run catfish "$command" --help
	is "catfish $command has a help with an example" status 0 \
		has "^Usage: catfish $command" has '^Example:' err ""
	claim "the help of catfish $command is not wider than a terminal" \
		"$(awk 'length > 80' "$work/out")"
	run catfish "$command" --dimensions 3 --help
	claim "nor is that for three dimensions" \
		"$(awk 'length > 80' "$work/out")"
	run catfish "$command" --version
	is "catfish $command has a version" status 0 \
		has "^catfish $command [0-9]" err ""
	usage "catfish $command knows its options" "unknown option '--foo'" \
		catfish "$command" --foo
done

run catfish import --help
is "catfish import is catfish-import" status 0 has '--replace' err ""
run catfish import --version
is "catfish import has a version" status 0 has 'import [0-9]' err ""

# --- Wrong command lines ----------------------------------------------------

CATFISH_SERVER=shm://$work/nobody.sock
export CATFISH_SERVER
box=0,0,1,1

usage "a command is needed" "which command" catfish
usage "an unknown command is refused" "no command 'fry'" catfish fry
usage "an unknown option is refused" "unknown option '--fry'" catfish --fry
usage "an unknown letter is refused" "unknown option '-x'" \
	catfish query -x --bbox $box
usage "a value that is missing is noticed" "--bbox needs a value" \
	catfish query --bbox
usage "a value that is not wanted is noticed" "--count takes no value" \
	catfish query --bbox $box --count=3
usage "words that aren't wanted are refused" "unexpected word 'x'" \
	catfish query --bbox $box x
usage "a query needs something to find" "--bbox, --point, --wkt, --queries or" \
	catfish query
for pair in "--bbox $box --wkt POINT(0%0)" "--bbox $box --queries q.csv" \
	"--wkt POINT(0%0) --queries q.csv" "--bbox $box --nearest 0,0" \
	"--wkt POINT(0%0) --nearest 0,0" "--bbox $box --point 0,0" \
	"--point 0,0 --nearest 0,0" "--queries q.csv --nearest 0,0" \
	"--nearest 0,0 --relation within" "--nearest 0,0 --limit 3" \
	"--nearest 0,0 --count"; do
	# shellcheck disable=SC2046,SC2086
	usage "a query is asked in one way, not by $pair" "exclude" \
		catfish query $pair
done
usage "a box has four numbers" "xmin,ymin,xmax,ymax" \
	catfish query --bbox 0,0,1
usage "a box has only numbers" "xmin,ymin,xmax,ymax" \
	catfish query --bbox 0,0,1,x
usage "a box has only four numbers" "xmin,ymin,xmax,ymax" \
	catfish query --bbox 0,0,1,1,
usage "NaN is no coordinate" "finite" catfish query --bbox 0,nan,1,1
usage "infinity is no coordinate" "finite" catfish query --bbox 0,0,inf,1
usage "an inverted box is refused" "xmin 1 is greater than xmax 0" \
	catfish query --bbox 1,0,0,1
usage "WKT that is none is refused" "--wkt: " catfish query --wkt 'POLYGON(('
usage "an empty geometry is refused" "--wkt: .*empty" \
	catfish query --wkt 'POLYGON EMPTY'
usage "an unknown relation is refused" "no 'near'" \
	catfish query --bbox $box --relation near
usage "an unknown policy is refused" "no policy 'carrier'" \
	catfish query --bbox $box --policy carrier
usage "an unknown way to offload is refused" "no 'pigeon'" \
	catfish query --bbox $box --offload pigeon
usage "messaging does not offload" "--offload is not for" \
	catfish query --bbox $box --policy messaging --offload copy
usage "an unknown format is refused" "no format 'xml'" \
	catfish query --bbox $box -o xml
usage "a limit of nothing is refused" "--limit" \
	catfish query --bbox $box --limit 0
usage "a negative limit is refused" "--limit" \
	catfish query --bbox $box --limit -1
usage "a count has no limit" "exclude" \
	catfish query --bbox $box --limit 3 --count
usage "a count is no geometry" "--count" \
	catfish query --bbox $box --count -o geojson
usage "a point has two numbers" "a point x,y" catfish query --nearest 0
usage "a point has only two numbers" "a point x,y" \
	catfish query --nearest 0,0,1,1
usage "a point is finite" "a point x,y of finite" \
	catfish query --nearest 0,inf
usage "the nearest none are refused" "--k: at least 1" \
	catfish query --nearest 0,0 --k 0
usage "fewer than none are refused" "--k: " \
	catfish query --nearest 0,0 --k -1
usage "k is for the nearest" "--k is for --nearest" \
	catfish query --bbox $box --k 3
usage "a file of queries has to be there" "nothing.csv" \
	catfish query --queries "$work/nothing.csv"
usage "a timeout has a unit that is known" "--timeout" \
	catfish stat --timeout 5weeks
usage "a timeout of nothing is refused" "--timeout" catfish stat --timeout 0

for command in insert delete; do
	usage "$command needs a box with an id" "need each other" \
		catfish $command --id 1
	usage "$command needs an id with a box" "need each other" \
		catfish $command --bbox $box
done
usage "update needs the new rectangle, too" "need each other" \
	catfish update --id 1 --bbox $box
usage "an id is a whole number" "--id" catfish insert --id 1.5 --bbox $box
usage "an id fits in 64 bits" "64 bits" \
	catfish insert --id 9223372036854775808 --bbox $box
usage "save needs a file" "FILE" catfish save
usage "a dump needs a file" "FILE" catfish dump
usage "a region file's statistics are of its tree" "for --tree" \
	catfish stat --region "$work/x"
usage "statistics are of a file or of a server" "exclude" \
	catfish stat --tree --region "$work/x" --server "$CATFISH_SERVER"
usage "stat has no csv" "no 'csv'" catfish stat -o csv
usage "a check is of a file or of a server" "exclude" \
	catfish check --region "$work/x" --server "$CATFISH_SERVER"

unset CATFISH_SERVER
for command in stat check "save x" "query --bbox $box" \
	"insert --id 1 --bbox $box"; do
	# shellcheck disable=SC2086
	usage "catfish ${command%% *} needs to be told the server" \
		"which server" catfish $command
done
usage "an address has a fabric" "" catfish stat --server /tmp/x.sock
usage "an unknown fabric is refused" "" catfish stat --server udp://h:1
usage "a tcp address has a port" "" catfish stat --server tcp://localhost

# --- Generating -------------------------------------------------------------

usage "generate needs a kind" "uniform, skewed" catfish generate \
	--count 1 --seed 1
usage "generate refuses an unknown kind" "no kind 'round'" \
	catfish generate round --count 1 --seed 1
usage "generate needs a count" "--count" catfish generate uniform --seed 1
usage "generate needs a seed" "--seed" catfish generate uniform --count 1
usage "an edge is longer than nothing" "--edge" \
	catfish generate uniform --count 1 --seed 1 --edge 0
usage "an edge fits in the square" "edge" \
	catfish generate uniform --count 1 --seed 1 --edge 2
usage "a set is of data or of queries" "exclude" \
	catfish generate uniform --count 1 --seed 1 --edge 0.1 --scale 0.1

run catfish generate uniform --count 0 --seed 1
is "no rectangles are a header" status 0 out "id,xmin,ymin,xmax,ymax" err ""

for kind in uniform skewed powerlaw-queries; do
	catfish generate $kind --count 1000 --seed 7 >"$work/first"
	run catfish generate $kind --count 1000 --seed 7
	claim "a seed gives the same $kind set again" \
		"$(cmp "$work/first" "$work/out" 2>&1)"
	run catfish generate $kind --count 1000 --seed 8
	claim "another seed gives another $kind set" \
		"$(cmp -s "$work/first" "$work/out" && echo "the same")"
	claim "$kind: as many as were asked for, in the unit square" \
		"$(awk -F, 'NR > 1 && ($1 != NR - 1 || NF != 5 || $2 < 0 ||
			$3 < 0 || $4 < $2 || $5 < $3 || $4 > 1 || $5 > 1)
			END { if (NR != 1001) print NR " lines" }' \
			"$work/out")"
done

# --- Output that can't be written -------------------------------------------

if [ -c /dev/full ]; then
	catfish generate uniform --count 9999 --seed 1 >/dev/full \
		2>"$work/err"
	status=$? ran="catfish generate >/dev/full"
	: >"$work/out"
	is "a full disk is no success" status 7 err 'No space left'
	for command in "--help" "query --help" "--version" \
		"generate uniform --count 1 --seed 1"; do
		# shellcheck disable=SC2086
		catfish $command >/dev/full 2>"$work/err"
		status=$? ran="catfish $command >/dev/full"
		is "catfish $command: nor when there is little to write" \
			status 7 err 'No space left'
	done
fi

{
	catfish generate uniform --count 99999 --seed 1 2>"$work/err"
	echo $? >"$work/status"
} | head -n 1 >"$work/out"
status=$(cat "$work/status") ran="catfish generate | head"
is "a reader that has seen enough ends it without a word" status 141 err ""

finish
