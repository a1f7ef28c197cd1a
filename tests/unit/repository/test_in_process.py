# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs of tests share: templates that an earlier run has compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import CompiledTemplates

KEY, OTHER = b"1" * 32, b"2" * 32


def compiled(text: str) -> object:
    return compile(text, "<template>", "eval")


def never() -> object:
    raise AssertionError("it was compiled before")


def test_a_later_run_compiles_nothing_again(tmp_path: Path) -> None:
    file = tmp_path / "all"
    first, beside = CompiledTemplates(file), CompiledTemplates(file)
    assert eval(first.get(KEY, lambda: compiled("1 + 1"))) == 2
    assert eval(beside.get(OTHER, lambda: compiled("2 + 2"))) == 4
    assert eval(first.get(KEY, never)) == 2

    later = CompiledTemplates(file)

    assert [eval(later.get(key, never)) for key in (KEY, OTHER)] == [2, 4]


@pytest.mark.parametrize("kept", [10, 80, -1])
def test_what_a_killed_run_has_written_in_part_is_compiled_again(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "all"
    CompiledTemplates(file).get(KEY, lambda: compiled("1 + 1"))
    file.write_bytes(file.read_bytes()[:kept])
    left = file.stat().st_size

    later = CompiledTemplates(file)

    assert eval(later.get(KEY, lambda: compiled("3 + 3"))) == 6
    assert file.stat().st_size == left, "what follows a part cannot be found"
