# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import upgrade as sut

ROOT = Path(__file__).resolve().parents[5]
RANGES = yaml.safe_load((ROOT / "roles/topology/vars/main/profiles.yml").read_text(encoding="utf-8"))["ivy_profiles"]
NODES = ["engine1", "engine2", "engine3"]
SINCE = "2026-11-29T12:00:00Z"
OPEN = {"name": "upgrade", "owner": "admin", "since": SINCE, "backup": "20261129T115500Z"}
MIGRATING = {"to": "12.0.9", "since": SINCE, "node": "engine1", "backup": "20261129T115500Z"}


def record(version: str = "11.3.0", **changes: t.Any) -> dict[str, t.Any]:
    schema = {"engine_version": version, "created_at": "2026-01-31T12:00:00Z", "node": "engine1"}
    durations = [{"kind": "start", "node": "engine1", "seconds": seconds} for seconds in (40, 44, 42)]
    return {
        "desired_release": "1" * 32,
        "schema": {**schema, **changes.pop("schema", {})},
        "applications": {"demo.zip": "a" * 64},
        "durations": durations,
        **changes,
    }


def state(target: str = "11.3.1", found: dict[str, t.Any] | None = None, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "record": record() if found is None else found,
        "record_problem": "",
        "target": target,
        "ranges": RANGES,
        "share_applications": True,
        "findings": [],
        "applications": ["demo.zip"],
        "nodes": NODES,
        "all_nodes": NODES,
        "not_inspected": [],
        "limited": [],
        "left_out": [],
        "migration_command": "",
        "plan_digest": "",
        "accepted": True,
        "check_mode": False,
        "start_timeout": 300,
        **changes,
    }


def test_a_hotfix_stops_all_engines_and_needs_no_conversion_before_12() -> None:
    found = sut.plan(state())
    assert (found.kind, found.problem, found.before, found.target) == (sut.HOTFIX, "", "11.3.0", "11.3.1")
    assert (found.back_up, found.stop, found.migrate, found.deploy) == (True, True, True, False)
    assert (found.node, found.command, found.expected) == ("engine1", (), 42)
    assert "Users notice: the service is unavailable from the stop of all engines until the first one" in found.notice
    assert "about 42 s, as the last ones took" in found.notice
    assert "Until the migration begins, the upgrade can be undone" in found.notice
    assert "at most 5 min (engine_start_timeout)" in sut.plan(state(found=record(durations=[]))).notice


def test_from_12_on_a_hotfix_and_another_line_are_migrated_by_the_engines_program() -> None:
    assert sut.plan(state("12.0.10", record("12.0.9"))).command == ("migrate-engine",)
    lts = sut.plan(state("12.0.9"))
    assert (lts.kind, lts.problem, lts.command, lts.deploy) == (sut.LINE, "", ("migrate-engine",), True)
    assert "deployed again; its projects must have been converted" in lts.notice
    own = sut.plan(state("12.0.9", migration_command="migrate-engine --quiet"))
    assert own.command == ("migrate-engine", "--quiet")


def test_applications_are_deployed_again_where_they_move_to_the_share() -> None:
    assert sut.plan(state("12.0.9", record("12.0.8"))).deploy
    assert not sut.plan(state("12.0.9", record("12.0.8"), share_applications=False)).deploy
    assert not sut.plan(state("12.0.8", record("12.0.7"))).deploy


@pytest.mark.parametrize(
    ("current", "target"),
    [("10.0.5", "10.0.20"), ("10.0.20", "12.0.9"), ("11.3.0", "12.0.0"), ("12.0.9", "14.0.0"), ("10.0.20", "14.0.1"),
     ("13.2.0", "14.0.0"), ("13.1.0", "13.1.1")],
)  # fmt: skip
def test_allowed_ways(current: str, target: str) -> None:
    assert sut.path_problem(current, target, RANGES) == ""


