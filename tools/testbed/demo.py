# SPDX-License-Identifier: MIT
"""tools/demo: the scenario "demo", shown as it goes. It succeeds only if every
check of that scenario did, on the guest and on the host."""

import sys
import threading
import time

from testbed import machine, qemu, scenario, suite


class Progress:
    """One line a step; on a terminal the running step shows its seconds."""

    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.begun = self.step_begun = time.monotonic()
        self.step, self.lock = None, threading.Lock()
        if self.terminal:
            threading.Thread(target=self.tick, daemon=True).start()

    def tick(self):
        while True:
            time.sleep(1)
            with self.lock:
                if self.step:
                    print(f"\r  ..  {self.step} ({self.seconds()} s) ", end="", flush=True)

    def seconds(self):
        return int(time.monotonic() - self.step_begun)

    def begin(self, step, announce=True):
        with self.lock:
            self.step, self.step_begun = step, time.monotonic()
            if self.terminal or announce:
                print(f"  ..  {step}", end="" if self.terminal else "\n", flush=True)

    def end(self, good, text=None):
        with self.lock:
            mark, text = "ok" if good else "NO", text or self.step
            start = "\r\033[K" if self.terminal else ""
            print(f"{start}  {mark}  {text} ({self.seconds()} s)", flush=True)
            self.step = None

    def line(self, line):
        """A line of the guest: a check ends one step and begins the next."""
        word, _, text = line.partition(" - ")
        if word in ("ok", "not ok"):
            self.end(word == "ok", text)
            self.begin("next in the guest", announce=False)


def show_alert(folder):
    received = folder / "received"
    lines = received.read_text(errors="replace").splitlines() if received.exists() else []
    alerts = [line for line in lines if "RW1001" in line]
    if alerts:
        print(f"\nThe alert as rsyslogd received it ({len(alerts)} in {received}):\n")
        print(alerts[0])


def main():
    progress = Progress()
    count = suite.Count()
    progress.begin("building")
    good = suite.product(count, quietly=True)
    progress.end(good)
    if not good:
        return 1
    case = next(scenario.Scenario(scenario.FOLDER / "demo").cases())
    kvm = qemu.nested_vmx()
    where = "QEMU with KVM" if kvm else "Bochs, an emulated CPU with VT-x"
    progress.begin(f"booting Debian's kernel on {case.config.cpus} CPUs in {where}")
    outcome = scenario.run(case, progress.line, qemu.run if kvm else machine.run)
    progress.end(not outcome.failed, "the guest ended, the host looked at what it received")
    show_alert(outcome.folder)
    print(f"\nChecks that passed: {len(outcome.passed)}, that failed: {len(outcome.failed)}.")
    for sentence in outcome.failed:
        print(f"  not true: {sentence}")
    blocked = [s for s in outcome.passed if s.endswith("is blocked and its thread killed")]
    good = not outcome.failed and len(blocked) == 2
    print("Both attacks that worked before were blocked, the host lived on, and the alert "
          "arrived." if good else f"The demo FAILED; the logs are in {outcome.folder}.")
    print(f"{time.monotonic() - progress.begun:.0f} s in all.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
