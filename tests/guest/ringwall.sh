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

# status_has TEXT: the monitor itself says so.
status_has() {
	ringwall status -o json >/tmp/status || return 1
	grep -q -- "$1" /tmp/status
}
