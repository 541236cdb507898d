#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2086
#
# Processes that are killed or stopped while others are at work: nobody answers
# for the dead, what was acknowledged stays, and who is left is unharmed.
# With an RDMA device what goes over it, as the rest is the same everywhere.
# Prints TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

loop_client=$top_builddir/tests/system/loop-client
everything=-1,-1,2,2
many=100000
rdma=$CATFISH_TEST_RDMA_ADDRESS
[ -z "$rdma" ] || many=20000

# fill FIRST COUNT: items that the loop clients know.
fill() {
	"$loop_client" --write --count "$2" "$shm" "$1" >/dev/null || exit 99
}

# begin NAME OPTION...: starts a loop client and waits until it had its first
# answer.  Sets client, its process id.
begin() {
	loop=$work/$1
	shift
	: >"$loop.out"
	"$loop_client" "$@" >"$loop.out" 2>"$loop.err" 3>&- &
	client=$!
	servers="$servers $client"
	until grep -q asked "$loop.out"; do
		kill -0 "$client" 2>/dev/null || break
		sleep 0.02
	done
}

# await NAME PID: waits for a loop client, and keeps what it said as run does.
await() {
	wait "$2"
	status=$? ran="loop-client $1"
	servers=$(printf ' %s ' "$servers" | sed "s/ $2 / /")
	cp "$work/$1.out" "$work/out"
	cp "$work/$1.err" "$work/err"
}

# lost FACT: what is awaited had right answers until its connection was lost,
# and said so in one line.
lost() {
	why=
	grep -q WRONG "$work/out" && why="a wrong answer"
	[ "$(wc -l <"$work/err")" = 1 ] || why="not one line of error"
	if [ -n "$why" ]; then
		claim "$1" "$why"
	else
		is "$1" status 3 has '^asked' err '^loop-client: .*(:|/)'
	fi
}

# --- Killed while it is asked -----------------------------------------------

killed_while_asked() {
	start_server main
	fill 1 $many
	clients=
	ways="shm_messaging shm_copy shm_mapped network_messaging"
	[ -z "$rdma" ] || ways="network_messaging network_copy"
	for way in $ways; do
		address=$shm
		[ "${way%_*}" = shm ] || address=$network
		begin $way --path "${way#*_}" "$address" 1 $many
		clients="$clients $client"
	done
	sleep 0.3
	stop_server "$pid" KILL
	start_server main
	fill 500000 1000
	set -- $clients
	for way in $ways; do
		await $way "$1"
		lost "$way: killed in the middle of answers, and nothing of its successor"
		shift
	done
	run catfish query --bbox $everything --count --server "$network"
	is "who connects anew is answered by the successor" status 0 out 1000
	stop_server "$pid"
}

# --- Stopped while it is asked ----------------------------------------------

stopped_while_asked() {
	start_server main
	fill 1 $many
	begin stopped --path messaging --timeout-ms 700 "$shm" 1 $many
	stopped=$client
	begin passive --path mapped "$shm" 1 $many
	passive=$client
	kill -STOP "$pid"
	await stopped $stopped
	lost "messaging: a server that stops is given up in time"
	why=$(kill -0 $passive 2>/dev/null || echo "the client ended")
	claim "mapped: a server that stops is searched all the same" "$why"
	kill -CONT "$pid"
	stop_server "$pid"
	await passive $passive
	lost "mapped: a server that ends by itself is not searched any more"
}

# --- Ended or killed while it is written to ---------------------------------

# held FILE FIRST COUNT: what of all items in FILE.csv is not as a writer said
# who began with FIRST and had COUNT acknowledged.  What followed may be there
# as far as its last request went.
held() {
	awk -F, -v first="$2" -v count="$3" '
	NR > 1 && $1 >= first && $1 < first + 1000000 { n[$1]++ }
	END {
		for (id in n) {
			if (n[id] > 1) print id " is there twice"
			if (id + 0 >= first + count + 64) print id " was never sent"
		}
		for (id = first; id < first + count; id++)
			if (!(id in n)) { print id " is lost"; exit }
	}' "$1.csv" | head -n 5
}

acknowledged() {
	sed -n 's/^acknowledged //p' "$work/$1.out"
}

killed_while_written() {
	region=$work/region
	start_server main --region "$region"
	if [ -z "$rdma" ]; then
		begin shm_writer --write "$shm" 1000000
		shm_writer=$client
	fi
	begin network_writer --write "$network" 2000000
	network_writer=$client
	sleep 0.7
	stop_server "$pid"
	status=$? ran="kill -TERM catfishd, while it is written to"
	: >"$work/out"
	: >"$work/err"
	is "a server that is told to end under load does so" status 0
	if [ -z "$rdma" ]; then
		await shm_writer $shm_writer
		lost "a writer on shm is told"
	fi
	await network_writer $network_writer
	lost "a writer on ${network%%:*} is told"
	run catfish check --region "$region"
	is "its region file is whole" status 0
	start_server main --region "$region"
	catfish query --bbox $everything -o csv >"$work/saved.csv"
	for way in ${shm_writer:+shm} network; do
		base=$([ $way = shm ] && echo 1000000 || echo 2000000)
		count=$(acknowledged ${way}_writer)
		echo "# $way: $count items were acknowledged"
		claim "$way: every acknowledged item is in it" \
			"$([ "$count" -gt 0 ] || echo "nothing was acknowledged"
			held "$work/saved" $base "$count")"
	done

	begin writer --write "$network" 3000000
	sleep 0.5
	stop_server "$pid" KILL
	await writer $client
	lost "a writer whose server is killed is told"
	run catfish check --region "$region"
	is "the region file of a killed server is whole" status 0
	start_server main --region "$region"
	catfish query --bbox $everything -o csv >"$work/again.csv"
	sort "$work/saved.csv" >"$work/a"
	sort "$work/again.csv" >"$work/b"
	claim "kill -9 loses what was written since the last save and nothing else" \
		"$(cmp "$work/a" "$work/b" 2>&1)"
	stop_server "$pid"
}

