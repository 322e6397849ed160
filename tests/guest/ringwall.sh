# SPDX-License-Identifier: MIT
#
# Steps that scenarios about the product share. `needs: ringwall` brings the files.

# start_monitor: from a kernel without Ringwall to one inside it.
start_monitor() {
	check "the driver loads" insmod ringwall.ko
	check "the monitor image loads" ringwall monitor load --trust trust monitor.elf
	check "every CPU enters the monitor" ringwall monitor enable
}

# arm POLICY: start_monitor, and policy/POLICY.rwp in force.
arm() {
	start_monitor
	check "the signed policy $1 is in force" ringwall policy load "policy/$1.rwp"
}

# arm_if_asked POLICY: for a scenario with the cases ringwall=absent,armed.
arm_if_asked() {
	case $RINGWALL in
	armed) arm "$1" ;;
	*) refuse "Ringwall is absent" test -e /dev/ringwall ;;
	esac
}

# attack WHAT [CPU] [OPTION=VALUE...]: tries it and prints what came of it.
attack() {
	attack_what=$1
	attack_cpu=${2:-0}
	[ $# -lt 2 ] || shift
	shift
	insmod attack/attack.ko what="$attack_what" cpu="$attack_cpu" "$@" >/tmp/insmod 2>&1 ||
		cat /tmp/insmod
	rmmod attack
	dmesg | sed -n 's/.*ATTACK /ATTACK /p' | tail -n 1
}

# attack_works WHAT [CPU]: nothing stops it. The module puts the byte back.
attack_works() {
	came=$(attack "$@")
	case $came in
	*"what=$1 cpu=${2:-0} "*changed=1*) ok "the attack $1 works from CPU ${2:-0}" ;;
	*) fail "the attack $1 works from CPU ${2:-0} ($came)" ;;
	esac
}

# attack_blocked WHAT [CPU]: nothing changes and the attacker is killed.
attack_blocked() {
	expect_oops
	came=$(attack "$@")
	case $came in
	*"what=$1 cpu=${2:-0} "*changed=0*killed=1*)
		ok "the attack $1 from CPU ${2:-0} is blocked and its thread killed" ;;
	*) fail "the attack $1 from CPU ${2:-0} is blocked ($came)" ;;
	esac
}

# status_value KEY: the first value of that name in `ringwall status -o json`.
status_value() {
	ringwall status -o json | sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" |
		head -n 1
}

# exits_with SENTENCE STATUS COMMAND...: the command ends with just that status.
exits_with() {
	sentence=$1
	wanted=$2
	shift 2
	"$@" >/tmp/said 2>&1
	status=$?
	equal "$sentence" "$wanted" "$status"
	sed 's/^/# /' /tmp/said
}

# says TEXT: the command of the last exits_with named the cause.
says() {
	check "its message says '$1'" grep -qi -- "$1" /tmp/said
}

# events: takes the monitor's records so far into /tmp/events.
events() {
	ringwall events >>/tmp/events
}

# reported CODE TEXT...: an event with this code and all these texts was taken.
reported() {
	grep "\"$1\"" /tmp/events >/tmp/found || return 1
	shift
	for text in "$@"; do
		grep -- "$text" /tmp/found >/tmp/found.next || return 1
		mv /tmp/found.next /tmp/found
	done
}
