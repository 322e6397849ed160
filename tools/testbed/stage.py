# SPDX-License-Identifier: MIT
"""What goes into a scenario's payload. A scenario asks by name (`needs:`); adding
something to ask for is one function here."""

import fcntl
import os
import shutil
import subprocess

from testbed import machine

TESTS = machine.TOP / "tests"
POLICIES = (machine.TOP / "contrib/policies", TESTS / "scenarios/policy")


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def ringwall(payload, config):
    """The product: bin/ringwall, bin/ringwalld, ringwall.ko, monitor.elf."""
    for name in ("agent/ringwall", "agent/ringwalld"):
        copy(machine.BUILD / name, payload / "bin" / os.path.basename(name))
    copy(machine.BUILD / "monitor/monitor.elf", payload / "monitor.elf")
    copy(machine.product(config.kernel) / "driver/ringwall.ko", payload / "ringwall.ko")


def testing(payload, config):
    """monitor-testing.elf: the monitor with the calls that make it fail."""
    copy(machine.BUILD / "monitor/monitor-testing.elf", payload / "monitor-testing.elf")


def policy(payload, config):
    """trust/: the key the monitor is told to trust; policy/NAME.rwp: each NAME.yaml
    of POLICIES built for this kernel and signed with it."""
    store = machine.BUILD / "policy" / config.kernel
    store.mkdir(parents=True, exist_ok=True)
    with open(store / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_policies(store, machine.BUILD / "kernel" / config.kernel / "vmlinuz")
    for folder in ("trust", "policy"):
        shutil.copytree(store / folder, payload / folder)


def make_policies(store, vmlinuz):
    tool, key = machine.BUILD / "agent/ringwall", store / "key.pem"
    for folder in ("trust", "policy"):
        (store / folder).mkdir(exist_ok=True)
    if not key.exists():
        machine.command(tool, "keygen", "-o", key, "--public", store / "trust/test.pub")
    for source in sorted(s for folder in POLICIES for s in folder.glob("*.yaml")):
        signed = store / "policy" / (source.stem + ".rwp")
        newest = max(source.stat().st_mtime, tool.stat().st_mtime, key.stat().st_mtime)
        if signed.exists() and signed.stat().st_mtime > newest:
            continue
        fresh = store / (source.stem + ".new")
        machine.command(tool, "policy", "build", "-k", vmlinuz, source, "-o", fresh)
        machine.command(tool, "policy", "sign", "-k", key, fresh)
        fresh.rename(signed)


def attack(payload, config):
    """attack/: the attack modules."""
    for module in (machine.product(config.kernel) / "tests/attack").glob("*.ko"):
        copy(module, payload / "attack" / module.name)


def guest(payload, config):
    """bin/life, bin/faults, and guest/: the test modules."""
    for name in ("life", "faults"):
        copy(machine.BUILD / "tests/guest" / name, payload / "bin" / name)
    for module in (machine.product(config.kernel) / "tests/kernel").glob("*.ko"):
        copy(module, payload / "guest" / module.name)


def guest_program(payload, name):
    """bin/NAME, made from tests/guest/NAME.c."""
    copy(machine.guest_program(name), payload / "bin" / name)


def load(payload, config):
    """load.sh: work for the host; bin/stress-ng, bin/witness and bin/seed for it."""
    copy(TESTS / "guest/load.sh", payload / "load.sh")
    copy(shutil.which("stress-ng"), payload / "bin/stress-ng")
    for name in ("witness", "seed"):
        guest_program(payload, name)


def measure(payload, config):
    """measure.ko and bin/load_policy: what exits and arming cost."""
    copy(machine.product(config.kernel) / "tests/bench/measure.ko", payload / "measure.ko")
    guest_program(payload, "load_policy")


def kvm(payload, config):
    """modules/: the kernel's own KVM; bin/kvm: a guest of it."""
    for name in ("irqbypass", "kvm", "kvm-intel"):
        copy(machine.kernel_module(config.kernel, name), payload / "modules" / f"{name}.ko")
    guest_program(payload, "kvm")


NEEDS = {"ringwall": ringwall, "testing": testing, "policy": policy, "attack": attack,
         "guest": guest, "load": load, "measure": measure, "kvm": kvm}

RUN = """\
. ./environment
. ./lib.sh
. ./ringwall.sh
. ./scenario
finish
"""


def fill(payload, scenario, config, port, ringwall=""):
    """Everything the case's guest finds in /payload. ringwall: $RINGWALL there."""
    for library in ("lib.sh", "ringwall.sh"):
        copy(TESTS / "guest" / library, payload / library)
    copy(scenario.path, payload / "scenario")
    (payload / "run.sh").write_text(RUN)
    (payload / "environment").write_text(config.environment() + f"PORT={port} RINGWALL={ringwall}\n")
    for name in scenario.needs:
        if name not in NEEDS:
            raise ValueError(f"{scenario.path}: nothing known as '{name}'")
        NEEDS[name](payload, config)
    for path in (payload / "bin").glob("*"):
        os.chmod(path, 0o755)
