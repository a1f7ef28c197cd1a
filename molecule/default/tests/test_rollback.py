# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback reverts all nodes, even from a controller without source and cache, and stays pinned until unpin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import shared_source

if TYPE_CHECKING:
    from conftest import Lab

BAD, GOOD = "A greeting that nobody wanted", "A greeting for everybody"
REASON = "nobody wanted it"


class Before(NamedTuple):
    """The release and the greeting when the tests began."""

    release: str
    greeting: str


def release(lab: Lab, node: str) -> str:
    return str((lab.info(node) or {})["release"])


def greetings(lab: Lab) -> set[str]:
    return {str((lab.info(node) or {})["greeting"]) for node in lab.nodes}


def source(lab: Lab, directory: Path, greeting: str, restart: bool) -> list[str]:
    """A source with another greeting, which the engine reloads, and optionally a key that needs a restart."""
    copy = shared_source.copy(directory, task_failure="DESTROY_TASK_AND_CASE" if restart else "")
    values = {**lab.variables["ivy_shared_values"], "greeting": greeting}
    return ["-e", json.dumps({"ivy_shared_config_source": str(copy), "ivy_shared_values": values})]


def history(lab: Lab, directory: Path) -> dict[str, Any]:
    file = directory / "history.json"
    lab.playbook("playbooks/history.yml", "-e", f"history_report_directory={directory}").succeeded()
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of a controller that has neither the source nor a cache."""
    empty = tmp_path_factory.mktemp("empty")
    paths = {"ivy_shared_config_source": str(empty / "source"), "ivy_controller_cache": str(empty / "cache")}
    return ["-e", json.dumps(paths)]


@pytest.fixture(scope="module")
def before(lab: Lab, nothing: list[str]) -> Iterator[Before]:
    node = lab.nodes[0]
    found = Before(release(lab, node), str((lab.info(node) or {})["greeting"]))
    yield found
    lab.roll_out().succeeded()
    assert {release(lab, node) for node in lab.nodes} == {found.release}


def test_1_a_rollback_restores_the_previous_release(
    lab: Lab, before: Before, nothing: list[str], tmp_path: Path
) -> None:
    lab.roll_out(*source(lab, tmp_path, BAD, restart=True)).succeeded()
    assert greetings(lab) == {BAD}
    bad = release(lab, lab.nodes[0])
    pids = lab.pids(*lab.nodes)

    run = lab.playbook("playbooks/rollback.yml", *nothing, "-e", f"rollback_reason='{REASON}'").succeeded()

    assert greetings(lab) == {before.greeting}
    assert {release(lab, node) for node in lab.nodes} == {before.release}
    # The rollback also reverted a key that needs a restart, so every engine was restarted.
    assert not set(pids.values()) & set(lab.pids(*lab.nodes).values())
    assert "are not rolled back" in run.output
    found = history(lab, tmp_path)
    assert found["desired_release"] == before.release
    assert (found["pin"]["release"], found["pin"]["reason"]) == (before.release, REASON)
    assert found["operation"] is None
    assert all(bad in node["releases"] for node in found["nodes"].values())


def test_2_the_release_is_pinned_until_unpin(lab: Lab, before: Before, nothing: list[str], tmp_path: Path) -> None:
    values = source(lab, tmp_path, GOOD, restart=False)
    pids = lab.pids()

    refused = lab.roll_out(*values)
    assert refused.status != 0
    assert REASON in refused.output
    assert "playbooks/unpin.yml -e" in refused.output
    assert refused.changed() == []

    unknown = lab.playbook("playbooks/rollback.yml", *nothing, "-e", "rollback_release=feed", "-e", "rollback_reason=x")
    assert unknown.status != 0
    assert "There is no release feed" in unknown.output
    assert before.release in unknown.output
    assert unknown.changed() == []
    for playbook in ("rollback", "unpin"):
        without = lab.playbook(f"playbooks/{playbook}.yml", *nothing)
        assert without.status != 0
        assert "rollback_reason is empty" in without.output
        assert "No host was contacted" in without.output
    assert lab.pids() == pids

    lab.playbook("playbooks/unpin.yml", "-e", "rollback_reason='a better greeting'").succeeded()
    lab.roll_out(*values).succeeded()
    assert greetings(lab) == {GOOD}
    assert lab.pids() == pids


def test_3_the_history_lists_all_operations(lab: Lab, before: Before, tmp_path: Path) -> None:
    found = history(lab, tmp_path)

    events = [(event["operation"], event.get("reason", "")) for event in found["history"]]
    since = events[max(index for index, event in enumerate(events) if event == ("rollback", REASON)) :]
    # The run that named an unknown release left its lease, since it failed.
    assert [name for name, _reason in since if name not in ("deployed", "take over")] == [
        "rollback",
        "rollback done",
        "unpin",
        "rollout",
        "rollout done",
    ]
    assert ("unpin", "a better greeting") in since
    assert all(event["owner"] for event in found["history"][-5:])
    assert found["previous_release"] == before.release
