#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What catfishd refuses at the start: with one clear line, and the exit status
# that goes with it.  Prints TAP.

catfishd=${CATFISHD:-${top_builddir:-.}/catfishd}
folder=$(mktemp -d "${TMPDIR:-/tmp}/catfish-test-XXXXXX") || exit 99
server= n=0 bad=0
trap 'end_server; rm -rf "$folder"' EXIT

ok() { # ok NAME: of what was just checked
	n=$((n + 1))
	echo "ok $n - $1"
}

not_ok() { # not_ok NAME WHY
	n=$((n + 1)) bad=1
	echo "not ok $n - $1"
	echo "# $2"
	sed 's/^/# /' "$folder/err"
}

# refused NAME STATUS WORDS OPTION...: ends by itself, with that status and
# these words on standard error, and nothing on standard output
refused() {
	name=$1 status=$2 words=$3
	shift 3
	timeout 60 "$catfishd" "$@" >"$folder/out" 2>"$folder/err" </dev/null
	got=$?
	if [ $got -ne "$status" ]; then
		not_ok "$name" "status $got, not $status"
	elif ! grep -q -e "$words" "$folder/err"; then
		not_ok "$name" "no word of '$words'"
	elif [ -s "$folder/out" ]; then
		not_ok "$name" "said: $(cat "$folder/out")"
	else
		ok "$name"
	fi
}

# start OPTION...: a server that gets ready
start_server() {
	# Not by the server alone, which may be late: no earlier one is ready.
	: >"$folder/ready"
	"$catfishd" "$@" >"$folder/ready" 2>"$folder/log" &
	server=$!
	tries=0
	until grep -q '^catfishd ready: ' "$folder/ready"; do
		tries=$((tries + 1))
		if [ $tries -gt 600 ]; then
			cp "$folder/log" "$folder/err"
			not_ok "starts: $*" "not ready after a minute"
			break
		fi
		sleep 0.1
	done
}

end_server() {
	[ "$server" ] || return 0
	kill -TERM "$server" 2>/dev/null
	wait "$server"
	ended=$?
	server=
}

shm=shm://$folder/sock
region=$folder/items.region

# --- The command line ---------------------------------------------------------
refused "no address is a usage error" 2 '--listen'
refused "an unknown option is a usage error" 2 "unknown option '--frob'" \
	--listen "$shm" --frob
refused "an unknown short option is one" 2 "unknown option '-x'" -x
refused "an argument that is no option is one" 2 "'extra'" \
	--listen "$shm" extra
refused "an option without its value is one" 2 "--memory needs a value" \
	--listen "$shm" --memory
refused "an address of no fabric is one" 2 "carrier://pigeon" \
	--listen carrier://pigeon
# No RDMA device has this address, and a build may have no verbs fabric.
refused "an address of no RDMA device is one" 2 "verbs://127.0.0.1:7000\|RDMA" \
	--listen verbs://127.0.0.1:7000
refused "a port must be one" 2 "70000" --listen tcp://127.0.0.1:70000
for value in 0 -1 2x 100000; do
	refused "--threads $value is refused" 2 "--threads" \
		--listen "$shm" --threads "$value"
done
for value in 0 5min -1ms 10us 2000s; do
	refused "--lease $value is refused" 2 "--lease" \
		--listen "$shm" --lease "$value"
	refused "--heartbeat $value is refused" 2 "--heartbeat" \
		--listen "$shm" --heartbeat "$value"
done
for value in 5min -1ms 2s; do
	refused "--spin $value is refused" 2 "--spin" \
		--listen "$shm" --spin "$value"
done
for value in 0 1001 many; do
	refused "--max-clients $value is refused" 2 "--max-clients" \
		--listen "$shm" --max-clients "$value"
done
for value in 0 100K; do
	refused "--max-memory-per-client $value is refused" 2 \
		"--max-memory-per-client" \
		--listen "$shm" --max-memory-per-client "$value"
done
for value in 999 u+w 01000 ''; do
	refused "--socket-mode '$value' is refused" 2 "--socket-mode" \
		--listen "$shm" --socket-mode "$value"
done
for value in 1K 64Q 100000G; do
	refused "--memory $value is refused" 2 "--memory" \
		--listen "$shm" --memory "$value"
done
refused "--no-save without a region is refused" 2 "--no-save" \
	--listen "$shm" --no-save

# --- Files ----------------------------------------------------------------------
refused "a region in a missing folder is refused" 2 "no/such" \
	--listen "$shm" --region "$folder/no/such/region"
echo "This is a letter, not a region." >"$folder/letter"
refused "a file that is no region is refused" 6 "letter" \
	--listen "$shm" --region "$folder/letter"
: >"$folder/nothing"
refused "an empty file is no region" 6 "nothing" \
	--listen "$shm" --region "$folder/nothing"

start_server --listen "$shm" --listen tcp://127.0.0.1:0 --region "$region" \
	--memory 16M --socket-mode 0640
cp "$folder/ready" "$folder/err"
if [ "$(wc -l <"$folder/ready")" -eq 1 ] &&
	grep -q "^catfishd ready: $shm tcp://127.0.0.1:[1-9][0-9]* items=0 version=1 memory=16.0MiB pages=[24][MK]iB threads=[1-9][0-9]* lease=50ms region=$region (saved at SIGTERM; .* lost if killed)\$" "$folder/ready"; then
	ok "one line says that it is ready"
else
	not_ok "one line says that it is ready" "but not like this:"
fi
case $(stat -c %a "$folder/sock") in
640) ok "the socket has the mode that was asked for" ;;
*) not_ok "the socket has the mode that was asked for" "$(ls -l "$folder")" ;;
esac
port=$(sed 's,.*tcp://127.0.0.1:\([0-9]*\) .*,\1,' "$folder/ready")
refused "a socket in use is refused" 4 "in use" --listen "$shm"
refused "a port in use is refused" 4 "in use" \
	--listen "tcp://127.0.0.1:$port"
refused "a region in use is refused" 4 "in use" \
	--listen "shm://$folder/other" --region "$region"
end_server
cp "$folder/log" "$folder/err"
if [ "$ended" -eq 0 ] && [ ! -e "$folder/sock" ] && [ -s "$region" ]; then
	ok "it ends with 0, without its socket and with its region"
else
	not_ok "it ends with 0, without its socket and with its region" "$ended"
fi

size=$(stat -c %s "$region")
head -c $((size - 1)) "$region" >"$folder/short"
refused "a truncated region is refused" 6 "short" \
	--listen "$shm" --region "$folder/short"

start_server --listen tcp://0.0.0.0:0 --memory 16M
cp "$folder/log" "$folder/err"
if grep -q 'warn.*no authentication' "$folder/log"; then
	ok "listening beyond loopback warns that there is no authentication"
else
	not_ok "listening beyond loopback warns that there is no authentication"
fi
end_server

echo "1..$n"
exit $bad
