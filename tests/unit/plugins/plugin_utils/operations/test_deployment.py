# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import deployment as sut

A, B = "a" * 64, "b" * 64
NODES = ["engine1", "engine2", "engine3"]
DURATIONS = [{"kind": "restart", "node": "engine1", "seconds": seconds} for seconds in (40, 44, 42)]


def state(**changes: t.Any) -> dict[str, t.Any]:
    record = {"desired_release": "1" * 32, "applications": {"demo.zip": A}, "durations": DURATIONS}
    return {
        "applications": [{"name": "demo.zip", "sha256": B}],
        "record": record,
        "record_problem": "",
        "run_time": False,
        "engine_version": "11.3.0",
        "all_nodes": NODES,
        "left_out": [],
        "active": dict.fromkeys(NODES, "active"),
        "lacks": {node: ["demo.zip"] for node in NODES},
        "held": [],
        "accepted": True,
        "check_mode": False,
        "start_timeout": 300,
        **changes,
    }


def test_before_12_0_9_all_engines_stop_and_the_interruption_is_announced() -> None:
    found = sut.plan(state())
    assert (found.way, found.problem, found.interrupts) == (sut.ENGINES, "", True)
    assert (list(found.stop), found.restart, found.start) == (NODES, (), ())
    assert found.expected == 42
    assert "stop together and start one after another with demo.zip" in found.notice
    words = "the service is unavailable from the stop until the first engine has started and deployed it, about 42 s"
    assert words in found.notice
    none_known = sut.plan(state(record={"desired_release": "1"}))
    assert "at most 5 min for each start (engine_start_timeout)" in none_known.notice


def test_an_interruption_needs_to_be_accepted() -> None:
    found = sut.plan(state(accepted=False))
    assert "Users notice: the service is unavailable" in found.problem
    assert "Nothing was changed, because engine_accept_downtime is not set." in found.problem
    assert "-e engine_accept_downtime=true" in found.problem
    # Check mode predicts without it.
    assert sut.plan(state(accepted=False, check_mode=True)).problem == ""
    # Nothing serves any more, so nothing is interrupted.
    stopped = sut.plan(state(accepted=False, active=dict.fromkeys(NODES, "inactive")))
    assert (stopped.problem, stopped.stop, list(stopped.start)) == ("", (), NODES)


def test_a_run_after_an_interrupted_one_finishes() -> None:
    """The first engine has started with the application, and the others are stopped."""
    active = {"engine1": "active", "engine2": "inactive", "engine3": "failed"}
    found = sut.plan(state(active=active, lacks={"engine1": [], "engine2": ["demo.zip"], "engine3": ["demo.zip"]}))
    assert (found.problem, found.stop, found.restart) == ("", (), ())
    assert found.start == ("engine2", "engine3")
    assert not found.interrupts
    # Somebody has started one of them without it.
    active["engine2"] = "activating"
    found = sut.plan(
        state(active=active, accepted=False, lacks={"engine1": [], "engine2": ["demo.zip"], "engine3": ["demo.zip"]})
    )
    assert (found.problem, found.stop, found.start) == ("", ("engine2",), ("engine3",))
    assert "engine1 has it already and serves meanwhile" in found.notice
    # All have it, and the run ended before it wrote the record.
    found = sut.plan(state(lacks={}))
    assert (found.way, found.new) == (sut.RECORD, ("demo.zip",))
    # The inventory names the earlier one again, and all have that one.
    deploying = {"since": "noon", "owner": "kim", "applications": {"demo.zip": B}}
    earlier = {"desired_release": "1", "applications": {"demo.zip": A}, "deploying": deploying}
    same = [{"name": "demo.zip", "sha256": A}]
    assert sut.plan(state(applications=same, lacks={}, record=earlier)).way == sut.RECORD
    assert sut.plan(state(applications=same, lacks={}, record=earlier, run_time=True)).way == sut.RECORD


def test_a_node_that_is_set_aside_deploys_at_its_next_start() -> None:
    active = {"engine1": "active", "engine2": "active", "engine3": "inactive"}
    found = sut.plan(state(active=active, held=["engine3"]))
    assert (found.stop, found.start, found.place) == (("engine1", "engine2"), (), ("engine3",))
    assert "engine3 is set aside and deploys at its next start" in found.notice
    same = [{"name": "demo.zip", "sha256": A}]
    assert sut.plan(state(active=active, held=["engine3"], applications=same, lacks={})).way == sut.NOTHING


def test_a_node_that_lacks_what_the_others_have_restarts_alone() -> None:
    found = sut.plan(state(applications=[{"name": "demo.zip", "sha256": A}], lacks={"engine3": ["demo.zip"]}))
    assert (found.way, found.stop, found.restart, found.start) == (sut.ENGINES, (), ("engine3",), ())
    assert "lack applications that the other nodes have" in found.notice


