# SPDX-License-Identifier: MIT
#
# What a scenario's NAME.host may use. The file defines some of prepare, start and
# check; each is called with the environment described in scenario.py.

prepare() { :; }
start() { :; }
check() { :; }

# true_that SENTENCE COMMAND...: one check, counted with the guest's.
true_that() {
	sentence=$1
	shift
	if "$@" >/dev/null 2>&1; then
		echo "ok - $sentence"
	else
		echo "not ok - $sentence"
	fi
}

# start_rsyslogd: the distribution's rsyslogd on the loopback, UDP and TCP port
# PORT. What it receives it writes, as it parsed it, to RUN/received.
start_rsyslogd() {
	cat >"$RUN/rsyslog.conf" <<-CONF
		module(load="imudp")
		module(load="imtcp")
		input(type="imudp" address="127.0.0.1" port="$PORT" ruleset="in")
		input(type="imtcp" address="127.0.0.1" port="$PORT" ruleset="in")
		template(name="line" type="string"
			string="%syslogseverity% %app-name% %msgid% %structured-data% %msg%\n")
		ruleset(name="in") {
			action(type="omfile" file="$RUN/received" template="line")
		}
	CONF
	rsyslogd -n -f "$RUN/rsyslog.conf" -i "$RUN/rsyslogd.pid" \
		>"$RUN/rsyslogd.log" 2>&1 &
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ ! -s "$RUN/rsyslogd.pid" ] || return 0
		sleep 1
	done
	echo "not ok - rsyslogd starts on the host"
}

# received PATTERN: rsyslogd wrote a line that fits within some seconds.
received() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		! grep -qsE -- "$1" "$RUN/received" || return 0
		sleep 1
	done
	return 1
}

. "$1"
"$2"
