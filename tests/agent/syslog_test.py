#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real rsyslogd reads what ringwalld sends, over UDP, TCP and a local socket.

syslog_test.py RINGWALLD_WITH_FAKE_DEVICE SCHEMA
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

try:
    import jsonschema
except ImportError:
    jsonschema = None

WAIT = 60  # seconds until something that must happen is given up

RSYSLOG = """
global(workDirectory="{dir}" maxMessageSize="64k")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" SysSock.Use="off")
module(load="mmjsonparse")
module(load="mmpstrucdata")
template(name="all" type="list") {{
    property(name="$!")
    constant(value="\\n")
}}
{rulesets}
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="udp")
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="tcp")
input(type="imuxsock" socket="{dir}/log" useSpecialParser="off"
      parseHostname="on" usePIDFromSystem="off" createPath="off" ruleset="unix")
"""

RULESET = """
ruleset(name="{name}") {{
    action(type="mmpstrucdata")
    action(type="mmjsonparse" container="$!cee")
    set $!parsed = $parsesuccess;
    set $!pri = $pri;
    set $!host = $hostname;
    set $!app = $app-name;
    set $!msgid = $msgid;
    set $!protocol = $protocol-version;
    action(type="omfile" file="{dir}/{name}.out" template="all")
}}
"""

RINGWALLD = """
hostname: web-017
state: {dir}/chain
symbols: false
outputs:
- {{type: json, path: {dir}/events.json}}
- {{type: syslog, transport: udp, host: 127.0.0.1, port: {udp}}}
- {{type: syslog, transport: tcp, host: localhost, port: {tcp}}}
- {{type: syslog, transport: unix, path: {dir}/log}}
"""


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, done):
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if done():
            return
        time.sleep(0.05)
    raise SystemExit(f"{what} did not happen in {WAIT} seconds")


def lines_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def run(work, ringwalld):
    """Both daemons; the messages rsyslogd read per transport, and the file."""
    names = ("udp", "tcp", "unix")
    ports = {"udp": free_port(socket.SOCK_DGRAM),
             "tcp": free_port(socket.SOCK_STREAM)}
    rulesets = "".join(RULESET.format(dir=work, name=name) for name in names)
    conf = write(f"{work}/rsyslog.conf",
                 RSYSLOG.format(dir=work, rulesets=rulesets, **ports))
    yaml = write(f"{work}/ringwalld.yaml", RINGWALLD.format(dir=work, **ports))
    check = subprocess.run([ringwalld, "--check", yaml], check=False)
    if check.returncode:
        raise SystemExit("the configuration is not taken")
    server = subprocess.Popen(["rsyslogd", "-n", "-f", conf,
                               "-i", f"{work}/rsyslogd.pid"])
    agent = None
    try:
        wait_for("rsyslogd's socket", lambda: os.path.exists(f"{work}/log"))
        agent = subprocess.Popen([ringwalld, "-c", yaml, "--foreground"])
        wait_for("the heartbeat", lambda: any(
            '"RW4001"' in line for line in lines_of(f"{work}/events.json")))
        expected = len(lines_of(f"{work}/events.json"))
        for name in names:
            wait_for(f"{expected} messages over {name}",
                     lambda n=name: len(lines_of(f"{work}/{n}.out")) >= expected)
        agent.send_signal(signal.SIGHUP)
        agent.send_signal(signal.SIGTERM)
        if agent.wait(WAIT):
            raise SystemExit(f"ringwalld ended with {agent.returncode}")
    finally:
        for process in (agent, server):
            if process and process.poll() is None:
                process.terminate()
                process.wait(WAIT)
    messages = {name: [json.loads(line) for line in lines_of(f"{work}/{name}.out")]
                for name in names}
    return messages, [json.loads(line) for line in lines_of(f"{work}/events.json")]


def check_message(name, message, event, validator):
    """What is wrong with a message about an event; yields sentences."""
    code = event["event"]["code"]
    data = message["rfc5424-sd"].get("ringwall@32473", {})
    cee = message["cee"]
    log = event["log"]["syslog"]
    expected = {"pri": str(log["priority"]), "host": "web-017",
                "app": "ringwalld", "msgid": code, "protocol": "1",
                "parsed": "OK"}
    for key, value in expected.items():
        if message[key] != value:
            yield f"{key} is {message[key]!r}, not {value!r}"
    if data.get("event") != event["event"]["action"]:
        yield f"structured data name the event {data.get('event')!r}"
    if "sequence" in event["event"] and \
            data.get("sequence") != str(event["event"]["sequence"]):
        yield f"structured data have sequence {data.get('sequence')!r}"
    if int(message["rfc5424-sd"]["meta"]["sequenceid"]) < 1:
        yield "no sequenceId"
    if message["rfc5424-sd"]["origin"]["enterpriseid"] != "32473":
        yield "no origin"
    if cee.get("event", {}).get("id") != event["event"]["id"]:
        yield f"@cee has id {cee.get('event', {}).get('id')!r}"
    if "truncated" in data:
        if not cee["ringwall"].get("truncated"):
            yield "truncated, and the record does not say so"
    elif cee != event:
        yield "@cee is not the record in the file"
    if name != "udp" and "truncated" in data:
        yield "truncated for no reason"
    if validator:
        for error in validator.iter_errors(cee):
            yield f"{error.json_path}: {error.message}"


def main():
    ringwalld, schema_path = sys.argv[1:]
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if not shutil.which("rsyslogd"):
        print("rsyslogd is not installed")
        sys.exit(77)
    validator = None
    if jsonschema:
        with open(schema_path, encoding="ascii") as file:
            validator = jsonschema.Draft202012Validator(json.load(file))
    work = tempfile.mkdtemp(prefix="ringwall-syslog-")
    try:
        messages, events = run(work, ringwalld)
    finally:
        shutil.rmtree(work)
    wrong = 0
    codes = {event["event"]["code"] for event in events}
    if not {"RW1001", "RW3002", "RW4001", "RW4003"} <= codes:
        print(f"events of too few kinds: {sorted(codes)}")
        wrong += 1
    for name, got in messages.items():
        by_id = {message["cee"]["event"]["id"]: message for message in got}
        for event in events:
            message = by_id.get(event["event"]["id"])
            what = f"{name}: {event['event']['code']}"
            if not message:
                print(f"{what}: not received")
                wrong += 1
                continue
            for sentence in check_message(name, message, event, validator):
                print(f"{what}: {sentence}")
                wrong += 1
    print(f"{len(events)} events over {len(messages)} transports, {wrong} things wrong")
    sys.exit(1 if wrong else 0)


main()
