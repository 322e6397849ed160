# SPDX-License-Identifier: MIT
"""Scenarios: one file each in tests/scenarios, run by the guest in every machine
its header names. The header is comment lines `# key: value`:

  proves:  one sentence
  on:      a machine, several times for several: cpus=1,2 slide=0,0x1e00000+0x400000
           mitigations=off,default kernel=stock,cloud; slide=own is the kernel's own
           KASLR; ringwall=WORD is for the script, in $RINGWALL; every combination
           is a case
  needs:   what the payload holds besides the script, see NEEDS in stage.py
  ends:    reboot, poweroff or panic, for a guest that ends so instead of by itself
  ticks:   instructions after which the guest counts as hung (default 3e9)
  boot:    fresh, for what a restored machine lacks

NAME.host beside it, if there is one, is the host's part: shell functions `prepare`
(may still change the payload), `start` and `check`, see host.sh."""

import itertools
import os
import re
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from testbed import machine, stage

FOLDER = machine.TOP / "tests/scenarios"
KEYS = {"proves", "on", "needs", "ends", "ticks", "boot"}
DEFAULT_TICKS = 3e9

# What must not be in the kernel's log. An oops ends with the first, whatever began it.
END_OF_TRACE = "---[ end trace"
TROUBLE = re.compile(r"BUG: (?!unable to|kernel NULL)|stall|soft lockup|hard LOCKUP|"
                     r"blocked for more than|Kernel panic")
PANIC = "Kernel panic - not syncing"


@dataclass
class Outcome:
    """passed and failed: sentences."""
    passed: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    folder: Path | None = None


@dataclass(frozen=True)
class Case:
    scenario: "Scenario"
    config: machine.Config
    ringwall: str = ""

    @property
    def name(self):
        c, words = self.config, [f"cpus={self.config.cpus}"]
        if c.slide != 0 or c.offset:
            words.append(f"slide={c.place()}")
        words += [c.mitigations] if c.mitigations != "off" else []
        words += [c.kernel] if c.kernel != "stock" else []
        words += [self.ringwall] if self.ringwall else []
        return f"{self.scenario.name}@{','.join(words)}"


class Scenario:
    def __init__(self, path):
        self.path, self.name = path, path.name
        self.header = {key: [] for key in KEYS}
        for line in path.read_text().splitlines():
            found = re.match(r"# (\w+): +(.+)", line)
            if found and found[1] not in KEYS:
                raise ValueError(f"{path}: no such key: {found[1]}")
            if found:
                self.header[found[1]].append(found[2])
        if not self.header["proves"]:
            raise ValueError(f"{path}: the header lacks 'proves'")
        self.ticks = int(float(self.one("ticks", DEFAULT_TICKS)))
        self.needs = " ".join(self.header["needs"]).split()
        self.fresh = self.one("boot", "") == "fresh"
        self.ends = self.one("ends", None)
        if self.ends not in (None, *machine.ENDS):
            raise ValueError(f"{path}: no such end: {self.ends}")
        host = path.with_name(path.name + ".host")
        self.host = host if host.exists() else None

    def one(self, key, default):
        return self.header[key][-1] if self.header[key] else default

    def cases(self):
        for line in self.header["on"] or ["cpus=1"]:
            words = dict(word.split("=", 1) for word in line.split())
            for values in itertools.product(*(v.split(",") for v in words.values())):
                choice = dict(zip(words, values))
                variant = choice.pop("ringwall", "")
                yield Case(self, config(choice), variant)


def place(text):
    """SLIDE or SLIDE+OFFSET: the virtual and the physical move of a kernel; "own"
    for a slide of its own choice."""
    slide, _, offset = text.partition("+")
    return None if slide == "own" else int(slide, 0), int(offset or "0", 0)


def config(words):
    slide, offset = place(words.pop("slide", "0"))
    cpus = int(words.pop("cpus", "1"))
    return machine.Config(cpus=cpus, slide=slide, offset=offset, **words)


def all_scenarios():
    return [Scenario(p) for p in sorted(FOLDER.iterdir())
            if p.is_file() and not p.suffix]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class HostSide:
    """The scenario's part on the host, with RUN, PAYLOAD, PORT (free, TCP and UDP),
    BUILD, TOP and VMLINUZ in its environment. It leaves the process ids of what it
    starts in RUN/*.pid; they are ended with the run."""

    def __init__(self, case, folder):
        self.script, self.folder = case.scenario.host, folder
        self.environment = {
            **os.environ, "RUN": str(folder), "PAYLOAD": str(folder / "payload"),
            "BUILD": str(machine.BUILD), "TOP": str(machine.TOP), "PORT": str(free_port()),
            "VMLINUZ": str(machine.BUILD / "kernel" / case.config.kernel / "vmlinuz")}

    def call(self, verb):
        if not self.script:
            return []
        done = subprocess.run(["sh", machine.HERE / "host.sh", self.script, verb], cwd=self.folder, text=True,
                              env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)
        if done.returncode:
            return [*done.stdout.splitlines(),
                    f"not ok - the host's part of '{verb}' works (status {done.returncode})"]
        return done.stdout.splitlines()

    def stop(self):
        for pid in self.folder.glob("*.pid"):
            try:
                os.kill(int(pid.read_text()), signal.SIGTERM)
            except (ValueError, ProcessLookupError):
                pass


def judge(result, host_lines, ends=None):
    """Turns what a run printed into an Outcome. No final line, no check, a count
    that does not add up, an oops more or less than announced: all failures. ends:
    one of machine.ENDS, for a guest that is to end so, behind its final line."""
    outcome = Outcome(folder=result.folder)
    announced, ended = 0, None
    for line in result.lines + host_lines:
        word, _, text = line.partition(" - ")
        if word == "ok":
            outcome.passed.append(text)
        elif word == "not ok":
            outcome.failed.append(text)
        elif found := re.fullmatch(r"oops expected (\d+)", line):
            announced += int(found[1])
        elif found := re.fullmatch(r"end (\d+)", line):
            ended = int(found[1])
    guest_checks = sum(l.startswith(("ok - ", "not ok - ")) for l in result.lines)
    serial = result.serial()
    if ends and result.end() == ends:
        outcome.passed.append(f"the guest ends in a {ends}")
    elif ends:
        outcome.failed.append(f"the guest ends in a {ends} ({result.end() or result.reason})")
    elif result.status is None:
        outcome.failed.append(f"the guest reaches its end ({result.reason})")
    if result.status is None and not ends:
        pass  # said already
    elif ended is None or ended != guest_checks or not guest_checks:
        outcome.failed.append(f"the script reaches its end with all its checks "
                              f"(status {result.status}, {guest_checks} checks, said {ended})")
    oopses = serial.count(END_OF_TRACE)
    if oopses != announced:
        outcome.failed.append(f"the kernel oopses {announced} times (it did {oopses} times)")
    outcome.failed += [f"the kernel's log is clean ({line})" for line in serial.splitlines()
                       if TROUBLE.search(line) and not (ends == "panic" and PANIC in line)]
    return outcome


def run(case, show=None, start=machine.run):
    """start: the emulator's way to run a payload."""
    folder = machine.empty(machine.BUILD / "runs" / case.name)
    payload = machine.empty(folder / "payload")
    host = HostSide(case, folder)
    stage.fill(payload, case.scenario, case.config, host.environment["PORT"], case.ringwall)
    lines = host.call("prepare") + host.call("start")
    try:
        result = start(case.config, payload, folder, case.scenario.ticks,
                       show, case.scenario.fresh)
        lines += host.call("check")
    finally:
        host.stop()
    return judge(result, lines, case.scenario.ends)
