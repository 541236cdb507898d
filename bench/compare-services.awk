# SPDX-License-Identifier: BSD-2-Clause
#
# What bench/compare-services makes of its rounds: from lines of
#
#	ROUND SCALE OUTSTANDING SERVICE {"ops_per_s":...}
#
# a table, and JSON lines in the file that 'json' names, if any.  A ratio is the
# searches per second of a service divided by those of 'base' in the same round.

function print_row(setting, name,  r, rates, ratios, busy, rate, ratio, part) {
	for (r = 1; r <= rounds; r++) {
		rates[r] = ops[setting, name, r]
		ratios[r] = rates[r] / ops[setting, base, r]
		busy[r] = client[setting, name, r]
	}
	rate = median(rates, rounds)
	ratio = median(ratios, rounds)
	printf "  %-14s %12.0f %12.0f %12.0f %8.2f  %7.2f to %-7.2f %10.3f %7.2f\n",
		name, rate, rates[1], rates[rounds], ratio, ratios[1],
		ratios[rounds], found[setting, name], median(busy, rounds)
	if (json == "")
		return
	split(setting, part, SUBSEP)
	printf "{\"scale\":%s,\"outstanding\":%s,\"service\":\"%s\"," \
		"\"rounds\":%d,\"ops_per_s_median\":%.1f," \
		"\"ops_per_s_least\":%.1f,\"ops_per_s_greatest\":%.1f," \
		"\"base\":\"%s\",\"ratio_median\":%.4f,\"ratio_least\":%.4f," \
		"\"ratio_greatest\":%.4f,\"found_per_search\":%.4f," \
		"\"client_cpu_cores\":%.3f}\n", part[1], part[2], name, rounds,
		rate, rates[1], rates[rounds], base, ratio, ratios[1],
		ratios[rounds], found[setting, name], busy[int(rounds / 2) + 1] \
		>json
}

{
	setting = $2 SUBSEP $3
	if (!((setting, $4) in found))
		names[setting] = names[setting] " " $4
	if (!(setting in seen)) {
		seen[setting] = 1
		settings[++setting_count] = setting
	}
	ops[setting, $4, $1] = value("ops_per_s") + 0
	found[setting, $4] = value("hits") / value("searches")
	client[setting, $4, $1] = value("client_cpu_cores") + 0
	rounds = $1 > rounds ? $1 : rounds
}

END {
	for (i = 1; i <= setting_count; i++) {
		split(settings[i], part, SUBSEP)
		printf "\nqueries of scale %s, %s outstanding\n" \
			"%-16s %12s %12s %12s %8s  %-18s %10s %7s\n", part[1],
			part[2], "", "median/s", "least", "greatest",
			"/ " base, "in all rounds", "found", "client"
		count = split(names[settings[i]], service, " ")
		for (j = 1; j <= count; j++)
			print_row(settings[i], service[j])
	}
}
