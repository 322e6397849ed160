# SPDX-License-Identifier: MIT
"""The static checks of tools/test: what can be said of the code without running it.
What CMake knows best (headers, layers, the monitor's image) is in tests/build and
runs from here by its label."""

import json
import re
import shutil

from testbed import documents, machine
from testbed.steps import JOBS, TAIL, build, ctest, quiet

CLANG = machine.BUILD / "clang"  # everything, built by clang
PARTS = ("ept", "policy", "monitor", "agent", "driver")
TREE = documents.Tree(machine.TOP)

# Wrong here: the ends of a linker section are two objects to cppcheck, a struct
# that a function fills first is uninitialized; and it does not know jansson's loop.
CPPCHECK = ("--inline-suppr", "--suppress=missingInclude", "--suppress=comparePointers",
            "--suppress=ctuuninitvar", "--suppress=unknownMacro")


def report(count, name, good, sentence, lines):
    count.add(f"static {name}", 1 if good else 0, [] if good else [sentence], lines[-TAIL:])


def layout(count):
    files = [path for path in TREE.sources(".c", ".h")]
    good, lines = quiet("clang-format", "clang-format", "--dry-run", "--Werror",
                        "--ferror-limit=1", *files)
    odd = sorted({line.split(":")[0] for line in lines if ": error:" in line})
    report(count, "clang-format", good, "every file is laid out as .clang-format says",
           [f"clang-format -i {name}" for name in odd] or lines)


def one_command_each():
    """compile_commands.json of what is shipped; a file that is compiled several
    times is there once, the way the monitor for tests has it if it is in one."""
    chosen = {}
    for entry in json.loads((CLANG / "compile_commands.json").read_text()):
        name = entry["file"].removeprefix(f"{machine.TOP}/")
        shipped = name.startswith(tuple(part + "/" for part in PARTS)) and name.endswith(".c")
        if shipped and " -S " not in entry["command"]:  # only for the offsets of assembly
            if name not in chosen or "-DRINGWALL_MONITOR" in entry["command"]:
                chosen[name] = entry
    return list(chosen.values())


def tidy(count):
    folder = machine.empty(machine.BUILD / "static/tidy")
    commands = one_command_each()
    (folder / "compile_commands.json").write_text(json.dumps(commands))
    good, lines = quiet("clang-tidy", "run-clang-tidy", "-quiet", f"-j{JOBS}", "-p", folder)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    found = [line for line in lines if re.search(r": (error|warning): ", line)]
    report(count, "clang-tidy", good and commands, "clang-tidy has nothing to say",
           sorted(set(found)) or lines)


def cppcheck(count):
    good, lines = quiet("cppcheck", "cppcheck", "-q", "--error-exitcode=1", "--std=c11",
                        "--enable=warning,portability", *CPPCHECK, f"-I{machine.TOP}",
                        f"-I{machine.TOP}/include", *(machine.TOP / part for part in PARTS))
    report(count, "cppcheck", good, "cppcheck has nothing to say", lines)


def kbuild(name, folder, *targets):
    """Runs the kernel's build in folder with all its warnings, and with sparse."""
    includes = f"-I{machine.TOP}/include -I{CLANG}/include"
    good, lines = quiet(name, "make", "-s", "-C", machine.BUILD / "kernel/stock/headers",
                        f"M={folder}", "W=1", "C=2", f"KCPPFLAGS={includes}",
                        "KCFLAGS=-Werror", *targets)
    found = [line for line in lines if re.match(r"\S+:\d+:\d+: ", line)]
    return good and not found, found or lines


def modules(count):
    """The driver and the tests' modules, with the warnings of W=1 and of sparse; and
    each header of the driver alone, included twice."""
    for kbuild_file in sorted([machine.TOP / "driver/Kbuild",
                               *machine.TOP.glob("tests/*/Kbuild")]):
        module = kbuild_file.parent.relative_to(machine.TOP)
        folder = machine.BUILD / "static" / module
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(machine.TOP / module, folder)
        good, lines = kbuild("sparse", folder, "modules")
        report(count, f"{module}, W=1 and sparse", good,
               "it builds without an error or a warning, and sparse has nothing to say", lines)
    folder = machine.BUILD / "static/driver"
    headers = sorted(path.name for path in folder.glob("*.h"))
    for name in headers:
        (folder / f"alone_{name[:-2]}.c").write_text(f'#include "{name}"\n' * 2)
    good, lines = kbuild("driver-headers", folder, *(f"alone_{n[:-2]}.o" for n in headers))
    report(count, "driver headers", good and headers, "every header compiles alone", lines)


def run(count):
    if build(count, CLANG, "clang", "-DCMAKE_C_COMPILER=clang"):
        ctest(count, CLANG, "static")
        tidy(count)
        modules(count)
    cppcheck(count)
    layout(count)
    for sentence, check in documents.CHECKS.items():
        wrong = check(TREE)
        count.add(f"static: {sentence}", 0 if wrong else 1, wrong[:TAIL])
