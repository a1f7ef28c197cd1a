# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes no load balancer may use, and which servers of HAProxy differ."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import kept_out as sut

NODES = ["engine1", "engine2", "engine3"]
ENTRY = {"since": "2026-11-30T01:00:00Z", "owner": "kim", "reason": "a new disk", "stopped": False}
DRAINED = {"drained_nodes": {"engine2": ENTRY, "other": ENTRY}}
LEFT_OUT: dict[str, t.Any] = {"drained": ["engine2", "other"], "desired_release": "a"}
ISOLATED = {"isolated": {"since": "2026-11-30T02:00:00Z"}}
SERVES = {"unit": {"active": "active"}, "applied": "a", "running": {"release": "a"}}


def states(record: dict[str, t.Any], operation: str = "backup", **more: t.Any) -> dict[str, str]:
    arguments = {"chosen": (), "engines": {}, **more}
    return {name: entry["state"] for name, entry in sut.nodes(record, NODES, operation, **arguments).items()}


def test_nodes_are_out_that_the_record_names() -> None:
    assert states({}) == {}
    assert states({"drained": None, "drained_nodes": None, "isolated": None}) == {}
    found = sut.nodes(DRAINED, NODES, "site", (), {})
    reason = "drained since 2026-11-30T01:00:00Z by kim: a new disk"
    assert found == {"engine2": {"state": "drain", "reason": reason}}
    assert states(LEFT_OUT) == {"engine2": "maint"}
    assert states({**DRAINED, **ISOLATED}) == dict.fromkeys(NODES, "maint")


def test_a_run_brings_back_what_it_was_asked_for() -> None:
    assert states(DRAINED, "undrain", chosen=["engine2"]) == {}
    assert states(DRAINED, "undrain", chosen=["engine1"]) == {"engine2": "drain"}
    assert states(DRAINED, "site", chosen=NODES) == {"engine2": "drain"}
    assert states({**DRAINED, **ISOLATED}, "go_live") == {"engine2": "drain"}


@pytest.mark.parametrize(
    ("record", "engine", "out"),
    [
        ({}, SERVES, False),
        ({}, None, True),
        ({}, {**SERVES, "unit": {"active": "inactive"}}, True),
        ({}, {**SERVES, "applied": "b"}, True),
        ({}, {**SERVES, "running": {"release": "b"}}, True),
        ({}, {**SERVES, "running": None}, True),
        ({"operation": {"name": "site"}}, SERVES, True),
        ({"desired_release": None}, {**SERVES, "applied": None, "running": None}, True),
    ],
)
def test_a_node_that_was_left_out_may_serve_with_the_release_of_the_cluster(
    record: dict[str, t.Any], engine: t.Any, out: bool
) -> None:
    assert (states({**LEFT_OUT, **record}, engines={"engine2": engine}) != {}) is out


def test_only_servers_that_are_ready_are_changed() -> None:
    wanted = {name: {"state": state, "reason": "why"} for name, state in (("engine1", "maint"), ("engine2", "drain"))}
    servers = [{"name": name, "admin_state": "ready"} for name in (*NODES, "engine1")]
    out = [{"name": "engine1", "admin_state": "drain"}, {"name": "engine2", "admin_state": "maint"}]
    results = [
        {"ansible_loop_var": "lb", "lb": "lb1", "servers": servers, "drains": True},
        {"ansible_loop_var": "lb", "lb": "lb2", "servers": servers, "drains": False},
        {"ansible_loop_var": "lb", "lb": "lb3", "servers": out, "drains": True},
        {"ansible_loop_var": "lb", "lb": "lb4", "unreachable": True},
    ]
    found = [tuple(change.values()) for change in sut.changes(wanted, results)]
    assert found == [
        ("lb1", "engine1", "maint", False, "why"),
        ("lb1", "engine2", "drain", True, "why"),
        ("lb2", "engine1", "maint", False, "why"),
        ("lb2", "engine2", "maint", False, "why"),
    ]
