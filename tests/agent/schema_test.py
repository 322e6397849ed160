#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every event the agent can emit is as contrib/ringwall-events.schema.json says.

schema_test.py EMIT_EVENTS SCHEMA [KINDS_HEADER...]
"""
import copy
import json
import re
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed")
    sys.exit(77)


def breakages(event):
    """The same event with one thing wrong; what is wrong with it."""
    for path in ((), ("event",), ("host",), ("ringwall",)):
        broken = copy.deepcopy(event)
        part = broken
        for name in path:
            part = part[name]
        part["surprise"] = 1
        yield "a member too much in /" + "/".join(path), broken
    for name in ("@timestamp", "event", "host", "ringwall"):
        broken = copy.deepcopy(event)
        del broken[name]
        yield "no " + name, broken
    broken = copy.deepcopy(event)
    broken["@timestamp"] = "yesterday"
    yield "a wrong time", broken


def main():
    emit, schema_path, codes_path = sys.argv[1:]
    with open(schema_path, encoding="ascii") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    lines = subprocess.run([emit], check=True, stdout=subprocess.PIPE)
    lines = lines.stdout.decode("ascii").splitlines()
    wrong = 0
    codes = set()
    for line in lines:
        event = json.loads(line)
        codes.add(event["event"]["code"])
        for error in validator.iter_errors(event):
            print(f"{event['event']['code']}: {error.json_path}: {error.message}")
            wrong += 1
        for what, broken in breakages(event):
            if validator.is_valid(broken):
                print(f"{event['event']['code']}: taken with {what}")
                wrong += 1
    with open(codes_path, encoding="ascii") as file:
        for code in re.findall(r'"(RW\d{4})"', file.read()):
            if code not in codes:
                print(f"no event with code {code} was emitted")
                wrong += 1
    print(f"{len(lines)} events of {len(codes)} codes, {wrong} things wrong")
    sys.exit(1 if wrong or not lines else 0)


main()
