# SPDX-License-Identifier: BSD-2-Clause
#
# What bench/many-clients makes of its rounds: from lines of
#
#	NAME WANTED WITHOUT WITH
#
# a table.  What is wanted is a bound for the ratio of the two, or, in ms, for
# each of them.

function is_met(wanted, ratio, with,  bound) {
	bound = substr(wanted, 3) + 0
	if (wanted ~ /ms$/)
		return with <= bound
	return wanted ~ /^>=/ ? ratio >= bound : ratio <= bound
}

{
	if (!($1 in rounds))
		names[++count] = $1
	n = ++rounds[$1]
	wanted[$1] = $2
	without[$1, n] = $3 + 0
	with[$1, n] = $4 + 0
}

END {
	printf "%-16s %12s %12s %8s  %-18s %-9s\n", "", "without", "with",
		"ratio", "in all rounds", "wanted"
	for (i = 1; i <= count; i++) {
		name = names[i]
		n = rounds[name]
		most = 0
		for (r = 1; r <= n; r++) {
			a[r] = without[name, r]
			b[r] = with[name, r]
			ratio[r] = b[r] / a[r]
			most = b[r] > most ? b[r] : most
		}
		alone = median(a, n)
		beside = median(b, n)
		middle = median(ratio, n)
		met = is_met(wanted[name], middle,
			alone > beside ? alone : beside)
		missed += !met
		printf "%-16s %12.4g %12.4g %8.3f  %7.3f to %-7.3f  %-9s %s\n",
			name, alone, beside, middle, ratio[1], ratio[n],
			wanted[name], met ? "" : "missed"
		if (wanted[name] ~ /ms$/)
			printf "%-16s most in any round: %d ms\n", "", most
	}
	exit missed > 0
}
