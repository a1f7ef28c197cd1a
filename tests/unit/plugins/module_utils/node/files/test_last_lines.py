# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a log is read with little memory, whatever it contains."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.files import last_lines
from ansible_collections.ivy.cluster.tests.limits import limited

COUNT = 3
SECONDS = 120.0
LONG_LINE = "import sys\nfor i in range(200): sys.stdout.write('x' * (1 << 20))"
MANY_LINES = "import sys\nfor i in range(100): sys.stdout.write('y\\n' * (1 << 19))"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("print('a\\nb\\nc\\nd')", ["b", "c", "d"]),
        ("print('a', end='')", ["a"]),
        ("print('a\\n\\nb')", ["a", "", "b"]),
        ("", []),
        (f"{LONG_LINE}\nprint('z')", ["x" * last_lines.LONGEST]),
        (f"print('a')\n{LONG_LINE}\nprint()\nprint('c')", ["a", "x" * last_lines.LONGEST, "c"]),
        (MANY_LINES, ["y", "y", "y"]),
    ],
)
def test_the_last_lines_of_a_program(program: str, expected: list[str]) -> None:
    arguments = [sys.executable, "-S", "-c", program]
    assert limited(lambda: last_lines.of_command(arguments, COUNT, SECONDS), memory=64 << 20) == expected


def test_a_program_that_does_not_end_is_ended() -> None:
    assert last_lines.of_command(["tail", "-f", "/dev/null"], COUNT, 0) == []


def test_a_line_that_began_before_the_end_is_left_out() -> None:
    assert last_lines.of_end(b"a\nb\n", 5) == ["a", "b"]
    assert last_lines.of_end(b"a\nb\n", 4) == ["(the end of a line that is too long to be shown)", "b"]
