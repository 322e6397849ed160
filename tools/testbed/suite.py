# SPDX-License-Identifier: MIT
"""tools/test: builds, runs the host tests and the scenarios, counts."""

import argparse
import fnmatch
import re
import sys
import time
import traceback
import unittest
from concurrent.futures import ThreadPoolExecutor

from testbed import machine, scenario, static
from testbed.steps import JOBS, TAIL, Count, build, ctest, quiet

LOADER_CHATTER = ("[PLUGIN]", "lt_dlhandle")  # what Bochs says of its own parts

MODULES = ("driver/ringwall.ko", "tests/attack/attack.ko", "tests/attack/hammer.ko",
           "tests/kernel/cpustate.ko", "tests/kernel/faults.ko", "tests/kernel/nmi.ko",
           "tests/bench/measure.ko")
PROGRAMS = ("agent/ringwall", "agent/ringwalld", "monitor/monitor.elf",
            "monitor/monitor-testing.elf", "tests/guest/life",
            "tests/guest/faults")


def product(count, kernel="stock", quietly=False):
    """What runs in the guest; a kernel has modules of its own, the rest is shared."""
    targets = MODULES if kernel != "stock" else MODULES + PROGRAMS
    return build(count, machine.product(kernel), f"product-{kernel}",
                 f"-DRINGWALL_KDIR={machine.BUILD}/kernel/{kernel}/headers",
                 targets=targets, quietly=quietly)


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


# What tools/debug must print, in this order.
DEBUG_SHOWS = {
    "it stops at a function of the monitor, by name": r"#0  enter_vmcs \(cpu=0x\w+, x=0x\w+",
    "it says what called it": r"#1  0x\w+ in monitor_entry \(\) at .*monitor/entry\.S:\d+",
    "it goes on to the next breakpoint": r"Breakpoint 2, exit_handle \(regs=0x\w+\) at .*monitor/",
    "it shows the VMCS": r"HOST_RIP +0x\w{16} vm_exit in section \.text",
}
DEBUG_DOES = ("bt", "break exit_handle", "continue", "vmcs HOST_RIP")


def debug(count):
    """tools/debug, told what to do."""
    words = [word for command in DEBUG_DOES for word in ("-x", command)]
    _, lines = quiet("debug", machine.TOP / "tools/debug", "-c", "1", "-b", "enter_vmcs",
                     *words, "dump")
    missing, rest = [], list(lines)
    for sentence, pattern in DEBUG_SHOWS.items():
        found = next((i for i, text in enumerate(rest) if re.match(pattern, text)), None)
        if found is None:
            missing.append(sentence)
        else:
            rest = rest[found + 1:]
    count.add("debug", len(DEBUG_SHOWS) - len(missing), missing, lines[-TAIL:])


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
    for name in ("output.txt", "serial.txt", "bochs.log"):
        path = outcome.folder / name
        if path.exists():
            text = [line for line in path.read_text(errors="replace").splitlines()
                    if not any(word in line for word in LOADER_CHATTER)]
            lines += [f"-- {name}", *text[-TAIL:]]
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


GROUPS = {"unit": unit, "fuzz": fuzz, "static": static.run, "debug": debug}


def main():
    parser = argparse.ArgumentParser(
        prog="tools/test", description="Runs Ringwall's tests; without a name, all of them.")
    parser.add_argument("-l", dest="list", action="store_true", help="list, run nothing")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="unit, fuzz, static, debug, all, a scenario, or one of its cases")
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
