# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the experiments share: programs, a server on this machine, figures out of
# JSON lines, and gnuplot.  Sourced; needs $top.
#
# What is measured here is the best of many short rounds, as others may use the
# machine: the rate of the round that was disturbed least.

set -eu -o pipefail
export LC_ALL=C

# shellcheck source=experiments/cluster.sh
. "$top/experiments/cluster.sh"

programs=. out=_build/experiments
# How the server and the clients of a run are started, and where.
server_under="taskset -c 0" clients_under="taskset -c 1"
on=shm limit=600 grace=0

common_options() { # for usage
	cat <<-END
	  --programs FOLDER   where catfishd, catfish and sim/catfish-sim are (.)
	  --out FOLDER        ($out)
	END
}

run_options() { # for usage, of what runs a server
	cat <<-END
	  --server-under CMD  starts the server by CMD ($server_under)
	  --clients-under CMD starts the clients by CMD ($clients_under)
	END
}

where_options() { # for usage, of what also runs elsewhere
	cat <<-END
	  --on shm|soft-roce  runs on this machine, or in a virtual one that has such a
	                      device (tests/softroce/run); there with small sizes ($on)
	  --limit S           that it may take there ($limit)
	END
}

# take_options NAME... -- ARGUMENT...: sets $NAME from --name VALUE.
given=()
take_options() {
	local names=" programs out " name
	while [ "$1" != -- ]; do
		names="$names$1 "
		shift
	done
	shift
	given=("$@")
	while [ $# -gt 0 ]; do
		name=${1#--}
		name=${name//-/_}
		case $1:$names in
		--help:*) usage; exit 0 ;;
		--*:*" $name "*)
			[ $# -ge 2 ] || fail 2 "$1 needs a value"
			declare -g "$name=$2"
			shift 2
			;;
		*) fail 2 "there is no option '$1'; see --help" ;;
		esac
	done
}

fail() { # fail STATUS WORDS
	echo "${0##*/}: $2" >&2
	exit "$1"
}

# field NAME: of the JSON object on each line of standard input.
field() {
	sed -n "s/.*[{,]\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# A function of awk: the member of that name of the JSON object on the line.
member='
	function member(name, value) {
		if (!match($0, "[{,]\"" name "\":(\"[^\"]*\"|[^,}]*)"))
			return ""
		value = substr($0, RSTART + length(name) + 4,
			RLENGTH - length(name) - 4)
		gsub(/"/, "", value)
		return value
	}'

# to_csv NAME...: the members of each line of JSON, as CSV with a head.
to_csv() {
	awk -v list="$*" "$member"'
		BEGIN {
			n = split(list, names, " ")
			for (i = 1; i <= n; i++)
				printf "%s%s", names[i], i < n ? "," : "\n"
		}
		{
			for (i = 1; i <= n; i++) {
				value = member(names[i])
				printf "%s%s", value == "null" ? "" : value, \
					i < n ? "," : "\n"
			}
		}'
}

# --- Simulating -------------------------------------------------------------

# simulate FIELDS OPTION...: catfish-sim, its lines beginning with these fields.
simulate() {
	local fields=$1
	shift
	"$programs/sim/catfish-sim" "$@" | sed "s/^{/{\"simulated\":true,$fields,/"
}

environment() { # environment NAME
	echo "$top/sim/environments/$1.conf"
}

# --- Running ----------------------------------------------------------------

# experiment MAIN RUN: MAIN, but where 'elsewhere' has brought this script into the
# guest, whose files go away with it, only RUN, whose lines come out.
experiment() {
	work=$(mktemp -d /tmp/catfish-experiment-XXXXXX)
	trap end_work EXIT
	[ -z "${hosts:-}" ] || { cluster_read; on=cluster; }
	if [ "$on" = soft-roce ] && [ -n "${CATFISH_SOFTROCE_GUEST:-}" ]; then
		"$2"
	else
		mkdir -p "$out"
		"$1"
	fi
}

# elsewhere RUN: the lines of RUN, from where --on says.
elsewhere() {
	case $on in
	shm | cluster) "$1" ;;
	soft-roce) "$top/tests/softroce/run" --cpus 2 \
		--timeout $((limit + grace)) \
		"$top/experiments/${0##*/}" "${given[@]}" ;;
	*) fail 2 "--on $on: shm or soft-roce, please" ;;
	esac
}

