#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# Damaged region files: each is refused with status 6 and a word on what is
# wrong, wherever the damage is.

. "${top_srcdir:-.}/tests/tools/lib.sh"

file=$work/small.region
start_server main
catfish generate uniform --count 150 --seed 5 | catfish insert >/dev/null
catfish save "$file" >/dev/null || exit 99
stop_server "$pid"
size=$(wc -c <"$file")

run catfish check --region "$file"
is "the file is whole to begin with" status 0 \
	has '^checked [3-9] nodes of version' err ""

# put OFFSET OCTAL: overwrites one byte of the file.
put() {
	# shellcheck disable=SC2059
	printf "\\$2" | dd of="$file" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

# flip OFFSET: what the byte there is with one bit turned over, in octal.
flip() {
	byte=$(od -An -tu1 -j "$1" -N 1 "$file")
	printf '%03o' "$((byte ^ 1 << $1 % 8))"
}

# refused FILE NAME [WORDS]
refused() {
	run catfish check --region "$1"
	is "$2" status 6 out "" err "^catfish check: .*$3"
}

offset=0 lines=0 undetected='' unnamed=''
while [ "$offset" -lt "$size" ]; do
	at=$((offset + lines % 64))
	[ "$at" -lt "$size" ] || at=$offset
	before=$(od -An -to1 -j "$at" -N 1 "$file" | tr -d ' ')
	put "$at" "$(flip "$at")"
	run catfish check --region "$file"
	[ "$status" = 6 ] || undetected="$undetected $at"
	[ "$(wc -l <"$work/err")" = 1 ] || unnamed="$unnamed $at"
	put "$at" "$before"
	offset=$((offset + 64)) lines=$((lines + 1))
done
echo "# one bit was turned over in each of $lines lines of 64 bytes"
claim "a bit that is damaged in any line is found" "$undetected"
claim "and said in one line" "$unnamed"
run catfish check --region "$file"
is "the file is whole in the end" status 0

for rest in 0 1 8 64 2943 2944 2945 $((size - 2944)) $((size - 1)); do
	head -c "$rest" "$file" >"$work/short.region"
	refused "$work/short.region" "a file cut off after $rest bytes is refused"
done
{ cat "$file" && printf x; } >"$work/long.region"
refused "$work/long.region" "a file with a byte too many is refused"
{ cat "$file" && head -c 2944 "$file"; } >"$work/long.region"
refused "$work/long.region" "a file with a page too many is refused"

{ printf catfishX && tail -c +9 "$file"; } >"$work/magic.region"
refused "$work/magic.region" "a wrong magic is refused"
catfish generate uniform --count 500 --seed 1 >"$work/csv.region"
refused "$work/csv.region" "a file of another kind is refused"
refused /dev/null "what is no file is refused"
run catfish check --region "$work/missing.region"
is "a file that isn't there is a wrong option" status 2 err "missing.region"
run catfish check --region "$work"
claim "a folder is no region file" \
	"$([ "$status" != 0 ] && [ -s "$work/err" ] || echo "status $status")"

put 100 "$(flip 100)"
catfishd --listen "shm://$work/damaged.sock" --region "$file" --memory 64M \
	>"$work/out" 2>"$work/err"
status=$? ran="catfishd --region $file"
is "a server is not started with a damaged file" status 6 out "" \
	err "small.region"
claim "nor does it touch the file" \
	"$([ "$(wc -c <"$file")" = "$size" ] || echo "another size")"

finish
