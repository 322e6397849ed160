# SPDX-License-Identifier: MIT
"""One emulated machine: Bochs, a kernel, a number of CPUs. Boots it once, saves
it, and from then on starts each run from the saved state, tick for tick alike."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from testbed import disk
from testbed.files import initramfs, payload
from testbed.kernel import Kernel

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("RINGWALL_BUILD", TOP / "build")).resolve()
HERE = TOP / "tools/testbed"
GUEST = TOP / "tests/guest"


def product(kernel):
    """The build folder whose modules fit a kernel. All the rest is in BUILD."""
    return BUILD if kernel == "stock" else BUILD / kernel


MEMORY = 256  # MiB
IPS = 50_000_000  # instructions the guest takes for a second
BOOT_TICKS = 8_000_000_000
WALL_SECONDS = 900  # only for an emulator that no longer counts ticks

# Ice Lake is the one model with all that Ringwall uses. Hidden from the kernel:
# 580 (FSRM: its memmove never ends in Bochs), 304 and 515 (AVX512F, PKU: they
# make it give up XSAVE), 321 and 323 (XSAVEC, XSAVES: Bochs now and then
# writes a YMM register into their header), 158 and 306 (RDRAND, RDSEED: not
# repeatable).
CPU = "corei7_icelake_u"
HIDDEN = "clearcpuid=580,158,306,304,515,321,323"
COMMAND_LINE = ("console=ttyS0,115200 quiet tsc=reliable "
                f"tsc_early_khz={IPS // 1000} no_timer_check nomodeset idle=halt "
                f"cryptomgr.notests panic=-1 {HIDDEN}")

BOCHSRC = """\
cpu: model={cpu}, count={cpus}, ips={ips}, reset_on_triple_fault=0
megs: {memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
pci: enabled=1, chipset=i440fx, slot1=ne2k
ne2k: mac=52:54:00:12:34:56, ethmod=slirp
ata0-master: type=disk, path=boot.img, mode=volatile
ata0-slave: type=disk, path=payload.img, mode=volatile
boot: disk
com1: enabled=1, mode=file, dev=serial.txt
port_e9_hack: enabled=1
clock: sync=none, time0={time}
display_library: rfb, options="timeout=0"
log: bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
speaker: enabled=0
sound: driver=dummy
"""


@dataclass(frozen=True)
class Config:
    """slide: how far the kernel's virtual addresses are moved, None to let its own
    decompressor choose; offset: how far its physical place is. mitigations: off,
    or default for the kernel's own."""
    kernel: str = "stock"
    cpus: int = 1
    slide: int | None = 0
    offset: int = 0
    mitigations: str = "off"

    def place(self):
        if self.slide is None:
            return "own"
        return f"{self.slide:#x}" + (f"+{self.offset:#x}" if self.offset else "")

    def __str__(self):
        return (f"{self.kernel},cpus={self.cpus},slide={self.place()},"
                f"mitigations={self.mitigations}")

    def command_line(self):
        off = " mitigations=off" if self.mitigations == "off" else ""
        return COMMAND_LINE + off

    def environment(self):
        """What a guest script may ask about its machine."""
        slide = "own" if self.slide is None else f"{self.slide:#x}"
        return (f"KERNEL={self.kernel} CPUS={self.cpus} SLIDE={slide} "
                f"MITIGATIONS={self.mitigations}\n")


# How a guest may end by itself: what Bochs then says, and the kernel if it does.
ENDS = {"reboot": ("Reset(SOFTWARE)", None), "poweroff": ("soft power off", None),
        "panic": ("Reset(SOFTWARE)", "Kernel panic")}


@dataclass
class Result:
    """status: the guest script's exit status, None if it never ended.
    reason: why the emulator stopped, in words."""
    folder: Path
    lines: list = field(default_factory=list)
    status: int | None = None
    reason: str = ""

    def serial(self):
        path = self.folder / "serial.txt"
        return path.read_text(errors="replace").replace("\r", "") if path.exists() else ""

    def log(self):
        path = self.folder / "bochs.log"
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def end(self):
        """The name in ENDS of how the guest ended; None if it ended otherwise."""
        log, panic = "\n".join(self.log()), "Kernel panic" in self.serial()
        for name, (word, said) in ENDS.items():
            if self.status is None and word in log and panic == bool(said):
                return name
        return None

    def cpu_state(self):
        """Every CPU as Bochs logged it when it stopped, and why if it panicked."""
        lines = [line for line in self.log() if "[CPU" in line]
        end = lines[-1][:11] if lines else ""
        return list(dict.fromkeys(line[12:] for line in lines if line.startswith(end)))


def command(*words):
    """Runs a tool; what it says is shown only when it fails."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stdout.strip()}")


building = threading.Lock()


def built(name, source, *recipe):
    """BUILD/testbed/NAME, made by recipe from source when it is older."""
    target = BUILD / "testbed" / name
    with building:
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_suffix(".new")
            command(*recipe, "-o", fresh, source)
            fresh.rename(target)
    return target


def boot_sector():
    return built("boot.bin", HERE / "boot.asm", "nasm", "-f", "bin")


def bochs_library():
    return built("bochs.so", HERE / "bochs.c",
                 "gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC")


def guest_program(name):
    return built(name, GUEST / f"{name}.c", "gcc", "-O2", "-Wall", "-Wextra", "-static",
                 f"-I{TOP}/include")


def kernel_module(kernel, name):
    """A module of the kernel's package; None if it has none of that name."""
    tree = BUILD / "kernel" / kernel / "modules" / "kernel"
    return next(tree.rglob(name + ".ko"), None)


def guest_files(kernel):
    files = {"init": GUEST / "init", "bin/busybox": "/bin/busybox",
             "bin/port": guest_program("port")}
    for name in ("8390", "ne2k-pci"):
        if module := kernel_module(kernel, name):
            files[f"modules/{name}.ko"] = module
    return files


def bochsrc(config):
    return BOCHSRC.format(cpu=CPU, cpus=config.cpus, ips=IPS, memory=MEMORY,
                          time=disk.PAYLOAD_TIME)


class Emulator:
    """A running emulator whose output is the guest's text, and its Result."""

    def __init__(self, process, folder, show, seconds):
        self.process, self.show, self.result = process, show, Result(folder)
        self.watchdog = threading.Timer(seconds, self.give_up)

    def give_up(self):
        self.result.reason = "the emulator took too long"
        self.process.kill()

    def wait(self):
        self.watchdog.start()
        with open(self.result.folder / "output.txt", "wb") as log:
            for raw in self.process.stdout:
                log.write(raw)
                log.flush()
                self.line(raw.decode(errors="replace").rstrip("\r\n"))
        self.process.wait()
        self.watchdog.cancel()
        self.explain_end()
        return self.result

    def line(self, line):
        if line.startswith("| "):
            self.result.lines.append(line[2:])
            if self.show:
                self.show(line[2:])
        elif line.startswith("guest: status "):
            self.result.status = int(line.rsplit(" ", 1)[1])
            self.result.reason = "ended"
        elif line.startswith("testbed: "):
            self.result.reason = line.removeprefix("testbed: ")

    def explain_end(self):
        """Puts a name to an end the guest did not choose."""
        if self.result.reason:
            return
        code = self.process.returncode
        self.result.reason = (f"the emulator died of signal {-code}" if code < 0 else
                              f"the emulator ended with status {code} and no word")
        log = "\n".join(self.result.log())
        if "Kernel panic" in self.result.serial():
            self.result.reason = "kernel panic"
        elif "Reset(SOFTWARE)" in log:
            self.result.reason = "the guest reset itself"
        elif "3rd (" in log:
            self.result.reason = "triple fault"
        elif found := re.search(r">>PANIC<< (.+)", log):
            self.result.reason = f"the emulator gave up: {found[1]}"


def start(folder, arguments, script, **options):
    """Starts Bochs in a folder that holds all its files; its debugger's prompt reads
    the file script. options: of Popen."""
    return subprocess.Popen(
        ["bochs-bin", "-q", *arguments], cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "LD_PRELOAD": str(bochs_library()), "BOCHS_SCRIPT": script},
        **options)


