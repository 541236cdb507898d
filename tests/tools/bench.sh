#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2034
#
# catfish bench: that it does what it says it did, and says all of it.  No claim
# is about how fast anything was.

. "${top_srcdir:-.}/tests/tools/lib.sh"

# value NAME [LINE]: a member of the JSON object in that line of the output.
value() {
	sed -n "${2:-1}p" "$work/out" |
		sed -n "s/.*[{,]\"$1\":\(\"[^\"]*\"\|[^,}]*\).*/\1/p" |
		tr -d '"'
}

# holds NAME CONDITION: of the members of the object in the first line, which
# awk sees as numbers v["name"].
holds() {
	claim "$1" "$(sed -n 1p "$work/out" | tr -d '{}"' | tr , '\n' |
		awk -F: '{ v[$1] = $2 } END { if (!('"$2"')) print "it does not" }')"
}

stat_of() { # stat_of MEMBER
	catfish stat -o jsonl | sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

searched() { # searches that the server has done
	stat_of 'messaging\":{\"search'
}

# --- Wrong command lines ----------------------------------------------------

usage "a server is needed" "which server" catfish bench
CATFISH_SERVER=shm://$work/nobody.sock
export CATFISH_SERVER
usage "a policy must be one" "no policy 'both'" catfish bench --policy both
usage "an operation must be one" "no operation 'eat'" \
	catfish bench --mix search=1,eat=2
usage "operations have weights" "'insert' has no weight" \
	catfish bench --mix search=1,insert
usage "something is to be done" "nothing to do" catfish bench --mix search=0
usage "a scale is a share" "in \(0, 1\], or powerlaw" catfish bench --scale 2
usage "a scale is a number" "--scale" catfish bench --scale big
usage "queries have their own scale" "--scale and --queries" \
	catfish bench --scale 1 --queries q.csv
usage "a rate is positive" "--rate: more than 0" catfish bench --rate 0
usage "there is a client" "--clients: 1 to" catfish bench --clients 0
usage "rounds have some time" "--duration: too short" \
	catfish bench --duration 50ms --rounds 9
usage "there is an operation" "--outstanding: 1 to" \
	catfish bench --outstanding 0
usage "paths are chosen one by one" "--outstanding is for --policy messaging" \
	catfish bench --outstanding 2 --policy messaging,adaptive
usage "offloading is for its policies" "--offload is not for" \
	catfish bench --offload copy --policy messaging
run catfish bench
is "a server that isn't there is status 3" status 3 out "" err "nobody.sock"

# --- What was done is what is said ------------------------------------------

start_server main
catfish generate uniform --count 2000 --seed 1 >"$work/items.csv"
catfish import "$work/items.csv" 2>"$work/log" || exit 99

# Without a warm-up all is measured, and the server has counted the same.
run catfish bench --clients 3 --mix search=3,insert=1 --warmup 0 \
	--policy messaging \
	--duration 300ms -o jsonl
is "a mix is run" status 0 err ""
cp "$work/out" "$work/mixed"
holds "of searches and inserts" \
	'v["searches"] > v["inserts"] && v["inserts"] > 0'
searches=$(value searches) inserts=$(value inserts)
claim "the server has counted as many searches" \
	"$([ "$(searched)" = "$searches" ] || echo "not $searches")"
claim "and has as many items more" \
	"$([ "$(stat_of items)" = $((2000 + inserts)) ] ||
		echo "not 2000 + $inserts")"
run catfish check
is "in a tree that keeps the invariants" status 0

for server in "$shm" "$tcp"; do
	items=$(stat_of items) before=$(searched)
	run catfish bench --outstanding 32 --clients 2 --warmup 0 \
		--mix search=3,insert=1 --duration 200ms --server "$server" \
		-o jsonl
	is "many operations are outstanding, ${server%%:*}" status 0 err ""
	holds "of both kinds" 'v["searches"] > v["inserts"] &&
		v["inserts"] > 0 && v["outstanding"] == 32'
	claim "each search is counted once" "$([ "$(searched)" = \
		$((before + $(value searches))) ] || echo no)"
	claim "and each item is inserted once" "$([ "$(stat_of items)" = \
		$((items + $(value inserts))) ] || echo no)"
