# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that operators have drained, and forced restarts, in the cluster record."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import drained_nodes, record

A = "a" * 32
NOON = 1_800_000_000.0
NOON_TEXT = "2027-01-15T08:00:00Z"
HOUR = 3600.0


def after(*states: dict[str, t.Any], start: t.Any = None) -> t.Any:
    """The record after changes of one run."""
    value = start or {**record.empty("demo"), "desired_release": A}
    for state in ({"state": "taken"}, *states, {"state": "released"}):
        fields = {"run_id": "run1", "owner": "admin", "now": NOON, "operation": "drain", **state}
        value = record.apply(value, record.Change(**fields))
    return value


def drain(node: str, reason: str = "a new disk", **more: t.Any) -> dict[str, t.Any]:
    return {"state": "node_drained", "node": node, "reason": reason, **more}


def end(node: str) -> dict[str, t.Any]:
    return {"state": "node_undrained", "node": node}


def restart(*nodes: str, **more: t.Any) -> dict[str, t.Any]:
    return {"state": "restart_requested", "restart": list(nodes), **more}


def read(value: t.Any) -> t.Any:
    return record.parse(json.dumps(value).encode(), "record.json")


def test_a_drained_node_has_who_when_and_why_and_no_run_brings_it_back() -> None:
    taken_out = {"state": "drained", "drained": ["n1"], "drained_states": {"n1": {"lb1/engine_nodes": "ready"}}}
    value = read(after(taken_out, drain("n1")))
    entry = {"since": NOON_TEXT, "owner": "admin", "reason": "a new disk", "stopped": False}
    assert value["drained_nodes"] == {"n1": entry}
    assert value["drained"] == []
    assert value["drained_states"] == {}
    (event,) = value["history"]
    assert (event["operation"], event["node"], event["reason"]) == ("drain", "n1", "a new disk")


def test_the_same_drain_again_changes_nothing() -> None:
    value = after(drain("n1"))
    again = after(drain("n1", now=NOON + HOUR, owner="another"), start=value)
    assert again == value


def test_a_further_drain_changes_the_reason_and_a_stopped_engine_stays_so() -> None:
    value = after(drain("n1", engine_stopped=True), drain("n1", "a new board", now=NOON + HOUR, owner="another"))
    entry = {"since": NOON_TEXT, "owner": "another", "reason": "a new board", "stopped": True}
    assert value["drained_nodes"] == {"n1": entry}
    assert len(value["history"]) == 2


def test_undraining_makes_it_a_node_that_every_run_brings_back() -> None:
    value = after(drain("n1"), drain("n2"), end("n1"))
    assert list(value["drained_nodes"]) == ["n2"]
    assert value["drained"] == ["n1"]
    assert value["drained_states"] == {}
    assert value["history"][-1]["operation"] == "undrain"
    # One that was drained by hand.
    value = after(end("n3"), start=value)
    assert value["drained"] == ["n1", "n3"]
    assert [event["node"] for event in value["history"] if event["operation"] == "undrain"] == ["n1"]


def test_a_run_that_drains_such_a_node_again_does_not_take_its_own_states_for_those_before() -> None:
    run = {"state": "drained", "drained": ["n1"], "drained_states": {"n1": {"lb1/engine_nodes": "closed"}}}
    value = after(drain("n1"), end("n1"), run)
    assert value["drained"] == ["n1"]
    assert value["drained_states"] == {}


def test_a_rollout_does_not_forget_that_a_node_is_drained() -> None:
    states = {"n1": {"lb1/engine_nodes": "closed"}}
    run = [{"state": "drained", "drained": ["n1"], "drained_states": states}]
    value = after(drain("n1"), *run)
    assert value["drained_states"] == states
    value = after({"state": "undrained", "node": "n1"}, start=value)
    assert list(value["drained_nodes"]) == ["n1"]
    assert value["drained"] == []


def test_a_forced_restart_that_was_interrupted_is_continued_for_the_nodes_that_it_did_not_reach() -> None:
    value = after(restart("n2", "n1"))
    assert value["restarts"] == {"since": NOON_TEXT, "owner": "admin", "nodes": ["n1", "n2"]}
    value = after({"state": "passed", "node": "n1", "operation": "restart"}, start=value)
    assert read(value)["restarts"]["nodes"] == ["n2"]
    # The same command again.
    assert after(restart("n1", "n2", now=NOON + HOUR), start=value)["restarts"] == value["restarts"]
    assert after(restart(now=NOON + HOUR), start=value)["restarts"] == value["restarts"]
    assert after({"state": "passed", "node": "n2", "operation": "restart"}, start=value)["restarts"] is None


def test_another_run_does_not_finish_a_forced_restart() -> None:
    """It may have restarted nothing."""
    value = after(restart("n1"), {"state": "passed", "node": "n1", "operation": "site"})
    assert value["restarts"]["nodes"] == ["n1"]


def test_a_forced_restart_of_other_nodes_is_added() -> None:
    value = after(restart("n1"), restart("n2", now=NOON + HOUR))
    assert value["restarts"]["nodes"] == ["n1", "n2"]


@pytest.mark.parametrize("later", [25 * HOUR, -HOUR])
def test_an_old_restart_is_forgotten(later: float) -> None:
    value = after(restart("n1", "n2"))
    assert after(restart(now=NOON + later), start=value)["restarts"] is None
    assert after({"state": "restart_requested", "now": NOON + later}, start=value)["restarts"] is None
    assert after(restart("n2", now=NOON + later), start=value)["restarts"]["nodes"] == ["n2"]
    assert drained_nodes.unfinished(value, NOON + later) == []


ENTRY = {"since": NOON_TEXT, "owner": "", "reason": "", "stopped": False}


@pytest.mark.parametrize(
    "invalid",
    [
        {"drained_nodes": 1},
        {"drained_nodes": {"n1": 1}},
        {"drained_nodes": {"": ENTRY}},
        {"drained_nodes": {"n" * 300: ENTRY}},
        {"drained_nodes": {"n1": {**ENTRY, "since": "yesterday"}}},
        {"drained_nodes": {"n1": {**ENTRY, "owner": ["x"]}}},
        {"drained_nodes": {"n1": {**ENTRY, "reason": "x" * 2000}}},
        {"drained_nodes": {"n1": {**ENTRY, "stopped": 1}}},
        {"restarts": []},
        {"restarts": {"since": NOON_TEXT, "owner": ""}},
        {"restarts": {"since": NOON_TEXT, "owner": "", "nodes": []}},
        {"restarts": {"since": NOON_TEXT, "owner": "", "nodes": [1]}},
        {"restarts": {"since": 5, "owner": "", "nodes": ["n1"]}},
    ],
    ids=str,
)
def test_an_invalid_part_is_dropped_and_prevents_no_start(invalid: dict[str, t.Any]) -> None:
    value = read({**record.empty("demo"), **invalid})
    assert value["drained_nodes"] == {}
    assert value["restarts"] is None


def test_a_record_of_an_earlier_version_has_neither() -> None:
    old = {name: value for name, value in record.empty("demo").items() if name not in ("drained_nodes", "restarts")}
    assert read(old) == record.empty("demo")
