# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Former logins stay valid in the database while an engine may still use one. The play is real, its roles are stubs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.unit.long_tests import cases
from ansible_collections.ivy.cluster.tests.unit.repository.test_lost_hosts import GROUPS, ROOT, Cluster

NODES = GROUPS["engine_nodes"]
ROLL_OUT = "_includes/roll_out.yml"
RETIRE = "_includes/retire_logins.yml"


@pytest.mark.parametrize(
    ("nodes", "groups", "course", "expected"),
    cases(
        pytest.param(NODES, GROUPS, {"waits": False}, NODES[:1], id="every node has passed"),
        pytest.param(NODES[:2], GROUPS, {"waits": False}, [], id="a node is left out"),
        pytest.param(NODES, GROUPS, {"waits": True}, [], id="the rollout waits for confirmation"),
        pytest.param(NODES, {"engine_nodes": NODES}, {}, [], id="no group of database servers"),
        more=(
            pytest.param(NODES, GROUPS, None, NODES[:1], id="an operation without a strategy"),
            pytest.param(NODES, {**GROUPS, "database_servers": []}, {}, [], id="no database server in the group"),
        ),
    ),
)
def test_former_logins_are_locked_once_no_node_can_use_them(
    tmp_path: Path,
    nodes: list[str],
    groups: dict[str, list[str]],
    course: dict[str, t.Any] | None,
    expected: list[str],
) -> None:
    cluster = Cluster(tmp_path)
    hosts = {group: {"hosts": dict.fromkeys(names)} for group, names in {**groups, "ivy_this_run": nodes}.items()}
    cluster.write(tmp_path / "hosts.yml", yaml.safe_dump({"all": {"children": hosts}}))
    ended = cluster.run(RETIRE, rollout_course=course)
    assert ended.code == 0, ended.output
    assert ended.done("rollout/retire_logins") == expected, ended.output


def test_every_playbook_that_can_replace_the_login_locks_the_former_ones_after_its_rollout() -> None:
    found = {}
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        imported = [entry.get("ansible.builtin.import_playbook") for entry in entries]
        if RETIRE in imported:
            found[path.stem] = ROLL_OUT in imported[: imported.index(RETIRE)]
    assert found == dict.fromkeys(("restore_database", "rollout", "site", "upgrade"), True)
