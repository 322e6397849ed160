# SPDX-License-Identifier: MIT
"""The relocation of a kernel, against one made by hand."""

import struct
import unittest

from testbed import kernel as k

SLIDE = 0x600000


def entry(offset):
    """A relocation entry for a byte of the image: its address, sign-extended."""
    return struct.pack("<I", k.LINK_VIRTUAL + offset & 0xffffffff)


class Sample(k.Kernel):
    """One word for each kind of relocation, and the three lists at the end."""

    def __init__(self):
        zero = struct.pack("<I", 0)
        self._flat = struct.pack("<QIIQ", k.LINK_VIRTUAL, 0x81000000, 0x7f000000, 7)
        self._payload = (b"ELF!" + zero + entry(0) + zero + entry(12) + zero + entry(8))
        self.memory_size = len(self._flat)


class Relocation(unittest.TestCase):
    def test_each_kind_moves_its_own_way(self):
        self.assertEqual(struct.unpack("<QIIQ", Sample().image(SLIDE)), (
            k.LINK_VIRTUAL + SLIDE, 0x81000000 + SLIDE, 0x7f000000 - SLIDE, 7))

    def test_no_slide_changes_nothing(self):
        self.assertEqual(Sample().image(0), Sample()._flat)

    def test_a_slide_off_its_grain_or_out_of_the_window_is_refused(self):
        for slide in (1, 0x100000, k.IMAGE_LIMIT, -k.ALIGN):
            self.assertRaises(ValueError, Sample().image, slide)
