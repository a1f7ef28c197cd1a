# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import licence
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state as look
from ansible_collections.ivy.cluster.tests.timing import Clock

WANTED = look.Wanted(8080, "h", {}, {}, {"address": "db", "port": 5432}, {"address": "se", "port": 9200}, "")
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
    return [one["check"] for one in gate.problems(value)]


def test_all_well() -> None:
    assert look.Gate(WANTED).problems(facts()) == []


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
def test_each_check_fails_by_its_name(change: t.Any, check: t.Any) -> None:
    assert checks(look.Gate(WANTED), facts(**change)) == [check]


def test_a_process_that_is_replaced_is_not_stable() -> None:
    gate = look.Gate(WANTED)
    assert checks(gate, facts()) == []
    assert checks(gate, facts(unit={"active": "active", "sub": "running", "main_pid": 8})) == ["process"]
    assert checks(gate, facts(unit={"active": "active", "sub": "running", "main_pid": 8})) == []


def test_a_connection_seen_once_counts() -> None:
    gate = look.Gate(WANTED)
    gate.problems(facts())
    assert checks(gate, facts(search_connections=0, database_connections=0)) == []


def test_what_nobody_asked_for_is_not_checked() -> None:
    wanted = look.Wanted(8080, "h", None, None, None, None, "")
    assert (
        look.Gate(wanted).problems(facts(health=None, peers=None, database_connections=None, search_connections=None))
        == []
    )


def test_a_unit_that_gave_up_ends_the_wait_at_once(node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    failed = facts(unit={"active": "failed", "sub": "failed", "main_pid": None}, process=None)
    monkeypatch.setattr(look, "state", lambda *_args: failed)
    _facts, problems, waited = look.gate(node.settings(), "", WANTED, 600)
    assert problems
    assert (waited, clock.naps) == (0, [])


def test_the_wait_ends_when_its_time_is_over(node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(look, "state", lambda *_args: facts(health={"ok": False, "reason": "x"}))
    _facts, problems, waited = look.gate(node.settings(), "", WANTED, 600)
    assert [one["check"] for one in problems] == ["health"]
    assert waited == sum(clock.naps) == 600


def test_an_engine_that_ends_again_and_again_ends_the_wait_at_once(
    node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    begun = {"state": "pausing", "reason": "The engine ended 3 times in a row", "since": "", "failures": 3}
    trying = facts(unit={"active": "activating", "sub": "start-pre", "main_pid": None}, process=None, start=begun)
    monkeypatch.setattr(look, "state", lambda *_args: trying)
    _facts, problems, waited = look.gate(node.settings(), "", WANTED, 600)
    assert problems[0]["reason"] == "the unit is activating (start-pre): The engine ended 3 times in a row"
    assert (waited, clock.naps) == (0, [])


def test_what_the_engine_waits_for_is_waited_for_and_named(
    node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    begun = {"state": "waiting", "reason": "The database is away", "since": "", "failures": 0}
    waiting = facts(unit={"active": "activating", "sub": "start-pre", "main_pid": None}, process=None, start=begun)
    answers = [waiting, waiting, waiting, waiting]
    monkeypatch.setattr(look, "state", lambda *_args: answers.pop() if answers else facts())
    assert look.gate(node.settings(), "", WANTED, 600)[1] == []
    assert (answers, len(clock.naps)) == ([], 4)
    assert "The database is away" in look.Gate(WANTED).problems(waiting)[0]["reason"]


def test_it_returns_as_soon_as_all_holds(node: t.Any, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    answers = [facts(health={"ok": False, "reason": "x"}), facts()]
    monkeypatch.setattr(look, "state", lambda *_args: answers.pop(0))
    assert look.gate(node.settings(), "", WANTED, 600)[1] == []
    assert len(clock.naps) == 1


def test_a_host_without_anything(node: t.Any, tmp_path: Path) -> None:
    wanted = look.Wanted(
        8080,
        "h",
        {"path": "/"},
        {"port": 7800, "fd_port": 7900, "peers": []},
        {"address": "127.0.0.1", "port": 1},
        None,
        "",
        run_directory=str(tmp_path),
    )
    seen = look.state(node.settings(tmp_path / "none"), str(tmp_path / "store"), wanted)
    assert seen["installed_version"] is None
    assert seen["applied"] is None
    assert seen["running"] is None
    assert seen["health"]["ok"] is False
    assert seen["licence"] is None
    assert seen["start"] is None


def test_the_log_of_an_engine(node: t.Any) -> None:
    node.vendor("logs/ivy.log", b"line 1\nline 2\n" * 100)
    lines = look.log_tail(node.settings())
    assert lines[-1] == "line 2"
    assert len(lines) < 60


def test_licence_on_the_node(node: t.Any) -> None:
    node.vendor("configuration/my.lic", b"server.nodes.limit=3\nlicence.valid.until=2027-11-03\n")
    assert (licence.found_in(node.settings().roots["engine"]) or {})["nodes"] == 3
