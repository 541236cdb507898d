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

programs=. out=_build/experiments
# How the server and the clients of a run are started.
server_under="taskset -c 0" clients_under="taskset -c 1"

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

# take_options NAME... -- ARGUMENT...: sets $NAME from --name VALUE.
take_options() {
	local names=" programs out " name
	while [ "$1" != -- ]; do
		names="$names$1 "
		shift
	done
	shift
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

# to_csv NAME...: the members of each line of JSON, as CSV with a head.
to_csv() {
	awk -v list="$*" '
		function member(name, value) {
			if (!match($0, "[{,]\"" name "\":(\"[^\"]*\"|[^,}]*)"))
				return ""
			value = substr($0, RSTART + length(name) + 4,
				RLENGTH - length(name) - 4)
			gsub(/"/, "", value)
			return value == "null" ? "" : value
		}
		BEGIN {
			n = split(list, names, " ")
			for (i = 1; i <= n; i++)
				printf "%s%s", names[i], i < n ? "," : "\n"
		}
		{
			for (i = 1; i <= n; i++)
				printf "%s%s", member(names[i]), i < n ? "," : "\n"
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

server_pid=
work=
begin_work() {
	work=$(mktemp -d /tmp/catfish-experiment-XXXXXX)
	trap end_work EXIT
}

end_work() {
	stop_server
	rm -rf "$work"
}

start_server() { # start_server OPTION...
	export CATFISH_SERVER=shm://$work/server.sock
	$server_under "$programs/catfishd" --listen "$CATFISH_SERVER" "$@" \
		>"$work/server.log" 2>&1 &
	server_pid=$!
	local i
	for i in $(seq 100); do
		[ ! -S "$work/server.sock" ] || return 0
		sleep 0.05
	done
	cat "$work/server.log" >&2
	fail 1 "catfishd did not start"
}

stop_server() {
	[ -n "$server_pid" ] || return 0
	kill "$server_pid" 2>/dev/null || true
	wait "$server_pid" 2>/dev/null || true
	server_pid=
}

load_uniform() { # load_uniform COUNT SEED
	"$programs/catfish" generate uniform --count "$1" --seed "$2" \
		>"$work/items.csv"
	"$programs/catfish" import "$work/items.csv" 2>"$work/import.log" >&2 ||
		{ cat "$work/import.log" >&2; fail 1 "can't load the items"; }
}

# bench OPTION...: a JSON line for each policy.
bench() {
	$clients_under "$programs/catfish" bench -o jsonl "$@"
}

# as_simulated SCALE INSERTS [FIELDS]: turns what bench says, of its best round,
# into such lines as simulate prints.
as_simulated() {
	awk '
		function member(name) {
			match($0, "[{,]\"" name "\":(\"[^\"]*\"|[^,}]*)")
			return substr($0, RSTART + length(name) + 4,
				RLENGTH - length(name) - 4)
		}
		{
			printf "{\"simulated\":false,%s\"queries\":\"%s\",", \
				fields, scale
			printf "\"environment\":\"shm\",\"policy\":%s,", member("policy")
			printf "\"clients\":%s,\"inserts\":%s,", member("clients"), part
			printf "\"throughput\":%s,", member("ops_per_s_max")
			printf "\"mean_us\":null,\"p50_us\":%s,", member("p50_us")
			printf "\"p99_us\":%s,", member("p99_us")
			printf "\"offloaded\":%.3f}\n", 1 - member("messaging_share")
		}' scale="$1" part="$2" fields="${3:-}"
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
