# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes that an operator names for an operation."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import chosen_nodes

NODES = ["engine1", "engine2", "engine3"]


def choice(value: t.Any, **changes: t.Any) -> dict[str, t.Any]:
    options = {"nodes": NODES, "in_run": NODES, "left_out": [], "required": False, **changes}
    return chosen_nodes.choose(value, "restart_nodes", **options)


@pytest.mark.parametrize("text", ["engine3,engine1", " engine3 , engine1 ", "engine3 engine1", ["engine3", "engine1"]])
def test_texts_of_surveys_and_lists_are_names_in_the_order_of_the_inventory(text: t.Any) -> None:
    assert choice(text) == {"nodes": ["engine1", "engine3"], "problems": []}


@pytest.mark.parametrize("nothing", ["", "  ", ",", None, []])
def test_without_names_they_are_all_nodes_of_the_run(nothing: t.Any) -> None:
    assert choice(nothing, in_run=NODES[:2], left_out=["engine1"]) == {"nodes": ["engine2"], "problems": []}
    (problem,) = choice(nothing, required=True)["problems"]
    assert problem == "restart_nodes is empty: name the nodes, for instance -e restart_nodes=engine1"


def test_all_problems_are_reported_at_once() -> None:
    found = choice("engine9,engine2\x1b[2J,engine3,engine1", in_run=["engine1", "engine2"], left_out=["engine1"])
    assert found["problems"] == [
        "restart_nodes: not in the group engine_nodes: engine9, engine2\\x1b[2J. It has: engine1, engine2, engine3",
        "restart_nodes: --limit leaves out engine3",
        "restart_nodes: ivy_proceed_without leaves out engine1",
    ]


def test_the_example_names_a_node_of_the_inventory() -> None:
    (problem,) = choice("", required=True, nodes=["alpha", "beta"])["problems"]
    assert problem.endswith("-e restart_nodes=alpha")
    (problem,) = choice("", required=True, nodes=[])["problems"]
    assert problem.endswith("-e restart_nodes=engine1")
    assert choice("alpha", nodes=[])["problems"] == [
        "restart_nodes: not in the group engine_nodes: alpha. It has: no host"
    ]
    assert choice("alpha", nodes=["alpha"], in_run=["alpha"], required=True)["problems"] == []
