# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154 # what lib.sh and the options set
#
# Micro-benchmarks: what one message, one READ, one node, one item, one insert and
# one decision take, as JSON lines; and the environments of catfish-sim that follow
# from them.  Sourced after lib.sh by what measures.
#
# A machine that others use, or a virtual one that its host moves about, is slower at
# one time than at another: measure several times, with what is to be compared in
# between, and believe the least.

in_leaf=40	   # items of the tree that is a single node
least_read=64	   # the root record
most_read=2944	   # a leaf
queries=20000	   # that visit nodes

# Servers: with nothing, with one leaf, and with a tree of $items.
micro_begin() {
	# soft-RoCE does its work on the same core, when the server's thread sleeps.
	spin=1ms
	[ "$on" = shm ] || spin=50us
	start_server --threads 1 --spin "$spin" --memory 64M
	empty_server=$CATFISH_SERVER
	start_server --threads 1 --spin "$spin" --memory 64M
	leaf_server=$CATFISH_SERVER
	load_uniform $in_leaf 1
	printf 'id,xmin,ymin,xmax,ymax\n1,0,0,1,1\n' >"$work/all.csv"
	start_server --threads 1 --spin "$spin" --memory 512M
	tree_server=$CATFISH_SERVER
	load_uniform "$items" 1
	# Points hardly ever find anything, but where they are in the middle of items.
	generate_queries points 1e-9 3
	generate_queries small 1e-5 2
	generate_queries large 1e-2 2
	awk -F, -v OFS=, -v count="$queries" 'NR == 1 { print }
		NR > 1 && NR <= count + 1 {
			x = ($2 + $4) / 2
			y = ($3 + $5) / 2
			printf "%d,%.12g,%.12g,%.12g,%.12g\n", $1, x, y, x, y
		}' "$work/items.csv" >"$work/hits.csv"
	count_queries points
	count_queries small
	count_queries large
	count_queries hits
	micro_say items "$items"
}

generate_queries() { # generate_queries NAME SCALE SEED
	"$programs/catfish" generate uniform --count "$queries" --seed "$3" \
		--scale "$2" >"$work/$1.csv"
}

count_queries() { # count_queries NAME: what they visit and find
	head -n 2000 "$work/$1.csv" | "$programs/catfish" query --queries - \
		--server "$local_server" --count --explain --offload mapped \
		2>&1 >"$work/counts" |
		awk -v name="$1" '
			/^nodes:/ { nodes += $2; n++ }
			/^found:/ { items += $2 }
			END {
				printf "{\"micro\":\"%s_nodes\",\"value\":%g}\n", name, nodes / n
				printf "{\"micro\":\"%s_items\",\"value\":%g}\n", name, items / n
			}'
}

# Each once more.
micro_run() {
	measure_messages
	measure_trees
	[ "$on" = shm ] || measure_link
}

micro_say() { # micro_say NAME VALUE
	printf '{"micro":"%s","value":%s}\n' "$1" "$2"
}

# micro NAME SERVER OPTION...: nanoseconds of an operation of one client.
# Where the processor was away for all of the time, or for so long that the server gave
# the client up, it is tried again.
micro() {
	local name=$1 server=$2 value
	shift 2
	for _ in {1..50}; do
		value=$(bench --server "$server" --rounds "$rounds" \
			--duration "${seconds}s" --warmup "$warmup" "$@" |
			field ops_per_s_max |
			awk '$1 > 0 { printf "%.1f", 1e9 / $1 }') || continue
		[ -z "$value" ] || break
	done
	[ -n "$value" ] || fail 1 "nothing was done in all rounds of $name"
	micro_say "$name" "$value"
}

measure_messages() {
	micro message "$empty_server" --policy messaging
	micro copy "$empty_server" --policy offload --offload copy
	micro uncached "$empty_server" --policy offload --offload copy --cache 0
	micro adaptive "$empty_server" --policy adaptive --offload copy
	micro message_leaf "$leaf_server" --policy messaging \
		--queries "$work/all.csv"
	measure_share
	[ "$on" = shm ] || return 0
	micro mapped "$empty_server" --policy offload --offload mapped
	micro adaptive_mapped "$empty_server" --policy adaptive --offload mapped
	micro mapped_leaf "$leaf_server" --policy offload --offload mapped \
		--queries "$work/all.csv"
}

# The part of a message that is the server's: its utilisation meanwhile.
measure_share() {
	local bench share
	bench --server "$empty_server" --policy messaging --rounds 1 \
		--duration "${seconds}s" --warmup 200ms >"$work/share" &
	bench=$!
	sleep "$(awk "BEGIN { print 0.2 + $seconds / 2 }")"
	share=$("$programs/catfish" stat -o jsonl --server "$empty_server" |
		field utilisation) || share=0
	wait "$bench" || return 0
	field ops_per_s <"$work/share" | awk -v share="$share" '$1 * share > 0 {
		printf "{\"micro\":\"server\",\"value\":%.1f}\n", share * 1e9 / $1 }'
}

