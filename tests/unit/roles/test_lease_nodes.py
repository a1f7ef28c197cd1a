# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play of other hosts renews the lease on the engine nodes that have taken it, and does not skip that."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import run_play
from ansible_collections.ivy.cluster.tests.unit.roles.restore_database_files import load

ROOT = Path(__file__).resolve().parents[3]
TAKEN = {"record": {"cluster": "test"}}


def asked(directory: Path, hosts: str, *arguments: str) -> list[str]:
    """The nodes that each play of these hosts asks, when the run has taken the lease on all of its engine nodes."""
    taking = {
        "ansible.builtin.set_fact": {"__rollout_lease": TAKEN},
        "when": "inventory_hostname in groups.engine_nodes",
    }
    printing = {"ansible.builtin.debug": {"msg": "asked: {{ __rollout_lease_nodes | join(' ') }}."}, "run_once": True}
    plays = [
        {"hosts": "all", "gather_facts": False, "tasks": [taking]},
        {
            "hosts": hosts,
            "gather_facts": False,
            "vars_files": [str(ROOT / "roles/rollout/vars/main/lease.yml")],
            "tasks": [printing],
        },
    ]
    (directory / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    groups = {"engine_nodes": ["e1", "e2"], "database_servers": ["db1"], "load_balancers": ["lb1"]}
    children: dict[str, dict[str, dict[str, dict[str, str]]]] = {
        group: {"hosts": {name: {} for name in names}} for group, names in groups.items()
    }
    (directory / "hosts.yml").write_text(json.dumps({"all": {"children": children}}), encoding="utf-8")
    done = run_play(directory, {}, *arguments, inventory="hosts.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.partition("asked: ")[2].partition(".")[0].split()


def test_every_play_asks_the_nodes_that_have_taken_the_lease(tmp_path: Path) -> None:
    for hosts in ("all", "engine_nodes", "database_servers", "load_balancers"):
        assert asked(tmp_path, hosts) == ["e1", "e2"]


def test_a_node_that_the_run_leaves_out_is_not_asked(tmp_path: Path) -> None:
    assert asked(tmp_path, "database_servers", "--limit", "e2,db1") == ["e2"]


def renewed(directory: Path, *away: str, taken: bool = True) -> tuple[int, str]:
    """A run that renews the lease for the database server, when these nodes are away."""
    (directory / "share").mkdir()
    lease = {"directory": str(directory / "share"), "cluster": "test", "user": "root", "group": "root"}
    take = {"ivy.cluster.cluster_record": {**lease, "state": "taken", "operation": "site", "operator": "kim"}}
    renew = load(ROOT / "roles/rollout/tasks/renew_lease_elsewhere.yml")
    renew[0]["ivy.cluster.cluster_record"] = {**lease, "state": "renewed", "operation": "site", "node": "db1"}
    last = {"name": "Go on", "ansible.builtin.debug": {"msg": "goes on"}}
    plays = [
        {"hosts": "db1", "gather_facts": False, "tasks": [take] if taken else []},
        {"hosts": "db1", "gather_facts": False, "any_errors_fatal": True, "tasks": renew},
        {"hosts": "db1", "gather_facts": False, "tasks": [last]},
    ]
    (directory / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    gone = {"ansible_connection": "ansible.builtin.ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    hosts = {name: gone if name in away else local for name in ("db1", "e1", "e2")}
    (directory / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    values = {"rollout_lease_step": "wait", "__rollout_lease_nodes": ["e1", "e2"]}
    done = run_play(directory, values, inventory="hosts.yml")
    return done.returncode, " ".join(done.stdout.split())


@pytest.mark.parametrize(("away", "asked_nodes"), [((), ["e1"]), (("e1",), ["e2"])])
def test_one_node_that_is_away_does_not_end_a_run_that_waits_for_hours(
    tmp_path: Path, away: tuple[str, ...], asked_nodes: list[str]
) -> None:
    code, output = renewed(tmp_path, *away)
    assert code == 0, output
    assert "msg: goes on" in output, output
    assert [one for one in ("e1", "e2") if f"ok: [db1 -> {one}" in output] == asked_nodes, output


def test_a_run_ends_if_no_node_renews_the_lease(tmp_path: Path) -> None:
    code, output = renewed(tmp_path, "e1", "e2")
    assert code != 0
    assert "None of the engine nodes on which this run has the lease can be reached: e1, e2." in output
    assert "msg: goes on" not in output


def test_a_run_that_has_lost_the_lease_asks_no_other_node(tmp_path: Path) -> None:
    code, output = renewed(tmp_path, taken=False)
    assert code != 0
    assert "This run does not hold the lease" in output
    assert "[db1 -> e2" not in output
    assert "msg: goes on" not in output
