# SPDX-License-Identifier: MIT
"""Commands for gdb on a monitor: `vmcs`, `failures`, `exits`. Read by gdb itself."""

import gdb

# Where Bochs 2.7 keeps a field in the VMCS page: by its type (bits 14:13 and 11:10 of
# the encoding) and its index (bits 9:0), 4 bytes each.
FIRST_FIELD = 16
FIELDS_PER_TYPE = 64
FAILURES = ("enter_refused", "entry_failed", "exit_resume_refused", "panic")


def field_place(encoding):
    kind = (encoding >> 13 & 3) << 2 | encoding >> 10 & 3
    return FIRST_FIELD + 4 * (kind * FIELDS_PER_TYPE + (encoding & 0x3ff))


class Vmcs(gdb.Command):
    """vmcs [CPU] [PREFIX]: the VMCS fields Ringwall uses, of the present CPU by default."""

    def __init__(self):
        super().__init__("vmcs", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = argument.split()
        number = int(words.pop(0)) if words and words[0].isdigit() else \
            gdb.selected_thread().num - 1
        block = gdb.parse_and_eval(f"'percpu.c'::blocks[{number}]")
        if not int(block):
            raise gdb.GdbError(f"CPU {number} has not entered")
        page = int(block["vmcs"])
        for field in gdb.lookup_type("enum vmcs_field").fields():
            if words and not field.name.startswith(words[0].upper()):
                continue
            size = (2, 8, 4, 8)[field.enumval >> 13 & 3]
            memory = gdb.selected_inferior().read_memory(page + field_place(field.enumval), size)
            value = int.from_bytes(memory.tobytes(), "little")
            if field.name.endswith("_ACCESS_RIGHTS"):
                value >>= 8  # as Bochs keeps them
            symbol = gdb.execute(f"info symbol {value:#x}", to_string=True).strip()
            known = field.name.endswith("_RIP") and " in section " in symbol
            print(f"{field.name:32} {value:#x}" + (f" {symbol}" if known else ""))


class Exits(gdb.Command):
    """exits [CPU]: the exit trace, oldest first, of a monitor that keeps one."""

    def __init__(self):
        super().__init__("exits", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        number = int(argument) if argument else gdb.selected_thread().num - 1
        try:
            ring = gdb.parse_and_eval(f"'trace.c'::trace_rings[{number}]")
        except gdb.error:
            raise gdb.GdbError("this image keeps no exit trace (RINGWALL_EXIT_TRACE)")
        count, kept = int(ring["count"]), ring["entry"].type.range()[1] + 1
        for n in range(max(0, count - kept), count):
            entry = ring["entry"][n % kept]
            print(f"tsc {int(entry['tsc'])} exit {int(entry['reason'])} "
                  f"rip {int(entry['rip']):#x} qualification {int(entry['qualification']):#x}")


class Failures(gdb.Command):
    """failures: break where a VM entry is refused, and where the monitor panics."""

    def __init__(self):
        super().__init__("failures", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument, from_tty):
        for name in FAILURES:
            gdb.Breakpoint(name)


Vmcs()
Exits()
Failures()