# Small queries tell, in process, what a node takes, large ones what is left for an
# item; points what each node more takes a client, in place or looked up in its cache,
# or READ without one; and points in the middle of items what a leaf takes in which one is found.
measure_trees() {
	local set
	"$programs/catfish" generate uniform --count "$items" --seed 1 \
		>"$work/items.csv"
	for set in small large; do
		micro_say $set "$($clients_under "$programs/bench/rtree-bench" \
			--items "$work/items.csv" --queries "$work/$set.csv" \
			--phases bulk,dependent | grep dependent | field ns_per_op)"
	done
	micro points "$tree_server" --policy offload --offload copy \
		--queries "$work/points.csv"
	micro points_uncached "$tree_server" --policy offload --offload copy \
		--cache 0 --queries "$work/points.csv"
	if [ "$on" = shm ]; then
		micro points_mapped "$tree_server" --policy offload \
			--offload mapped --queries "$work/points.csv"
		micro hits_mapped "$tree_server" --policy offload \
			--offload mapped --queries "$work/hits.csv"
	fi
	start_changing
	micro insert "$CATFISH_SERVER" --policy messaging --mix insert=1
	stop_server
}

# A tree that may change.
start_changing() {
	start_server --threads 1 --spin "$spin" --memory 512M
	load_uniform "$items" 1
}

measure_link() {
	local size
	for size in $least_read $most_read; do
		micro_say "read_$size" "$($clients_under "$programs/bench/link-bench" \
			--address "verbs://$CATFISH_TEST_RDMA_ADDRESS:0" \
			--read "$size" | field median_us | awk '{ print 1000 * $1 }')"
	done
}

# --- Environments -----------------------------------------------------------

# micro_environments FOLDER: NAME.conf of what is on standard input.
micro_environments() {
	local name value
	declare -A least
	while read -r name value; do
		[ -n "${least[$name]:-}" ] &&
			awk "BEGIN { exit !($value >= ${least[$name]}) }" ||
			least[$name]=$value
	done < <(sed -n 's/^{"micro":"\(.*\)","value":\(.*\)}$/\1 \2/p')
	if [ "$on" = shm ]; then
		with_messages
		with_mapped
		write_environment "in mapped memory" >"$1/shm.conf"
		with_copy
		write_environment "by copy" >"$1/shm-copy.conf"
	else
		with_messages
		with_reads
		write_environment "by READ" >"$1/$on.conf"
	fi
}

calculate() {
	awk "BEGIN { x = $1; if (x < 0) x = 0; printf \"%.1f\", x }"
}

# What all have in common: messages, and the tree in process.
with_messages() {
	local most=${least[message]} share=${least[server]:-0}
	message_ns=$(calculate "$share < 0.9 * $most ? $share : 0.9 * $most")
	client_message_ns=$(calculate "$most - $message_ns")
	node_ns=$(calculate "${least[small]} / ${least[small_nodes]}")
	node_source="rtree-bench --phases dependent, scale 1e-5: ${least[small]} ns for ${least[small_nodes]} nodes"
	in_process_ns=$(calculate "(${least[large]} - $node_ns * ${least[large_nodes]}) / ${least[large_items]}")
	in_process_source="the same, scale 1e-2: ${least[large]} ns for ${least[large_nodes]} nodes and ${least[large_items]} items"
	item_ns=$(calculate "(${least[message_leaf]} - ${least[message]}) / $in_leaf")
	item_source="a message that finds all $in_leaf items of a leaf takes ${least[message_leaf]} ns, an empty one ${least[message]}"
	insert_ns=$(calculate "${least[insert]} - ${least[message]}")
	link_gbps=0 link_source="no link: unknown in heartbeats"
	depth=64 mapped=0
}

# An empty tree has one node, which is visited.
with_mapped() {
	mapped=1
	choose_ns=$(calculate "${least[adaptive_mapped]} - ${least[mapped]}")
	with_nodes mapped points_mapped
	client_item_ns=$(calculate "(${least[mapped_leaf]} - ${least[mapped]}) / $in_leaf")
	client_item_source="all $in_leaf items of a leaf, mapped, take ${least[mapped_leaf]} ns, an empty tree ${least[mapped]}"
	# Points that find something look into a leaf more.
	client_read_ns=$(calculate "${least[hits_mapped]} - ${least[points_mapped]} - $client_item_ns * ${least[hits_items]} - $client_node_ns * (${least[hits_nodes]} - ${least[points_nodes]})")
	client_read_source="${least[hits_mapped]} ns for points that find ${least[hits_items]} items and visit ${least[hits_nodes]} nodes, ${least[points_mapped]} for those of before"
	client_search_ns=$(calculate "${least[mapped]} - $client_node_ns")
	search_source="offloading takes ${least[mapped]} in an empty tree, which has a node"
	# What finding takes there is in the client's part of the message.
	item_ns=$(calculate "$item_ns - $client_item_ns")
}

