# SPDX-License-Identifier: MIT
"""Bochs for gdb: speaks gdb's remote protocol on one side and the prompt of Bochs's
debugger on the other. Each CPU is a thread. Registers are read only."""

import os
import re
import selectors
import signal

from testbed import machine

# What gdb's layout of x86-64 has first, and how Bochs calls it. Behind them come
# eflags and the segment registers, 4 bytes each.
GENERAL = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
           "r12", "r13", "r14", "r15", "rip")
SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")

DONE = 0x7357c0de  # printed behind each command's answer
PHYSMAP, PHYSMAP_END = 0xffff808000000000, 0xffff878000000000  # include/ringwall/boot.h
GONE = b"W00"


class Prompt:
    """The debugger's prompt of a running Bochs."""

    def __init__(self, config, directory, folder, ticks, show):
        """Restores config with directory as payload, and stops before its first
        instruction."""
        arguments = machine.restored(config, directory, folder)
        read, write = os.pipe()
        self.process = machine.start(folder, arguments, f"/dev/fd/{read}", pass_fds=(read,),
                                     start_new_session=True)
        os.close(read)
        self.commands = os.fdopen(write, "w", buffering=1)
        self.log = open(folder / "output.txt", "wb")
        self.show, self.rest, self.answer = show, b"", []
        self.ask(f"limit {ticks}")

    def put(self, command):
        try:
            self.commands.write(f"{command}\ncalc {DONE:#x}\n")
        except BrokenPipeError:
            pass

    def take(self):
        """Takes what Bochs has said; the lines of the answer if it is complete, None
        if Bochs is gone, else False."""
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            return None
        self.log.write(data)
        self.log.flush()
        *lines, self.rest = (self.rest + data).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace").rstrip("\r")
            if line.startswith(f"{DONE:#x} "):
                answer, self.answer = self.answer, []
                return answer
            if line.startswith(("| ", "testbed: ", "guest: ")):
                self.show(line)
            else:
                self.answer.append(line)
        return False

    def ask(self, command):
        """The lines Bochs answers; none if it is gone."""
        self.put(command)
        while (answer := self.take()) is False:
            pass
        return answer or []

    def end(self):
        self.commands.close()
        self.process.kill()
        self.process.wait()
        self.log.close()


def numbers(lines):
    """The bytes of an answer to x or xp; short if some could not be read."""
    return bytes(int(word, 16) for line in lines for word in re.findall(r"\t0x(\w\w)\b", line))


class Server:
    """prompt: a Prompt. place: (linear, physical, size) of the monitor's image, so
    that its memory and its image can be seen while a guest runs."""

    def __init__(self, prompt, cpus, place):
        self.prompt, self.cpus, self.cpu, self.place = prompt, cpus, 0, place

    def physical(self, address):
        base, physical, size = self.place
        if PHYSMAP <= address < PHYSMAP_END:
            return address - PHYSMAP
        return address - base + physical if base <= address < base + size else None

    def memory(self, address, length):
        data = numbers(self.prompt.ask(f"x /{length}bx {address:#x}"))
        physical = self.physical(address)
        if len(data) < length and physical is not None:
            data = numbers(self.prompt.ask(f"xp /{length}bx {physical:#x}"))
        return data.hex() if data else "E01"

    def registers(self):
        text = "\n".join(self.prompt.ask("r") + self.prompt.ask("sreg"))
        packet = b""
        for name in GENERAL:
            found = re.search(rf"^{name} ?: (\w+)_(\w+)$", text, re.MULTILINE)
            packet += int(found[1] + found[2], 16).to_bytes(8, "little") if found else bytes(8)
        flags = re.search(r"^eflags (0x\w+)", text, re.MULTILINE)
        packet += int(flags[1] if flags else "0", 16).to_bytes(4, "little")
        for name in SEGMENTS:
            found = re.search(rf"^{name}:(0x\w+)", text, re.MULTILINE)
            packet += int(found[1] if found else "0", 16).to_bytes(4, "little")
        return packet.hex()

    def breakpoint(self, insert, address):
        if insert:
            self.prompt.ask(f"lb {address:#x}")
            return "OK"
        for line in self.prompt.ask("blist"):
            found = re.match(r"\s*(\d+) lbreakpoint .*\b0x(\w+)", line)
            if found and int(found[2], 16) == address:
                self.prompt.ask(f"d {found[1]}")
        return "OK"

    def resume(self, command, gdb):
        """Runs until Bochs stops; gdb's interrupt stops it."""
        self.prompt.put(command)
        with selectors.DefaultSelector() as ready:
            ready.register(self.prompt.process.stdout, selectors.EVENT_READ)
            ready.register(gdb, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is gdb:
                        if b"\x03" not in gdb.recv(16):
                            return GONE.decode()
                        os.kill(self.prompt.process.pid, signal.SIGINT)
                        continue
                    answer = self.prompt.take()
                    if answer is None:
                        return GONE.decode()
                    if answer is not False:
                        return self.stopped(answer)

    def stopped(self, answer):
        for line in answer:
            if found := re.match(r"\((\d+)\) (Breakpoint|Caught)", line):
                self.select(int(found[1]))
                break
        return f"T05thread:{self.cpu + 1};"

    def select(self, cpu):
        if 0 <= cpu < self.cpus:
            self.cpu = cpu
            self.prompt.ask(f"set $cpu = {cpu}")

    def reply(self, packet, gdb):
        """The answer to a packet; empty for what is not known here."""
        kind, rest = packet[:1], packet[1:]
        if kind == "?":
            return f"T05thread:{self.cpu + 1};"
        if kind == "g":
            return self.registers()
        if kind == "m":
            address, length = (int(word, 16) for word in rest.split(","))
            return self.memory(address, length)
        if packet[:2] in ("Z0", "z0", "Z1", "z1"):
            return self.breakpoint(kind == "Z", int(packet.split(",")[1], 16))
        if kind in ("c", "s") and not rest:
            return self.resume(kind, gdb)
        if kind == "H":
            if int(rest[1:], 16) > 0 and rest[0] == "g":
                self.select(int(rest[1:], 16) - 1)
            return "OK"
        if kind == "T":
            return "OK" if 0 < int(rest, 16) <= self.cpus else "E01"
        if packet.startswith("qSupported"):
            return "PacketSize=4000"
        if packet == "qfThreadInfo":
            return "m" + ",".join(f"{n + 1:x}" for n in range(self.cpus))
        if packet == "qsThreadInfo":
            return "l"
        if packet == "qAttached":
            return "1"
        if packet == "qC":
            return f"QC{self.cpu + 1:x}"
        if packet.startswith("qRcmd,"):
            words = bytes.fromhex(packet[6:]).decode()
            return ("\n".join(self.prompt.ask(words)) + "\n").encode().hex()
        return ""

    def serve(self, gdb):
        """Answers gdb, a connected socket, until it goes."""
        waiting = b""
        while data := gdb.recv(16384):
            waiting += data
            while found := re.search(rb"\$([^#]*)#..", waiting, re.DOTALL):
                waiting = waiting[found.end():]
                packet = found[1].decode()
                gdb.sendall(b"+")
                if packet[:1] in ("k", "D"):
                    gdb.sendall(frame("OK"))
                    return
                gdb.sendall(frame(self.reply(packet, gdb)))


def frame(text):
    return f"${text}#{sum(text.encode()) % 256:02x}".encode()