done
run catfish bench --outstanding 8 --rate 2000 --duration 200ms --warmup 0 \
	-o jsonl
is "also in an open loop" status 0 err ""
holds "which may send less than is due" \
	'v["searches"] + v["unsent"] > 200'

echo id,xmin,ymin,xmax,ymax >"$work/all.csv"
echo 1,0,0,1,1 >>"$work/all.csv"
items=$(stat_of items)
run catfish bench --queries "$work/all.csv" --policy messaging \
	--duration 100ms -o jsonl
is "queries can come from a file" status 0 err ""
claim "and find what there is" \
	"$([ "$(value hits)" = $((items * $(value searches))) ] || echo no)"

run catfish bench --policy offload --warmup 0 --duration 100ms -o jsonl
is "a bench can offload" status 0 err ""
holds "and asks the server nothing" \
	'v["messaging_share"] == 0 && v["bytes_per_search"] > 0'
claim "which knows how many searches there were" \
	"$([ "$(stat_of 'offload\":{\"search')" = "$(value searches)" ] || echo no)"
run catfish bench --policy offload --offload copy --cache 0 --duration 100ms \
	-o jsonl
holds "by copy, without a cache, a search takes several round trips" \
	'v["round_trips_per_search"] > 1 && v["reads_per_search"] > 1'

run catfish bench --policy catfish,adaptive --clients 2 --duration 200ms
is "what chooses the path says why" status 0 err "" \
	has '^catfish: [0-9.]+ of the searches by messaging, in .* \(- predicted' \
	has '^adaptive: .*predicted\); [0-9]+ left to the client; at last since '
run catfish bench --policy adaptive,messaging --clients 2 --warmup 0 \
	--duration 300ms -o jsonl
is "and in figures" status 0 err ""
holds "of both paths, which it has tried" 'v["messaging_us"] > 0 &&
	v["offload_us"] > 0 && v["messaging_predicted_us"] > 0 &&
	v["offload_predicted_us"] > 0'
run catfish bench --policy adaptive --server "$tcp" --duration 100ms -o jsonl
holds "over tcp there is messaging alone" 'v["messaging_share"] == 1 &&
	v["reason"] == "the fabric has no other"'
run catfish bench --policy offload --offload copy --outstanding 16 \
	--warmup 0 --duration 300ms -o jsonl
is "searches that are offloaded together" status 0 err ""
holds "share round trips" 'v["round_trips_per_search"] < 0.5'

# --- What is said -----------------------------------------------------------

cp "$work/mixed" "$work/out"
fields="server fabric policy offload clients outstanding loop rate duration_s \
warmup_s rounds mix scale queries edge seed machine kernel processor \
processors searches inserts errors unsent seconds ops_per_s ratio p50_us \
p90_us p99_us p999_us max_us messaging_share pushed_back hits round_trips_per_search \
reads_per_search bytes_per_search server_cpu_cores client_cpu_cores \
threshold backoff exploration messaging_us offload_us messaging_predicted_us \
offload_predicted_us reason"
claim "every figure and parameter is there" "$(for field in $fields; do
	[ -n "$(value "$field")" ] || echo "no $field"
done)"
holds "latencies are in order" 'v["p50_us"] > 0 &&
	v["p50_us"] <= v["p90_us"] && v["p90_us"] <= v["p99_us"] &&
	v["p99_us"] <= v["p999_us"] && v["p999_us"] <= v["max_us"]'
if command -v python3 >/dev/null; then
	run python3 -m json.tool "$work/mixed"
	is "that is JSON" status 0
fi

run catfish bench --clients 2 --rate 750.5 --duration 90ms --warmup 20ms \
	--rounds 3 --mix insert=3,search=7 --scale powerlaw --edge 0.25 \
	--seed 99 --timeout 7s --policy messaging,offload --offload copy \
	--cache 1M -o jsonl --histogram "$work/histogram.csv"
