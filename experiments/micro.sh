# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154 # what lib.sh and the options set
#
# Micro-benchmarks: what one message, one READ, one node, one item, one insert and
# one decision take, as JSON lines; and the environments of catfish-sim that follow
# from them.  Sourced after lib.sh by what measures.
#
# A machine that others use is slower at one time than at another: each is measured in
# several rounds, of which the best counts.  A virtual one that its host moves about is
# so for seconds: all are measured again and again, with what is to be compared in
# between, and the median of these passes counts.

in_leaf=40	   # items of the tree that is a single node
crowd=16	   # clients that share a core
slice_ns=3000000   # the kernel's base slice (kernel/sched/fair.c)
least_read=64	   # the root record
most_read=2944	   # a leaf
queries=20000	   # that visit nodes
settle=1s	   # before searches beside inserts are timed

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
micro() {
	local name=$1 server=$2
	shift 2
	micro_each "$name" --server "$server" "$@"
}

# micro_each NAMES OPTION...: of several servers or policies, which take turns.
micro_each() {
	local names=$1
	shift
	micro_try "$names" ops_per_s_max '1e9 / $1' --rounds "$rounds" \
		--warmup "$warmup" "$@"
}

# micro_search NAME SERVER OPTION...: nanoseconds of a search for a point by offloading,
# whatever else is done, once what is written again and again is where this client has
# looked before.
micro_search() {
	local name=$1 server=$2
	shift 2
	micro_try "$name" offload_us '1000 * $1' --server "$server" --rounds 1 \
		--warmup "$settle" --policy offload --queries "$work/points.csv" "$@"
}

