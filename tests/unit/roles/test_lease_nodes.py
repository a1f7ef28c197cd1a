# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play of other hosts renews the lease on the engine nodes that have taken it, and does not skip that."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.ivy.cluster.tests.in_process import run_play

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
