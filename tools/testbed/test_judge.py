# SPDX-License-Identifier: MIT
"""A test bed that takes a broken run for a good one is worse than none."""

import tempfile
import unittest
from pathlib import Path

from testbed import machine, scenario

PANIC = "Kernel panic - not syncing: sysrq triggered crash\n"
OOPS = "BUG: unable to handle page fault\n---[ end trace 0000000000000000 ]---\n"


class Judge(unittest.TestCase):
    def judge(self, lines, status=0, serial="", host=(), log="", ends=None):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "serial.txt").write_text(serial)
            (Path(folder) / "bochs.log").write_text(log)
            result = machine.Result(Path(folder), list(lines), status, "ended")
            return scenario.judge(result, list(host), ends)

    def assert_fails(self, *args, **options):
        self.assertTrue(self.judge(*args, **options).failed)

    def test_a_good_run_passes(self):
        outcome = self.judge(["ok - one", "ok - two", "end 2"], host=["ok - three"])
        self.assertEqual((outcome.passed, outcome.failed), (["one", "two", "three"], []))

    def test_a_failed_check_fails(self):
        self.assert_fails(["ok - one", "not ok - two", "end 2"])

    def test_a_failed_check_on_the_host_fails(self):
        self.assert_fails(["ok - one", "end 1"], host=["not ok - two"])

    def test_a_run_that_never_ends_fails(self):
        self.assert_fails(["ok - one", "end 1"], status=None)

    def test_a_script_that_leaves_early_fails(self):
        self.assert_fails(["ok - one"])

    def test_a_lost_check_fails(self):
        self.assert_fails(["ok - one", "end 2"])

    def test_a_run_without_checks_fails(self):
        self.assert_fails(["end 0"])

    def test_an_oops_that_was_not_announced_fails(self):
        self.assert_fails(["ok - one", "end 1"], serial=OOPS)

    def test_an_announced_oops_passes(self):
        lines = ["oops expected 1", "ok - one", "end 1"]
        self.assertFalse(self.judge(lines, serial=OOPS).failed)

    def test_an_announced_oops_that_did_not_come_fails(self):
        self.assert_fails(["oops expected 1", "ok - one", "end 1"])

    def test_a_warning_fails(self):
        self.assert_fails(["ok - one", "end 1"],
                          serial="WARNING: CPU: 0\n---[ end trace 0000000000000000 ]---\n")

    def test_a_guest_that_ends_as_announced_passes(self):
        for ends, log, serial in (("reboot", "Reset(SOFTWARE)", ""),
                                  ("poweroff", "soft power off", ""),
                                  ("panic", "Reset(SOFTWARE)", PANIC)):
            self.assertFalse(self.judge(["ok - one", "end 1"], None, serial, log=log,
                                        ends=ends).failed)

    def test_a_guest_that_ends_otherwise_fails(self):
        for ends, status, log, serial in (("reboot", None, "3rd (13) exception", ""),
                                          ("reboot", None, "Reset(SOFTWARE)", PANIC),
                                          ("reboot", 0, "", ""),
                                          ("poweroff", None, "Reset(SOFTWARE)", ""),
                                          ("panic", None, "Reset(SOFTWARE)", ""),
                                          ("panic", None, "", PANIC)):
            self.assert_fails(["ok - one", "end 1"], status, serial, log=log, ends=ends)

    def test_a_guest_that_ends_before_its_script_fails(self):
        self.assert_fails(["ok - one"], None, log="Reset(SOFTWARE)", ends="reboot")

    def test_a_lockup_fails_even_beside_an_announced_oops(self):
        self.assert_fails(["oops expected 1", "ok - one", "end 1"],
                          serial=OOPS + "watchdog: BUG: soft lockup - CPU#0 stuck\n")


class Header(unittest.TestCase):
    def scenario(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sample"
            path.write_text(text)
            return scenario.Scenario(path)

    def test_every_combination_of_a_line_is_a_case(self):
        cases = self.scenario("# proves: it\n# on: cpus=1,2 slide=0,0x200000+0x400000\n"
                              "# on: cpus=4 mitigations=default slide=own\n").cases()
        self.assertEqual([case.name for case in cases], [
            "sample@cpus=1", "sample@cpus=1,slide=0x200000+0x400000",
            "sample@cpus=2", "sample@cpus=2,slide=0x200000+0x400000",
            "sample@cpus=4,slide=own,default"])

    def test_a_word_for_the_script_makes_cases_too(self):
        cases = self.scenario("# proves: it\n# on: cpus=2 ringwall=absent,armed\n").cases()
        self.assertEqual([case.name for case in cases],
                         ["sample@cpus=2,absent", "sample@cpus=2,armed"])

    def test_an_unknown_end_is_refused(self):
        self.assertRaises(ValueError, self.scenario, "# proves: it\n# ends: well\n")

    def test_a_misspelt_key_is_refused(self):
        self.assertRaises(ValueError, self.scenario, "# proves: it\n# cpu: 2\n")

    def test_a_scenario_must_say_what_it_proves(self):
        self.assertRaises(ValueError, self.scenario, "ok done\n")
