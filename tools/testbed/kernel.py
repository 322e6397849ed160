# SPDX-License-Identifier: MIT
"""A distribution kernel taken apart: what its own decompressor would do, done on
the host. It must never change the kernel beyond applying its own relocations."""

import lzma
import struct
import subprocess

LINK_VIRTUAL = 0xffffffff81000000  # _text as linked
LINK_PHYSICAL = 0x1000000
KERNEL_MAP = LINK_VIRTUAL - LINK_PHYSICAL
ALIGN = 2 << 20
IMAGE_LIMIT = 1 << 30  # KERNEL_IMAGE_SIZE: the virtual window a slide may use

# Offsets in the bzImage, Documentation/x86/boot.rst.
SETUP_SECTS, HEADER_JUMP, HEADER, PAYLOAD_OFFSET = 0x1f1, 0x201, 0x202, 0x248

PT_LOAD = 1


def decompress(data):
    if data.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data)
    if data.startswith(b"\x02\x21\x4c\x18"):  # LZ4 legacy; its size follows it
        return subprocess.run(["lz4", "-d", "-c"], input=data[:-4], check=True,
                              capture_output=True).stdout
    raise ValueError("kernel payload in an unknown format: " + data[:6].hex())


ENTRY_64 = 0x200  # from the start of what follows the setup sectors
INIT_SIZE = 0x260  # memory the decompressor and the kernel need at the start


class Kernel:
    """header: the setup header for boot_params. image(slide): the bytes that
    belong at LINK_PHYSICAL or, moved, any multiple of ALIGN above it.
    compressed: what has to be loaded to let the kernel unpack itself and choose
    its own slide; it starts ENTRY_64 into it."""

    def __init__(self, vmlinuz):
        with open(vmlinuz, "rb") as f:
            data = f.read()
        if data[HEADER:HEADER + 4] != b"HdrS":
            raise ValueError(f"{vmlinuz} is not a bzImage")
        self.header = data[SETUP_SECTS:HEADER + data[HEADER_JUMP]]
        self.compressed = data[((data[SETUP_SECTS] or 4) + 1) * 512:]
        self.compressed_memory, = struct.unpack_from("<I", data, INIT_SIZE)
        start, size = struct.unpack_from("<II", data, PAYLOAD_OFFSET)
        self._payload = decompress(self.compressed[start:start + size])
        self._lay_out()

    def _lay_out(self):
        elf = self._payload
        if elf[:4] != b"\x7fELF":
            raise ValueError("the kernel payload is not an ELF file")
        self.entry, headers = struct.unpack_from("<QQ", elf, 24)
        count, = struct.unpack_from("<H", elf, 56)
        image, self.memory_size = bytearray(), 0
        for i in range(count):
            kind, _, offset, _, physical, file_size, memory_size, _ = \
                struct.unpack_from("<IIQQQQQQ", elf, headers + 56 * i)
            if kind != PT_LOAD:
                continue
            at = physical - LINK_PHYSICAL
            image.extend(bytes(max(0, at + file_size - len(image))))
            image[at:at + file_size] = elf[offset:offset + file_size]
            self.memory_size = max(self.memory_size, at + memory_size)
        self._flat = bytes(image)

    def _relocations(self):
        """Three lists lie at the payload's end, each read downwards to a zero:
        32-bit, inverse 32-bit, 64-bit (arch/x86/boot/compressed/misc.c)."""
        words = memoryview(self._payload)
        words = words[len(words) % 4:].cast("i")
        lists, at = [], len(words) - 1
        for _ in range(3):
            entries = []
            while words[at]:
                entries.append(words[at])
                at -= 1
            at -= 1
            lists.append(entries)
        return lists

    def image(self, slide):
        """The kernel as it runs with every virtual address moved up by slide."""
        if slide % ALIGN or not 0 <= slide <= IMAGE_LIMIT - LINK_PHYSICAL - self.memory_size:
            raise ValueError(f"slide {slide:#x}: not a multiple of 2 MiB inside 1 GiB")
        if slide == 0:
            return self._flat
        image = bytearray(self._flat)
        for entries, code, delta, mask in zip(
                self._relocations(), ("<I", "<I", "<Q"),
                (slide, -slide, slide), (2**32 - 1, 2**32 - 1, 2**64 - 1)):
            for entry in entries:
                at = entry + 2**64 - KERNEL_MAP - LINK_PHYSICAL
                value, = struct.unpack_from(code, image, at)
                struct.pack_into(code, image, at, value + delta & mask)
        return bytes(image)