is "there is an object for each run" status 0 err ""
claim "of which there are two" "$([ "$(wc -l <"$work/out")" = 2 ] || echo no)"
claim "parameters are told as they were given" "$(
	while IFS="=" read -r name wanted; do
		[ "$(value "$name" 2)" = "$wanted" ] ||
			echo "$name: $(value "$name" 2)"
	done <<-EOF
		server=$shm
		fabric=shm
		policy=offload
		offload=copy
		cache_bytes=1048576
		dimensions=2
		clients=2
		outstanding=1
		loop=open
		rate=750.5
		duration_s=0.09
		warmup_s=0.02
		timeout_s=7
		rounds=3
		scale=powerlaw
		queries=null
		edge=0.25
		seed=99
	EOF
	grep -q '"mix":"search=7,insert=3"' "$work/out" || echo mix
)"
measured=0
for line in 1 2; do
	for field in searches inserts unsent; do
		measured=$((measured + $(value $field $line)))
	done
done
claim "the histogram has every latency" "$(awk -F, -v wanted=$measured '
	NR > 1 { sum += $5; if ($3 > $4) print "range " $0 }
	END { if (sum != wanted) print sum, "not", wanted }
	' "$work/histogram.csv")"

run catfish bench --duration 100ms --rounds 2 --server "$shm" --server "$tcp" \
	--policy messaging --warmup 0 -o csv
is "servers take turns, in CSV too" status 0 err "" \
	has '^server,fabric,policy,' has '^shm:.*,shm,messaging,' \
	has '^tcp:.*,tcp,messaging,'
claim "whose columns are those of JSON" "$(
	head -n 1 "$work/out" | tr , '\n' >"$work/columns"
	head -n 1 "$work/mixed" | grep -o '"[a-z0-9_]*":' | tr -d '":' |
		diff - "$work/columns"
)"
run catfish bench --duration 100ms --policy messaging
is "and people have a table" status 0 err "" has '^policy .*p99 us' \
	has "^messaging .* 1.00  $shm\$"
run catfish bench --duration 100ms --server "$tcp" -o jsonl
holds "the server's processor time is seen over tcp" \
	'v["server_cpu_cores"] != "null"'
run catfish bench --policy offload --server "$tcp" --duration 100ms
is "offloading over tcp is refused" status 2 out "" err "over tcp"
run catfish bench --duration 100ms --histogram "$work/missing/file.csv"
claim "a histogram that can't be written is an error" \
	"$([ "$status" != 0 ] || echo "status 0")"

# --- Open loop --------------------------------------------------------------

# pause SECONDS: stops the server once it has searched more than before.
pause() {
	until [ "$(searched)" -gt "$before" ]; do sleep 0.05; done
	kill -STOP "$pid"
	sleep "$1"
	kill -CONT "$pid"
}

# Nearly half of what was due in 2.5 s was due while the server stood still.
before=$(searched)
catfish bench --rate 500 --duration 2500ms --warmup 0 -o jsonl \
	--policy messaging \
	>"$work/stopped" 2>"$work/stopped.err" &
bench=$!
pause 1
wait $bench
status=$? ran="catfish bench --rate 500"
cp "$work/stopped" "$work/out"
is "a server may stand still for a second" status 0
holds "which shows in p99 of an open loop" 'v["p99_us"] > 800000'
holds "all of what was due is counted" \
	'v["searches"] + v["unsent"] > 500 * 2.5 * 0.8'

# --- Errors -----------------------------------------------------------------

start_server doomed
victim=$pid
catfish bench --policy messaging --duration 20s >"$work/out" 2>"$work/err" &
bench=$!
until [ "$(searched)" -gt 0 ]; do sleep 0.05; done
stop_server "$victim" KILL
wait $bench
status=$? ran="catfish bench"
is "a server that goes away ends the bench" status 3 out "" err "doomed.sock"

start_server small --memory 2M
catfish generate uniform --count 100000 --seed 1 |
	catfish insert >"$work/log" 2>&1
run catfish bench --mix insert=1 --clients 4 --duration 200ms -o jsonl
is "a full region does not" status 0 err "errors, the first: .*(full|room)"
holds "but its errors are counted" 'v["errors"] > 0'

start_server space --dimensions 3
run catfish bench --mix search=1,insert=1 --warmup 0 --duration 300ms -o jsonl
is "three dimensions are found out" status 0 err ""
holds "and told" 'v["dimensions"] == 3 && v["inserts"] > 0'

finish
