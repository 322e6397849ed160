# SPDX-License-Identifier: MIT
#
# Work for the host. `needs: load` brings the programs.

# mixed_load WORKERS: all kinds of work at once, WORKERS processes of each, always
# the same operations; what witness says of it goes to /tmp/load.
mixed_load() {
	mkdir -p /tmp/work
	mount -t tmpfs work /tmp/work
	check "the host does its work" sh -c "witness stress-ng --quiet --seed 1 --temp-path /tmp/work \
		--fork $1 --fork-ops $((60 * $1)) \
		--mmap $1 --mmap-ops $((2 * $1)) --mmap-bytes $((2 * $1))m \
		--pipe $1 --pipe-ops $((4000 * $1)) \
		--switch $1 --switch-ops $((4000 * $1)) \
		--hdd $1 --hdd-ops $((80 * $1)) --hdd-bytes $((4 * $1))m \
		--timer $1 --timer-freq 1000 --timer-ops $((200 * $1)) \
		--sigq $1 --sigq-ops $((1500 * $1)) >/tmp/load"
	umount /tmp/work
}

# of_load CPU KEY: a value of what witness said.
of_load() {
	sed -n "s/^cpu$1\.$2 //p" /tmp/load
}
