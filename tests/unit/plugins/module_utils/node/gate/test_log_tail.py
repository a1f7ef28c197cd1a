# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import log_tail as sut
from ansible_collections.ivy.cluster.tests import canaries

CANARY = "cAnary7f3aB"


def test_the_last_lines_of_the_engine_log(node: t.Any) -> None:
    node.vendor("logs/ivy.log", b"line 1\nline 2\n" * 100)
    lines = sut.log_tail(node.settings())
    assert lines[-1] == "line 2"
    assert len(lines) < 60


@pytest.mark.parametrize("kind", canaries.ALL)
def test_no_secret_leaves_the_node_in_a_log(node: t.Any, kind: str) -> None:
    text = f"before\n{canaries.ALL[kind].format(CANARY)}\nafter\n"
    node.vendor("logs/ivy.log", text.encode())
    lines = sut.log_tail(node.settings())
    assert CANARY not in "\n".join(lines)
    assert "before" in lines


def test_the_engines_own_secrets_are_found_wherever_they_stand_in_its_log(node: t.Any) -> None:
    values = {"quoted": 'word with "quotes" $x', "file": "value-of-a-file", "short": "ivy"}
    for directory in (node.environment, node.secrets):
        Path(directory).mkdir(parents=True, exist_ok=True)
    (Path(node.environment) / "shared.env").write_text(
        '# note\nIVY_A="word with \\"quotes\\" \\$x"\nIVY_B="ivy"\n', encoding="utf-8"
    )
    (Path(node.secrets) / "ivy.X.Y").write_text(values["file"], encoding="utf-8")
    text = "\n".join(f"engine says {value} here" for value in values.values())
    node.vendor("logs/ivy.log", text.encode())
    assert sut.log_tail(node.settings())[-3:] == [
        "engine says ******** here",
        "engine says ******** here",
        "engine says ivy here",
    ]
