# SPDX-License-Identifier: MIT
"""What the groups of tools/test are made of: a count of what passed and failed,
and the steps that build, run a tool, or run ctest."""

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

from testbed import machine

JOBS = 2  # at a time: Bochs takes a core, and more memory than a compiler
TAIL = 25  # lines of a failed case that are shown


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def add(self, name, passed, failures, detail=()):
        """failures: sentences. detail: lines shown when there are any."""
        self.passed += passed
        self.failed += len(failures)
        print(f"{'FAIL' if failures else 'ok  '} {name}" + (f" ({passed})" if passed > 1 else ""))
        for failure in failures:
            print(f"     not true: {failure}")
        if failures:
            for line in detail:
                print(f"     | {line}")
        sys.stdout.flush()


def quiet(name, *command):
    """Runs a step whose output matters only when it fails. It finds Debian's
    kernels by RINGWALL_BUILD."""
    log = machine.BUILD / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, "RINGWALL_BUILD": str(machine.BUILD)})
    return done.returncode == 0, log.read_text(errors="replace").splitlines()


def build(count, folder, name, *options, targets=(), quietly=False):
    """Configures and builds the project (or only targets) in folder; counts as one
    test, and says so unless quietly and good."""
    start = time.monotonic()
    good, lines = quiet(f"{name}-configure", "cmake", "-S", machine.TOP, "-B", folder,
                        "-G", "Ninja", *options)
    if good:
        good, lines = quiet(f"{name}-build", "ninja", "-C", folder, f"-j{JOBS}", *targets)
    if good and quietly:
        return True
    count.add(f"{name} in {time.monotonic() - start:.0f} s", 1 if good else 0,
              [] if good else ["it builds without an error or a warning"], lines[-TAIL:])
    return good


def ctest(count, folder, label):
    """Runs the tests of one label; a CMocka program counts with each of its cases."""
    report = folder / f"ctest-{label}.xml"
    report.unlink(missing_ok=True)
    _, lines = quiet(f"ctest-{label}", "ctest", "--test-dir", folder, "-L", f"^{label}$",
                     f"-j{JOBS}", "--output-junit", report, "--no-tests=error",
                     "--test-output-size-passed", "1000000")
    if not report.exists():
        count.add(f"{label} tests", 0, ["ctest finds tests to run"], lines[-TAIL:])
        return
    for test in xml.parse(report).getroot().iter("testcase"):
        output = test.findtext("system-out") or ""
        cases = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", output))) or 1
        broken = re.findall(r"\[  FAILED  \] (?!\d+ test)(.+)", output)
        if test.get("status") == "run":
            count.add(f"{label} {test.get('name')}", cases, [])
        else:
            count.add(f"{label} {test.get('name')}", 0,
                      list(dict.fromkeys(broken)) or ["it ends well"],
                      output.splitlines()[-TAIL:])
