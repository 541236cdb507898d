#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# catfish stat, check and save: what a server says of itself, and snapshots.

. "${top_srcdir:-.}/tests/tools/lib.sh"

start_server main
catfish generate skewed --count 5000 --seed 1 >"$work/items.csv"
catfish insert <"$work/items.csv" >/dev/null || exit 99

# --- stat -------------------------------------------------------------------

run catfish stat
is "stat shows what there is" status 0 has '^items +5000$' \
	has '^height +[23]$' has '^  level 0 +[0-9]+ +5000$' \
	has '^region +64.* MiB' has '^lease +50 ms' has '^heartbeat +10 ms' \
	has '^threads +2,' err ""
is "stat says what would be lost" has '^last saved +never$' \
	has '^unsaved versions .*lost if the server is killed'
run catfish stat -o jsonl
is "stat has a JSON object, too" status 0 has '^\{"identity":"[0-9a-f]{16}",' \
	has '"items":5000,' has '"since_save_s":null,' has '"lease_s":0.05' \
	err ""
claim "in one line" "$([ "$(wc -l <"$work/out")" = 1 ] || echo more)"
if command -v python3 >/dev/null; then
	mv "$work/out" "$work/stat.json"
	run python3 -m json.tool "$work/stat.json"
	is "that is JSON" status 0
fi

catfish query --bbox 0,0,1,1 --count --policy messaging >/dev/null
catfish query --bbox 0,0,1,1 --policy messaging >/dev/null
run catfish stat -o jsonl
is "requests are counted by kind" has '"search":1,"count":1,"nearest":0,"insert":[1-9]'
run catfish stat --server "$tcp"
is "stat works over tcp" status 0 has '^items +5000$'

# --- Live -------------------------------------------------------------------

run catfish stat --watch --interval 500ms --times 3 -o jsonl
is "the load is shown live" status 0 err "" \
	has '^{"beat":[0-9]+,"version":[0-9]+,"lease_s":0.05[0-9]*,"utilisation":[01]\.[0-9]+,"link_load":(null|[01]\.[0-9]+),"queued":[0-9]+,"draining":false}$'
claim "as often as wanted" "$([ "$(wc -l <"$work/out")" = 3 ] || echo no)"
claim "by other heartbeats" "$(
	[ "$(cut -d, -f1 "$work/out" | sort -u | wc -l)" -gt 1 ] || echo no)"
run catfish stat --watch --interval 1ms --times 21
is "in a table, too" status 0 err "" has '^ *heartbeat ' has ' % +([0-9.]+ %|[?]) +[0-9]+$'
claim "whose head is shown again" \
	"$([ "$(grep -c heartbeat "$work/out")" = 2 ] || echo no)"
if [ "$network" = "$tcp" ]; then
	run catfish stat --watch --times 1 --server "$tcp"
	is "over tcp it is asked for" status 0 err "" \
		has '^ *heartbeat ' has '^ +1 .* %'
fi
usage "an interval is for watching" "--interval is for" \
	catfish stat --interval 1s
usage "what is watched is the load" "--watch and --tree" \
	catfish stat --watch --tree

# --- check and save ---------------------------------------------------------

run catfish check
is "a server's tree is checked" status 0 \
	has '^checked [0-9]+ nodes of version [0-9]+: every invariant holds$' \
	err ""
cp "$work/out" "$work/checked"
run catfish save "$work/saved.region"
is "a snapshot is saved" status 0 has '^saved version [0-9]+ to .*saved.region' \
	err ""
run catfish check --region "$work/saved.region"
claim "a region file is checked, and has the same nodes" \
	"$(cmp "$work/out" "$work/checked" 2>&1)"
run catfish save --server "$tcp" "$work/other.region"
is "a snapshot is saved over tcp" status 0
claim "and is the same file" \
	"$(cmp "$work/saved.region" "$work/other.region" 2>&1)"

# --- The shape of the tree --------------------------------------------------

run catfish stat --tree
is "the shape of a server's tree is shown by level" status 0 \
	has '^level +nodes +entries +fill' \
	has '^ +0 +[0-9]+ +5000 +[0-9.]+% ' err ""
cp "$work/out" "$work/shape"
run catfish stat --tree --region "$work/saved.region"
claim "and is that of the file it was saved to" \
	"$(cmp "$work/out" "$work/shape" 2>&1)"
