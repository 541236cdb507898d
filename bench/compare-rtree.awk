# SPDX-License-Identifier: BSD-2-Clause
#
# What bench/compare-rtree makes of its rounds: from lines of
#
#	DATA ROUND PROGRAM {"phase":...}
#
# a table, and JSON lines in the file that 'json' names, if any.  A ratio is the
# time of a program divided by that of 'base' in the same round.  Fails when
# hits or checksums differ where they must not.

# All ways to search find the same, and so does whatever finds the nearest; a
# delete finds every item.
function check(phase,  kind, key, found) {
	if (phase !~ /^(search|group|dependent|nearest|delete)/)
		return
	kind = phase ~ /^(nearest|delete)/ ? phase : "search"
	key = $1 SUBSEP value("items") SUBSEP kind SUBSEP value("set")
	found = value("hits") " hits, checksum " value("checksum")
	if (!(key in right)) {
		right[key] = found
	} else if (found != right[key]) {
		printf "%s, %s, %s items, %s %s: %s, not %s\n", $3, $1,
			value("items"), phase, value("set"), found, right[key]
		wrong = 1
	}
}

# A phase that the base library doesn't have is compared with its plain one.
function base_phase(phase) {
	sub(/^group/, "search", phase)
	return phase
}

# Gathers one row's times, sorted, in 'times' and its ratios in 'ratios'.
function gather(row, base_row,  r) {
	split("", times); split("", ratios)
	time_count = ratio_count = 0
	for (r = 1; r <= rounds; r++) {
		if (!((row, r) in ns))
			continue
		times[++time_count] = ns[row, r]
		if ((base_row, r) in ns)
			ratios[++ratio_count] = ns[row, r] / ns[base_row, r]
	}
	time_median = median(times, time_count)
	ratio_median = ratio_count ? median(ratios, ratio_count) : 0
}

function print_row(name, phase, row) {
	printf "  %-22s %12.1f %12.1f %12.1f", name, time_median, times[1],
		times[time_count]
	if (ratio_count)
		printf " %9.3f  %6.3f to %.3f", ratio_median, ratios[1],
			ratios[ratio_count]
	if (phase == "bulk" || phase == "insert")
		printf "%s%.1f bytes an item", ratio_count ? "  " : "    ",
			bytes[row]
	print ""
}

function print_json(block, name, row,  part) {
	split(block, part, SUBSEP)
	printf "{\"data\":\"%s\",\"items\":%s,\"phase\":\"%s\",\"set\":\"%s\"," \
		"\"program\":\"%s\",\"rounds\":%d,\"ns_median\":%.1f," \
		"\"ns_least\":%.1f,\"ns_greatest\":%.1f,\"hits\":%s," \
		"\"checksum\":%s,\"bytes_per_item\":%s", part[1], part[2],
		part[3], part[4], name, time_count, time_median, times[1],
		times[time_count], hits[row], checksum[row], bytes[row] >json
	if (ratio_count)
		printf ",\"base\":\"%s\",\"ratio_median\":%.4f," \
			"\"ratio_least\":%.4f,\"ratio_greatest\":%.4f", base,
			ratio_median, ratios[1], ratios[ratio_count] >json
	print "}" >json
}

function print_block(block,  part, base_row, names, i, row) {
	split(block, part, SUBSEP)
	if (part[1] SUBSEP part[2] != heading) {
		heading = part[1] SUBSEP part[2]
		printf "\n%s, %s items\n", part[1], part[2]
	}
	printf "\n%-24s %12s %12s %12s %9s  %s\n",
		part[3] (part[4] != "" ? ", " part[4] : ""), "median ns",
		"least", "greatest", "/ " base, "in all rounds"
	base_row = part[1] SUBSEP part[2] SUBSEP base_phase(part[3]) SUBSEP \
		part[4] SUBSEP base
	split(programs[block], names, "\n")
	for (i = 1; i in names; i++) {
		row = block SUBSEP names[i]
		gather(row, base_row)
		print_row(names[i], part[3], row)
		if (json != "")
			print_json(block, names[i], row)
	}
}

{
	phase = value("phase")
	block = $1 SUBSEP value("items") SUBSEP phase SUBSEP value("set")
	row = block SUBSEP $3
	if (!(block in programs))
		blocks[++block_count] = block
	if (!(row in hits))
		programs[block] = programs[block] \
			(programs[block] == "" ? "" : "\n") $3
	ns[row, $2] = value("ns_per_op") + 0
	hits[row] = value("hits")
	checksum[row] = value("checksum")
	bytes[row] = value("bytes_per_item")
	rounds = $2 > rounds ? $2 : rounds
	check(phase)
}

END {
	order = "bulk search dependent group nearest insert search-after " \
		"dependent-after group-after delete"
	phase_count = split(order, phase_names, " ")
	# By data and size as they came, and within by phase.
	for (k = 1; k <= block_count; k++) {
		split(blocks[k], part, SUBSEP)
		if ((part[1], part[2]) in done)
			continue
		done[part[1], part[2]] = 1
		for (p = 1; p <= phase_count; p++)
			for (j = k; j <= block_count; j++)
				if (index(blocks[j], part[1] SUBSEP part[2] \
					SUBSEP phase_names[p] SUBSEP) == 1)
					print_block(blocks[j])
	}
	exit wrong
}
