# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.filter.add_node_problems import add_node_problems
from ansible_collections.ivy.cluster.plugins.filter.remove_node_problems import remove_node_problems

RECORD = {"desired_release": "a" * 32, "engine_version": "11.3.0"}
NODES = ["engine1", "engine2", "engine3"]


def adding(names: t.Sequence[str] = ("engine3",), **more: t.Any) -> list[str]:
    known = {"nodes": NODES, "limited": [], "left_out": [], "applied": NODES[:2]}
    return add_node_problems(names, **{**known, "record": RECORD, "engine_version": "11.3.0", **more})


def balancer(name: str, *up: str, **more: t.Any) -> dict[str, t.Any]:
    servers = [{"name": node, "up": node in up} for node in NODES]
    return {"ansible_loop_var": "where", "where": name, "servers": servers, **more}


def removing(names: t.Sequence[str] = ("engine3",), **more: t.Any) -> list[str]:
    known = {"nodes": NODES, "limited": [], "active": NODES, "balancers": [balancer("lb1", *NODES)], "minimum": 1}
    return remove_node_problems(names, **{**known, "record": RECORD, **more})


def test_a_new_node_can_be_added() -> None:
    assert adding() == []
    # So can one that was added before, so that an interrupted run can be repeated.
    assert adding(applied=NODES) == []
    # A node that stays off is not waiting to be added.
    assert adding(nodes=[*NODES, "engine4"], left_out=["engine4"]) == []


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"names": ["engine9"], "applied": NODES}, "engine9 is not in the group engine_nodes"),
        ({"limited": ["db1", "lb2"]}, "--limit leaves out db1, lb2"),
        ({"record": None}, "Nothing was rolled out to this cluster yet"),
        ({"names": NODES}, "Nothing was rolled out to this cluster yet"),
        ({"applied": ["engine1"]}, "No release was ever applied to engine2 either"),
        ({"record": {**RECORD, "operation": {"name": "site", "owner": "kim", "since": "noon"}}}, "site of kim is open"),
        ({"record": {**RECORD, "isolated": {"since": "noon"}}}, "is isolated"),
        ({"engine_version": "12.0.9"}, "The cluster runs engine 11.3.0, and ivy_engine_version is 12.0.9"),
    ],
)
def test_a_node_cannot_be_added(more: dict[str, t.Any], problem: str) -> None:
    (found,) = adding(**more)
    assert problem in found


def test_an_open_operation_is_completed_by_its_own_playbook() -> None:
    (found,) = adding(record={**RECORD, "operation": {"name": "upgrade", "owner": "kim", "since": "noon"}})
    assert found.endswith("Complete it first: ansible-playbook ivy.cluster.upgrade -e engine_accept_downtime=true")


def test_all_reasons_against_adding_are_found() -> None:
    record = {**RECORD, "operation": {"name": "site", "owner": "", "since": "noon"}}
    assert len(adding(["engine9"], limited=["db1"], record=record, engine_version="13.1.0", applied=["engine1"])) == 5


def test_a_new_node_must_get_every_application_in_use() -> None:
    used = {"demo.zip": "a" * 64, "old.zip": "b" * 64, "shop/orders.iar": "c" * 64}
    record = {**RECORD, "applications": used}
    declared = {"shop/orders.iar": "c" * 64, "new.zip": "d" * 64}
    another, missing = adding(record=record, applications={**declared, "demo.zip": "e" * 64})
    assert "The nodes use demo.zip with the checksum aaaaaaaaaaaa" in another
    assert "declares another archive under this name, eeeeeeeeeeee" in another
    assert "ivy.cluster.deploy" in another
    assert "The nodes use old.zip with the checksum bbbbbbbbbbbb" in missing
    assert "does not declare it any more" in missing
    # One that no node has yet does not matter, and neither does any where the nodes share them.
    assert adding(record=record, applications={**declared, **used}) == []
    assert adding(record=record) == []
    assert adding(record={**RECORD, "applications": {"\x1b[2J": "a"}}, applications={}) != []
    deploying = {"since": "noon", "owner": "kim", "applications": {"demo.zip": "a" * 64}}
    (unfinished,) = adding(record={**RECORD, "deploying": deploying}, applications={})
    assert "A deployment of kim since noon was not completed" in unfinished


def test_nodes_can_be_removed() -> None:
    assert removing() == []
    assert removing(["engine2", "engine3"]) == []
    # What does not serve can be removed from a cluster in which too few others serve.
    assert removing(balancers=[balancer("lb1", "engine1")], minimum=2) == []
    assert removing(balancers=[], active=["engine1", "engine3"]) == []
    assert removing(nodes=NODES[:2], names=["engine3"], balancers=[balancer("lb1", *NODES)]) == []


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"names": ["engine9"]}, "engine9 is neither in the group engine_nodes"),
        ({"names": NODES}, "The last node of a cluster cannot be removed"),
        ({"names": ["engine1"], "nodes": ["engine1"], "minimum": 0}, "The last node of a cluster cannot be removed"),
        ({"minimum": 3, "balancers": []}, "2 nodes would remain, and engine_minimum_available asks for 3"),
        ({"limited": ["db1"]}, "--limit leaves out db1"),
        ({"balancers": [balancer("lb2", servers=None)]}, "HAProxy on lb2 does not answer"),
        ({"balancers": [balancer("lb1", "engine3")]}, "HAProxy on lb1 would have no node to serve"),
        ({"balancers": [], "active": ["engine3"]}, "There would be no node to serve"),
        ({"record": {"desired_release": 1}}, "The cluster record: its answer cannot be used"),
    ],
)
def test_a_node_cannot_be_removed(more: dict[str, t.Any], problem: str) -> None:
    found = removing(**more)
    assert any(problem in one for one in found), found
    assert len(found) == 1 or "minimum" in more


@pytest.mark.parametrize(
    "record",
    [
        {"drained": ["engine9"]},
        {"passed": {"engine9": "a"}},
        {"removed": {"engine9": "2026-01-31T12:00:00Z"}},
        {"durations": [{"kind": "start", "node": "engine9", "seconds": 90}]},
        {"history": [{"node": "engine9"}]},
    ],
)
def test_a_node_that_only_the_record_names_can_be_removed(record: dict[str, t.Any]) -> None:
    assert removing(["engine9"], record={**RECORD, **record}) == []


def test_a_node_that_only_a_balancer_lists_can_be_removed() -> None:
    servers = [{"name": "engine9", "up": True}, *({"name": node, "up": True} for node in NODES)]
    assert removing(["engine9"], balancers=[balancer("lb1", servers=servers)]) == []


def test_what_a_node_answers_cannot_change_the_terminal() -> None:
    (found,) = adding(record={**RECORD, "operation": {"name": "\x1b[2J", "owner": "kim", "since": "noon"}})
    assert "\x1b" not in found
