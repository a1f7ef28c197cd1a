# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import balancer_nodes as sut


def server(**changes: t.Any) -> dict[str, t.Any]:
    return {
        "backend": "engine_nodes",
        "name": "engine1",
        "status": "UP",
        "up": True,
        "admin_state": "ready",
        "weight": 100,
        "check": {"status": "L7OK"},
        **changes,
    }


DRAIN = server(admin_state="drain", status="DRAIN", up=False, weight=0)
MAINT = server(admin_state="maint", status="MAINT", up=False, check={"status": ""})
FAILED = {"status": "L7STS"}


@pytest.mark.parametrize(
    ("found", "how", "settled"),
    [
        (server(), "", True),
        (server(status="no check", check={"status": ""}), "", True),
        (server(status="DOWN", up=False, weight=0, check=FAILED), "", False),
        (server(status="UP 1/3", up=False), "", False),
        (DRAIN, "drain", True),
        ({**DRAIN, "status": "DRAIN 1/3", "check": FAILED}, "drain", False),
        ({**DRAIN, "status": "DOWN", "check": FAILED}, "drain", False),
        ({**DRAIN, "check": FAILED}, "drain", False),
        # The last check was good, but HAProxy has not counted enough of them.
        ({**DRAIN, "status": "DRAIN 1/3"}, "drain", False),
        # It has no health check.
        ({**DRAIN, "check": {"status": ""}}, "drain", True),
        ({**DRAIN, "check": None}, "drain", True),
        (MAINT, "maint", True),
        ({**MAINT, "status": "MAINT (via engine_nodes/engine1)"}, "maint", True),
        # HAProxy has not carried it out.
        ({**MAINT, "status": "UP"}, "maint", False),
        # Nobody has requested that a name cannot be resolved.
        (server(status="MAINT (resolution)", up=False, weight=0), "", False),
        (server(up=False, weight=0), "weight 0", True),
        (server(status="DOWN", up=False, weight=0), "", False),
        # Not used for another reason than its weight.
        (server(up=False), "", False),
        (server(weight=0), "", True),
    ],
)
def test_a_server_is_settled_if_it_is_used_as_far_as_an_operator_permits(
    found: dict[str, t.Any], how: str, settled: bool
) -> None:
    assert sut.taken_out(found) == how
    assert sut.settled(found) == settled


def test_the_states_of_each_node_by_balancer_and_backend() -> None:
    results: list[dict[str, t.Any]] = [
        {"ansible_loop_var": "item", "item": "lb1", "servers": [DRAIN, server(name="engine2")]},
        {"ansible_loop_var": "item", "item": "lb2.example.com", "servers": [DRAIN, {**MAINT, "name": "engine2"}]},
        {"ansible_loop_var": "item", "item": "lb3", "unreachable": True},
    ]
    assert sut.by_node(results) == {
        "engine1": {
            "states": {"lb1/engine_nodes": "drain", "lb2.example.com/engine_nodes": "drain"},
            "taken_out": {"lb1": "drain", "lb2.example.com": "drain"},
            "words": "drain on lb1 and lb2.example.com",
        },
        "engine2": {
            "states": {"lb1/engine_nodes": "ready", "lb2.example.com/engine_nodes": "maint"},
            "taken_out": {"lb2.example.com": "maint"},
            "words": "maint on lb2.example.com",
        },
    }


def test_a_closed_node_is_distinguished_from_a_drained_one() -> None:
    closed = {**DRAIN, "cookie_ignored": True}
    results = [{"servers": [closed], "item": "lb1"}, {"servers": [DRAIN], "item": "lb2"}]
    (found,) = sut.by_node(results).values()
    assert found["states"] == {"lb1/engine_nodes": "closed", "lb2/engine_nodes": "drain"}
    assert found["words"] == "drain on lb1 and lb2"


def test_a_node_in_maintenance_is_not_taken_for_a_closed_one() -> None:
    """Its cookie is ignored as well, but it is put back to maintenance afterwards."""
    (found,) = sut.by_node([{"servers": [{**MAINT, "cookie_ignored": True}], "item": "lb1"}]).values()
    assert found["states"] == {"lb1/engine_nodes": "maint"}