@pytest.mark.parametrize(
    ("current", "target", "words"),
    [
        ("12.0.9", "12.0.8", "no way back but a restore"),
        ("12.0.0", "11.3.1", "no way back but a restore"),
        ("9.4.0", "12.0.9", "from 10.0.0 on"),
        ("8.0.30", "14.0.0", "from 10.0.0 on"),
        ("10.0.20", "11.3.0", "in its Cockpit"),
        ("11.2.0", "11.3.0", "in its Cockpit"),
        ("12.0.9", "13.2.0", "is not a version of an LTS line"),
        ("13.1.0", "13.2.0", "is not a version of an LTS line"),
        ("12.0.9", "16.0.0", "No profile is known for engine version 16.0.0"),
    ],
)
def test_ways_that_are_refused(current: str, target: str, words: str) -> None:
    assert words in sut.path_problem(current, target, RANGES)


def test_all_problems_are_in_one_message() -> None:
    finding = {"severity": "error", "subject": "config/ivy.yaml:3", "message": "engine 12.0.9 does not read 'X'"}
    found = sut.plan(
        state(
            "12.0.9",
            record("12.0.10", pin={"release": "2" * 32, "reason": "mails are lost"}, operation={"name": "rollout"}),
            findings=[{**finding, "fix": "Its name is 'Y'"}, {**finding, "severity": "warning", "message": "later"}],
            limited=["lb1"],
            plan_digest="abc",
            accepted=False,
            applications=[],
        )
    )
    lines = found.problem.splitlines()
    assert lines[0] == f"The engine cannot be upgraded: {len(lines) - 1} problems. Nothing was changed."
    for words in (
        "config/ivy.yaml:3: engine 12.0.9 does not read 'X'. Its name is 'Y'.",
        "ivy_plan: upgrade has no plan",
        "--limit leaves out lb1",
        "The operation rollout of unknown",
        "pinned to release 2222",
        "There is no way back but a restore.",
        "engine_accept_downtime is not set",
    ):
        assert words in found.problem
    assert "later" not in found.problem


def test_without_an_answer_of_a_node_only_the_findings_of_preflight_are_reported() -> None:
    finding = {"severity": "error", "subject": "ivy_public_url", "message": "it is not an address", "fix": "Correct it"}
    found = sut.plan(state(found={}, nodes=[], not_inspected=NODES, findings=[finding], accepted=False))
    assert found.problem.splitlines()[1:] == ["- ivy_public_url: it is not an address. Correct it."]
    assert "Not inspected: engine1" in sut.plan(state(found={}, nodes=[], not_inspected=NODES)).problem


def test_an_interruption_needs_to_be_accepted() -> None:
    assert "engine_accept_downtime=true" in sut.plan(state(accepted=False)).problem
    assert sut.plan(state(accepted=False, check_mode=True)).problem == ""
    assert sut.plan(state("11.3.0", accepted=False)).problem == ""


@pytest.mark.parametrize("found", [{}, {"desired_release": None, "schema": None}])
def test_a_cluster_that_was_not_set_up_is_not_upgraded(found: dict[str, t.Any]) -> None:
    assert "This sets it up" in sut.plan(state(found=found)).problem
    assert "share is away" in sut.plan(state(found={}, record_problem="The share is away.")).problem


def test_deployed_applications_must_be_declared() -> None:
    lost = "Deployed, and not in engine_applications: demo.zip"
    assert lost in sut.plan(state(applications=[])).problem
    assert lost in sut.plan(state("12.0.9", record("12.0.8"), applications=[])).problem
    # They stay on the share.
    assert sut.plan(state("12.0.10", record("12.0.9"), applications=[])).problem == ""


def test_the_same_version_again_rolls_out_what_differs() -> None:
    found = sut.plan(state("11.3.0"))
    assert (found.kind, found.problem) == (sut.NOTHING, "")
    assert (found.back_up, found.stop, found.migrate, found.deploy) == (False, False, False, False)


