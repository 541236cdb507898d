# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154,SC2034 # what lib.sh has and sets
#
# Running on several hosts, by ssh: the server on the first host of a file, and
# 'catfish bench' on all others at the same time.  Sourced by lib.sh, whose functions
# call these with --hosts.
#
# What is bounded in time: each command, on either side, by --limit.  The server ends
# when its standard input does, so also when the connection is lost.

hosts='' remote_shell="ssh -o BatchMode=yes -o ConnectTimeout=10"

cluster_options() { # for usage
	cat <<-END
	  --hosts FILE        runs on these hosts instead, one on each line: the server's
	                      first, with the address that it shall have, as in
	                      'server.example verbs://10.0.0.1:7471', then those of the
	                      clients; --programs is an absolute path on all of them.
	                      Their own lines are in hosts.json
	  --remote-shell CMD  starts a command on a host by CMD HOST COMMAND
	                      ($remote_shell)
	END
}

client_hosts=()
cluster_read() {
	local number=0 host address rest
	[ -r "$hosts" ] || fail 2 "--hosts: can't read '$hosts'"
	while read -r host address rest; do
		number=$((number + 1))
		case $host in
		'' | \#*) continue ;;
		-*) fail 2 "$hosts:$number: '$host' is not the name of a host" ;;
		esac
		if [ -z "${server_host:-}" ]; then
			case $address in
			verbs://* | tcp://* | shm://*) ;;
			*) fail 2 "$hosts:$number: the server's host needs an address, such as verbs://10.0.0.1:7471, not '$address'" ;;
			esac
			server_host=$host CATFISH_SERVER=$address address=
		else
			client_hosts+=("$host")
		fi
		[ -z "$address$rest" ] ||
			fail 2 "$hosts:$number: what is '${address:-$rest}'? a client's line has a host and nothing else, the server's a host and an address"
	done <"$hosts"
	[ ${#client_hosts[@]} -gt 0 ] ||
		fail 2 "$hosts: it names no host for clients; the first is the server's"
	rm -f "$out/hosts.json"
	case $programs in
	/*) ;;
	*) fail 2 "with --hosts, --programs is an absolute path on all hosts, not '$programs'" ;;
	esac
}

# remote HOST COMMAND: bounded here and there; what it says on errors has the host.
remote() {
	local status=0 errors=$work/errors.$BASHPID
	timeout --kill-after=5 $((limit + 20)) $remote_shell "$1" \
		"$(quoted timeout "$limit" sh -c "$2")" </dev/null \
		2>"$errors" || status=$?
	sed "s/^/$1: /" "$errors" >&2
	[ $status = 0 ] || fail 1 "host $1: '$2' ended with status $status"
}

quoted() {
	printf '%q ' "$@"
}

cluster_start_server() { # cluster_start_server OPTION...
	local command log=$work/server.log
	command="$(quoted timeout "$limit" "$programs/catfishd" --listen "$CATFISH_SERVER" "$@")"
	mkfifo "$work/hold"
	timeout --kill-after=5 $((limit + 20)) $remote_shell "$server_host" \
		"$command & server=\$!; cat >/dev/null; kill \$server; wait \$server" \
		<"$work/hold" >"$log" 2>&1 &
	server_pids=($!)
	exec 9>"$work/hold"
	await_server "$log" || {
		sed "s/^/$server_host: /" "$log" >&2
		fail 1 "host $server_host: catfishd did not start"
	}
}

cluster_stop_server() {
	exec 9>&-
	wait "${server_pids[0]}" || true
	server_pids=()
}

cluster_load_uniform() { # cluster_load_uniform COUNT SEED
	local catfish command
	catfish=$(quoted "$programs/catfish")
	command="$catfish generate uniform --count $1 --seed $2"
	command+=" | $catfish import - --server $(quoted "$CATFISH_SERVER")"
	remote "${client_hosts[0]}" "$command" >/dev/null
}

# Each policy by itself, so that all hosts are at the same one.
cluster_bench() { # cluster_bench OPTION VALUE...: as bench
	local policies=adaptive count=1 others=() policy
	while [ $# -gt 0 ]; do
		case $1 in
		--policy) policies=$2 ;;
		--clients) count=$2 ;;
		*) others+=("$1" "$2") ;;
		esac
		shift 2
	done
	case $CATFISH_SERVER in tcp://*) policies=messaging ;; esac
	for policy in ${policies//,/ }; do
		bench_on_all
	done
}

# The clients are divided among the hosts.
bench_on_all() {
	local hosts=${#client_hosts[@]} i pids=()
	((hosts <= count)) || hosts=$count
	for ((i = 0; i < hosts; i++)); do
		remote "${client_hosts[i]}" "$(quoted "$programs/catfish" bench \
			-o jsonl --server "$CATFISH_SERVER" --policy "$policy" \
			--clients $((count / hosts + (i < count % hosts))) \
			--seed $((i + 1)) "${others[@]}")" >"$work/bench.$i" &
		pids+=($!)
	done
	for ((i = 0; i < hosts; i++)); do
		wait "${pids[i]}" || fail 1 "a host has failed; see above"
		sed -i "s/^{/{\"host\":\"${client_hosts[i]}\",/" "$work/bench.$i"
	done
	cat "$work"/bench.* | tee -a "$out/hosts.json" | add_up
	rm "$work"/bench.*
}

# The rates of all hosts, of all rounds, as these were not the same moments; the
# latencies of the slowest.
add_up() {
	awk "$member"'
		function most(a, b) { return a + 0 > b + 0 ? a + 0 : b + 0 }
		{
			policy = member("policy")
			rate = member("ops_per_s") + 0
			clients += member("clients")
			all += rate
			by_message += rate * member("messaging_share")
			p50 = most(p50, member("p50_us"))
			p99 = most(p99, member("p99_us"))
		}
		END {
			printf "{\"policy\":\"%s\",\"clients\":%d,", policy, clients
			printf "\"ops_per_s_max\":%.3f,", all
			printf "\"p50_us\":%.3f,\"p99_us\":%.3f,", p50, p99
			printf "\"messaging_share\":%.3f}\n", \
				all ? by_message / all : 1
		}'
}
