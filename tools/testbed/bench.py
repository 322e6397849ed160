# SPDX-License-Identifier: MIT
"""tools/bench: builds, measures on the host and in the emulated machine, compares
with goals and peers."""

import argparse
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean

from testbed import figures, machine, scenario, stage, suite

SCRIPTS = machine.TOP / "tests/bench"
PHASES = 3  # of the load, each against each


class Run:
    """What a script of tests/bench printed: `figure KEY VALUE...` lines, and the
    JSON of `ringwall status` after `status: `."""

    def __init__(self, lines):
        self.figures, self.statuses = {}, []
        text = []
        for line in lines:
            if line.startswith("figure "):
                _, key, *values = line.split()
                self.figures[key] = [int(value) for value in values]
            elif line.startswith("status: "):
                text.append(line.removeprefix("status: "))
                if text[-1] == "}":
                    self.statuses.append(json.loads("\n".join(text)))
                    text = []

    def instructions(self):
        """Of the load, on all CPUs."""
        return sum(values[0] for key, values in self.figures.items()
                   if re.fullmatch(r"cpu\d+\.instructions", key))


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def guest(name, cpus=1, **words):
    """Runs a script of tests/bench; words become variables of its shell."""
    script, config = scenario.Scenario(SCRIPTS / name), machine.Config(cpus=cpus)
    label = ",".join([f"bench-{name}@cpus={cpus}", *map(str, words.values())])
    say(f"running {label}")
    folder = machine.empty(machine.BUILD / "runs" / label)
    payload = machine.empty(folder / "payload")
    stage.fill(payload, script, config, 0)
    with open(payload / "environment", "a") as environment:
        environment.writelines(f"{key}={value}\n" for key, value in words.items())
    result = machine.run(config, payload, folder, script.ticks)
    outcome = scenario.judge(result, [])
    if outcome.failed:
        raise RuntimeError(f"{label}: not true: {'; '.join(outcome.failed)}; see {folder}")
    return Run(result.lines)


def linked_sources():
    """The project's files behind the objects in the monitor image, headers too: the
    linker's map says which objects, the compiler's dependencies which files."""
    image = (machine.BUILD / "monitor/monitor.elf.map").read_text()
    sources = set()
    for library, member in set(re.findall(r"^(\S+/lib\w+\.a)\((\S+)\)$", image, re.M)):
        if library.startswith("/"):  # BearSSL
            continue
        library = machine.BUILD / library
        objects = library.parent / "CMakeFiles" / f"{library.stem.removeprefix('lib')}.dir"
        for path in objects.rglob(member):
            listing = subprocess.run(
                ["ninja", "-C", machine.BUILD, "-t", "deps", path.relative_to(machine.BUILD)],
                check=True, capture_output=True, text=True).stdout
            sources.update(Path(line.strip()) for line in listing.splitlines()
                           if line.startswith("    "))
    return sorted(path for path in sources if path.is_relative_to(machine.TOP)
                  and not path.is_relative_to(machine.BUILD))


def code(notes):
    sources = linked_sources()
    out = subprocess.run(["cloc", "--json", "--quiet", "--force-lang=C,def", *sources],
                         check=True, capture_output=True, text=True).stdout
    counted = json.loads(out)
    if counted["header"]["n_files"] != len(sources):
        raise RuntimeError(f"cloc counted {counted['header']['n_files']} of {len(sources)} files")
    notes["code.root_lines"] = [f"{len(sources)} files, include/ringwall among them"]
    return {"code.root_lines": counted["SUM"]["code"]}


