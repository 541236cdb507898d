# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the scripts of this folder share: where the tree is, how they speak, and
# how they install what is missing.  To be read by bash, with 'set -u'.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
	printf '%s\n' "$*"
}

complain() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# packages_for PURPOSE...: the packages listed for them.
packages_for() {
	local purpose
	for purpose; do
		sed -n "s/^$purpose: //p" "$top/scripts/packages"
	done | tr ' ' '\n' | sort -u
}

package_is_installed() {
	[[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]]
}

missing_packages() { # missing_packages PURPOSE...
	local package
	for package in $(packages_for "$@"); do
		package_is_installed "$package" || echo "$package"
	done
}

# Runs a command as root: directly, or by sudo, which may ask for a password
# only where someone can answer.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
		-o Dpkg::Options::=--force-confdef \
		-o Dpkg::Options::=--force-confold \
		--no-install-recommends "$@" </dev/null
}

# A terminal is told all the time how far a step is; a log after so many
# seconds, and then again and again.
first_report_s=15 report_every_s=15

# with_progress WHAT LOG COMMAND...: runs the command with its output in the
# file LOG, says that it is still at it, and at the end how long it took.
# Returns its status.
with_progress() {
	local what=$1 log=$2 begin=$SECONDS status=0 due=$first_report_s
	shift 2

	"$@" >"$log" 2>&1 &
	running=$!
	while kill -0 "$running" 2>/dev/null; do
		sleep 0.2
		if [ -t 1 ]; then
			show_live "$what: $((SECONDS - begin)) s" "$log"
		elif ((SECONDS - begin >= due)); then
			say "    $what: $((SECONDS - begin)) s ..."
			due=$((SECONDS - begin + report_every_s))
		fi
	done
	wait "$running" || status=$?
	running=''
	[ ! -t 1 ] || printf '\r\033[K'
	if [ "$status" = 0 ]; then
		say "    $what: done in $((SECONDS - begin)) s"
	else
		say "    $what: failed after $((SECONDS - begin)) s (see $log)"
	fi
	return "$status"
}

# show_live TEXT LOG: the text and what the log says last, in one line.
show_live() {
	local line
	line="    $1  $(tail -c 200 "$2" 2>/dev/null | tail -n 1 |
		tr -cd '[:print:]')"
	printf '\r%s\033[K' "${line:0:$((${COLUMNS:-80} - 1))}"
}

# An interrupt ends what with_progress is running, too, and what runs beside it.
running='' beside=''
trap 'kill $running $beside 2>/dev/null; exit 130' INT TERM

# install_packages LOG PURPOSE...: installs those that are missing.  Fails with
# their names when it can't.
install_packages() {
	local log=$1 missing
	shift
	if ! command -v dpkg-query >/dev/null; then
		say "No Debian packages here; using what is installed."
		return 0
	fi
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if ! as_root true 2>/dev/null; then
		complain "these packages are missing, and only root can" \
			"install them: ${missing[*]}"
		return 1
	fi
	say "Installing ${#missing[@]} packages: ${missing[*]}"
	with_progress "package lists" "$log" apt_get update ||
		say "    going on with the package lists that are here"
	with_progress "packages" "$log" apt_get install "${missing[@]}" &&
		return 0
	tail -n 20 "$log" >&2
	complain "could not install: ${missing[*]}"
	return 1
}