run catfish stat --tree -o jsonl
is "there is a JSON object of it, too" status 0 \
	has '^\{"version":[0-9]+,"capacity":64,"levels":\[\{"level":0,' \
	has '"entries":5000,' err ""
leaves=$(grep -o '"level":0,"nodes":[0-9]*' "$work/out" | grep -o '[0-9]*$')
if command -v python3 >/dev/null; then
	mv "$work/out" "$work/shape.json"
	run python3 -m json.tool "$work/shape.json"
	is "that is JSON" status 0
fi

run catfish dump "$work/saved.region" -o csv
is "the nodes of a file are shown, the root first" status 0 err "" \
	has '^level,page,parent,entries,xmin,ymin,xmax,ymax$' \
	has '^[12],1,,[0-9]+,'
claim "with all their items" \
	"$(awk -F, '$1 == 0 { sum += $4 } END { if (sum != 5000) print sum }' \
		"$work/out")"
claim "and all as its parents' entries" \
	"$(awk -F, 'NR > 1 { nodes++; if ($1) sum += $4 }
		END { if (sum + 1 != nodes) print sum }' "$work/out")"
run catfish dump "$work/saved.region" --level 0
claim "one level is shown alone" \
	"$([ "$(grep -c '^level 0 page' "$work/out")" = "$leaves" ] &&
		[ "$(wc -l <"$work/out")" = "$leaves" ] || echo "not $leaves")"
run catfish dump "$work/saved.region" -o jsonl
is "as JSON, too" status 0 has '^\{"level":[12],"page":1,"parent":null,"entries":'
run catfish dump "$work/nothing.region"
is "a dump names the file that isn't there" status 2 out "" err "nothing.region"
catfishd --version >"$work/none.region"
run catfish dump "$work/none.region"
is "a dump of what is no region file is refused" status 6 out "" \
	err "no region file"

run catfish insert --id 1 --bbox 0,0,1,1
run catfish save "$work/saved.region"
is "a snapshot replaces another" status 0
run catfish save "$work/missing/saved.region"
is "a folder that isn't there is named" out "" err "missing"
claim "and is no success" "$([ "$status" != 0 ] || echo "status 0")"
claim "no temporary files are left" "$(find "$work" -name '*tmp*' -o -name '*saved.region?*')"

# --- Served again -----------------------------------------------------------

catfish query --bbox 0,0,1,1 -o csv | sort >"$work/before"
start_server again --region "$work/saved.region"
catfish query --bbox 0,0,1,1 -o csv | sort >"$work/after"
claim "a server started with a snapshot holds the same items" \
	"$(cmp "$work/before" "$work/after" 2>&1)"
run catfish check
is "in a tree that keeps the invariants" status 0
run catfish stat
is "and nothing of it is unsaved" has '^last saved .* ago$' \
	has '^unsaved versions +0$'
run catfish check --region "$work/saved.region"
is "a file that is being served can be checked" status 0

run catfish insert --id 2 --bbox 5,5,6,6
run catfish stat
is "until something is written" has '^unsaved versions +1 .*killed'
run stop_server "$pid" TERM
is "a server ends by SIGTERM with status 0" status 0
run catfish check --region "$work/saved.region"
is "the file that it wrote back is whole" status 0
start_server third --region "$work/saved.region"
run catfish query --bbox 5,5,6,6 --count
is "and holds what was written since" status 0 out 1
run catfish stat -o jsonl
is "with an identity of its own" has '"items":5002,'

# --- A server that looks for requests awake ---------------------------------

for spin in 0 1s; do
	start_server "spin$spin" --spin $spin
	catfish insert <"$work/items.csv" >"$work/log" 2>&1
	for server in "$shm" "$tcp"; do
		run catfish query --bbox 0,0,1,1 --count --server "$server"
		is "with --spin $spin it answers, ${server%%:*}" status 0 \
			out 5000 err ""
	done
done
# The connection that watches was just opened, so one of two threads spins.
run catfish stat --watch --interval 250ms --times 3 -o jsonl
claim "to look in vain doesn't count as busy" "$(sed 1d "$work/out" |
	sed 's/.*utilisation":\([^,]*\).*/\1/' | awk '$1 > 0.005')"

finish
