#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2086
#
# Servers that aren't there, that go away, or that don't answer.  Nothing waits
# for them for long, and nothing is answered for them.

. "${top_srcdir:-.}/tests/tools/lib.sh"

header=id,xmin,ymin,xmax,ymax
box=0,0,1,1
printf '%s\n' $header 1,0,0,1,1 >"$work/one.csv"

# no_server NAME ADDRESS: every command says so, with status 3.
no_server() {
	for way in "query --bbox $box" "query --bbox $box --count" \
		"query --queries $work/one.csv" \
		"insert --id 1 --bbox $box" "delete --id 1 --bbox $box" \
		"update --id 1 --bbox $box --to $box" stat check \
		"save $work/x.region"; do
		run catfish $way --server "$2"
		[ "$(wc -l <"$work/err")" = 1 ] || status="with several lines"
		is "$1: catfish ${way%% *} has no connection" status 3 out "" \
			err "^catfish ${way%% *}: "
	done
	claim "$1: nothing was saved" \
		"$([ ! -e "$work/x.region" ] || echo "there is a file")"
}

# --- Not there --------------------------------------------------------------

no_server "no socket" "shm://$work/nobody.sock"
run catfish query --bbox $box --policy offload --server "shm://$work/nobody.sock"
is "nothing is offloaded from nobody" status 3 out ""

start_server main
port=${tcp##*:}
catfish insert <"$work/one.csv" >/dev/null || exit 99
stop_server "$pid" KILL
no_server "a socket left by a killed server" "$shm"
no_server "a port that was closed" "tcp://127.0.0.1:$port"
for way in copy mapped; do
	run catfish query --bbox $box --offload $way
	is "no dead server's items by $way" status 3 out ""
done

# --- Killed while it is connected -------------------------------------------

# ask_slowly OPTION...: starts a query that reads its boxes from a pipe, and
# waits for its first answer.  Sets slow, its process id.
ask_slowly() {
	rm -f "$work/boxes"
	mkfifo "$work/boxes"
	: >"$work/err"
	ran="catfish query --queries - --explain -o csv $*"
	catfish query --queries - --explain -o csv "$@" <"$work/boxes" \
		>"$work/out" 2>"$work/err" &
	slow=$!
	servers="$servers $slow"
	exec 3>"$work/boxes"
	cat "$work/one.csv" >&3
	until grep -q '^microseconds' "$work/err"; do
		kill -0 "$slow" 2>/dev/null || break
		sleep 0.05
	done
}

# ask_again: asks the second query and waits for the end.
ask_again() {
	echo 2,$box >&3
	exec 3>&-
	wait "$slow"
	status=$?
	servers=$(printf ' %s ' "$servers" | sed "s/ $slow / /")
}

for way in "--policy messaging" "--offload copy" "--offload mapped"; do
	start_server main
	catfish insert <"$work/one.csv" >/dev/null
	ask_slowly $way
	ask_again
	is "$way: two queries of one connection" status 0 \
		out "$(printf '%s\n' query,$header 1,1,$box 2,1,$box)"

	ask_slowly $way
	stop_server "$pid" KILL
	ask_again
	is "$way: a killed server answers nothing" status 3 \
		out "$(printf '%s\n' query,$header 1,1,$box)" \
		err '^catfish query: '

	start_server main
	catfish insert <"$work/one.csv" >/dev/null
	ask_slowly $way
	stop_server "$pid" KILL
	start_server main
	ask_again
	is "$way: nor does its successor, for an old connection" status 3 \
		err '^catfish query: '
	run catfish query --bbox $box --count
	is "$way: a new connection finds the new server's items" status 0 \
		out 0
	stop_server "$pid"
done

# --- Killed in the middle of an answer --------------------------------------

catfish generate uniform --count 200000 --seed 1 >"$work/many.csv"
for fabric in shm tcp; do
	start_server main
	catfish insert <"$work/many.csv" >/dev/null || exit 99
	[ $fabric = shm ] || CATFISH_SERVER=$tcp

	# Nobody reads more than the beginning of the answer until the server
	# is gone, so it still has the rest.
	rm -f "$work/answer"
	mkfifo "$work/answer"
	catfish query --bbox $box --policy messaging >"$work/answer" \
		2>"$work/err" &
	slow=$!
	exec 3<"$work/answer"
	head -c 1000 <&3 >/dev/null
	stop_server "$pid" KILL
	cat <&3 >/dev/null
	exec 3<&-
	wait "$slow"
	status=$? ran="catfish query, its server killed"
	: >"$work/out"
	is "$fabric: an answer that breaks off is no success" status 3 \
		err '^catfish query: '
done

# --- Not answering ----------------------------------------------------------

start_server main
kill -STOP "$pid"
for address in "$shm" "$tcp"; do
	run catfish query --bbox $box --server "$address" --timeout 300ms
	is "${address%%:*}: a server that doesn't answer is given up" \
		status 3 out "" err '^catfish query: '
done
kill -CONT "$pid"
run catfish query --bbox $box --count
is "and can be asked again when it does" status 0 out 0

finish
