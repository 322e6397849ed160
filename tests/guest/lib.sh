# SPDX-License-Identifier: MIT
#
# What a scenario's guest script may use. Every check prints one line that the host
# counts; a sentence says what is true when the check passes.

# Bochs multiplies wrongly with ADX, so OpenSSL finds keys off their curve.
export OPENSSL_ia32cap=:~0x80000

checks=0

ok() {
	checks=$((checks + 1))
	echo "ok - $*"
}

fail() {
	checks=$((checks + 1))
	echo "not ok - $*"
}

# note TEXT: for the log only.
note() {
	echo "# $*"
}

# die TEXT: the rest makes no sense; the scenario fails.
die() {
	fail "$*"
	finish
}

# check SENTENCE COMMAND...: the command succeeds. Its output shows when it does not.
check() {
	sentence=$1
	shift
	if "$@" >/tmp/check 2>&1; then
		ok "$sentence"
	else
		fail "$sentence (status $?: $*)"
		sed 's/^/# /' /tmp/check
	fi
}

# refuse SENTENCE COMMAND...: the command fails, and is not killed.
refuse() {
	sentence=$1
	shift
	"$@" >/tmp/check 2>&1
	status=$?
	if [ $status -gt 0 ] && [ $status -lt 126 ]; then
		ok "$sentence"
	else
		fail "$sentence (status $status: $*)"
		sed 's/^/# /' /tmp/check
	fi
}

# equal SENTENCE WANTED GOT
equal() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1 (wanted '$2', got '$3')"
	fi
}

# expect_oops [N]: the kernel may kill N tasks of ours (default 1), not one fewer.
expect_oops() {
	echo "oops expected ${1:-1}"
}

# symbol NAME: its address as the kernel reports it.
symbol() {
	sed -n "/ $1\$/{s/ .*//p;q}" /proc/kallsyms
}

# network: brings up eth0; the host is 10.0.2.2.
network() {
	insmod /modules/8390.ko
	insmod /modules/ne2k-pci.ko
	ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
}

# end_by COMMAND...: ends the script and the guest, for a scenario that says how it
# `ends:`. What was printed so far needs a moment to get out.
end_by() {
	echo "end $checks"
	sleep 1
	"$@"
	sleep 30
	exit 1
}

# finish: ends the script; the host takes a run without it for a failure.
finish() {
	echo "end $checks"
	exit 0
}
