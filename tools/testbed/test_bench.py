# SPDX-License-Identifier: MIT
"""The keys of `tools/bench -o json` are an interface."""

import re
import unittest

from testbed import bench, figures, machine

DOCUMENT = machine.TOP / "docs/performance.md"
KEYS = {
    "exit.cpuid.instructions", "exit.cpuid.kvm.instructions", "hypercall.null.instructions",
    "ept.violation.report.instructions", "steady.exits_per_million", "memory.enable.bytes",
    "memory.per_cpu.bytes", "ept.tables", "ept.leaves", "code.root_lines", "arm.instructions",
    "overhead.workload.percent",
    *(f"{what}{peer}.instructions" for what in ("buddy.mixed_100k", "slab.100k")
      for peer in ("", ".glibc", ".jemalloc", ".mimalloc")),
}


class Keys(unittest.TestCase):
    def test_the_object_has_the_keys_and_no_other(self):
        self.assertEqual(set(figures.complete(dict.fromkeys(KEYS, 1))), KEYS)

    def test_the_document_has_every_key_once(self):
        rows = re.findall(r"^\| `([\w.]+)` \|", DOCUMENT.read_text(), re.M)
        self.assertEqual(sorted(rows), sorted(KEYS))

    def test_a_figure_that_did_not_come_is_an_error(self):
        self.assertRaises(ValueError, figures.complete,
                          dict.fromkeys(KEYS - {"arm.instructions"}, 1))

    def test_a_key_nobody_knows_is_an_error(self):
        self.assertRaises(ValueError, figures.complete, dict.fromkeys(KEYS, 1) | {"new": 1})

    def test_figures_not_asked_for_are_null(self):
        values = figures.complete({"ept.tables": 8}, ["ept.tables"])
        self.assertEqual(set(values), KEYS)
        self.assertEqual([key for key in values if values[key] is not None], ["ept.tables"])


class Goals(unittest.TestCase):
    def figure(self, key):
        return next(figure for figure in figures.FIGURES if figure.key == key)

    def test_a_goal_is_met_up_to_its_value(self):
        cpuid = self.figure("exit.cpuid.instructions")
        self.assertTrue(figures.met(cpuid, 80))
        self.assertFalse(figures.met(cpuid, 81))

    def test_one_exit_of_a_kind_that_is_never_to_come_misses_the_goal(self):
        self.assertTrue(figures.steady({"EPT violation": 0, "CPUID": 0.9}))
        self.assertFalse(figures.steady({"EPT violation": 0.001}))
        self.assertFalse(figures.steady({"CPUID": 0.6, "VMCALL": 0.6}))

    def test_the_table_says_what_was_missed(self):
        values = figures.complete({"exit.cpuid.instructions": 81, "ept.leaves": {"4K": 5}},
                                  ["exit.cpuid.instructions"])
        text = "\n".join(figures.table(values, {"exit.cpuid.instructions": ["a note"]}))
        self.assertRegex(text, r"CPUID.* 81 +80  NOT MET\n    a note\n")
        self.assertRegex(text, r"4K +5")


class Output(unittest.TestCase):
    def test_a_run_is_read_from_its_lines(self):
        run = bench.Run(["# noise", "figure cpu0.instructions 7", "figure cpu1.instructions 5",
                         "figure violation 1 2", "status: {", 'status: "a": 1', "status: }"])
        self.assertEqual(run.instructions(), 12)
        self.assertEqual(run.figures["violation"], [1, 2])
        self.assertEqual(run.statuses, [{"a": 1}])


if __name__ == "__main__":
    unittest.main()
