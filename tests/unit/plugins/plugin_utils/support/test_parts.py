# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts answer, as it may be in a support bundle."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.support import parts as sut
from ansible_collections.ivy.cluster.tests import canaries

CANARY = "CANARYx7Qz"


def facts(*named: tuple[t.Any, t.Any]) -> dict[str, t.Any]:
    return {"parts": [{"name": name, "text": text} for name, text in named], "problems": []}


@pytest.mark.parametrize("text", canaries.ALL.values(), ids=list(canaries.ALL))
def test_a_host_that_masks_nothing_gives_no_secret_away(text: str) -> None:
    shown = text.format(CANARY)
    found = sut.of_facts({**facts(("logs/a.log", shown)), "problems": [shown]}, 10**6, [])
    found.texts.update(
        sut.of_module("state/engine", {"log_tail": shown.split("\n"), "deep": [{"a": shown}]}, 10**6, []).texts
    )
    failed = sut.of_module("state/engine", {"failed": True, "msg": shown}, 10**6, [])
    assert CANARY not in str((found, failed))


def test_known_secrets_are_masked_wherever_they_are() -> None:
    found = sut.of_facts(facts(("logs/a.log", f"see {CANARY} here")), 1000, [CANARY])
    more = sut.of_module("state/engine", {"a": [f"x{CANARY}"], CANARY: 1, "password": "short"}, 1000, [CANARY])
    assert found.texts == {"logs/a.log": "see ******** here"}
    content = json.loads(more.texts["state/engine.json"])
    assert content == {"a": ["x********"], "********": 1, "password": "********"}


def test_names_numbers_and_sizes_are_bounded_whatever_a_host_answers() -> None:
    hostile: list[tuple[t.Any, t.Any]] = [
        ("../../etc/passwd", "x"),
        ("/etc/passwd", "x"),
        ("a/../b", "x"),
        (".hidden", "x"),
        ("a//b", "x"),
        ("a\nb", "x"),
        ("a" * 500, "x"),
        ("/".join("a" * 11), "x"),
        (5, "x"),
        ("b", 5),
        ("long", "x" * 2000),
        ("twice", "1"),
        ("twice", "2"),
        ("colours", "a\x1b[2Jb\tc\r\nd\u202e"),
    ]
    found = sut.of_facts(facts(*hostile), 1000, [])
    assert found.texts == {"twice": "1", "colours": "ab\tc\nd\\u202e"}
    assert len(found.problems) == len(hostile) - 2
    many = sut.of_facts(facts(*((f"n{number}", "x") for number in range(2000))), 10**6, [])
    assert (len(many.texts), many.problems) == (500, ["1500 more parts are left out"])


@pytest.mark.parametrize("answer", [None, [], {"parts": "x", "msg": "no\x1bway"}, {"parts": {}}, {"failed": True}])
def test_an_answer_of_another_shape_is_a_problem_and_no_error(answer: t.Any) -> None:
    found = sut.of_facts(answer, 1000, [])
    assert found.texts == {}
    assert found.problems[0].startswith("The host was not inspected: ")
    assert found.problems[0].isprintable()
    assert sut.of_facts({"parts": [None, 5, {}], "problems": 5}, 1000, []).texts == {}


def test_a_module_that_answers_endless_or_deep_values_is_left_out() -> None:
    deep: list[t.Any] = []
    for _level in range(500):
        deep = [deep]
    assert "(too deep)" in sut.of_module("a", {"deep": deep}, 10**6, []).texts["a.json"]
    found = sut.of_module("a", {"long": [{"a": "x" * 100}] * 10**4}, 10**6, [])
    assert found == sut.Parts({}, ["a: left out, it is longer than it may be"])
    assert sut.of_module("a", {"invocation": 1, "changed": False, "_ansible_x": 1, "b": 2}, 1000, []).texts == {
        "a.json": '{\n "b": 2\n}\n'
    }