def test_an_interrupted_upgrade_goes_on_without_another_backup() -> None:
    stopped = sut.plan(state("12.0.9", record(operation=OPEN)))
    assert (stopped.kind, stopped.back_up, stopped.backup) == (sut.LINE, False, "20261129T115500Z")
    migrating = sut.plan(state("12.0.9", record(operation=OPEN, schema={"migrating": MIGRATING})))
    assert (migrating.kind, migrating.stop, migrating.migrate, migrating.back_up) == (sut.LINE, True, True, False)
    assert migrating.node == "engine1"
    migrated = {"migrated_at": "2026-11-29T12:10:00Z", "migrated_from": "11.3.0"}
    finishing = sut.plan(state("12.0.9", record("12.0.9", operation=OPEN, schema=migrated), accepted=False))
    assert (finishing.kind, finishing.problem, finishing.before) == (sut.FINISH, "", "11.3.0")
    assert (finishing.stop, finishing.migrate, finishing.back_up) == (False, False, False)


def test_before_the_migration_the_upgrade_is_undone_by_the_earlier_version() -> None:
    earlier = {"migrated_at": "2026-10-01T12:00:00Z", "migrated_from": "11.2.0"}
    found = sut.plan(state("11.3.0", record(operation=OPEN, schema=earlier), accepted=False))
    assert (found.kind, found.problem) == (sut.BACK, "")
    assert (found.stop, found.migrate, found.back_up) == (False, False, False)
    assert "Nothing has to be restored." in found.notice


def test_after_its_beginning_only_a_restore_goes_back() -> None:
    found = sut.plan(state("11.3.0", record(operation=OPEN, schema={"migrating": MIGRATING})))
    assert "was begun at 2026-11-29T12:00:00Z, and the inventory has 11.3.0" in found.problem
    assert "restore_backup=20261129T115500Z" in found.problem
    after = sut.plan(state("11.3.0", record("12.0.9", schema={"backup": "20261129T115500Z"})))
    assert "There is no way back but a restore. Set ivy_engine_version: 11.3.0" in after.problem
    assert "restore_backup=20261129T115500Z" in after.problem


def test_the_node_that_migrates_must_be_in_the_run() -> None:
    found = sut.plan(state("12.0.9", record(schema={"migrating": MIGRATING}), nodes=["engine2", "engine3"]))
    assert "engine1 has begun to migrate the system database" in found.problem


def test_versions_that_cannot_be_read_are_reported() -> None:
    assert "'new' is not an engine version" in sut.plan(state(found=record("new"))).problem


def results(kind: str, **changes: t.Any) -> dict[str, t.Any]:
    plan = {**sut.plan(state("12.0.9")).to_dict(), "kind": kind}
    times = {"engine1": {"marks": {"end": 1300.0}}, "engine2": {"marks": {"end": 1400.0}}, "engine3": None}
    found = {"plan": plan, "backup": "20261129T115500Z", "check_mode": False, "stopped_at": 1000.0, "times": times}
    return {**found, "migration_seconds": 61, **changes}


def test_the_interruption_is_measured_and_the_way_back_is_printed() -> None:
    text = sut.summary(results(sut.LINE))
    assert "upgraded from engine 11.3.0 to 12.0.9." in text
    assert "unavailable for 5 min (announced: about 42 s for the start), 1 min 1 s of it for the migration." in text
    assert "There is no rollback to the earlier version any more." in text
    assert "restore_backup=20261129T115500Z" in text
    assert "away" not in sut.summary(results(sut.FINISH, stopped_at=0))


def test_other_results_are_reported_in_a_sentence() -> None:
    assert sut.summary(results(sut.NOTHING, stopped_at=0)) == "The cluster had engine 12.0.9 already."
    assert sut.summary(results(sut.BACK, stopped_at=0)) == (
        "The upgrade is undone. The cluster has engine 12.0.9, as before."
    )
    assert "Users notice" in sut.summary(results(sut.LINE, check_mode=True))
