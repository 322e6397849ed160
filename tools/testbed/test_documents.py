# SPDX-License-Identifier: MIT
"""The checks of the documents find what is wrong: a small tree that is right, and
one fault at a time."""

import tempfile
import unittest
from pathlib import Path

from testbed import documents

GOOD = {
    "README.md": "# Sample\n\n[calls](docs/abi.md#the-calls), `tools/test small`,\n"
                 "`ringwall policy load FILE`, `monitor/PART.c`\n",
    "docs/abi.md": "# ABI\n\n## The calls\n\n| call | number | errors |\n| --- | --- | --- |\n"
                   "| `RW_HC_FIRST` | 0x100 | none |\n| `RW_HC_SECOND` | 0x101 | `RW_E_BAD` |\n"
                   "| `RW_IOC_ONE` | 1 | none |\n| `RW_E_BAD` | 7 | 1 | it is bad |\n"
                   "\n```\nmake RINGWALL_OPTION=1\ntools/test\n```\n",
    "include/ringwall/hypercall.h":
        "#define RW_HC_BASE 0x100u\nenum rw_hypercall {\n\t/** () */\n\tRW_HC_FIRST = RW_HC_BASE,\n"
        "\tRW_HC_SECOND,\n\tRW_HC_END\n};\n#define USED CONFIG_RINGWALL_SIZE\n",
    "include/ringwall/ioctl.h": "#define RW_IOC_ONE _IOWR('R', 1, struct one)\n",
    "include/ringwall/error.def": 'RW_ERROR(E_BAD, 7, 1, "it is bad")\n',
    "agent/cli/ringwall.c": '\t{ "policy", NULL, run },\n\t{ "monitor", "load", run },\n',
    "agent/policy/commands.c": '\t{ "load", "loads", run },\n',
    "Kconfig": "config RINGWALL_SIZE\n\tint \"Size\"\n\thelp\n\t  What it is.\n",
    "CMakeLists.txt": "option(RINGWALL_OPTION)\n",
    "tests/scenarios/small": "",
    "tools/test": "",
}


class Documents(unittest.TestCase):
    def wrong(self, name=None, old="", new=""):
        """What is found when old becomes new in a file."""
        with tempfile.TemporaryDirectory() as folder:
            for path, text in GOOD.items():
                place = Path(folder) / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text.replace(old, new) if path == name else text)
            tree = documents.Tree(Path(folder))
            return [fault for check in documents.CHECKS.values() for fault in check(tree)]

    def assert_found(self, words, *change):
        found = self.wrong(*change)
        self.assertEqual(1, len(found), found)
        self.assertIn(words, found[0])

    def test_a_tree_without_a_fault_is_right(self):
        self.assertEqual([], self.wrong())

    def test_a_hypercall_without_a_row_is_found(self):
        self.assert_found("no row for RW_HC_SECOND", "docs/abi.md", "| `RW_HC_SECOND` |", "| a |")

    def test_a_wrong_number_is_found(self):
        self.assert_found("RW_HC_SECOND is 0x101", "docs/abi.md", "0x101", "0x102")
        self.assert_found("RW_IOC_ONE is 2", "include/ringwall/ioctl.h", "'R', 1", "'R', 2")

    def test_a_call_without_errors_is_found(self):
        self.assert_found("RW_IOC_ONE names no errors", "docs/abi.md", "| 1 | none |", "| 1 | |")

    def test_an_error_told_differently_is_found(self):
        self.assert_found("row of RW_E_BAD", "docs/abi.md", "it is bad", "it is good")

    def test_a_name_that_is_not_in_the_code_is_found(self):
        self.assert_found("no RW_HC_THIRD", "README.md", "# Sample", "# RW_HC_THIRD")
        self.assert_found("no RINGWALL_OPTIONS", "docs/abi.md", "OPTION=", "OPTIONS=")

    def test_a_link_that_leads_nowhere_is_found(self):
        self.assert_found("docs/api.md#the-calls leads nowhere", "README.md", "abi.md", "api.md")
        self.assert_found("no such heading", "docs/abi.md", "## The calls", "## Calls")

    def test_a_command_that_is_not_there_is_found(self):
        self.assert_found("no command 'ringwall policy lod'", "README.md", "y load", "y lod")
        self.assert_found("knows no 'big'", "README.md", "test small", "test big")

    def test_a_path_that_is_not_there_is_found(self):
        self.assert_found("no monitor/part.c", "README.md", "PART.c", "part.c")

    def test_a_setting_without_help_or_reader_is_found(self):
        self.assert_found("SIZE has no help", "Kconfig", "\thelp\n", "")
        self.assert_found("nothing reads RINGWALL_SIZE", "include/ringwall/hypercall.h",
                          "CONFIG_RINGWALL_SIZE", "1")


if __name__ == "__main__":
    unittest.main()