def bochs(folder, script, arguments, show=None):
    """Runs Bochs to its end."""
    (folder / "script").write_text("\n".join(script) + "\n")
    return Emulator(start(folder, arguments, "script"), folder, show, WALL_SECONDS).wait()


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


def boot(folder, config, script, words="", show=None):
    """Boots config in folder, freshly; the payload disk is there already."""
    initrd = initramfs(guest_files(config.kernel))
    disk.boot_disk(folder / "boot.img", boot_sector().read_bytes(),
                   Kernel(BUILD / "kernel" / config.kernel / "vmlinuz"),
                   config.slide, config.offset, initrd,
                   config.command_line() + words, MEMORY << 20)
    (folder / "bochsrc").write_text(bochsrc(config))
    return bochs(folder, script, ["-f", "bochsrc"], show)


def snapshot(config):
    """The folder of config's saved state, made if it is not there. Its name ends
    in a digest of all that went into it."""
    inputs = [repr(config).encode(), config.command_line().encode(), bochsrc(config).encode(),
              initramfs(guest_files(config.kernel)), Path("/usr/bin/bochs-bin").read_bytes(),
              (BUILD / "kernel" / config.kernel / "vmlinuz").read_bytes()]
    inputs += [(HERE / name).read_bytes() for name in
               ("boot.asm", "kernel.py", "disk.py", "bochs.c")]
    name = str(config)
    store = BUILD / "snapshots"
    store.mkdir(parents=True, exist_ok=True)
    final = store / f"{name},{digest(*inputs)}"
    with open(store / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.exists():
            for old in store.glob(name + ",*"):
                shutil.rmtree(old)
            make_snapshot(config, final)
    return final


def make_snapshot(config, final):
    work = final.with_name("making," + final.name)
    empty(work)
    disk.payload_disk(work / "payload.img", b"")
    result = boot(work, config, [f"limit {BOOT_TICKS}", "c", "save state"], " snapshot")
    booted = "guest: booted" in (work / "output.txt").read_text(errors="replace")
    if not booted or result.reason != "saved":
        raise RuntimeError(f"{config} did not boot ({result.reason}); see {work}")
    work.rename(final)


def empty(folder):
    """folder, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def restored(config, directory, folder):
    """Puts into folder what it takes to go on from config's saved state with
    directory as payload; the arguments for Bochs."""
    disk.payload_disk(folder / "payload.img", payload(directory))
    saved = snapshot(config)
    for name in ("state", "boot.img"):
        (folder / name).symlink_to(saved / name)
    return ["-r", "state"]


def run(config, directory, folder, ticks, show=None, fresh=False, debug=None):
    """Runs directory/run.sh in the guest for at most ticks, with folder for the
    logs. fresh: boot instead of restoring, for what a restored
    machine lacks. debug: commands for Bochs's debugger in place of the limit."""
    script = debug or [f"limit {ticks + (BOOT_TICKS if fresh else 0)}", "c"]
    if fresh:
        disk.payload_disk(folder / "payload.img", payload(directory))
        return boot(folder, config, script, show=show)
    return bochs(folder, script, restored(config, directory, folder), show)
