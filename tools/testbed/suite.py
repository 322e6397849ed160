# SPDX-License-Identifier: MIT
"""tools/test: builds, runs the host tests and the scenarios, counts."""

import argparse
import fnmatch
import re
import subprocess
import sys
import time
import traceback
import unittest
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor

from testbed import machine, scenario

JOBS = 2  # at a time: Bochs takes a core, and more memory than a compiler
TAIL = 25  # lines of a failed case that are shown

MODULES = ("driver/ringwall.ko", "tests/attack/attack.ko")
PROGRAMS = ("agent/ringwall", "agent/ringwalld", "monitor/monitor.elf",
            "monitor/monitor-testing.elf")


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
    """Runs a step whose output matters only when it fails."""
    log = machine.BUILD / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL)
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


def product(count, kernel="stock", quietly=False):
    """What runs in the guest; a kernel has modules of its own, the rest is shared."""
    targets = MODULES if kernel != "stock" else MODULES + PROGRAMS
    return build(count, machine.product(kernel), f"product-{kernel}",
                 f"-DRINGWALL_KDIR={machine.BUILD}/kernel/{kernel}/headers",
                 targets=targets, quietly=quietly)


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


def own(count):
    """The test bed's own tests."""
    tests = unittest.defaultTestLoader.discover(
        machine.HERE, pattern="test_*.py", top_level_dir=machine.HERE.parent)
    result = unittest.TestResult()
    tests.run(result)
    bad = result.failures + result.errors
    count.add("unit testbed", result.testsRun - len(bad), [str(t) for t, _ in bad],
              [line for _, text in bad for line in text.splitlines()])


def unit(count):
    own(count)
    folder = machine.BUILD / "sanitize"
    if build(count, folder, "sanitized", "-DRINGWALL_SANITIZE=ON"):
        ctest(count, folder, "unit")


def fuzz(count):
    folder = machine.BUILD / "fuzz"
    if build(count, folder, "fuzzers", "-DRINGWALL_SANITIZE=ON", "-DCMAKE_C_COMPILER=clang"):
        ctest(count, folder, "fuzz")


# Wrong here: the ends of a linker section are two objects to cppcheck, a struct
# that a function fills first is uninitialized; and it does not know jansson's loop.
CPPCHECK = ("--inline-suppr", "--suppress=missingInclude", "--suppress=comparePointers",
            "--suppress=ctuuninitvar", "--suppress=unknownMacro")


def static(count):
    """Both compilers without a warning, and cppcheck without a finding."""
    build(count, machine.BUILD / "clang", "clang", "-DCMAKE_C_COMPILER=clang")
    folders = [machine.TOP / n for n in ("ept", "policy", "monitor", "agent", "driver")]
    good, lines = quiet("cppcheck", "cppcheck", "-q", "--error-exitcode=1", "--std=c11",
                        "--enable=warning,portability", *CPPCHECK, f"-I{machine.TOP}",
                        f"-I{machine.TOP}/include", *folders)
    count.add("static cppcheck", 1 if good else 0,
              [] if good else ["cppcheck has nothing to say"], lines[-TAIL:])


def one_case(case):
    start = time.monotonic()
    try:
        outcome = scenario.run(case)
    except Exception as error:  # a broken case must not take the others along
        outcome = scenario.Outcome(failed=[f"the case runs ({error})"])
        traceback.print_exc()
    return case, outcome, time.monotonic() - start


def tail(outcome):
    if not outcome.folder:
        return []
    lines = [f"logs: {outcome.folder}"]
    for name in ("output.txt", "serial.txt"):
        path = outcome.folder / name
        if path.exists():
            lines += [f"-- {name}", *path.read_text(errors="replace").splitlines()[-TAIL:]]
    return lines


def scenarios(count, cases):
    """Cases that share a machine follow each other, so that one boots it and the
    rest restore it."""
    cases = sorted(cases, key=lambda case: (str(case.config), case.name))
    with ThreadPoolExecutor(JOBS) as pool:
        for case, outcome, seconds in pool.map(one_case, cases):
            count.add(f"{case.name} in {seconds:.0f} s", len(outcome.passed),
                      outcome.failed, tail(outcome))


def select(cases, patterns):
    """Cases whose name, or whose scenario's name, one of the patterns fits."""
    return [case for case in cases if any(
        fnmatch.fnmatch(case.name, p) or fnmatch.fnmatch(case.scenario.name, p)
        for p in patterns)]


GROUPS = {"unit": unit, "fuzz": fuzz, "static": static}


def main():
    parser = argparse.ArgumentParser(
        prog="tools/test", description="Runs Ringwall's tests; without a name, all of them.")
    parser.add_argument("-l", dest="list", action="store_true", help="list, run nothing")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="unit, fuzz, static, all, a scenario, or one of its cases")
    args = parser.parse_args()
    cases = [case for s in scenario.all_scenarios() for case in s.cases()]
    if args.list:
        print("\n".join([*GROUPS, *(case.name for case in cases)]))
        return 0
    everything = not args.names or "all" in args.names
    wanted = cases if everything else select(cases, args.names)
    unknown = [n for n in args.names if n not in (*GROUPS, "all") and not select(cases, [n])]
    if unknown:
        parser.error("no such test: " + " ".join(unknown))
    count = Count()
    for name, group in GROUPS.items():
        if everything or name in args.names:
            group(count)
    kernels = {"stock", *(case.config.kernel for case in wanted)}
    if wanted and all([product(count, kernel) for kernel in sorted(kernels)]):
        scenarios(count, wanted)
    print(f"{count.passed} passed, {count.failed} failed")
    return 0 if count.passed and not count.failed else 1


if __name__ == "__main__":
    sys.exit(main())
