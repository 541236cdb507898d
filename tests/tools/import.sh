#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2086,SC2034
#
# catfish import of CSV: into a server and into a region file, all of it or
# nothing.

. "${top_srcdir:-.}/tests/tools/lib.sh"

header=id,xmin,ymin,xmax,ymax
everywhere=-1e9,-1e9,1e9,1e9

lines() {
	printf '%s\n' "$@"
}

# holds NAME ITEM...: the server holds exactly these.
holds() {
	fact=$1
	shift
	run catfish query --bbox $everywhere -o csv
	is "$fact" status 0 sorted "$(lines $header "$@")" err ""
}

lines $header 1,0,0,1,1 2,0.5,0.25,3,4 >"$work/two.csv"
lines ymax,xmax,ymin,xmin,id 9,8,7,6,-5 >"$work/one.csv"
lines $header 1,0,0,1,1 2,0,0,1 >"$work/bad.csv"
lines $header >"$work/empty.csv"
catfish generate uniform --count 50000 --seed 1 >"$work/many.csv" || exit 99

# --- Into a server ----------------------------------------------------------

into_server() { # into_server ADDRESS
	CATFISH_SERVER=$1
	fabric=${1%%:*}

	run catfish import "$work/two.csv" --replace
	is "$fabric: CSV is imported" status 0 out "" \
		err '2 features read, 0 skipped; 2 items imported as version'
	holds "$fabric: with its ids and rectangles" 1,0,0,1,1 2,0.5,0.25,3,4

	run catfish import "$work/one.csv"
	is "$fabric: nothing is added without being told to" status 2 out "" \
		err 'holds 2 items already.*--append or --replace'
	holds "$fabric: nor dropped" 1,0,0,1,1 2,0.5,0.25,3,4
	run catfish import "$work/one.csv" --append
	is "$fabric: --append adds" status 0 err '1 items imported'
	holds "$fabric: to what was there" 1,0,0,1,1 2,0.5,0.25,3,4 -5,6,7,8,9
	run catfish import "$work/one.csv" --replace
	is "$fabric: --replace drops" status 0
	holds "$fabric: what was there" -5,6,7,8,9

	run catfish import - --append <"$work/two.csv"
	is "$fabric: '-' is standard input" status 0 \
		err '2 features read, .*2 items imported'
	holds "$fabric: all of it" -5,6,7,8,9 1,0,0,1,1 2,0.5,0.25,3,4

	run catfish import "$work/bad.csv" --replace
	is "$fabric: a line with a field missing is bad data" status 5 out "" \
		err 'bad\.csv:3: 4 fields; the header has 5$'
	holds "$fabric: of which nothing is seen" -5,6,7,8,9 1,0,0,1,1 \
		2,0.5,0.25,3,4

	run catfish import "$work/many.csv" --replace
	is "$fabric: many are imported" status 0 err '50000 items imported'
	run catfish query --bbox $everywhere --count
	is "$fabric: all of them" status 0 has '50000'
	run catfish query --bbox $everywhere -o csv
	is "$fabric: as they were" status 0 sorted "$(cat "$work/many.csv")"
	run catfish import "$work/empty.csv" --replace
	is "$fabric: a set may be empty" status 0 err '0 items imported'
	holds "$fabric: then nothing is left"
}

start_server main
into_server "$shm"
into_server "$tcp"

# --- One import, one version ------------------------------------------------

catfish import "$work/two.csv" --replace 2>/dev/null || exit 99
mkfifo "$work/pipe"
catfish import - --replace <"$work/pipe" 2>/dev/null &
import=$!
exec 3>"$work/pipe"
cat "$work/many.csv" >&3
holds "an import that isn't finished is not seen" 1,0,0,1,1 2,0.5,0.25,3,4
stop_server $import KILL
exec 3>&-
holds "nor one that was killed" 1,0,0,1,1 2,0.5,0.25,3,4
run catfish check
is "the tree is whole after it" status 0

stop_server $pid

