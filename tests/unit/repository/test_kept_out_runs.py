# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs after a balancer has lost its states, with the real record and the real steps on the balancers."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.unit.repository import test_drain_runs as drains
from ansible_collections.ivy.cluster.tests.unit.repository import test_lost_hosts as runs

cluster = drains.cluster
BALANCERS = runs.GROUPS["load_balancers"]
NODES = runs.GROUPS["engine_nodes"]


def lose_states(made: runs.Cluster, **more: t.Any) -> None:
    """lb2 was replaced, or lost its disk."""
    out = {"engine2": "drain", "engine3": "maint"}
    made.balancer("lb1", NODES, out=out, certificates=[], reload_required=False)
    made.balancer("lb2", NODES, certificates=[], reload_required=False, **more)


def test_what_a_balancer_has_lost_is_set_again_before_anything_else(cluster: runs.Cluster) -> None:
    drains.change(cluster, "node_drained", node="engine2", reason="a new disk")
    drains.change(cluster, "drained", drained=["engine3"])
    lose_states(cluster)

    # engine3 is switched off, so no run brings it back.
    arguments: dict[str, t.Any] = {**drains.OPTIONS, "ivy_proceed_without": ["engine3"]}
    ended = cluster.run("backup.yml", "--check", **arguments)
    assert ended.code == 0, ended.output
    assert "A run would put them out again" in " ".join(ended.output.split())
    lose_states(cluster)
    ended = cluster.run("backup.yml", **arguments)

    assert ended.code == 0, ended.output
    states = {"engine1": "ready", "engine2": "drain", "engine3": "maint"}
    assert [cluster.requested(balancer) for balancer in BALANCERS] == [states, states]
    message = " ".join(ended.output.replace("\\n", " ").split())
    assert "They are out again: lb2: engine2, drained since " in message, ended.output
    assert "by kim: a new disk lb2: engine3, left out by a run" in message
    changing = [number for number, line in enumerate(ended.log) if line.startswith("balancer/")]
    assert [line for line in ended.log if "drain without cookie engine2 lb2" in line]
    assert not [line for line in ended.log if line.startswith("balancer/") and line.endswith("lb1")]
    assert max(changing) < max(number for number, line in enumerate(ended.log) if line.startswith("backup/create"))

    # Nothing is left to do.
    log = len(ended.log)
    ended = cluster.run("backup.yml", **arguments)
    assert "They are out again" not in ended.output
    assert [line for line in ended.log[log:] if line.startswith("balancer/")] == []


@pytest.mark.parametrize("stubborn", [False, True])
def test_no_user_gets_into_an_isolated_cluster(cluster: runs.Cluster, stubborn: bool) -> None:
    drains.change(cluster, "isolated")
    lose_states(cluster, stubborn=stubborn)
    ended = cluster.run("backup.yml", **drains.OPTIONS)
    assert (ended.code != 0) is stubborn, ended.output
    message = " ".join(ended.output.split())
    if stubborn:
        assert "lb2, engine1 (the cluster is isolated since " in message, ended.output
        assert "Permission denied" in message
        assert ended.done("backup/create") == []
    else:
        assert set(cluster.requested("lb2").values()) == {"maint"}


def test_every_playbook_with_the_lease_does_it() -> None:
    """It is in the play that takes the lease."""
    (play, _checkpoint) = yaml.safe_load(Path(runs.ROOT, "playbooks/_includes/take_lease.yml").read_text("utf-8"))
    includes = [
        task["ansible.builtin.include_role"] for task in play["tasks"] if "ansible.builtin.include_role" in task
    ]
    entries = [include["tasks_from"] for include in includes]
    assert entries == ["take_lease", "keep_out"]
