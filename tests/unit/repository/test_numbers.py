# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from a node is a number only if int() can read it: str.isdigit() is also true for digits such as "²"."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_no_code_takes_every_digit_for_a_number() -> None:
    assert not "²".isdecimal()
    files = [path for place in ("plugins", "roles") for path in (ROOT / place).rglob("*.py")]
    found = [str(path.relative_to(ROOT)) for path in files if ".isdigit(" in path.read_text(encoding="utf-8")]
    assert files
    assert found == []
