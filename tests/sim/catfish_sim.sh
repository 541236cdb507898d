#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# catfish-sim: the same bytes for the same options, environments that can all be
# used, and words about what can't.  Prints TAP.

set -u
export LC_ALL=C
sim=$top_builddir/sim/catfish-sim
environments=$top_srcdir/sim/environments
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0 bad=0

report() { # report STATUS FACT
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		bad=1
	fi
}

run() { # run OPTION...: on little data, for a short time
	"$sim" --items 10000 --queries 500 --time 20ms "$@"
}

fails() { # fails WORD OPTION...: with words about it, and status 2 to 7
	local word=$1 status
	shift
	run "$@" >"$work/out" 2>"$work/err"
	status=$?
	[ "$status" -ge 2 ] && [ "$status" -le 7 ] && [ ! -s "$work/out" ] &&
		[ "$(wc -l <"$work/err")" -le 2 ] && grep -q "$word" "$work/err"
}

rdma=$environments/rdma-100g.conf
for policy in messaging offload catfish adaptive; do
	mixed=(--environment "$rdma" --policy "$policy" --clients 50
		--inserts 0.1 --set cores=2 --set heartbeat_loss=0.2
		--at 10ms:link_gbps=5 --every 5ms)
	run "${mixed[@]}" >"$work/a" && run "${mixed[@]}" >"$work/b" &&
		cmp -s "$work/a" "$work/b" && [ "$(wc -l <"$work/a")" = 4 ]
	report $? "$policy: the same seed, the same bytes"
	run "${mixed[@]}" --seed 2 >"$work/b" &&
		! diff -q <(sed 's/"seed":[0-9]*//' "$work/a") \
			<(sed 's/"seed":[0-9]*//' "$work/b") >/dev/null
	report $? "$policy: another seed, others"
done

run --environment "$rdma" --policy offload,adaptive --clients 2,5 >"$work/a" &&
	for clients in 2 5; do
		for policy in offload adaptive; do
			run --environment "$rdma" --policy $policy --clients $clients
		done
	done >"$work/b" && cmp -s "$work/a" "$work/b"
report $? "lists are as one after the other"

"$top_builddir/catfish" generate uniform --count 10000 --seed 1 >"$work/items.csv"
"$top_builddir/catfish" generate uniform --count 500 --seed 2 --scale 0.01 \
	>"$work/queries.csv"
run --environment "$rdma" --scale 0.01 >"$work/a" &&
	run --environment "$rdma" --scale 0.01 --items 7 --queries 7 \
		--items-file "$work/items.csv" \
		--queries-file "$work/queries.csv" >"$work/b" &&
	cmp -s "$work/a" "$work/b"
report $? "a file is as the set that it was generated as"
head -n 1 "$work/items.csv" >"$work/none.csv"
fails "there are no items" --environment "$rdma" --items-file "$work/none.csv"
report $? "a file without items is refused"
fails "absent.csv" --environment "$rdma" --queries-file "$work/absent.csv"
report $? "a file that isn't there is refused"

for file in "$environments"/*.conf; do
	policy=adaptive
	grep -q '^offload  *0 ' "$file" && policy=messaging
	run --environment "$file" --policy "$policy" --clients 8 --scale 0.01 |
		grep -q '"searches":[1-9]'
	report $? "$(basename "$file") can be used"
	! grep -v '^#' "$file" | grep -v '^$' | grep -qv '# .'
	report $? "$(basename "$file"): each number has its source"
done

sed 's/^cores .*//' "$rdma" >"$work/missing"
fails 'there is no cores' --environment "$work/missing"
report $? "a parameter that is missing is named"
{ cat "$rdma"; echo 'cores 3'; } >"$work/twice"
fails 'a second cores' --environment "$work/twice"
report $? "so is one that is there twice"
{ cat "$rdma"; echo 'speed 3'; } >"$work/unknown"
fails "no parameter 'speed'" --environment "$work/unknown"
report $? "and one that is not known"
fails 'cores is between' --environment "$rdma" --set cores=0
report $? "a value out of range is refused"
fails 'No such file' --environment "$work/none"
report $? "an environment that isn't there is said to be missing"
fails 'environment is needed'
report $? "without an environment nothing is simulated"
fails 'is no policy' --environment "$rdma" --policy best
report $? "a policy that isn't one is refused"
fails "can't offload" --environment "$environments/tcp-1g.conf" \
	--policy offload
report $? "over TCP nothing can be offloaded"
fails 'order of time' --environment "$rdma" --at 2ms:cores=1 --at 1ms:cores=2
report $? "changes are given in the order of time"
fails 'stay as they are' --environment "$rdma" --at 2ms:threads=1
report $? "threads don't change while clients run"
"$sim" --help | grep -q -- '--environment FILE'
report $? "--help tells of the options"

echo "1..$n"
exit $bad
