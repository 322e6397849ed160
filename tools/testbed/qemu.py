# SPDX-License-Identifier: MIT
"""The same guest in QEMU, for hosts whose KVM passes VT-x on. The guest runs the
same initramfs and script; the payload comes as a second initramfs."""

import os
import subprocess
from pathlib import Path

from testbed import machine
from testbed.files import cpio, initramfs, payload

NESTED = Path("/sys/module/kvm_intel/parameters/nested")
SECONDS = 240


def nested_vmx():
    """Whether a guest of this host's KVM has VT-x."""
    return (os.access("/dev/kvm", os.W_OK) and NESTED.exists()
            and NESTED.read_text().strip() in ("Y", "1"))


def run(config, directory, folder, ticks, show=None, fresh=True,
        accelerator=("-enable-kvm", "-cpu", "host")):
    """As machine.run, with a limit in seconds in place of ticks. The kernel's own
    decompressor chooses the slide."""
    initrd = folder / "initrd.img"
    initrd.write_bytes(initramfs(machine.guest_files(config.kernel))
                       + cpio({"payload.tar": (0o100644, payload(directory))}))
    mitigations = " mitigations=off" if config.mitigations == "off" else ""
    process = subprocess.Popen(
        ["qemu-system-x86_64", *accelerator, "-smp", str(config.cpus),
         "-m", str(machine.MEMORY), "-nodefaults", "-display", "none", "-no-reboot",
         "-kernel", machine.BUILD / "kernel" / config.kernel / "vmlinuz",
         "-initrd", initrd, "-append", "console=ttyS0,115200 quiet panic=-1" + mitigations,
         "-serial", f"file:{folder}/serial.txt",
         "-chardev", "stdio,id=text", "-device", "isa-debugcon,iobase=0xe9,chardev=text",
         "-netdev", "user,id=net", "-device", "ne2k_pci,netdev=net"],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    return machine.Emulator(process, folder, show, SECONDS).wait()
