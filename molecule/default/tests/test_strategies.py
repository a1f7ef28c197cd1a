# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that waits for confirmation after the first node, and one that stops all engines first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import shared_source

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Lab

CONFIRM = ["-e", "rollout_strategy=confirm"]
# As surveys hand them on: texts.
ALL_AT_ONCE = ["-e", "rollout_strategy=all_at_once", "-e", "engine_accept_downtime=true"]


def releases(lab: Lab) -> dict[str, str]:
    found = {node: lab.info(node) for node in lab.nodes}
    assert None not in found.values(), found
    return {node: str(info["release"]) for node, info in found.items() if info is not None}


def history(lab: Lab, directory: Path) -> dict[str, Any]:
    lab.playbook("playbooks/history.yml", "-e", f"history_report_directory={directory}").succeeded()
    found: dict[str, Any] = json.loads((directory / "history.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def change(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """A source with a new key that needs a restart. The tests end without it, and without a pin."""
    before = set(releases(lab).values())
    source = shared_source.copy(tmp_path_factory.mktemp("source"), task_failure="FAIL_TASK_DO_RETRY")
    yield ["-e", json.dumps({"ivy_shared_config_source": str(source)})]
    lab.playbook("playbooks/unpin.yml", "-e", "rollback_reason='the test is over'").succeeded()
    lab.roll_out().succeeded()
    assert set(releases(lab).values()) == before


def test_1_a_rollout_waits_after_the_first_node(lab: Lab, change: list[str], tmp_path: Path) -> None:
    canary, *others = lab.nodes
    before = releases(lab)
    pids = lab.pids(*others)

    run = lab.roll_out(*change, *CONFIRM).succeeded()

    now = releases(lab)
    assert now[canary] != before[canary]
    assert {node: now[node] for node in others} == {node: before[node] for node in others}
    assert lab.pids(*others) == pids
    assert f"{canary} runs the new release. {', '.join(others)} still run as before" in run.output
    found = history(lab, tmp_path)
    assert (found["operation"]["name"], found["lease"]) == ("rollout", None)
    assert found["operation"]["step"] == f"wait for confirmation after {canary}"
    assert "wait for confirmation" in lab.playbook("playbooks/status.yml").output


def test_2_the_same_command_again_changes_nothing(lab: Lab, change: list[str]) -> None:
    pids = lab.pids()
    again = lab.roll_out(*change, *CONFIRM).succeeded()
    assert again.changed() == []
    assert "the rollout waits for confirmation" in again.output
    assert lab.pids() == pids


def test_3_a_rollback_reverts_a_rollout_that_waits(lab: Lab, change: list[str]) -> None:
    others = lab.nodes[1:]
    pids = lab.pids(*others)
    lab.playbook("playbooks/rollback.yml", "-e", "rollback_reason='not confirmed'").succeeded()
    assert len(set(releases(lab).values())) == 1
    assert lab.pids(*others) == pids
    lab.playbook("playbooks/unpin.yml", "-e", "rollback_reason='the next attempt'").succeeded()


def test_4_all_engines_stop_before_the_first_one_starts(lab: Lab, change: list[str]) -> None:
    before = releases(lab)
    refused = lab.roll_out(*change, *ALL_AT_ONCE[:2], "--limit", lab.nodes[0])
    assert refused.status != 0
    assert "2 problems. Nothing was changed." in refused.output
    assert refused.changed() == []
    assert releases(lab) == before

    run = lab.roll_out(*change, *ALL_AT_ONCE).succeeded()

    now = releases(lab)
    assert len(set(now.values())) == 1
    assert set(now.values()) != set(before.values())
    found = [lab.moments(node) for node in lab.nodes]
    assert max(moment.stopped for moment in found) <= min(moment.started for moment in found)
    starts = [moment.started for moment in found]
    assert starts == sorted(starts)
    assert re.search(r"users +the service was unavailable for [\w ]+ \(announced: about [\w ]+\)", run.output), (
        run.output[-6000:]
    )
    again = lab.roll_out(*change, *ALL_AT_ONCE).succeeded()
    assert again.changed() == []


def test_5_every_node_comes_back_if_the_first_engine_does_not_start(lab: Lab, change: list[str]) -> None:
    """The change back would be right, but the first engine crashes."""
    before = releases(lab)
    crash = {"engine_jvm_options": ["-Dstandin.crash=start"], "engine_start_timeout": 60}

    failed = lab.roll_out("-e", json.dumps(crash), *ALL_AT_ONCE)

    assert failed.status != 0
    assert f"The engine on {lab.nodes[0]} did not pass the gate." in failed.output
    (release,) = set(before.values())
    for node in lab.nodes:
        assert f"{node}: It serves again with the release that it had, {release}." in failed.output, failed.output[
            -6000:
        ]
    assert releases(lab) == before
    for node in lab.nodes:
        assert "crash" not in lab.host(node).check_output("cat /opt/ivy/current/configuration/jvm.options")