# --- Killed while it saves --------------------------------------------------

killed_while_saving() {
	start_server main --region "$region"
	fill 5000000 $many
	stop_server "$pid"
	before=$(($(wc -l <"$work/again.csv") - 1 + many))
	for delay in 0.001 0.004 0.01 0.02 0.04; do
		start_server main --region "$region"
		fill 6000000 64
		kill -TERM "$pid"
		sleep $delay
		stop_server "$pid" KILL
		ran="kill -9 catfishd, $delay s after SIGTERM"
		: >"$work/out"
		catfish check --region "$region" >"$work/out" 2>"$work/err"
		status=$?
		is "killed $delay s into its end, it leaves a whole file" status 0
		start_server main --region "$region"
		count=$(catfish query --bbox $everything --count)
		case $((count - before)) in
		0 | 64) why= ;;
		*) why="$count items, there were $before and 64 more" ;;
		esac
		before=$count
		claim "and that is the old or the new one" "$why"
		stop_server "$pid"
	done
}

# --- Clients that are killed ------------------------------------------------

# stat_of WORD: a number of catfish stat.
stat_of() {
	catfish stat -o jsonl | sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

# eventually NAME EXPECTED COMMAND...: within a few seconds the command prints
# what is expected.
eventually() {
	name=$1 expected=$2
	shift 2
	tries=0
	while [ "$("$@")" != "$expected" ] && [ $tries -lt 100 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	got=$("$@")
	claim "$name" "$([ "$got" = "$expected" ] ||
		echo "$got, not $expected")"
}

killed_clients() {
	# The region has room for two of these trees and not for three.
	start_server main --memory 14M
	fill 1 $many
	catfish query --bbox $everything -o csv >"$work/all.csv"
	for address in $([ -n "$rdma" ] || echo "$shm") "$network"; do
		fabric=${address%%:*}
		rm -f "$work/answer"
		mkfifo "$work/answer"
		catfish query --bbox $everything --server "$address" -o csv \
			>"$work/answer" 2>/dev/null &
		client=$!
		servers="$servers $client"
		exec 3<"$work/answer"
		head -c 1000 <&3 >/dev/null
		stop_server $client KILL
		exec 3<&-
		eventually "$fabric: a client killed in its answer is forgotten" 1 \
			stat_of clients
		run catfish query --bbox $everything --count --server "$address"
		is "$fabric: and others are answered" status 0 out $many
	done
	for path in messaging copy mapped; do
		[ -z "$rdma" ] || [ $path != mapped ] || continue
		begin killed --path $path "$([ -n "$rdma" ] &&
			echo "$network" || echo "$shm")" 1 $many
		stop_server $client KILL
	done
	eventually "clients killed in their searches are forgotten" 1 stat_of clients
	[ -z "$rdma" ] || return 0
	for try in first second; do
		run catfish import --replace "$work/all.csv"
		is "and hold no pages: the $try new tree finds room" status 0
	done
	stop_server "$pid"
}

# --- Imports that are killed ------------------------------------------------

# begin_import: half of an import, which then waits.  Sets client.
begin_import() {
	rm -f "$work/import"
	mkfifo "$work/import"
	catfish import --append - <"$work/import" >"$work/out" \
		2>"$work/err" &
	client=$!
	servers="$servers $client"
	exec 3>"$work/import"
	(trap '' PIPE && head -n 25000 "$work/more.csv" >&3) 2>/dev/null
}

killed_imports() {
	start_server main
	fill 1 $many
	version=$(stat_of version)
	catfish generate uniform --count 50000 --seed 1 >"$work/more.csv"
	begin_import
	sleep 0.3
	stop_server $client KILL
	exec 3>&-
	eventually "a client killed in its import is forgotten" 1 stat_of clients
	run catfish query --bbox $everything --count
	is "its import is not visible" status 0 out $many
	claim "nor is there a new version" \
		"$([ "$(stat_of version)" = "$version" ] || echo "there is")"
	run catfish import --append "$work/more.csv"
	is "another import is taken" status 0
	run catfish query --bbox $everything --count
	is "and is visible, all of it" status 0 out $((many + 50000))

	begin_import
	sleep 0.3
	stop_server "$pid" KILL
	(trap '' PIPE && tail -n +25001 "$work/more.csv" >&3) 2>/dev/null
	exec 3>&-
	wait $client
	status=$? ran="catfish import, its server killed"
	servers=$(printf ' %s ' "$servers" | sed "s/ $client / /")
	is "an import whose server is killed has no connection" status 3 \
		err '^catfish.*: '
}

killed_while_asked
[ -n "$rdma" ] || stopped_while_asked
killed_while_written
[ -n "$rdma" ] || killed_while_saving
killed_clients
[ -n "$rdma" ] || killed_imports

finish
