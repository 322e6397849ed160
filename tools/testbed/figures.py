# SPDX-License-Identifier: MIT
"""The figures of tools/bench: their keys, which are never renamed, what each is to
be at most, and how they are shown."""

from dataclasses import dataclass

# Exits that a host in its steady state is to have none of, by their names in
# `ringwall status -o json`.
NEVER = ("EPT violation", "control-register access", "RDMSR", "WRMSR")
OTHERS_PER_MILLION = 1.0


@dataclass(frozen=True)
class Figure:
    """goal: at most that; None: shown for comparison."""
    key: str
    what: str
    goal: float | None = None


def steady(rates):
    """None of some exits, few of all the rest."""
    others = sum(rate for name, rate in rates.items() if name not in NEVER)
    return not any(rates.get(name) for name in NEVER) and others <= OTHERS_PER_MILLION


FIGURES = [
    Figure("exit.cpuid.instructions", "CPUID, from exit to resume", 80),
    Figure("exit.cpuid.kvm.instructions", "  KVM"),
    Figure("hypercall.null.instructions", "null hypercall, from exit to resume", 80),
    Figure("ept.violation.report.instructions", "write blocked, record readable"),
    Figure("steady.exits_per_million", "exits per million instructions of the load"),
    Figure("memory.enable.bytes", "memory at enable, one CPU", (4 << 20) + (96 << 10)),
    Figure("memory.per_cpu.bytes", "memory for each further CPU", 96 << 10),
    Figure("ept.tables", "EPT tables, armed"),
    Figure("ept.leaves", "EPT leaves, armed"),
    Figure("code.root_lines", "lines of code in VMX root", 8000),
    Figure("arm.instructions", "signed policy handed in until in force"),
    Figure("overhead.workload.percent", "load, armed against not loaded", 0.1),
    Figure("buddy.mixed_100k.instructions", "blocks of 4 KiB to 2 MiB, an operation", 80),
    Figure("buddy.mixed_100k.glibc.instructions", "  glibc"),
    Figure("buddy.mixed_100k.jemalloc.instructions", "  jemalloc"),
    Figure("buddy.mixed_100k.mimalloc.instructions", "  mimalloc"),
    Figure("slab.100k.instructions", "objects of 16 to 2048 B, an operation", 40),
    Figure("slab.100k.glibc.instructions", "  glibc"),
    Figure("slab.100k.jemalloc.instructions", "  jemalloc"),
    Figure("slab.100k.mimalloc.instructions", "  mimalloc"),
]


def complete(measured, asked=None):
    """All figures in their order; what was not measured is None. A figure that
    nothing here knows, or that was asked for and did not come, is an error."""
    known = [figure.key for figure in FIGURES]
    wanted = known if asked is None else asked
    odd = [key for key in measured if key not in known]
    missing = [key for key in wanted if measured.get(key) is None]
    if odd or missing:
        raise ValueError(f"unknown figures: {odd}; missing figures: {missing}")
    return {key: measured.get(key) for key in known}


def met(figure, value):
    """True, False, or None where there is no goal."""
    if figure.key == "steady.exits_per_million":
        return steady(value)
    return None if figure.goal is None else value <= figure.goal


def number(value):
    if isinstance(value, dict):
        return ", ".join(f"{name} {number(v)}" for name, v in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def table(values, notes):
    """Lines: what, figure, goal, met or not; under it what there is to say of it."""
    lines = [f"{'':44} {'figure':>12} {'goal':>12}"]
    for figure in FIGURES:
        value = values[figure.key]
        if value is None:
            continue
        verdict = {True: "met", False: "NOT MET", None: ""}[met(figure, value)]
        goal = "" if figure.goal is None else number(figure.goal)
        if isinstance(value, dict):
            lines.append(f"{figure.what:44} {'':12} {goal:>12}  {verdict}".rstrip())
            lines += [f"  {name:42} {number(v):>12}" for name, v in value.items()]
        else:
            lines.append(f"{figure.what:44} {number(value):>12} {goal:>12}  {verdict}".rstrip())
        lines += [f"    {note}" for note in notes.get(figure.key, ())]
    return lines