work='' servers=0 server_pids=()
end_work() {
	while [ ${#server_pids[@]} -gt 0 ]; do
		stop_server
	done
	rm -rf "$work"
}

# start_server OPTION...: $CATFISH_SERVER, and $local_server by shm, for what isn't
# measured.
start_server() {
	local log
	[ "$on" != cluster ] || { cluster_start_server "$@"; return; }
	servers=$((servers + 1))
	log=$work/server$servers.log
	local_server=shm://$work/$servers.sock
	CATFISH_SERVER=$local_server
	[ "$on" = shm ] ||
		CATFISH_SERVER=verbs://$CATFISH_TEST_RDMA_ADDRESS:$((7470 + servers))
	export CATFISH_SERVER
	local listen=(--listen "$local_server")
	[ "$on" = shm ] || listen+=(--listen "$CATFISH_SERVER")
	$server_under "$programs/catfishd" "${listen[@]}" "$@" >"$log" 2>&1 &
	server_pids=($! "${server_pids[@]}")
	await_server "$log" || { cat "$log" >&2; fail 1 "catfishd did not start"; }
}

await_server() { # await_server LOG
	for _ in {1..400}; do
		! grep -q '^catfishd ready' "$1" || return 0
		kill -0 "${server_pids[0]}" 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}

stop_server() { # the one that was started last
	[ "$on" != cluster ] || { cluster_stop_server; return; }
	kill "${server_pids[0]}" 2>/dev/null || true
	wait "${server_pids[0]}" 2>/dev/null || true
	server_pids=("${server_pids[@]:1}")
}

load_uniform() { # load_uniform COUNT SEED
	[ "$on" != cluster ] || { cluster_load_uniform "$@"; return; }
	"$programs/catfish" generate uniform --count "$1" --seed "$2" \
		>"$work/items.csv"
	"$programs/catfish" import "$work/items.csv" --server "$local_server" \
		2>"$work/import.log" >&2 ||
		{ cat "$work/import.log" >&2; fail 1 "can't load the items"; }
}

# bench OPTION...: a JSON line for each policy.
bench() {
	[ "$on" != cluster ] || { cluster_bench "$@"; return; }
	$clients_under "$programs/catfish" bench -o jsonl "$@" </dev/null
}

# until_limit COMMAND...: at least once, and again if it would end within --limit.
until_limit() {
	local begun pass=0
	until ((pass > 0 && 2 * SECONDS - begun > limit)); do
		pass=$((pass + 1))
		begun=$SECONDS
		echo "${0##*/}: pass $pass, after $SECONDS of $limit s" >&2
		"$@"
	done
}

mix() { # mix INSERTS: as bench wants it
	awk "BEGIN { printf \"search=%d,insert=%d\", 100 - 100 * $1, 100 * $1 }"
}

# as_simulated SCALE INSERTS [FIELDS]: turns what bench says, of its best round,
# into such lines as simulate prints.
as_simulated() {
	awk "$member"'
		{
			printf "{\"simulated\":false,%s\"queries\":\"%s\",", \
				fields, scale
			printf "\"environment\":\"%s\",", on
			printf "\"policy\":\"%s\",", member("policy")
			printf "\"clients\":%s,\"inserts\":%s,", member("clients"), part
			printf "\"throughput\":%s,", member("ops_per_s_max")
			printf "\"mean_us\":null,\"p50_us\":%s,", member("p50_us")
			printf "\"p99_us\":%s,", member("p99_us")
			printf "\"offloaded\":%.3f}\n", 1 - member("messaging_share")
		}' on="$on" scale="$1" part="$2" fields="${3:-}"
}

# --- Drawing ----------------------------------------------------------------

# plot FILE.svg WIDTH,HEIGHT: gnuplot, with commands from standard input.
plot() {
	command -v gnuplot >/dev/null || fail 3 "gnuplot is not installed"
	{
		echo "set terminal svg size $2 font 'sans-serif,13' background '#ffffff'"
		echo "set datafile separator ','"
		echo "set grid"
		cat
	} | gnuplot >"$1"
}

# draw_legend STYLE TITLE...: one for all plots, at the foot of the figure.
draw_legend() {
	echo "unset title; unset xlabel; unset ylabel; unset border; unset tics"
	echo "unset logscale; unset grid; set margins 0,0,0,0"
	echo "set origin 0,0; set size 1,0.08"
	echo "set key center center horizontal samplen 2"
	local separator='plot [0:1][0:1]'
	while [ $# -gt 0 ]; do
		printf "%s NaN with lines %s title '%s'" "$separator" "$1" "$2"
		separator=,
		shift 2
	done
	echo
}
