# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan shows what a run would do and changes nothing. A run with its digest does that, or nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import shared_source

if TYPE_CHECKING:
    from conftest import Lab, Run

GREETING = "A planned greeting"
IVY = "configuration/ivy.yaml"
WEB = "/opt/ivy/versions/11.3.0/configuration/web.xml"
NOTE = "<!-- by hand -->"


class Planned(NamedTuple):
    """The output of a plan, and its report in the three forms."""

    run: Run
    report: dict[str, Any]
    forms: str

    @property
    def digest(self) -> str:
        return str(self.report["digest"])

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(step["node"], step["action"]) for step in self.report["steps"]]


def plan(lab: Lab, directory: Path, *arguments: str) -> Planned:
    run = lab.playbook("playbooks/plan.yml", "-e", f"plan_report_directory={directory}", *arguments).succeeded()
    # Of the hosts, none: the report was written on the controller.
    assert run.changed() == [lab.nodes[0]], run.output[-6000:]
    forms = [(directory / f"plan.{suffix}").read_text(encoding="utf-8") for suffix in ("txt", "json", "html")]
    return Planned(run, json.loads(forms[1]), "".join(forms))


def history(lab: Lab, directory: Path) -> dict[str, Any]:
    lab.playbook("playbooks/history.yml", "-e", f"history_report_directory={directory}").succeeded()
    found: dict[str, Any] = json.loads((directory / "history.json").read_text(encoding="utf-8"))
    return found


def greetings(lab: Lab) -> set[str]:
    return {str((lab.info(node) or {})["greeting"]) for node in lab.nodes}


def git(directory: Path, *arguments: str) -> str:
    names = ("-c", "user.name=kim", "-c", "user.email=kim@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *names, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Change(NamedTuple):
    options: list[str]
    commit: str


@pytest.fixture(scope="module")
def change(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Change:
    """A source in git with a key that the engine reloads and one that needs a restart."""
    source = shared_source.copy(tmp_path_factory.mktemp("source"), task_failure="FAIL_TASK_DO_RETRY")
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "a new greeting")
    values = {**lab.variables["ivy_shared_values"], "greeting": GREETING}
    options = ["-e", json.dumps({"ivy_shared_config_source": str(source), "ivy_shared_values": values})]
    return Change(options, git(source, "rev-parse", "HEAD"))


@pytest.fixture(scope="module")
def before(lab: Lab) -> Iterator[str]:
    """The greeting when the tests began. They end with it, and without a pin."""
    found = greetings(lab)
    (greeting,) = found
    yield greeting
    lab.playbook("playbooks/unpin.yml", "-e", "rollback_reason='the test is over'").succeeded()
    if greetings(lab) != found:
        lab.roll_out().succeeded()


def test_1_without_a_change_a_plan_has_nothing_to_do(lab: Lab, before: str, tmp_path: Path) -> None:
    pids = lab.pids()
    found = plan(lab, tmp_path)
    assert found.report["headline"] == "site would change nothing."
    assert (found.steps, found.report["services"]) == ([], {})
    assert found.report["users_notice"] == ["Nothing."]
    # A run that changes nothing needs no approval, but may have one. Both compare all hosts.
    assert lab.playbook("playbooks/site.yml", "-e", f"ivy_plan={found.digest}").succeeded().changed() == []
    assert lab.pids() == pids


@pytest.fixture(scope="module")
def planned(lab: Lab, before: str, change: Change, tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """The plan of a rollout, with a local change on the second node."""
    lab.host(lab.nodes[1]).check_output(f"echo '{NOTE}' >> {WEB}")
    pids = lab.pids()
    found = plan(lab, tmp_path_factory.mktemp("plan"), *change.options, "-e", "plan_operation=rollout")
    assert lab.pids() == pids
    assert greetings(lab) == {before}
    return found


def test_2_a_plan_shows_each_node_and_the_commit(lab: Lab, planned: Planned, change: Change) -> None:
    assert planned.steps == [(node, "restart") for node in lab.nodes]
    for node in lab.nodes:
        of_node = planned.report["nodes"][node]
        (file,) = [item for item in of_node["pending"] if item["path"] == IVY]
        assert "SystemTask.Failure.Behaviour" in {key["key"] for key in file["keys"]}
        assert any("SystemTask.Failure.Behaviour" in reason for reason in of_node["reasons"])
        assert [item["path"] for item in of_node["reverted"]] == (
            ["configuration/web.xml"] if node == lab.nodes[1] else []
        )
    assert (planned.report["source"]["commit"], planned.report["source"]["clean"]) == (change.commit, True)
    # The installation has started each engine, so that the record has durations.
    assert planned.report["duration"]["nodes_seconds"] or "engine_start_timeout" in planned.run.output
    assert f"-e ivy_plan={planned.digest}" in planned.run.output


def test_2_a_plan_contains_no_secret(lab: Lab, planned: Planned) -> None:
    secrets = lab.secrets
    values = [str(value) for name, value in secrets.items() if name != "engine_keys"]
    values += [str(value) for value in secrets["engine_keys"].values()]
    for value in values:
        assert value not in planned.forms
        assert value not in planned.run.output


def test_3_a_run_that_would_do_something_else_changes_nothing(
    lab: Lab, planned: Planned, change: Change, before: str
) -> None:
    pids = lab.pids()
    first = lab.host(lab.nodes[0])
    first.check_output(f"cp -p {WEB} /root/web.xml && echo '{NOTE}' >> {WEB}")
    refused = lab.roll_out(*change.options, "-e", f"ivy_plan={planned.digest}")
    first.check_output(f"cp -p /root/web.xml {WEB} && rm /root/web.xml")
    assert refused.status != 0
    assert refused.changed() == []
    assert "This is not the approved plan" in refused.output
    assert "- the files that would be written on the nodes" in refused.output
    assert lab.pids() == pids
    assert greetings(lab) == {before}
    # It has given up its lease, or the next run would be refused.


def test_4_the_approved_run_does_what_was_planned(lab: Lab, planned: Planned, change: Change, tmp_path: Path) -> None:
    pids = lab.pids(*lab.nodes)
    # As a survey hands it on: a text with a blank.
    lab.roll_out(*change.options, "-e", json.dumps({"ivy_plan": f"{planned.digest} "})).succeeded()
    assert greetings(lab) == {GREETING}
    assert not set(pids.values()) & set(lab.pids(*lab.nodes).values())
    assert NOTE not in lab.host(lab.nodes[1]).check_output(f"cat {WEB}")
    found = history(lab, tmp_path)
    assert found["lease"] is None
    assert found["sources"][found["desired_release"]] == {"commit": change.commit, "clean": True}
    assert {item["node"] for item in found["durations"] if item["kind"] == "restart"} >= set(lab.nodes)
    assert isinstance(found["history"][-1].get("seconds"), int)
    # It cannot be used again: now there is nothing to do.
    again = lab.roll_out(*change.options, "-e", f"ivy_plan={planned.digest}")
    assert again.status != 0
    assert again.changed() == []


def test_5_a_rollback_is_planned_and_approved_as_well(lab: Lab, before: str, tmp_path: Path) -> None:
    found = plan(lab, tmp_path, "-e", "plan_operation=rollback")
    assert found.steps == [(node, "restart") for node in lab.nodes]
    assert found.report["duration"]["nodes_seconds"] is not None
    reason = ["-e", "rollback_reason='a test'"]
    lab.playbook("playbooks/rollback.yml", *reason, "-e", f"ivy_plan={found.digest}").succeeded()
    assert greetings(lab) == {before}
