#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154
#
# bench/rtree-bench: its phases do what they say, on files of either kind and
# with every option, and find the same.

. "${top_srcdir:-.}/tests/tools/lib.sh"

rtree_bench=$top_builddir/bench/rtree-bench
items=$work/items.f64 wide=$work/wide.csv centred=$work/centred.f64

# value PHASE SET FIELD: of the line that was printed for these.
value() {
	sed -n "s/^{\"phase\":\"$1\",\"set\":\"$2\",.*\"$3\":\"*\([^,\"}]*\).*/\1/p" \
		"$work/out"
}

equal() { # equal FACT VALUE WANTED
	claim "$1" "$([ "$2" = "$3" ] || echo "'$2', not '$3'")"
}

# found SET PHASE...: claims that these phases found the same as a search did.
found() {
	set=$1 why=
	shift
	right="$(value search "$set" hits) $(value search "$set" checksum)"
	case $right in [1-9]*) ;; *) why="nothing" ;; esac
	for phase in "$@"; do
		[ "$(value "$phase" "$set" hits) $(value "$phase" "$set" \
			checksum)" = "$right" ] || why="$why $phase"
	done
	claim "$set: the same is found in every way" "$why"
}

# --- Files ------------------------------------------------------------------

catfish generate uniform --count 3000 --seed 1 --edge 1e-2 >"$work/items.csv"
catfish generate uniform --count 300 --seed 2 --scale 1e-1 >"$wide"
run "$rtree_bench" --items "$work/items.csv" --save-raw "$items"
is "items are written raw" status 0 out "" err ""
equal "a raw file has four doubles an item" "$(wc -c <"$items")" 96000
run "$rtree_bench" --items "$items" --queries "$wide" --save-centred "$centred"
is "queries are moved onto items" status 0 out "" err ""

# Counted by hand: an item's id is the number of its line.
hits=$(awk -F, '
	FNR == 1 { next }
	NR == FNR { for (i = 2; i <= 5; i++) q[NR, i] = $i; n = NR; next }
	{
		for (k = 2; k <= n; k++)
			if ($2 <= q[k, 4] && $4 >= q[k, 2] && \
			    $3 <= q[k, 5] && $5 >= q[k, 3]) {
				hits++
				sum += (k - 1) * ($1 + 1)
			}
	}
	END { printf "%d %.0f", hits, sum }' "$wide" "$work/items.csv")
run "$rtree_bench" --items "$work/items.csv" --queries "$wide" --phases search
is "a search without a bulk load finds the items loaded" status 0 err ""
equal "hits and checksum are those of a linear scan" \
	"$(value search wide hits) $(value search wide checksum)" "$hits"

# --- Phases -----------------------------------------------------------------

run "$rtree_bench" --items "$items" --queries "$wide" --queries "$centred"
is "all phases run by default" status 0 err ""
equal "a line for each phase, and for each set of queries that it asks" \
	"$(wc -l <"$work/out")" 25
for set in wide centred; do
	found $set group dependent search-after group-after dependent-after
	for phase in count count-group; do
		equal "$set: as many are counted by $phase" \
			"$(value $phase $set hits)" "$(value search $set hits)"
	done
	equal "$set: the same are nearest in groups" \
		"$(value nearest-group $set checksum)" \
		"$(value nearest $set checksum)"
done
claim "a query centred on an item finds one at least" \
	"$([ "$(value search centred hits)" -ge 300 ] || echo "fewer")"
equal "each query has ten nearest items" "$(value nearest wide hits)" 3000
equal "all items are deleted" "$(value delete "" hits)" 3000
equal "and nothing is left" "$(value delete "" bytes_per_item)" 0.00
cp "$work/out" "$work/first"

run "$rtree_bench" --items "$items" --queries "$wide" --phases \
	bulk,search,count,group,nearest,insert,search-after,update,delete,mixed
is "phases are taken in the order given" status 0 err ""
found wide group search-after
claim "mixed loads the items again after a delete" \
	"$(case $(value mixed "" hits) in [1-9]*) ;; *) echo "no hits" ;; esac)"

run "$rtree_bench" --items "$items" --queries "$wide" --phases \
	search,update,insert,search-after
found wide search-after

# --- Options ----------------------------------------------------------------

nearest=$(grep '"nearest"' "$work/first" | head -n 1 |
	sed 's/.*"checksum":\([0-9]*\).*/\1/')
for options in "--kernel portable" "--order hilbert --threads 2" \
	"--batch 64" "--lease 0s --memory 64M"; do
	# shellcheck disable=SC2086
	run "$rtree_bench" --items "$items" --queries "$wide" $options
	is "$options: all phases run" status 0 err ""
	found wide group dependent search-after group-after dependent-after
	equal "$options: the same items are nearest" \
		"$(value nearest wide checksum)" "$nearest"
done

run "$rtree_bench" --items "$items" --phases bulk,jump
is "an unknown phase is refused" status 2 err "no phase 'jump'"
run "$rtree_bench" --phases bulk
is "items are needed" status 2 out "" err "--items FILE"
run "$rtree_bench" --items "$items" --queries "$wide" --memory 1M \
	--phases insert,mixed
is "a small region makes writers wait for pages and no more" status 0 err ""
claim "and they say so" \
	"$(case $(value insert "" waits) in [1-9]*) ;; *) echo "no waits" ;; esac)"
run "$rtree_bench" --items "$items" --memory 64K
is "a region that is too small is refused with the bytes needed" \
	status 2 out "" err 'the least is [0-9]+'
printf 12345678 >"$work/short.f64"
run "$rtree_bench" --items "$work/short.f64"
is "a raw file of no whole rectangles is refused" status 5 out "" \
	err 'short.f64: 8 bytes'
awk 'BEGIN { for (i = 0; i < 4; i++) printf "\377\377\377\377\377\377\377\177" }' \
	>"$work/nan.f64"
run "$rtree_bench" --items "$work/nan.f64"
is "a raw rectangle that is none is refused" status 5 out "" \
	err 'nan.f64, rectangle 0'

finish
