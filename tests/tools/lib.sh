# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034
#
# What the tests of the command line share: a folder that goes away again,
# servers that are ended by their process id, and claims in TAP.
#
#	run catfish query --bbox 0,0,1,1
#	is "nothing is found where nothing is" status 0 out "" err ""
#
# Sourced by a script that ends with 'finish'.

: "${top_builddir:=$(pwd)}"
PATH=$top_builddir:$PATH
LC_ALL=C
export PATH LC_ALL
unset CATFISH_SERVER CATFISH_LOG

# A folder in a folder, as programs put files beside what they are given, too.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/catfish-test.XXXXXX") || exit 99
work=$scratch/work
mkdir "$work" || exit 99
tests=0 failures=0 servers=

clean_up() {
	for pid in $servers; do
		kill -9 "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM

finish() {
	echo "1..$tests"
	[ "$failures" -eq 0 ]
	exit
}

# run COMMAND...: keeps its status, standard output and standard error.
run() {
	ran="$*"
	"$@" >"$work/out" 2>"$work/err"
	status=$?
}

claim() { # claim NAME WHY-NOT
	tests=$((tests + 1))
	if [ -z "$2" ]; then
		echo "ok $tests - $1"
		return
	fi
	failures=$((failures + 1))
	echo "not ok $tests - $1"
	printf '%s\n' "$2" "command: $ran" "status: $status" "output:" |
		sed 's/^/# /'
	head -n 20 "$work/out" | sed 's/^/# | /'
	echo "# errors:"
	head -n 20 "$work/err" | sed 's/^/# | /'
}

# is NAME [status N] [out TEXT] [sorted TEXT] [has REGEX] [err REGEX]
#
# Claims of what was run last: its status, its whole output, the same in any
# order, a line of its output; and a line of its errors, or that there were
# none ("").
is() {
	fact=$1 why=
	shift
	while [ $# -gt 1 ]; do
		case $1 in
		status) [ "$status" = "$2" ] || why="not status $2" ;;
		out) [ "$(cat "$work/out")" = "$2" ] || why="not: $2" ;;
		sorted)
			[ "$(sort "$work/out")" = "$(printf '%s\n' "$2" |
				sed '/^$/d' | sort)" ] || why="not: $2" ;;
		has) grep -Eq -e "$2" "$work/out" || why="no line: $2" ;;
		err)
			if [ -z "$2" ]; then
				[ ! -s "$work/err" ] || why="errors"
			else
				grep -Eq -e "$2" "$work/err" ||
					why="no error: $2"
			fi ;;
		*) why="is: what is '$1'?" ;;
		esac
		shift 2
	done
	claim "$fact" "$why"
}

# usage NAME REGEX COMMAND...: a wrong command line is status 2 with one line
# that says so, one that points to the help, and no results.
usage() {
	fact=$1 words=$2
	shift 2
	run "$@"
	if [ "$(wc -l <"$work/err")" -gt 2 ]; then
		claim "$fact" "more than one line of error"
	else
		is "$fact" status 2 out "" err "^catfish.*: .*$words"
	fi
}

# start_server NAME [OPTION...]: starts catfishd on shm, on tcp and, where
# CATFISH_TEST_RDMA_ADDRESS is the IP address of an RDMA device, on verbs, and
# waits until it is ready.  Sets pid, shm, tcp, and network: verbs or else tcp.
start_server() {
	server=$1
	shift
	shm=shm://$work/$server.sock
	: >"$work/$server.ready"
	if [ -n "$CATFISH_TEST_RDMA_ADDRESS" ]; then
		set -- --listen "verbs://$CATFISH_TEST_RDMA_ADDRESS:0" "$@"
	fi
	catfishd --listen "$shm" --listen tcp://127.0.0.1:0 --memory 64M \
		--threads 2 "$@" >"$work/$server.ready" 2>"$work/$server.log" &
	pid=$!
	servers="$servers $pid"
	until grep -q '^catfishd ready: ' "$work/$server.ready"; do
		if ! kill -0 "$pid" 2>/dev/null; then
			sed 's/^/# /' "$work/$server.log"
			echo "Bail out! catfishd did not start"
			exit 99
		fi
		sleep 0.05
	done
	tcp=$(grep -o 'tcp://127\.0\.0\.1:[0-9]*' "$work/$server.ready")
	network=$(grep -o 'verbs://[^ ]*' "$work/$server.ready") || network=$tcp
	CATFISH_SERVER=$shm
	export CATFISH_SERVER
}

# stop_server PID [SIGNAL]: ends it and returns its status.
stop_server() {
	kill "-${2:-TERM}" "$1"
	servers=$(printf ' %s ' "$servers" | sed "s/ $1 / /")
	wait "$1" 2>/dev/null
}
