#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2016
#
# bench/layouts: on little data, all layouts answer as the real tree does, and
# what they count is what has to be.

. "${top_srcdir:-.}/tests/tools/lib.sh"

layouts=$top_builddir/bench/layouts

# wrong PROGRAM: what an awk program prints that is run at the end of each line
# of output, with its values in v["nodes"] and so on.
wrong() {
	tr -d '{}"' <"$work/out" | awk -F, '
	{
		for (i = 1; i <= NF; i++) {
			split($i, pair, ":")
			v[pair[1]] = pair[2]
		}
	}
	'"$1"
}

for data in "uniform str" "uniform hilbert" "skewed str"; do
	# shellcheck disable=SC2086
	set -- $data
	run "$layouts" --kind "$1" --order "$2" --count 5000 --seed 3 \
		--queries 400 --rounds 1
	is "$data: all layouts give the same answers" status 0 err ""
	claim "$data: 17 trees are asked four sets of queries" \
		"$(wrong 'END { if (NR != 17 * 4) print NR " lines" }')"
	claim "$data: hits and checksums that are printed are the same" "$(wrong '
		!(v["query"] in first) {
			first[v["query"]] = v["hits"] " " v["checksum"]
		}
		first[v["query"]] != v["hits"] " " v["checksum"] { print }')"
	claim "$data: queries centred on items find these" "$(wrong '
		v["query"] ~ /centred/ && v["hits"] < v["queries"] { print }')"
	claim "$data: no layout rules out more than doubles do" "$(wrong '
		v["cells"] == "f64" { least[v["fanout"], v["query"]] = v["nodes"] }
		v["layout"] != "rtree" {
			nodes[NR] = v["nodes"]
			key[NR] = v["fanout"] SUBSEP v["query"]
		}
		END {
			for (i in nodes)
				if (nodes[i] < least[key[i]])
					print "line " i
		}')"
	claim "$data: larger nodes are visited less often" "$(wrong '
		v["query"] == "1e-1" && v["layout"] ~ /^u8_[0-9]*$/ {
			if (last && v["nodes"] >= last)
				print
			last = v["nodes"]
		}')"
	claim "$data: no more is read when leaves wait for their filters" \
		"$(wrong 'v["bytes_read_filter_first"] > v["bytes_read"] ||
			v["bytes_read_filter_first"] <= 0 { print }')"
done

run "$layouts" --count 100 --queries 10 --rounds 1 --table
is "a table is for people" status 0 err "" has '^\| u8_64_behind \| u8 \| 64 '

run "$layouts" --order sideways
is "an unknown order is refused" status 2 out "" err "order 'sideways'"

finish
