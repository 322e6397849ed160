# SPDX-License-Identifier: MIT
"""Runs one payload in the guest and shows what it prints."""

import argparse
import sys
from pathlib import Path

from testbed import machine
from testbed.scenario import place


def main():
    parser = argparse.ArgumentParser(
        prog="tools/testbed/run",
        description="Boots Debian's kernel in Bochs (from a snapshot) and runs "
                    "PAYLOAD_DIR/run.sh in it as root. The folder appears as /payload.")
    parser.add_argument("-c", dest="cpus", type=int, default=1)
    parser.add_argument("-k", dest="kernel", choices=("stock", "cloud"), default="stock")
    parser.add_argument("-s", dest="slide", type=place, default=(0, 0),
                        metavar="SLIDE[+OFFSET]", help="virtual and physical move of the kernel")
    parser.add_argument("-m", dest="mitigations", choices=("off", "default"), default="off")
    parser.add_argument("-t", dest="ticks", type=float, default=3e9,
                        help="instructions after which the run counts as hung")
    parser.add_argument("-f", dest="fresh", action="store_true", help="boot, do not restore")
    parser.add_argument("-d", dest="debug", type=Path, metavar="FILE",
                        help="commands for Bochs's debugger, one each time it stops; "
                             "all it says is in output.txt")
    parser.add_argument("-n", dest="name", default="run", help="name of the log folder")
    parser.add_argument("payload", type=Path, metavar="PAYLOAD_DIR")
    args = parser.parse_args()
    config = machine.Config(args.kernel, args.cpus, *args.slide, args.mitigations)
    folder = machine.empty(machine.BUILD / "runs" / args.name)
    result = machine.run(config, args.payload, folder,
                         int(args.ticks), lambda line: print(line, flush=True), args.fresh,
                         args.debug and args.debug.read_text().splitlines())
    if result.status is None:
        print("\n".join(["-- end of the kernel's console:", *result.serial().splitlines()[-60:],
                         "-- CPUs:", *result.cpu_state()]))
    print(f"-- {result.reason}, status {result.status}; logs in {result.folder}")
    return 1 if result.status is None else result.status


if __name__ == "__main__":
    sys.exit(main())
