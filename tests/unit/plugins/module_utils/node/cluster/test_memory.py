# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import memory, record

A, B = "a" * 32, "b" * 32
COMMIT, OTHER = "1" * 40, "2" * 40
NOON = 1_800_000_000.0


def run(value: t.Any, *states: dict[str, t.Any], began: float = NOON) -> t.Any:
    """The record after one run, which takes the lease first and gives it up at its end."""
    steps = [{"state": "taken"}, *states, {"state": "released"}]
    for step in steps:
        values = {"run_id": "run1", "owner": "admin", "operation": "site", "now": began, **step}
        value = record.apply(value, record.Change(**values))
    return value


def source(commit: str, clean: bool = True) -> dict[str, t.Any]:
    return {"commit": commit, "clean": clean, "problem": ""}


def opened(release: str, known: t.Any = None, **more: t.Any) -> t.Any:
    return run(known or record.empty("demo"), {"state": "opened", "release": release, **more})


def test_a_release_remembers_the_commit_of_its_source() -> None:
    assert opened(A, source=source(COMMIT))["sources"] == {A: {"commit": COMMIT, "clean": True}}


@pytest.mark.parametrize("nothing", [None, {"commit": "", "clean": False, "problem": "not a checkout"}])
def test_without_a_commit_nothing_is_remembered_and_nothing_forgotten(nothing: t.Any) -> None:
    assert opened(A, source=nothing)["sources"] == {}
    known = opened(A, source=source(COMMIT))
    assert opened(A, known, source=nothing) == known


def test_the_first_commit_with_exactly_the_files_of_a_release_stays() -> None:
    unclean = opened(A, source=source(OTHER, clean=False))
    known = opened(A, unclean, source=source(COMMIT))
    assert known["sources"][A] == {"commit": COMMIT, "clean": True}
    assert opened(A, known, source=source(OTHER)) == known
    assert opened(A, known, source=source(OTHER, clean=False)) == known


def test_commits_of_releases_that_the_record_does_not_name_are_forgotten() -> None:
    value = opened(A, source=source(COMMIT))
    value["history"] = []
    value["operation"] = None
    assert set(opened(B, value, source=source(OTHER))["sources"]) == {A, B}, "the replaced release may still start"
    value["desired_release"] = None
    assert set(opened(B, value, source=source(OTHER))["sources"]) == {B}


def timed(value: t.Any, node: str, first: str, took: int) -> t.Any:
    return run(
        value,
        {"state": "renewed", "node": node, "step": first},
        {"state": "renewed", "node": node, "step": "start", "now": NOON + 1},
        {"state": "passed", "node": node, "step": "wait for the balancers", "now": NOON + took},
    )


@pytest.mark.parametrize(("first", "kind"), [("drain", "restart"), ("stop", "restart"), ("start", "start")])
def test_the_time_from_the_first_step_of_a_node_to_the_gate_is_recorded(first: str, kind: str) -> None:
    value = timed(opened(A), "n1", first, 62)
    assert value["durations"] == [{"kind": kind, "node": "n1", "seconds": 62}]
    assert value["lease"] is None


def test_a_node_that_did_not_pass_and_other_steps_have_no_duration() -> None:
    value = run(
        opened(A),
        {"state": "renewed", "node": "n1", "step": "stop"},
        {"state": "renewed", "node": "n2", "step": "set up the system database"},
        {"state": "passed", "node": "n2", "now": NOON + 9},
    )
    assert value["durations"] == []
    # The next run begins again; the time in between does not count.
    assert timed(value, "n1", "stop", 70)["durations"] == [{"kind": "restart", "node": "n1", "seconds": 70}]


def test_durations_are_bounded() -> None:
    value = opened(A)
    for seconds in range(memory.MOST_DURATIONS + 5):
        value = timed(value, "n1", "stop", seconds)
    assert len(value["durations"]) == memory.MOST_DURATIONS
    assert value["durations"][-1]["seconds"] == memory.MOST_DURATIONS + 4


def test_the_end_of_a_rollout_records_how_long_its_last_run_took() -> None:
    interrupted = opened(A)
    done = run(
        interrupted,
        {"state": "renewed", "node": "n1", "step": "start", "now": NOON + 90_000},
        {"state": "passed", "node": "n1", "now": NOON + 90_060},
        {"state": "closed", "nodes": {"n1": A}, "now": NOON + 90_100},
        began=NOON + 90_000,
    )
    assert (done["history"][-1]["operation"], done["history"][-1]["seconds"]) == ("site done", 100)


INVALID: list[dict[str, t.Any]] = [
    {"sources": 5},
    {"sources": {A: None}},
    {"sources": {A: {"commit": "--upload-pack=x", "clean": True}}},
    {"sources": {A: {"commit": COMMIT, "clean": "yes"}}},
    {"durations": {"kind": "restart"}},
    {"durations": [5, {"kind": "restart", "node": "n1", "seconds": True}]},
    {"durations": [{"kind": "restart", "node": "", "seconds": 75}, {"kind": "restart", "node": "n", "seconds": -1}]},
    {"durations": [{"kind": "restart", "node": "n", "seconds": 10**9}]},
]


@pytest.mark.parametrize("part", INVALID, ids=str)
def test_an_invalid_part_is_dropped_and_prevents_no_start(part: dict[str, t.Any]) -> None:
    value = {**record.empty("demo"), **part}
    read = record.parse(json.dumps(value).encode(), "record.json")
    assert (read["sources"], read["durations"]) == ({}, [])


def test_what_is_valid_is_kept_and_bounded() -> None:
    entry = {"kind": "restart", "node": "n1", "seconds": 75}
    value = {**record.empty("demo"), "sources": {A: {"commit": COMMIT, "clean": False}}, "durations": [entry] * 1000}
    read = record.parse(json.dumps(value).encode(), "record.json")
    assert read["sources"] == value["sources"]
    assert read["durations"] == [entry] * memory.MOST_DURATIONS


def test_a_record_of_an_earlier_version_has_neither() -> None:
    value = {name: part for name, part in record.empty("demo").items() if name not in ("sources", "durations")}
    assert record.parse(json.dumps(value).encode(), "record.json") == record.empty("demo")


@pytest.mark.parametrize(
    "began", [5, {"node": "n1"}, {"node": "n1", "kind": "other", "time": 1}, {"node": "n1", "time": "x"}]
)
def test_an_invalid_note_in_the_lease_records_nothing(began: t.Any) -> None:
    value = opened(A)
    value = record.apply(value, record.Change("taken", "run1", owner="admin", operation="site", now=NOON))
    value["lease"]["node_began"] = began
    value = record.apply(value, record.Change("passed", "run1", node="n1", now=NOON + 5))
    assert value["durations"] == []
