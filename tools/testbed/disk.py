# SPDX-License-Identifier: MIT
"""The two raw disks of the test bed: the one the kernel is booted from and the
one that carries a payload into a restored guest."""

import os
import struct

from testbed import kernel as k
from testbed.files import SECTOR

CYLINDER = 16 * 63 * SECTOR  # the geometry Bochs assumes for a flat image
PAYLOAD_SIZE = 128 * CYLINDER
PAYLOAD_TIME = 1767225600  # a snapshot accepts a disk only with the time it knew

BOOT_PARAMS = 0x20000
COMMAND_LINE = BOOT_PARAMS + 0x1000
TABLE = 456  # in boot.asm: entry, then (where, first sector, sectors)

LOADED_HIGH, KASLR_FLAG, CAN_USE_HEAP = 0x01, 0x02, 0x80


def boot_params(header, initrd_at, initrd_size, command_line, randomized):
    """The boot protocol's page and, one page on, the command line."""
    page = bytearray(0x2000)
    page[k.SETUP_SECTS:k.SETUP_SECTS + len(header)] = header
    page[0x210] = 0xff  # type_of_loader: none of the registered ones
    page[0x211] |= LOADED_HIGH | CAN_USE_HEAP | (KASLR_FLAG if randomized else 0)
    struct.pack_into("<II", page, 0x218, initrd_at, initrd_size)
    struct.pack_into("<I", page, 0x228, COMMAND_LINE)
    page[6:8] = 3, 80  # screen_info: colour text, 80 x 25, 16 lines a letter
    page[0xe:0x10] = 25, 1
    struct.pack_into("<H", page, 0x10, 16)
    text = command_line.encode()
    page[0x1000:0x1000 + len(text)] = text
    return bytes(page)


def placed(kernel, slide, offset):
    """Where what goes, what memory it needs there, and its entry."""
    at = k.LINK_PHYSICAL + offset
    if offset % k.ALIGN:
        raise ValueError(f"physical offset {offset:#x} is not a multiple of 2 MiB")
    if slide is None:
        return at, kernel.compressed, kernel.compressed_memory, at + k.ENTRY_64
    return at, kernel.image(slide), kernel.memory_size, kernel.entry + offset


def boot_disk(path, sector, kernel, slide, offset, initrd, command_line, memory):
    """Writes the disk that boots kernel, its addresses moved up by slide, at
    physical LINK_PHYSICAL + offset with memory bytes of RAM. Without a slide the
    kernel's own decompressor runs and chooses one."""
    at, image, need, entry = placed(kernel, slide, offset)
    initrd_at = (memory - (2 << 20) - len(initrd)) & -4096
    if at + need > initrd_at:
        raise ValueError(f"physical offset {offset:#x}: out of memory")
    params = boot_params(kernel.header, initrd_at, len(initrd), command_line, bool(slide))
    sector, body = bytearray(sector), bytearray()
    struct.pack_into("<I", sector, TABLE, entry)
    for i, (where, data) in enumerate(
            ((BOOT_PARAMS, params), (at, image), (initrd_at, initrd))):
        count = -(-len(data) // SECTOR)
        struct.pack_into("<III", sector, TABLE + 4 + 12 * i,
                         where, 1 + len(body) // SECTOR, count)
        body += data + bytes(count * SECTOR - len(data))
    with open(path, "wb") as f:
        f.write(sector + body)
        f.truncate(-(-f.tell() // CYLINDER) * CYLINDER)


def payload_disk(path, data):
    """Sector 0 says how many sectors follow; see tests/guest/port.c."""
    if len(data) + SECTOR > PAYLOAD_SIZE:
        raise ValueError(f"payload of {len(data)} bytes, room for {PAYLOAD_SIZE - SECTOR}")
    with open(path, "wb") as f:
        f.write(b"%d\n" % -(-len(data) // SECTOR))
        f.seek(SECTOR)
        f.write(data)
        f.truncate(PAYLOAD_SIZE)
    os.utime(path, (PAYLOAD_TIME, PAYLOAD_TIME))
