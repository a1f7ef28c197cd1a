# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does with the strategies of a rollout."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import plan_report, run_summary
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import strategy as sut
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.plan import Plan, differences

OLD, NEW = "a" * 32, "b" * 32
NODES = ["engine1", "engine2", "engine3"]
NONE = {**dict.fromkeys(("activate", "start", "restart", "first", "gate", "waits"), False), "reasons": []}
RESTART = {**NONE, "activate": True, "restart": True, "reasons": ["a key"]}
START = {**NONE, "activate": True, "start": True, "first": True}
RELOAD = {**NONE, "activate": True}
GATE = {**NONE, "gate": True}
OPEN = {"desired_release": NEW, "previous_release": OLD, "operation": {"name": "rollout"}}


def state(strategy: str, *plans: t.Mapping[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    more = changes.pop("record", {})
    return {
        "strategy": strategy,
        "operation": "rollout",
        "release": NEW,
        "record": {
            "desired_release": OLD,
            "durations": [{"kind": "start", "node": "engine1", "seconds": 62}],
            **more,
        },
        "nodes": dict(zip(NODES, plans or (RESTART, RESTART, RESTART))),
        "all_nodes": NODES,
        "left_out": [],
        "accepted": True,
        "predicted": False,
        "start_timeout": 300,
        **changes,
    }


def confirm(*plans: t.Mapping[str, t.Any], **changes: t.Any) -> sut.Course:
    return sut.plan(state("confirm", *plans, **changes))


def together(*plans: t.Mapping[str, t.Any], **changes: t.Any) -> sut.Course:
    return sut.plan(state("all_at_once", *plans, **changes))


def test_a_rolling_run_changes_no_plan() -> None:
    found = sut.plan(state("rolling"))
    assert (found.strategy, found.plans, found.waits, found.together) == ("rolling", {}, False, ())
    assert sut.problem(state("rolling", nodes={"engine1": RESTART}, accepted=False)) == ""


@pytest.mark.parametrize("strategy", ["confirm", "all_at_once"])
def test_on_a_new_cluster_a_strategy_makes_no_difference(strategy: str) -> None:
    new = state(strategy, START, START, START, record={"desired_release": None}, accepted=False)
    found = sut.plan(new)
    assert (found.strategy, found.plans, found.together) == ("rolling", {}, ())
    assert sut.problem(new) == ""


def test_only_the_first_node_that_restarts_is_changed_before_a_confirmation() -> None:
    found = confirm(RELOAD, RESTART, RESTART)
    assert (found.waits, found.canary, found.waiting, found.idle) == (True, "engine2", ("engine1", "engine3"), False)
    # Neither is what needs no restart.
    assert set(found.plans) == {"engine1", "engine3"}
    for plan in found.plans.values():
        assert not any(plan[name] for name in ("activate", "start", "restart", "first", "gate", "waits"))
        assert plan["outcome"] == "waiting for confirmation"
    assert "Only engine2 is changed." in found.notice
    assert "engine1, engine3 stay as they are." in found.notice
    assert "Only engine2 would be changed." in confirm(RELOAD, RESTART, RESTART, predicted=True).notice
    assert found.earlier == OLD
    assert not found.keep_open


def test_a_node_that_does_not_serve_is_the_first_one_as_in_a_rolling_run() -> None:
    assert confirm(RESTART, RESTART, START).canary == "engine3"
    # A run was interrupted before the node passed the gate.
    found = confirm(RESTART, GATE, START, record=OPEN)
    assert (found.canary, found.waiting) == ("engine2", ("engine1", "engine3"))
    # In a new rollout, such a node has the release by chance, and its gate proves nothing.
    assert confirm(RESTART, GATE, RESTART).canary == "engine1"


def test_a_run_after_the_first_node_has_passed_waits_and_does_nothing() -> None:
    found = confirm(NONE, RESTART, RESTART, record={**OPEN, "passed": {"engine1": NEW}})
    assert (found.waits, found.canary, found.waiting, found.idle) == (True, "engine1", ("engine2", "engine3"), True)
    assert "engine1 runs the release, and the rollout waits for confirmation." in found.notice
    assert found.earlier == OLD
    # A node that an interrupted run has left out of the balancers comes back.
    assert not confirm(NONE, RESTART, RESTART, record={**OPEN, "passed": {"engine1": NEW}, "drained": ["engine1"]}).idle
    # Its engine has stopped since, so that nothing is proved any more.
    again = confirm(START, RESTART, RESTART, record={**OPEN, "passed": {"engine1": NEW}})
    assert (again.canary, again.idle) == ("engine1", False)
    # It has passed with another release of this rollout.
    assert confirm(RESTART, RESTART, RESTART, record={**OPEN, "passed": {"engine1": "c" * 32}}).canary == "engine1"


def test_without_a_restart_there_is_no_first_node_and_nothing_is_changed() -> None:
    found = confirm(RELOAD, RELOAD, NONE)
    assert (found.waits, found.canary, found.waiting, found.idle) == (True, "", ("engine1", "engine2"), True)
    assert "No engine has to restart" in found.notice


def test_there_is_nothing_to_confirm_if_no_other_node_waits() -> None:
    for plans in ((NONE, RESTART, NONE), (NONE, NONE, NONE), (GATE, NONE, NONE)):
        found = confirm(*plans)
        assert (found.waits, found.plans) == (False, {})
        assert "nothing to confirm" in found.notice


def test_a_rollout_without_a_new_release_is_opened_so_that_it_can_wait() -> None:
    assert confirm(record={"desired_release": NEW}).keep_open
    assert not confirm(RELOAD, RELOAD, RELOAD, record={"desired_release": NEW}).keep_open
    assert not confirm(record={**OPEN}).keep_open


def test_engines_that_must_not_run_with_two_releases_stop_together() -> None:
    found = together(RELOAD, RESTART, RESTART)
    assert (found.together, found.first, found.interrupts, found.expected) == (
        ("engine2", "engine3"),
        "engine2",
        True,
        62,
    )
    assert "engine_minimum_available does not apply." in found.notice
    announced = "from the stop until engine2 has passed the gate, about 1 min 2 s, as the last starts"
    assert f"the service is unavailable {announced}" in found.notice
    assert "Engines may be stopped. The same command starts them" in found.unfinished
    # Nothing that the record knows.
    assert "at most 5 min for its start" in together(record={"durations": []}).notice
    assert "The engines on engine1, engine2, engine3 would stop together" in together(predicted=True).notice


def test_what_an_interrupted_run_has_stopped_starts_with_the_others() -> None:
    found = together(NONE, START, RESTART, record=OPEN)
    assert (found.together, found.first, found.interrupts) == (("engine2", "engine3"), "engine2", False)
    assert "engine1 has the release already and serves meanwhile." in found.notice
    # No engine runs with the earlier release, so none has to stop.
    for plans in ((NONE, START, START), (NONE, NONE, NONE), (RELOAD, RELOAD, RELOAD)):
        assert together(*plans, record=OPEN).together == ()


def test_systemd_must_not_start_an_engine_with_the_earlier_release_meanwhile() -> None:
    assert together(RESTART, {**START, "waits": True}, NONE).together == ("engine1", "engine2")


def test_the_first_node_is_one_that_users_reach() -> None:
    found = together({**RESTART, "taken_out": "drain"}, RESTART, {**NONE, "taken_out": "drain"})
    assert (found.together, found.first, found.interrupts) == (("engine1", "engine2"), "engine2", True)


def test_all_problems_are_in_one_message() -> None:
    limited = {"nodes": {"engine1": {}}, "accepted": False}
    found = sut.problem(state("all_at_once", **limited))
    assert found.startswith("This rollout cannot be done: 2 problems. Nothing was changed.")
    assert "--limit leaves out engine2, engine3" in found
    assert "-e rollout_strategy=all_at_once -e engine_accept_downtime=true" in found
    assert "about 1 min 2 s" in found
    assert "1 problem" in sut.problem(state("confirm", **limited))
    assert "the run chooses the first node itself" in sut.problem(state("confirm", **limited))
    # A node that is switched off is not there to mix.
    assert sut.problem(state("confirm", nodes={"engine1": {}}, left_out=["engine2", "engine3"])) == ""
    # Predictions need no acknowledgement, and a rollback needs its reason.
    assert sut.problem(state("all_at_once", accepted=False, predicted=True)) == ""
    assert "rollback_reason" in sut.problem(state("all_at_once", accepted=False, operation="rollback"))


def summary(course: sut.Course, **changes: t.Any) -> str:
    data = {
        "cluster": "demo",
        "engine_version": "11.3.0",
        "url": "https://ivy.example.com/",
        "release": NEW,
        "check_mode": False,
        "pinned": False,
        "left_out": [],
        "findings": [],
        "nodes": {},
        "operation": "rollout",
        "course": course.to_dict(),
        "old_release_hours": 24,
    }
    return run_summary.render({**data, **changes})


def test_the_summary_says_what_a_rollout_waits_for_and_both_commands() -> None:
    text = summary(confirm())
    assert text.startswith(f"Cluster demo waits for confirmation of release {NEW[:12]}, engine 11.3.0")
    assert f"engine1 runs the new release. engine2, engine3 still run as before ({OLD[:12]}):" in text
    assert "The rollout stays open; until" in text
    assert "the earlier one for 24 h" in text
    assert "go on    ansible-playbook ivy.cluster.rollout -e rollout_strategy=rolling" in text
    back = "go back  ansible-playbook ivy.cluster.rollback -e rollout_strategy=rolling -e \"rollback_reason='<why>'\""
    assert back in text
    # The nodes differ.
    assert "prove it" not in text
    of_rollback = summary(confirm(), operation="rollback")
    assert f"ivy.cluster.rollback -e rollback_release={OLD} -e rollout_strategy=rolling -e" in of_rollback
    same = summary(confirm(record={"desired_release": NEW}))
    assert "go back  restore the earlier values in the inventory" in same
    assert "go back" not in summary(confirm(RELOAD, RELOAD, NONE))


def test_the_summary_has_the_measured_interruption() -> None:
    course = sut.plan(state("all_at_once"))
    data = {**course.to_dict(), "stopped_at": 100.0}
    times = {"engine1": {"marks": {"end": 148.2}}, "engine2": {"marks": {"end": 190.0}}, "engine3": {}}
    lines = sut.summary({"course": data, "times": times, "check_mode": False, "operation": "rollout"})
    assert lines == [
        "  users    the service was unavailable for 48 s (announced: about 1 min 2 s), one start of an engine"
    ]
    assert "still away" in sut.summary({"course": data, "times": {}, "check_mode": False, "operation": "site"})[0]


def test_a_workflow_learns_whether_there_is_something_to_approve() -> None:
    data = {"operation": "site", "release": NEW, "check_mode": False}
    assert sut.published({**data, "course": confirm().to_dict()}) == {
        "operation": "site",
        "strategy": "confirm",
        "release": NEW,
        "earlier_release": OLD,
        "waits": True,
        "canary": "engine1",
        "waiting": ["engine2", "engine3"],
        "check_mode": False,
    }
    assert sut.published({**data, "course": {}})["waits"] is False


def planned(course: sut.Course) -> Plan:
    nodes = {node: {"plan": course.plans.get(node, RESTART), "foreseen": {"required": True}} for node in NODES}
    return Plan(
        {
            "cluster": "demo",
            "operation": "rollout",
            "engine_version": "11.3.0",
            "release": NEW,
            "record": {"desired_release": OLD},
            "nodes": nodes,
            "course": course.to_dict(),
        }
    )


def test_a_plan_shows_the_strategy_and_its_digest_contains_it() -> None:
    plans = {name: planned(sut.plan(state(name))) for name in ("rolling", "confirm", "all_at_once")}
    assert len({plan.digest for plan in plans.values()}) == 3
    (different,) = differences(plans["rolling"].digest, plans["all_at_once"].digest)
    assert "the strategy" in different
    assert [step.node for step in plans["confirm"].steps] == ["engine1"]
    text = plan_report.document(plans["confirm"].params).lines
    assert "  strategy   confirm: the rollout waits for confirmation after the first node" in text
    assert "restart 1 of 3 nodes, and then wait for confirmation." in text[0]
    assert any("Only engine1" in line for line in text)
    assert "-e rollout_strategy=confirm -e ivy_plan=" in text[-1]
    text = plan_report.document(plans["all_at_once"].params).lines
    assert any("Users notice: the service is unavailable from the stop" in line for line in text)
    assert not any("one after another. Users of a node" in line for line in text)
    assert "-e rollout_strategy=all_at_once -e engine_accept_downtime=true -e ivy_plan=" in text[-1]
