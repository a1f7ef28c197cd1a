# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import check as sut
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state
from ansible_collections.ivy.cluster.tests.timing import Clock

SCOPE = state.Scope(8080, "h", {}, {}, {"address": "db", "port": 5432}, {"address": "se", "port": 9200})
GOOD = {
    "unit": {"active": "active", "sub": "running", "main_pid": 7},
    "process": {"pid": 7},
    "age": 100.0,
    "applied": "r",
    "running": {"release": "r", "modified": []},
    "restart_required": False,
    "restart_reasons": [],
    "health": {"ok": True, "reason": ""},
    "peers": {"missing": []},
    "database_connections": 3,
    "search_connections": 1,
}


def facts(**more: t.Any) -> t.Any:
    return {**copy.deepcopy(GOOD), **more}


def checks(gate: t.Any, value: t.Any) -> t.Any:
    return [problem["check"] for problem in gate.problems(value)]


def test_no_problems() -> None:
    assert sut.Gate(SCOPE).problems(facts()) == []


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"unit": {"active": "activating", "sub": "start", "main_pid": 7}}, "process"),
        ({"age": 0.5}, "process"),
        ({"process": None}, "process"),
        ({"health": {"ok": False, "reason": "503"}}, "health"),
        ({"peers": {"missing": ["n2"]}}, "peers"),
        ({"database_connections": 0}, "database"),
        ({"search_connections": 0}, "search"),
        ({"applied": None}, "configuration"),
        ({"running": {"release": "old", "modified": []}}, "configuration"),
        ({"running": {"release": "r", "modified": ["configuration/a"]}}, "configuration"),
        ({"restart_required": True, "restart_reasons": ["why"]}, "configuration"),
    ],
)
def test_each_failed_check_is_named(change: t.Any, check: t.Any) -> None:
    assert checks(sut.Gate(SCOPE), facts(**change)) == [check]


def test_a_replaced_process_is_not_stable() -> None:
    gate = sut.Gate(SCOPE)
    assert checks(gate, facts()) == []
    assert checks(gate, facts(unit={"active": "active", "sub": "running", "main_pid": 8})) == ["process"]
    assert checks(gate, facts(unit={"active": "active", "sub": "running", "main_pid": 8})) == []


def test_a_connection_found_once_counts() -> None:
    gate = sut.Gate(SCOPE)
    gate.problems(facts())
    assert checks(gate, facts(search_connections=0, database_connections=0)) == []


def test_parts_outside_the_scope_are_not_checked() -> None:
    scope = state.Scope(8080, "h", None, None, None, None)
    assert (
        sut.Gate(scope).problems(facts(health=None, peers=None, database_connections=None, search_connections=None))
        == []
    )


def test_a_failed_unit_ends_the_wait_at_once(node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    failed = facts(unit={"active": "failed", "sub": "failed", "main_pid": None}, process=None)
    monkeypatch.setattr(state, "gather", lambda *_args: failed)
    _facts, problems, waited = sut.wait_until_ready(node.settings(), "", SCOPE, 600)
    assert problems
    assert (waited, clock.naps) == (0, [])


def test_the_wait_ends_after_its_time(node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(state, "gather", lambda *_args: facts(health={"ok": False, "reason": "x"}))
    _facts, problems, waited = sut.wait_until_ready(node.settings(), "", SCOPE, 600)
    assert [problem["check"] for problem in problems] == ["health"]
    assert waited == sum(clock.naps) == 600


def test_an_engine_that_ended_too_often_ends_the_wait_at_once(
    node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    last_start = {"state": "pausing", "reason": "The engine ended 3 times in a row", "since": "", "failures": 3}
    trying = facts(unit={"active": "activating", "sub": "start-pre", "main_pid": None}, process=None, start=last_start)
    monkeypatch.setattr(state, "gather", lambda *_args: trying)
    _facts, problems, waited = sut.wait_until_ready(node.settings(), "", SCOPE, 600)
    assert problems[0]["reason"] == "the unit is activating (start-pre): The engine ended 3 times in a row"
    assert (waited, clock.naps) == (0, [])


def test_the_reason_why_the_engine_waits_is_reported(
    node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    last_start = {"state": "waiting", "reason": "The database is away", "since": "", "failures": 0}
    waiting = facts(unit={"active": "activating", "sub": "start-pre", "main_pid": None}, process=None, start=last_start)
    answers = [waiting, waiting, waiting, waiting]
    monkeypatch.setattr(state, "gather", lambda *_args: answers.pop() if answers else facts())
    assert sut.wait_until_ready(node.settings(), "", SCOPE, 600)[1] == []
    assert (answers, len(clock.naps)) == ([], 4)
    assert "The database is away" in sut.Gate(SCOPE).problems(waiting)[0]["reason"]


def test_the_wait_ends_when_all_checks_hold(node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    answers = [facts(health={"ok": False, "reason": "x"}), facts()]
    monkeypatch.setattr(state, "gather", lambda *_args: answers.pop(0))
    assert sut.wait_until_ready(node.settings(), "", SCOPE, 600)[1] == []
    assert len(clock.naps) == 1


def test_the_failure_names_every_check() -> None:
    problems = [{"check": "health", "reason": "503"}, {"check": "search", "reason": "no connection to se:9200"}]
    assert sut.failure(problems, 300.0).startswith(
        "The engine did not pass the gate within 300 seconds: health: 503; search: no connection to se:9200. "
    )