# micro_try NAMES FIELD VALUE OPTION...: what awk makes of a field of bench, of each of
# its lines.
# Where the processor was away for all of the time, or for so long that the server gave
# the client up, it is tried again.
micro_try() {
	local names field=$2 how=$3 values i
	read -ra names <<<"$1"
	shift 3
	for _ in {1..50}; do
		mapfile -t values < <(bench --duration "${seconds}s" "$@" |
			field "$field" |
			awk '$1 + 0 > 0 { printf "%.1f\n", '"$how"' }')
		((${#values[@]} != ${#names[@]})) || break
	done
	((${#values[@]} == ${#names[@]})) ||
		fail 1 "nothing was done in all rounds of ${names[*]}"
	for i in "${!names[@]}"; do
		micro_say "${names[i]}" "${values[i]}"
	done
}

# Messages that are compared with each other take turns.
measure_messages() {
	if [ "$on" = shm ]; then
		micro_each "message catfish points_message points_catfish" \
			--server "$empty_server" --server "$tree_server" \
			--policy messaging,catfish --queries "$work/points.csv"
		micro crowd "$empty_server" --policy messaging --clients $crowd
	else
		micro message "$empty_server" --policy messaging
	fi
	micro copy "$empty_server" --policy offload --offload copy
	micro uncached "$empty_server" --policy offload --offload copy --cache 0
	micro adaptive "$empty_server" --policy adaptive --offload copy
	micro message_leaf "$leaf_server" --policy messaging \
		--queries "$work/all.csv"
	measure_share
	[ "$on" = shm ] || return 0
	micro copy_leaf "$leaf_server" --policy offload --offload copy \
		--queries "$work/all.csv"
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
# item; points what each node more takes the server beside its messages, and a client,
# in place or looked up in its cache, or READ without one; and points in the middle of
# items what a leaf takes in which one is found.
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
		micro hits_message "$tree_server" --policy messaging \
			--queries "$work/hits.csv"
		micro points_mapped "$tree_server" --policy offload \
			--offload mapped --queries "$work/points.csv"
		micro hits_mapped "$tree_server" --policy offload \
			--offload mapped --queries "$work/hits.csv"
		micro hits "$tree_server" --policy offload --offload copy \
			--queries "$work/hits.csv"
		measure_changes
	fi
	start_changing
	micro insert "$CATFISH_SERVER" --policy messaging --mix insert=1 \
		--warmup "$settle"
	stop_server
}

# Points where each second operation is an insert, beside those where nothing changes.
# Only the searches are timed.
measure_changes() {
	local way
	start_changing
	for way in mapped copy; do
		micro_search "still_$way" "$tree_server" --offload $way
		micro_search "changing_$way" "$CATFISH_SERVER" --offload $way \
			--mix search=1,insert=1
	done
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
	declare -A took
	while read -r name value; do
		took[$name]=$value
	done < <(sed -n 's/^{"micro":"\(.*\)","value":\(.*\)}$/\1 \2/p' | medians)
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

# NAME VALUE on each line: of each name the median.
medians() {
	sort -k1,1 -k2,2g | awk '
		function finish() {
			if (n)
				printf "%s %.10g\n", last, \
					(value[int((n + 1) / 2)] + value[int(n / 2) + 1]) / 2
		}
		$1 != last { finish(); last = $1; n = 0 }
		{ value[++n] = $2 }
		END { finish() }'
}

calculate() {
	awk "BEGIN { x = $1; if (x < 0) x = 0; printf \"%.1f\", x }"
}

# What all have in common: messages, and the tree in process.
with_messages() {
	local most=${took[message]} share=${took[server]:-0}
	share=$(calculate "$share < 0.9 * $most ? $share : 0.9 * $most")
	client_message_ns=$(calculate "$most - $share")
	in_process_node_ns=$(calculate "${took[small]} / ${took[small_nodes]}")
	in_process_ns=$(calculate "(${took[large]} - $in_process_node_ns * ${took[large_nodes]}) / ${took[large_items]}")
	in_process_source="rtree-bench, scale 1e-2: ${took[large]} ns for ${took[large_nodes]} nodes and ${took[large_items]} items"
	found_ns=$(calculate "(${took[message_leaf]} - $most) / $in_leaf")
	item_source="a message that finds all $in_leaf items of a leaf takes ${took[message_leaf]} ns, an empty one $most"
	if [ "$on" = shm ]; then
		with_visits
	else
		node_ns=$in_process_node_ns
		node_source="rtree-bench --phases dependent, scale 1e-5: ${took[small]} ns for ${took[small_nodes]} nodes"
		leaf_ns=0 leaf_source="in item_ns"
		ask_ns=$(calculate "${took[adaptive]} - ${took[copy]}")
		ask_source="as client_choose_ns"
		switch_ns=0 switch_source="no slices"
	fi
	# An empty tree has a node, which is visited.
	message_ns=$(calculate "$share - $node_ns")
	insert_ns=$(calculate "${took[insert]} - ${took[message]}")
	link_gbps=0 link_source="no link: unknown in heartbeats"
	depth=64 mapped=0
}

# What a message takes more that visits nodes, or finds something; or that was chosen.
with_visits() {
	node_ns=$(calculate "(${took[points_message]} - ${took[message]}) / (${took[points_nodes]} - 1)")
	node_source="a message for points takes ${took[points_message]} ns and visits ${took[points_nodes]} nodes, one to an empty tree ${took[message]}"
	leaf_ns=$(leaf_of message "$found_ns" "$node_ns")
	leaf_source=$(leaf_source_of message)
	ask_ns=$(calculate "${took[catfish]} - ${took[message]}")
	ask_source="what catfish takes more than messaging, in an empty tree: ${took[catfish]} ns"
	switch_ns=$(calculate "$slice_ns * (1 - ${took[message]} / ${took[crowd]})")
	switch_source="by messages to an empty tree: of $crowd clients one takes ${took[crowd]} ns, alone ${took[message]}"
}

# Points that find something look into a leaf more, and visit some nodes more.
leaf_of() { # leaf_of WAY ITEM_NS NODE_NS
	calculate "${took[hits_$1]} - ${took[points_$1]} - $2 * ${took[hits_items]} - $3 * (${took[hits_nodes]} - ${took[points_nodes]})"
}

leaf_source_of() { # leaf_source_of WAY
	echo "${took[hits_$1]} ns for points that find ${took[hits_items]} items and visit ${took[hits_nodes]} nodes, ${took[points_$1]} for those of before; less nodes and items"
}

# An empty tree has one node, which is visited.
with_mapped() {
	mapped=1
	choose_ns=$(calculate "${took[adaptive_mapped]} - ${took[mapped]}")
	with_nodes mapped points_mapped
	client_item_ns=$(calculate "(${took[mapped_leaf]} - ${took[mapped]}) / $in_leaf")
	client_item_source="all $in_leaf items of a leaf, mapped, take ${took[mapped_leaf]} ns, an empty tree ${took[mapped]}"
	client_leaf_ns=$(leaf_of mapped "$client_item_ns" "$client_node_ns")
	client_leaf_source=$(leaf_source_of mapped)
	client_read_ns=0 client_read_source="no READs"
	with_changes mapped
	client_search_ns=$(calculate "${took[mapped]} - $client_node_ns")
	search_source="offloading takes ${took[mapped]} in an empty tree, which has a node"
	# What finding takes there is in the client's part of the message.
	item_ns=$(calculate "$found_ns - $client_item_ns")
}

# And it takes one READ by copy.
with_copy() {
	mapped=0
	choose_ns=$(calculate "${took[adaptive]} - ${took[copy]}")
	took[points_copy]=${took[points]} took[hits_copy]=${took[hits]}
	with_nodes copy points_copy
	client_read_ns=$(calculate "(${took[points_uncached]} - ${took[uncached]}) / (${took[points_nodes]} - 1) - $in_process_node_ns")
	client_read_source="${took[points_uncached]} ns for points and ${took[points_nodes]} nodes without a cache, ${took[uncached]} in an empty tree; less the nodes"
	client_item_ns=$(calculate "(${took[copy_leaf]} - ${took[copy]} - $client_read_ns) / $in_leaf")
	client_item_source="all $in_leaf items of a leaf, by copy, take ${took[copy_leaf]} ns and a READ, an empty tree ${took[copy]}"
	client_leaf_ns=$(calculate "$(leaf_of copy "$client_item_ns" "$client_node_ns") - $client_read_ns")
	client_leaf_source="$(leaf_source_of copy), and its READ"
	with_changes copy
	item_ns=$(calculate "$found_ns - $client_item_ns")
	client_search_ns=$(calculate "${took[copy]} - $client_node_ns - $client_read_ns")
	search_source="offloading takes ${took[copy]} in an empty tree, which has a node and takes a READ"
}

# Half of the searches there come after an insert, and find all nodes of their way new;
# but for the leaf they are READ, which is counted by itself.
with_changes() { # with_changes WAY
	local nodes=${took[points_nodes]}
	client_fresh_ns=$(calculate "(2 * (${took[changing_$1]} - ${took[still_$1]}) - ($nodes - 1) * $client_read_ns) / $nodes")
	client_fresh_source="a search for points takes ${took[still_$1]} ns, and ${took[changing_$1]} where every second operation is an insert"
}

with_nodes() { # with_nodes EMPTY POINTS
	client_node_ns=$(calculate "(${took[$2]} - ${took[$1]}) / (${took[points_nodes]} - 1)")
	client_node_source="${took[$2]} ns for points and ${took[points_nodes]} nodes, ${took[$1]} in an empty tree"
}

# The driver carries a READ out on the core of who posts it, and copies it there.
with_reads() {
	local short=${took[read_$least_read]} long=${took[read_$most_read]}
	choose_ns=$(calculate "${took[adaptive]} - ${took[copy]}")
	link_gbps=$(awk "BEGIN { printf \"%.3f\", 8 * ($most_read - $least_read) / ($long - $short) }")
	link_source="link-bench: a READ of $most_read bytes takes $long ns, one of $least_read $short"
	client_read_ns=$(calculate "$short - 8 * $least_read / $link_gbps")
	client_read_source="link-bench, without what the bytes take"
	client_node_ns=$node_ns client_node_source=$node_source
	client_leaf_ns=0 client_leaf_source="in client_item_ns"
	client_fresh_ns=0 client_fresh_source="assumed: a new node takes its READ and no more"
	search_source="offloading takes ${took[copy]} in an empty tree, which has a node and takes a READ"
	client_search_ns=$(calculate "${took[copy]} - $node_ns - $short")
	client_item_ns=$in_process_ns client_item_source=$in_process_source
	item_ns=$(calculate "$found_ns - 8 * 40 / $link_gbps - $client_item_ns")
	depth=128
}

write_environment() { # write_environment HOW
	cat <<-END
	# SPDX-License-Identifier: BSD-2-Clause
	# $on: clients on one core of a machine and the server, with one thread that looks for requests (--spin), on another; offloading $1.
	# README.md says what the names mean.
	#
	# Written by experiments/measure: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)$([ "$on" = shm ] || echo "; in a virtual machine on it, emulated").
	# Of each the best of several rounds, and of several such passes the median; operations by catfish bench with one client, whose own part in them is in "client".

	cores                1         # the server's
	threads              1         # --threads 1
	message_ns           $message_ns # a message to an empty tree takes ${took[message]}; by the server's utilisation then
	node_ns              $node_ns # $node_source
	leaf_ns              $leaf_ns # $leaf_source
	item_ns              $item_ns # $item_source; less the client's part
	wake_ns              0         # in message_ns, where it doesn't poll
	push_back            64        # catfishd's default
	insert_ns            $insert_ns # a message that inserts into ${took[items]} items takes ${took[insert]}, one that searches an empty tree ${took[message]}
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
	client_slice_ns      $([ "$on" = shm ] && echo "$slice_ns # the kernel's base slice (kernel/sched/fair.c)" || echo "0 # a message takes longer than clients look for its answer before they sleep")
	client_switch_ns     $switch_ns # $switch_source
	client_ask_ns        $ask_ns # $ask_source
	client_choose_ns     $choose_ns # what adaptive takes more than offload, in an empty tree
	client_message_ns    $client_message_ns # the rest of a message
	client_wake_ns       0         # in client_message_ns, where it doesn't poll
	client_search_ns     $client_search_ns # $search_source
	client_read_ns       $client_read_ns # $client_read_source
	client_leaf_ns       $client_leaf_ns # $client_leaf_source
	client_node_ns       $client_node_ns # $client_node_source
	client_fresh_ns      $client_fresh_ns # $client_fresh_source
	client_item_ns       $client_item_ns # $client_item_source
	offload              1         # it can
	mapped               $mapped   # offloading is $1
	shared_host          0         # the cores are separate
	END
}
