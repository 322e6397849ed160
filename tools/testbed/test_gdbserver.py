# SPDX-License-Identifier: MIT
"""What gdb is told, against what Bochs says."""

import unittest

from testbed import gdbserver

BASE = 0xffff802150a00000
SAID = {
    "r": ["CPU0:", "rax: 00000000_52570003", "r8 : ffffc900_005a787c",
          "rip: ffff8025_69404f9f", "eflags 0x00000002: id vip"],
    "sreg": ["cs:0x0010, dh=0x00af9b00, dl=0x0000ffff, valid=31"],
    "x /3bx 0x10": ["[bochs]:", "0x0000000000000010 <bogus+       0>:\t0x41\t0x57\t0x0a"],
    "xp /2bx 0x5000": ["[bochs]:", "0x0000000000005000 <bogus+       0>:\t0x01\t0x02"],
    "blist": ["Num Type           Disp Enb Address",
              f"  1 lbreakpoint    keep y   {BASE + 8:#018x} ",
              f"  2 lbreakpoint    keep y   {BASE:#018x} "],
}


class Prompt:
    def __init__(self):
        self.asked = []

    def ask(self, command):
        self.asked.append(command)
        return SAID.get(command, ["bx_dbg_read_linear: physical address not available"])


class Server(unittest.TestCase):
    def setUp(self):
        self.prompt = Prompt()
        self.server = gdbserver.Server(self.prompt, 2, (BASE, 0x5000, 0x1000))

    def reply(self, packet):
        return self.server.reply(packet, None)

    def test_registers_are_in_the_order_of_gdb(self):
        data = bytes.fromhex(self.reply("g"))
        self.assertEqual(17 * 8 + 7 * 4, len(data))
        self.assertEqual(0x52570003, int.from_bytes(data[:8], "little"))
        self.assertEqual(0xffffc900005a787c, int.from_bytes(data[64:72], "little"))
        self.assertEqual(0xffff802569404f9f, int.from_bytes(data[128:136], "little"))
        self.assertEqual((2, 0x10), (data[136], data[140]))

    def test_memory_is_read_as_the_cpu_sees_it(self):
        self.assertEqual("41570a", self.reply("m10,3"))

    def test_memory_that_is_not_mapped_is_an_error(self):
        self.assertEqual("E01", self.reply("m20,3"))

    def test_the_monitor_is_read_while_the_guest_runs(self):
        self.assertEqual("0102", self.reply(f"m{BASE:x},2"))
        self.assertEqual("0102", self.reply(f"m{gdbserver.PHYSMAP + 0x5000:x},2"))

    def test_the_breakpoint_that_goes_is_the_one_meant(self):
        self.assertEqual("OK", self.reply(f"z0,{BASE:x},1"))
        self.assertEqual(["blist", "d 2"], self.prompt.asked)

    def test_the_cpu_that_stopped_is_the_present_thread(self):
        said = ["(1) Breakpoint 1, 0xffff802150a041b0 in ?? ()", "Next at t=7",
                "(0) [0x0001] 0010:81170918", "(1) [0x0002] 0010:50a041b0"]
        self.assertEqual("T05thread:2;", self.server.stopped(said))
        self.assertEqual(["set $cpu = 1"], self.prompt.asked)

    def test_a_packet_has_its_sum(self):
        self.assertEqual(b"$OK#9a", gdbserver.frame("OK"))

    def test_what_is_unknown_has_an_empty_answer(self):
        self.assertEqual("", self.reply("vMustReplyEmpty"))


if __name__ == "__main__":
    unittest.main()
