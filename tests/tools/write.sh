#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2086
#
# catfish insert, update and delete: one item, many, those that aren't there,
# and input that can't be used.

. "${top_srcdir:-.}/tests/tools/lib.sh"

header=id,xmin,ymin,xmax,ymax
moves_header=$header,new_xmin,new_ymin,new_xmax,new_ymax

lines() {
	printf '%s\n' "$@"
}

# holds NAME ITEM...: the server holds exactly these.
holds() {
	fact=$1
	shift
	run catfish query --bbox -1e6,-1e6,1e6,1e6 -o csv
	is "$fact" status 0 sorted "$(lines $header "$@")" err ""
}

write_everything() { # write_everything ADDRESS
	CATFISH_SERVER=$1
	fabric=${1%%:*}

	run catfish insert --id 7 --bbox 1,2,3,4
	is "$fabric: an item is inserted" status 0 has '^inserted 1 item,' \
		err ""
	run catfish insert --id 7 --bbox 1,2,3,4
	holds "$fabric: ids and rectangles need not be unique" 7,1,2,3,4 \
		7,1,2,3,4
	run catfish delete --id 7 --bbox 1,2,3,4
	is "$fabric: an item is deleted" status 0 has '^deleted 1 item,' err ""
	holds "$fabric: one of two that are the same" 7,1,2,3,4
	run catfish update --id 7 --bbox 1,2,3,4 --to -4,-3,-2,-1
	is "$fabric: an item is moved" status 0 has '^updated 1 item,' err ""
	holds "$fabric: to where it shall be" 7,-4,-3,-2,-1

	run catfish delete --id 7 --bbox 1,2,3,4
	is "$fabric: an item elsewhere is not deleted" status 1 \
		has '^deleted 0 items' err 'not found: id 7.* 1,2,3,4'
	run catfish delete --id 8 --bbox -4,-3,-2,-1
	is "$fabric: nor one with another id" status 1 err 'not found: id 8'
	run catfish update --id 7 --bbox 1,2,3,4 --to 0,0,1,1
	is "$fabric: nor is it moved" status 1 has '^updated 0 items' \
		err 'not found: id 7'
	holds "$fabric: and it is still there" 7,-4,-3,-2,-1
	run catfish delete --id 7 --bbox -4,-3,-2,-1
	holds "$fabric: nothing is left of it"

	run catfish insert <<-CSV
	$(lines $header 1,0,0,1,1 2,0.5,0.5,1e3,1e3 -3,-1,-1,-1,-1)
	CSV
	is "$fabric: items come from CSV" status 0 has '^inserted 3 items,'
	run catfish update <<-CSV
	$(lines $moves_header 1,0,0,1,1,5,5,6,6 9,0,0,1,1,2,2,3,3 \
		-3,-1,-1,-1,-1,-2,-2,-2,-2)
	CSV
	is "$fabric: moves come from CSV; what is missing is named" status 1 \
		has '^updated 2 items,' err 'line 3: not found: id 9,' \
		err '1 not found'
	holds "$fabric: moved" 1,5,5,6,6 2,0.5,0.5,1000,1000 -3,-2,-2,-2,-2
	run catfish delete <<-CSV
	$(lines $header 1,5,5,6,6 1,5,5,6,6 4,0,0,0,0 2,0.5,0.5,1000,1000 \
		-3,-2,-2,-2,-2)
	CSV
	is "$fabric: deletes come from CSV; all that is missing is named" \
		status 1 has '^deleted 3 items,' err 'line 3: not found: id 1' \
		err 'line 4: not found: id 4' err '2 not found'
	holds "$fabric: nothing is left of them"
}

start_server main
write_everything "$shm"
write_everything "$tcp"
CATFISH_SERVER=$shm

# --- Input that can't be used -----------------------------------------------

bad() { # bad NAME COMMAND REGEX LINE...
	fact=$1 verb=$2 words=$3
	shift 3
	lines "$@" >"$work/bad.csv"
	run catfish $verb <"$work/bad.csv"
	is "$fact" status 5 out "" err "$words" err "0 items .* before that"
}

bad "a missing field is named by its line" insert "standard input:3: " \
	$header 1,0,0,1,1 2,0,0,1
bad "a field too many is named by its line" insert "standard input:2: " \
	$header 1,0,0,1,1,9
bad "NaN is no coordinate" insert ":2: " $header 1,nan,0,1,1
bad "infinity is no coordinate" insert ":2: " $header 1,0,0,1e999,1
bad "an inverted rectangle is refused" insert ":3: " $header 1,0,0,1,1 \
	2,1,0,0,1
bad "an id beyond 64 bits is refused" insert ":2: " $header \
	9223372036854775808,0,0,1,1
bad "an id is a whole number" delete ":2: " $header 1.5,0,0,1,1
bad "a move has nine fields" update ":2: " $moves_header 1,0,0,1,1
bad "a move goes to a rectangle" update ":2: " $moves_header \
	1,0,0,1,1,3,3,2,2
run catfish update <<CSV
$header
1,0,0,1,1
CSV
is "update wants the columns of moves" status 5 out "" err "standard input"
run catfish insert </dev/null
is "nothing is not even a header" status 5 out "" err "header"
holds "nothing of all this was inserted"

{
	lines $header
	seq 1 10000 | sed 's/$/,0,0,1,1/'
	lines 10001,0,0
} >"$work/long.csv"
run catfish insert <"$work/long.csv"
is "a stream that breaks says how far it came" status 5 out "" \
	err ":10002: .*\([0-9]+ items inserted before that\)"
said=$(sed -n 's/.*(\([0-9]*\) items inserted.*/\1/p' "$work/err")
run catfish query --bbox 0,0,1,1 --count
is "and so far it came" status 0 out "$said"

run catfish delete <<CSV
$header
CSV
is "no items are deleted from no lines" status 0 has '^deleted 0 items'

# --- No room ----------------------------------------------------------------

start_server small --memory 1M --lease 1ms
catfish generate uniform --count 100000 --seed 1 >"$work/many.csv"
run catfish insert <"$work/many.csv"
is "a full region says so" status 7 out "" \
	err "full: .*more --memory" \
	err "items inserted before that"
said=$(sed -n 's/.*(\([0-9]*\) items inserted.*/\1/p' "$work/err")
run catfish query --bbox 0,0,1,1 --count
is "and holds what it acknowledged" status 0 out "$said"
run catfish check
is "and is a tree still" status 0 has "every invariant holds"
head -n 100 "$work/many.csv" >"$work/few.csv"
run catfish delete <"$work/few.csv"
is "a full region can be emptied" status 0 has '^deleted 99 items'

finish