def test_before_12_0_9_every_node_must_be_in_the_run() -> None:
    two = {"active": dict.fromkeys(NODES[:2], "active"), "lacks": {node: ["demo.zip"] for node in NODES[:2]}}
    found = sut.plan(state(**two))
    assert "This run leaves out engine3" in found.problem
    assert "ivy_proceed_without" in found.problem
    assert sut.plan(state(**two, left_out=["engine3"])).stop == ("engine1", "engine2")


def test_from_12_0_9_one_running_node_deploys() -> None:
    found = sut.plan(state(run_time=True, accepted=False, lacks={}))
    assert (found.way, found.node, found.new, found.stop) == (sut.RUN_TIME, "engine1", ("demo.zip",), ())
    assert "users notice nothing" in found.notice
    # The first node is left out by --limit, and the second one does not serve.
    active = {"engine2": "activating", "engine3": "active"}
    assert sut.plan(state(run_time=True, active=active, lacks={})).node == "engine3"
    stopped = sut.plan(state(run_time=True, active={"engine2": "inactive"}, lacks={}))
    assert "No engine of this run is running (engine2)" in stopped.problem


@pytest.mark.parametrize("run_time", [True, False])
def test_nothing_is_done_twice(run_time: bool) -> None:
    same = [{"name": "demo.zip", "sha256": A}]
    found = sut.plan(state(run_time=run_time, applications=same, lacks={}))
    assert (found.way, found.problem, found.node) == (sut.NOTHING, "", "")
    assert "Every node has demo.zip" in found.notice
    dropped = sut.plan(state(run_time=run_time, applications=[], lacks={}))
    assert dropped.way == sut.RECORD
    assert "No longer in engine_applications: demo.zip" in dropped.notice


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"record": {}}, "The cluster has no release yet"),
        ({"record_problem": "The share is away."}, "The share is away."),
        (
            {"record": {"desired_release": "1", "operation": {"name": "rollout", "owner": "kim\x1b", "since": "noon"}}},
            "The operation rollout of kim\\x1b since noon has not been completed",
        ),
        (
            {"record": {"desired_release": "1", "operation": {"name": "restore", "owner": "kim", "since": "noon"}}},
            "Complete it first: ansible-playbook ivy.cluster.restore -e 'restore_backup=<id>'",
        ),
    ],
)
def test_a_cluster_in_another_state_is_not_changed(changes: dict[str, t.Any], words: str) -> None:
    for run_time in (True, False):
        assert words in sut.plan(state(run_time=run_time, **changes)).problem


def results(**changes: t.Any) -> dict[str, t.Any]:
    data = state()
    return {
        "plan": sut.plan(data).to_dict(),
        "applications": data["applications"],
        "check_mode": False,
        "deployed": [{"name": "demo.zip", "node": node, "seconds": 91.54} for node in NODES],
        "not_deployed": [],
        "stopped_at": 1000.0,
        "times": {"engine1": {"marks": {"end": 1037.2}}, "engine2": {"marks": {"end": 1070}}, "engine3": {}},
        "problems": {node: [] for node in NODES},
        **changes,
    }


def test_the_table_has_the_measured_interruption() -> None:
    text = sut.summary(results())
    assert "demo.zip     bbbbbbbbbbbb  deployed  engine1  91.5" in text
    assert "Users: the service was unavailable for 37 s (announced: about 42 s), one start of an engine." in text
    assert sut.failure(results()) == ""
    assert "the service is still unavailable" in sut.summary(results(times={}))


def test_the_table_of_a_deployment_at_run_time() -> None:
    plan = sut.plan(state(run_time=True, lacks={})).to_dict()
    text = sut.summary(results(plan=plan, deployed=[{"name": "demo.zip", "node": "engine1", "seconds": 92}]))
    assert "1 application deployed by engine1 at run time. No engine was stopped." in text
    assert sut.summary(results(plan=plan, check_mode=True)) == plan["notice"]


def test_a_failure_has_the_log_and_what_to_do() -> None:
    failed = {
        "name": "demo.zip",
        "node": "engine1",
        "message": "could not\x1b",
        "log": ["one", "two", "two", "x" * 999],
    }
    data = results(deployed=[], not_deployed=[failed], problems={"engine2": ["It was restarted"]})
    text = sut.failure(data)
    assert "demo.zip was not deployed by engine1. could not\\x1b." in text
    assert text.count("two") == 1
    assert max(map(len, text.splitlines())) < 450
    assert "was removed from the deploy directory" in text
    assert "engine2: It was restarted." in text
    assert "not deployed" in sut.summary(data)
    alone = sut.failure(results(problems={"engine2": ["It was restarted"]}))
    assert "removed" not in alone
    assert "engine2: It was restarted." in alone
