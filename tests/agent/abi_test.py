#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/abi.md has every error, hypercall and ioctl, with the right numbers, and
every key that `ringwall status -o json` can print.

abi_test.py DOCS INCLUDE STATUS_JSON_SOURCE
"""
import re
import sys

DOCS, INCLUDE, STATUS = sys.argv[1:]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main():
    text = read(DOCS)
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) > 1:
            rows.setdefault(cells[0].strip("`"), cells[1:])
    missing = []

    def expect(name, *cells):
        if rows.get(name, [])[:len(cells)] != list(cells):
            missing.append(f"| `{name}` | {' | '.join(cells)} |")

    for name, number, code, meaning in re.findall(
            r'RW_ERROR\((\w+), (\d+), (\d+), "(.*)"\)',
            read(INCLUDE + "/error.def")):
        expect("RW_" + name, number, code, meaning)
        if int(number) < 96 and text.count("RW_" + name) < 2 and number != "0":
            missing.append(f"RW_{name}: no call that gives it")
    header = read(INCLUDE + "/hypercall.h")
    calls = re.search(r"enum rw_hypercall \{(.*?)\};", header, re.S).group(1)
    calls = re.findall(r"^\s*(RW_HC_\w+)", re.sub(r"/\*.*?\*/", "", calls,
                                                  flags=re.S), re.M)
    base = int(re.search(r"RW_HC_BASE (0x\w+)u", header).group(1), 16)
    for index, name in enumerate(calls[:-1]):
        expect(name, f"{base + index:#x}")
    for name, number, kind in re.findall(
            r"define (RW_IOC_\w+) _IO\w+\('R', (\d+), struct (\w+)\)",
            read(INCLUDE + "/ioctl.h")):
        expect(name, number, f"`{kind}`")
    for key in set(re.findall(r'"([a-z]\w*)"', read(STATUS))):
        if f"`{key}`" not in text and f"`policy.{key}[]`" not in text and \
                f"`{key}[]`" not in text:
            missing.append(f"status key or value {key}")
    if len(calls) < 10 or not rows:
        missing.append("the headers were not understood")
    for line in missing:
        print(f"{DOCS} lacks: {line}")
    sys.exit(1 if missing else 0)


main()