start_server small --memory 2M
catfish import "$work/two.csv" 2>/dev/null || exit 99
run catfish import "$work/many.csv" --append
is "what has no room is refused" status 7 err 'more --memory'
holds "whole" 1,0,0,1,1 2,0.5,0.25,3,4
stop_server $pid

run catfish import "$work/two.csv" --server "$shm"
is "a server that isn't there" status 3 err '^catfish import: '
unset CATFISH_SERVER

# --- Into a region file -----------------------------------------------------

region=$work/some.region
run catfish import "$work/two.csv" --region "$region"
is "a region file is made" status 0 out "" \
	err '2 items imported as version 2'
run catfish check --region "$region"
is "and is whole" status 0
run catfish import "$work/one.csv" --region "$region"
is "nothing is added to a file without being told to" status 2 \
	err 'holds 2 items already.*--append.*--replace'
run catfish import "$work/one.csv" --region "$region" --append
is "--append adds to a file" status 0 err 'as version 3'
run catfish import "$work/bad.csv" --region "$region" --append
is "bad data is no part of a file" status 5
start_server region --region "$region"
holds "a server reads the file" 1,0,0,1,1 2,0.5,0.25,3,4 -5,6,7,8,9
run catfish import "$work/one.csv" --region "$region" --append
is "a file that is served is locked" status 4 err 'some\.region is in use'
stop_server $pid
unset CATFISH_SERVER

run catfish import "$work/many.csv" --region "$region" --replace
is "--replace drops what a file held" status 0 err 'as version 4'
run catfish check --region "$region"
is "the new file is whole" status 0
start_server again --region "$region"
run catfish query --bbox $everywhere -o csv
is "and holds the new items alone" status 0 sorted "$(cat "$work/many.csv")"
stop_server $pid
unset CATFISH_SERVER

head -c 3000 "$region" >"$work/short.region"
for way in "" --append --replace; do
	run catfish import "$work/two.csv" --region "$work/short.region" $way
	is "a damaged file is left alone $way" status 6
done
claim "it is as it was" "$(head -c 3000 "$region" |
	cmp - "$work/short.region" 2>&1)"
run catfish import "$work/two.csv" --region "$work/one.csv" --replace
is "a file of another kind is left alone" status 6
run catfish import "$work/two.csv" --region "$work/nowhere/x.region"
is "a folder that is missing" status 2 err 'No such file or directory'
run catfish import "$work/two.csv" --region "$work"
is "a folder is no region file" status 2 err 'no regular file'

# --- What can't be ----------------------------------------------------------

usage "a source is needed" 'SOURCE' catfish import
usage "but one" "unexpected word" catfish import a.csv b.csv
usage "a target is needed" 'which server' catfish import "$work/two.csv"
usage "but one of them" 'not both' catfish import "$work/two.csv" \
	--region "$region" --server shm:///x
usage "append and replace are two things" 'not both' catfish import \
	"$work/two.csv" --region "$region" --append --replace
usage "options of GDAL are none of CSV's" '--where is for what GDAL reads' \
	catfish import "$work/two.csv" --region "$region" --where 'a = 1'
usage "nor is another id" '--id is for' catfish import "$work/two.csv" \
	--region "$region" --id name
usage "unknown options" "unknown option '--fast'" catfish import --fast
run catfish import "$work/nothing.csv" --region "$region"
is "a source that is missing" status 2 \
	err 'nothing\.csv: No such file or directory'
lines $header,name 1,0,0,1,1,Aarhus >"$work/wide.csv"
run catfish import "$work/wide.csv" --region "$region"
is "a column too many" status 5 err "wide\.csv:1: unknown column 'name'"
run catfish import "$work/two.csv" --id id --region "$work/id.region"
is "the id of CSV may be named" status 0
run catfish-import --version
is "catfish-import is a program of its own" status 0 has '[0-9]\.[0-9]'
run catfish import --help
is "and has its help" status 0 has '^Usage: catfish import SOURCE' err ""

finish