# And it takes one READ by copy.
with_copy() {
	mapped=0
	choose_ns=$(calculate "${least[adaptive]} - ${least[copy]}")
	with_nodes copy points
	client_read_ns=$(calculate "(${least[points_uncached]} - ${least[uncached]}) / (${least[points_nodes]} - 1) - $node_ns")
	client_read_source="${least[points_uncached]} ns for points and ${least[points_nodes]} nodes without a cache, ${least[uncached]} in an empty tree; less the nodes"
	client_item_ns=$in_process_ns client_item_source=$in_process_source
	client_search_ns=$(calculate "${least[copy]} - $client_node_ns - $client_read_ns")
	search_source="offloading takes ${least[copy]} in an empty tree, which has a node and takes a READ"
}

with_nodes() { # with_nodes EMPTY POINTS
	client_node_ns=$(calculate "(${least[$2]} - ${least[$1]}) / (${least[points_nodes]} - 1)")
	client_node_source="${least[$2]} ns for points and ${least[points_nodes]} nodes, ${least[$1]} in an empty tree"
}

# The driver carries a READ out on the core of who posts it, and copies it there.
with_reads() {
	local short=${least[read_$least_read]} long=${least[read_$most_read]}
	choose_ns=$(calculate "${least[adaptive]} - ${least[copy]}")
	link_gbps=$(awk "BEGIN { printf \"%.3f\", 8 * ($most_read - $least_read) / ($long - $short) }")
	link_source="link-bench: a READ of $most_read bytes takes $long ns, one of $least_read $short"
	client_read_ns=$(calculate "$short - 8 * $least_read / $link_gbps")
	client_read_source="link-bench, without what the bytes take"
	client_node_ns=$node_ns client_node_source=$node_source
	search_source="offloading takes ${least[copy]} in an empty tree, which has a node and takes a READ"
	client_search_ns=$(calculate "${least[copy]} - $node_ns - $short")
	client_item_ns=$in_process_ns client_item_source=$in_process_source
	item_ns=$(calculate "$item_ns - 8 * 40 / $link_gbps - $client_item_ns")
	depth=128
}

write_environment() { # write_environment HOW
	cat <<-END
	# SPDX-License-Identifier: BSD-2-Clause
	# $on: clients on one core of a machine and the server, with one thread that looks for requests (--spin), on another; offloading $1.
	# README.md says what the names mean.
	#
	# Written by experiments/measure: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)$([ "$on" = shm ] || echo "; in a virtual machine on it, emulated").
	# Least of several rounds of each; operations by catfish bench with one client, whose own part in them is in "client".

	cores                1         # the server's
	threads              1         # --threads 1
	message_ns           $message_ns # a message to an empty tree takes ${least[message]}; by the server's utilisation then
	node_ns              $node_ns # $node_source
	item_ns              $item_ns # $item_source; less the client's part
	wake_ns              0         # in message_ns, where it doesn't poll
	push_back            64        # catfishd's default
	insert_ns            $insert_ns # a message that inserts into ${least[items]} items takes ${least[insert]}, one that searches an empty tree ${least[message]}
	heartbeat_ns         10000000  # catfishd's default
	heartbeat_cpu_ns     100       # assumed: one cache line written
	heartbeat_loss       0         # neither memory nor RC loses any
	one_way_ns           0         # in message_ns, client_message_ns and client_read_ns
	link_gbps            $link_gbps # $link_source
	client_link_gbps     0         # the same machine
	nic_message_ns       0         # no adapter
	mtu_bytes            4096      # no packets, or as large as that
	header_bytes         0         # in the time of a message or READ
	initiator_depth      $depth    # READs of one list
	responder_resources  $depth    # the same
	clients_per_host     1000000   # one machine
	host_cores           1         # the other core
	client_slice_ns      $([ "$on" = shm ] && echo "3000000 # the kernel's base slice (kernel/sched/fair.c)" || echo "0 # a message takes longer than clients look for its answer before they sleep")
	client_choose_ns     $choose_ns # what adaptive takes more than offload, in an empty tree
	client_message_ns    $client_message_ns # the rest of a message
	client_wake_ns       0         # in client_message_ns, where it doesn't poll
	client_search_ns     $client_search_ns # $search_source
	client_read_ns       $client_read_ns # $client_read_source
	client_node_ns       $client_node_ns # $client_node_source
	client_item_ns       $client_item_ns # $client_item_source
	offload              1         # it can
	mapped               $mapped   # offloading is $1
	shared_host          0         # the cores are separate
	END
}