def allocators(notes):
    say("counting the allocators")
    out = subprocess.run([machine.TOP / "tests/mm/figures", "-o", "json", machine.BUILD],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def used(status):
    """Bytes: the image, page tables and all that was allocated."""
    return status["driver"]["donated_bytes"] - status["memory"]["free"] * 4096


def exits(notes):
    one, two = guest("exits"), guest("exits", cpus=2)
    armed, armed_two = one.statuses[0], two.statuses[0]
    donated = armed["driver"]["donated_bytes"]
    notes["exit.cpuid.instructions"] = [
        f"leaf 0; leaf 1 {one.figures['cpuid.1'][0]}, leaf 7 {one.figures['cpuid.7'][0]}; "
        f"highest {max(one.figures[f'cpuid.{leaf}'][1] for leaf in (0, 1, 7))}"]
    notes["memory.enable.bytes"] = [f"in use once armed: {used(armed):,}"]
    notes["memory.per_cpu.bytes"] = [f"in use: {used(armed_two) - used(armed):,}"]
    low, high = one.figures["violation"]
    notes["ept.violation.report.instructions"] = [f"lowest {low}, highest {high}"]
    return {
        "exit.cpuid.instructions": one.figures["cpuid.0"][0],
        "hypercall.null.instructions": one.figures["hypercall.null"][0],
        "ept.violation.report.instructions": high,
        "memory.enable.bytes": donated,
        "memory.per_cpu.bytes": armed_two["driver"]["donated_bytes"] - donated,
        "ept.tables": armed["memory"]["ept_tables"],
        "ept.leaves": armed["memory"]["ept_leaves"],
        "arm.instructions": one.figures["arm"][0],
    }


def kvm(notes):
    low, median = guest("kvm").figures["kvm.cpuid"]
    notes["exit.cpuid.kvm.instructions"] = [f"lowest of 255; median {median}"]
    return {"exit.cpuid.kvm.instructions": low}


def by_reason(status):
    total = {}
    for cpu in status["cpus"]:
        for name, count in cpu["exits_by_reason"].items():
            total[name] = total.get(name, 0) + count
    return total


def exits_of(run):
    """Of the load, by reason."""
    before, after = map(by_reason, run.statuses)
    return {name: after[name] - before.get(name, 0) for name in after}


def steady(notes):
    run = guest("load", cpus=2, STATE="armed", PHASE=1)
    exits, millions = exits_of(run), run.instructions() / 1e6
    names = [*figures.NEVER, *sorted(set(exits) - set(figures.NEVER))]
    notes["steady.exits_per_million"] = [
        f"{millions:.0f} million instructions on 2 CPUs; goal: none of the first "
        f"{len(figures.NEVER)}, {figures.OTHERS_PER_MILLION:.0f} of all others"]
    return {"steady.exits_per_million": {
        name: round(exits.get(name, 0) / millions, 3) for name in names}}


def overhead(notes):
    """The mean over several phases: what is preempted when is chaotic."""
    runs = {state: [guest("load", STATE=state, PHASE=phase) for phase in range(1, PHASES + 1)]
            for state in ("absent", "enabled", "armed")}
    counts = {state: [run.instructions() for run in runs[state]] for state in runs}
    notes["overhead.workload.percent"] = [
        f"{state:8} {mean(c):,.0f} instructions, spread "
        f"{100 * (max(c) - min(c)) / mean(c):.3f} % in {PHASES} runs"
        for state, c in counts.items()]
    exits = mean(sum(exits_of(run).values()) for run in runs["armed"])
    notes["overhead.workload.percent"].append(f"exits in the load, armed: {exits:.0f}")
    base = mean(counts["absent"])
    return {"overhead.workload.percent": round(100 * (mean(counts["armed"]) / base - 1), 3)}


# Cheap ones first.
PARTS = {"code": code, "exits": exits, "kvm": kvm, "steady": steady, "overhead": overhead,
         "allocators": allocators}


def measure(names, jobs):
    """The figures of the parts named, and notes to them."""
    measured, notes = {}, {}
    with ThreadPoolExecutor(jobs) as pool:
        for part in pool.map(lambda name: PARTS[name](notes), names):
            measured |= part
    return measured, notes


def main():
    parser = argparse.ArgumentParser(
        prog="tools/bench",
        description="Measures Ringwall against its goals and its peers. Half an hour.")
    parser.add_argument("-o", choices=("table", "json"), default="table",
                        help="json: one object, keys never renamed")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="parts at a time")
    parser.add_argument("parts", nargs="*", metavar="PART",
                        help="only these, the other figures are null: " + ", ".join(PARTS))
    args = parser.parse_args()
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        parser.error("no such part: " + " ".join(sorted(unknown)))
    count = suite.Count()
    if not suite.product(count, quietly=True):
        return 1
    measured, notes = measure(args.parts or list(PARTS), args.j)
    values = figures.complete(measured, list(measured) if args.parts else None)
    if args.o == "json":
        print(json.dumps(values, indent=2))
    else:
        print("\n".join(figures.table(values, notes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
