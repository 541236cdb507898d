#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC1091
#
# While writers insert, move and delete over verbs, every answer by either path
# is exactly the state of the version that it names: 20,000 answers in all, most
# over a link that works, some over links that lose, delay and reorder packets (tc
# netem); ten times as many with CATFISH_TEST_LONG=1.  What the links did is shown
# by their own counters.  Prints TAP.

. "${top_srcdir:-.}/tests/tools/lib.sh"

checker=$top_builddir/tests/system/version-checker
seed=${CATFISH_TEST_SEED:-1}
more=${CATFISH_TEST_LONG:+10}
more=${more:-1}
compared=0 # answers

# replays NAME ANSWERS OPTION...: a busy machine may need all the time there is.
replays() {
	local name=$1 answers=$(($2 * more))
	shift 2
	for _ in 1 2 3; do
		run "$checker" --server "$top_builddir/catfishd" --seed "$seed" \
			--fabric "verbs://$CATFISH_TEST_RDMA_ADDRESS:0" \
			--seconds $((150 * more)) --answers $answers "$@"
		compared=$((compared + $(awk '$1 == "all" { n = $2 }
			END { print n + 0 }' "$work/out")))
		[ "$status" = 3 ] || break
	done
	sed 's/^/# /' "$work/out"
	is "$name" status 0 has '^wrong answers: 0$'
}

# dropped: packets that netem has dropped at both ends, since it is there.
dropped() {
	tc -s qdisc show | sed -n 's/.*(dropped \([0-9]*\).*/\1/p' |
		awk '{ n += $1 } END { print n + 0 }'
}

# counted NAME...: of both devices, by any of these counters.
counted() {
	local name
	for name; do
		cat /sys/class/infiniband/rxe*/ports/1/hw_counters/"$name"
	done | awk '{ n += $1 } END { print n + 0 }'
}

# Both ways, as a link is disturbed both ways.
disturb() { # disturb NETEM-WORD...
	local interface
	for interface in eth0 eth1; do
		tc qdisc replace dev $interface root netem limit 10000 "$@" ||
			exit 99
	done
}

# more_than BEFORE NOW: claims nothing but says what is amiss.
more_than() {
	[ "$2" -gt "$1" ] || echo "$1 before, $2 now"
}

sent=$(counted sent_pkts)
replays "answers over verbs are of the version that they name" 8000 \
	--items 800 --readers 2
replays "so they are when many are under way" 8000 \
	--items 800 --readers 2 --together 32
claim "and went over the link" "$(more_than $((sent + 16000)) \
	"$(counted sent_pkts)")"
replays "so are those of searches that the server leaves to its clients" 1000 \
	--push-back 0 --paths messaging --items 800 --readers 2

disturb loss 1%
again=$(counted completer_retry_err duplicate_request out_of_seq_request)
replays "so are those over a link that loses packets" 2000 \
	--writers 4 --together 16
echo "# $(dropped) packets dropped"
claim "which it did" "$(more_than 0 "$(dropped)")"
claim "and the devices sent them again" "$(more_than "$again" \
	"$(counted completer_retry_err duplicate_request out_of_seq_request)")"

disturb delay 1ms 1ms 25% reorder 90% 50%
again=$(counted out_of_seq_request duplicate_request)
replays "so are those over a link that delays and reorders" 2000 \
	--writers 4 --together 16
claim "and the devices have seen the wrong order" "$(more_than "$again" \
	"$(counted out_of_seq_request duplicate_request)")"

echo "# $compared answers were compared"
claim "20,000 answers were compared, or ten times as many" \
	"$(more_than $((20000 * more - 1)) "$compared")"

tc qdisc del dev eth0 root
tc qdisc del dev eth1 root
finish
