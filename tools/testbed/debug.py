# SPDX-License-Identifier: MIT
"""tools/debug: a scenario or a payload in Bochs under gdb, with the monitor's symbols."""

import argparse
import dataclasses
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from testbed import gdbserver, machine, scenario, suite
from testbed.steps import Count

IMAGE_ALIGN = 2 << 20  # the driver places the image at a multiple
COMMANDS = machine.HERE / "gdb_commands.py"


def vm_exit_of(image):
    """Where vm_exit, the first instruction behind an exit, is in an image."""
    text = subprocess.run(["nm", image], stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(re.search(r"^(\w+) \w vm_exit$", text, re.MULTILINE)[1], 16)


def locate(config, directory, folder, ticks):
    """(image, linear base, physical base): runs until the first VM exit and looks
    where that is. A restored machine does the same again tick for tick, so the image
    will lie there in the next run too."""
    machine.run(config, directory, machine.empty(folder), ticks, debug=[
        f"limit {ticks}", "vmexitbp", "c", "r", "page rip"])
    text = (folder / "output.txt").read_text(errors="replace")
    rip = re.search(r"^rip: (\w+)_(\w+)$", text, re.MULTILINE)
    page = re.search(r"^linear page 0x(\w+) maps to physical page 0x(\w+)", text, re.MULTILINE)
    if "Caught VMEXIT" not in text or not rip or not page:
        sys.exit(f"tools/debug: no VM exit in {ticks} instructions, see {folder}")
    for image in sorted(Path(directory).glob("*.elf")):
        base = int(rip[1] + rip[2], 16) - vm_exit_of(image)
        if base % IMAGE_ALIGN == 0:
            return image, base, int(page[2], 16) - (int(page[1], 16) - base)
    sys.exit(f"tools/debug: the exit is in no monitor image of {directory}")


def gdb_command(image, base, port, breaks, commands):
    words = ["gdb", "-q", "-nx"]
    if commands:
        words.append("-batch")
    for line in ("set pagination off", "set confirm off", "set architecture i386:x86-64",
                 f"symbol-file -o {base:#x} {image}", f"source {COMMANDS}",
                 f"target remote 127.0.0.1:{port}", *(f"break {b}" for b in breaks),
                 *(["continue"] if breaks else []), *commands):
        words += ["-ex", line]
    return words


class Debugger:
    """Stands in for machine.run(): the same run, with gdb looking at it."""

    def __init__(self, breaks, commands):
        self.breaks, self.commands = breaks, commands

    def __call__(self, config, directory, folder, ticks, show, fresh=False):
        if fresh:
            sys.exit("tools/debug: this scenario boots afresh, and would not repeat")
        image, base, physical = locate(config, directory, folder / "locate", ticks)
        print(f"tools/debug: {image.name} at {base:#x}", flush=True)
        prompt = gdbserver.Prompt(config, directory, folder, ticks,
                                  lambda line: print(line, flush=True))
        server = gdbserver.Server(prompt, config.cpus, (base, physical, IMAGE_ALIGN))
        try:
            self.gdb(server, image, base)
        finally:
            prompt.end()
        return machine.Result(folder, reason="gdb ended")

    def gdb(self, server, image, base):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            words = gdb_command(image, base, listener.getsockname()[1], self.breaks,
                                self.commands)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is gdb's
            process = subprocess.Popen(
                words, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
            connection, _ = listener.accept()
            with connection:
                threading.Thread(target=server.serve, args=(connection,), daemon=True).start()
                process.wait()


def chosen(name, cpus):
    """The case of that name, or the first of its scenario; with so many CPUs."""
    cases = suite.select([c for s in scenario.all_scenarios() for c in s.cases()], [name])
    if not cases:
        sys.exit(f"tools/debug: there is no scenario and no folder '{name}'")
    case = next((c for c in cases if c.config.cpus == cpus), cases[0])
    return dataclasses.replace(case, config=dataclasses.replace(
        case.config, cpus=cpus or case.config.cpus))


def main():
    parser = argparse.ArgumentParser(
        prog="tools/debug",
        description="Runs a scenario, or a folder with a run.sh as tools/testbed/run takes "
                    "it, in Bochs under gdb with the monitor's symbols. It runs twice: first "
                    "to the first VM exit, to see where the driver puts the monitor.")
    parser.add_argument("-c", dest="cpus", type=int, help="CPUs (default: the scenario's)")
    parser.add_argument("-b", dest="breaks", action="append", default=[], metavar="PLACE",
                        help="break there and go: a function, FILE:LINE")
    parser.add_argument("-x", dest="commands", action="append", default=[], metavar="COMMAND",
                        help="a command for gdb, which ends behind the last")
    parser.add_argument("-t", dest="ticks", type=float, default=scenario.DEFAULT_TICKS,
                        help="instructions after which the run counts as hung")
    parser.add_argument("what", metavar="SCENARIO|FOLDER")
    args = parser.parse_args()
    if not suite.product(Count(), quietly=True):
        return 1
    debugger = Debugger(args.breaks, args.commands)
    if Path(args.what).is_dir():
        folder = machine.empty(machine.BUILD / "runs/debug")
        debugger(machine.Config(cpus=args.cpus or 1), Path(args.what), folder,
                 int(args.ticks), None)
    else:
        scenario.run(chosen(args.what, args.cpus), start=debugger)
    return 0


if __name__ == "__main__":
    sys.exit(main())
