# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the source reaches the nodes one after another; a stopped node starts only with the change."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
import shared_source

if TYPE_CHECKING:
    from conftest import Lab

UNIT = "axonivy-engine.service"
GREETING = "The new greeting"


@pytest.fixture(scope="module")
def change(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A source with one changed value that the engine reloads and one new key that needs a restart."""
    source = shared_source.copy(tmp_path_factory.mktemp("source"), task_failure="FAIL_TASK_DO_RETRY")
    values = {**lab.variables["ivy_shared_values"], "greeting": GREETING}
    return ["-e", json.dumps({"ivy_shared_config_source": str(source), "ivy_shared_values": values})]


def release(lab: Lab, node: str) -> str:
    info = lab.info(node)
    assert info is not None, f"{node} does not serve"
    return str(info["release"])


def test_1_a_change_reaches_all_nodes_except_a_stopped_one(lab: Lab, change: list[str]) -> None:
    *present, absent = lab.nodes
    old = release(lab, absent)
    lab.host(absent).check_output(f"systemctl stop {UNIT}")

    lab.roll_out(*change, "-e", json.dumps({"ivy_proceed_without": [absent]})).succeeded()

    for node in present:
        info = lab.info(node)
        assert info is not None
        assert info["greeting"] == GREETING
        assert info["release"] != old
    assert len({release(lab, node) for node in present}) == 1
    # One after another: the second node was stopped only after the first was running again.
    first, second = (lab.moments(node) for node in present)
    assert first.started < second.stopped


def test_2_the_stopped_node_does_not_start_with_the_old_release(lab: Lab) -> None:
    absent = lab.nodes[-1]
    node = lab.host(absent)
    assert node.run(f"systemctl start {UNIT}").rc != 0
    command = "ansible-playbook ivy.cluster.site --limit"
    assert command in node.check_output(f"journalctl -u {UNIT} -n 20 --no-pager -o cat")
    assert lab.info(absent) is None

    screen = lab.playbook("playbooks/status.yml").succeeded().output
    assert any(absent in line and "FENCED" in line for line in screen.splitlines())
    node.check_output(f"systemctl stop {UNIT}; systemctl reset-failed {UNIT}; true")


def test_3_the_stopped_node_starts_after_its_update(lab: Lab, change: list[str]) -> None:
    *present, absent = lab.nodes
    before = lab.pids(*present)

    run = lab.playbook("site.yml", *change, "--limit", absent).succeeded()

    assert set(run.recap) == {absent}
    assert len({release(lab, node) for node in lab.nodes}) == 1
    assert lab.pids(*present) == before


def test_4_verify_works_for_one_node_and_in_check_mode(lab: Lab) -> None:
    run = lab.playbook("playbooks/verify.yml", "--limit", lab.nodes[-1], "--check").succeeded()

    assert set(run.recap) == {lab.nodes[-1]}
    assert run.changed() == []
    assert "check mode writes nothing" in run.output


def test_5_the_original_source_reaches_all_nodes_one_after_another(lab: Lab) -> None:
    changed = {release(lab, node) for node in lab.nodes}

    lab.roll_out().succeeded()

    for earlier, later in itertools.pairwise(lab.moments(node) for node in lab.nodes):
        assert earlier.started < later.stopped
    now = {release(lab, node) for node in lab.nodes}
    assert len(now) == 1
    assert now != changed
