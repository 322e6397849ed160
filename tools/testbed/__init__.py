# SPDX-License-Identifier: MIT
"""The test bed: Bochs, Debian's kernels, scenarios. Start reading at machine.py."""
