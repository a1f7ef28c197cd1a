# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node needs, and how long a step may take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2.nativetypes
import pytest
import yaml

from ansible_collections.ivy.cluster.tests.unit.simulation import role

ROLES = Path(__file__).resolve().parents[3] / "roles"
TASKS = ROLES / "rollout/tasks"
A, B, C = "a", "b", "c"


def load(path: str) -> Any:
    return yaml.safe_load((ROLES / path).read_text(encoding="utf-8"))


def evaluated(text: str, values: dict[str, Any]) -> Any:
    return jinja2.nativetypes.NativeEnvironment().from_string(text.strip()).render(values)


DEFAULTS = {
    name: value
    for role in ("topology", "engine", "rollout")
    for name, value in load(f"{role}/defaults/main.yml").items()
}


def problems(**options: Any) -> list[str]:
    checks = [
        *load("rollout/vars/main/problems.yml")["rollout_option_checks"],
        *load("engine/vars/main/problems.yml")["engine_option_checks"],
    ]
    simple = [check for check in checks if re.search(r"ivy_lease_timeout|engine_old_release_hours", check)]
    assert len(simple) >= 4
    return [found for found in (evaluated(check, {"groups": {}, **DEFAULTS, **options}) for check in simple) if found]


def test_the_defaults_are_valid() -> None:
    assert problems() == []


@pytest.mark.parametrize("name", ["engine_start_timeout", "engine_stop_timeout"])
def test_the_lease_lasts_longer_than_the_longest_step(name: str) -> None:
    assert problems(ivy_lease_timeout=601, **{name: 480}) == []
    (problem,) = problems(ivy_lease_timeout=600, **{name: 480})
    assert name in problem
    assert "ivy_lease_timeout" in problem


def test_the_lease_lasts_longer_than_a_drain_on_all_balancers() -> None:
    options = {"ivy_lease_timeout": 600, "engine_drain_requests_timeout": 200, "engine_drain_websockets_timeout": 0}
    (problem,) = problems(**options, groups={"load_balancers": ["lb1", "lb2", "lb3"]})
    assert "times the number of load balancers" in problem
    assert problems(**options, groups={"load_balancers": ["lb1", "lb2"]}) == []
    assert problems(**options) == []


def test_the_hours_of_the_replaced_release_are_bounded() -> None:
    assert problems(engine_old_release_hours=8760) == []
    for hours in (0, 8761, 99_999_999):
        (problem,) = problems(engine_old_release_hours=hours)
        assert problem == "engine_old_release_hours: it must be 1 to 8760 hours."


def all_tasks(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in found:
        yield task
        for part in ("block", "rescue", "always"):
            yield from all_tasks(task.get(part, []))


def test_a_task_that_waits_for_an_engine_is_not_repeated_without_the_lease() -> None:
    """Each run of it may take as long as the option says, and the check of the options is for one."""
    waiting = []
    for path in sorted(TASKS.glob("*.yml")):
        for task in all_tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or []):
            if re.search(r"engine_start_timeout|engine_stop_timeout", str(task)):
                waiting.append(path.stem)
                assert "loop" not in task, f"{path.name}: {task['name']}"
    assert waiting == ["await_application", "gate"]
    first = load("rollout/tasks/await_application.yml")[0]
    assert first["ansible.builtin.include_tasks"] == "renew_lease.yml"


def gate(
    *, record: dict[str, Any], release: str = B, active: bool = True, activate: bool = False, restart: bool = False
) -> bool:
    """Whether the plan of node n1 says that it has only to pass the gate."""
    (task,) = [task for task in load("rollout/tasks/stage.yml") if task["name"] == "Plan what this node needs"]
    values: dict[str, Any] = {
        "inventory_hostname": "n1",
        "rollout_release": release,
        "__rollout_current": record,
        "__rollout_configuration": {"activation": {"changed": activate, "restart_required": restart}},
    }
    for name in ("__rollout_is_open", "__rollout_desired", "__rollout_passed"):
        values[name] = evaluated(task["vars"][name], values)
    values["__rollout_active"] = active
    return bool(evaluated(task["ansible.builtin.set_fact"]["rollout_plan"]["gate"], values))


CLOSED: dict[str, Any] = {"desired_release": B, "operation": None, "passed": {}}
OPEN: dict[str, Any] = {"desired_release": B, "operation": {"name": "site"}, "passed": {"n2": B}}


def test_a_node_whose_gate_failed_passes_it_in_the_next_run() -> None:
    assert gate(record=OPEN)
    assert not gate(record={**OPEN, "passed": {"n1": B}})
    # It goes through the gate anyway.
    assert not gate(record=OPEN, active=False, activate=True)
    assert not gate(record=OPEN, activate=True, restart=True)


def test_a_run_without_a_change_has_no_gate() -> None:
    assert not gate(record=CLOSED)
    # Repaired without a restart.
    assert not gate(record=CLOSED, activate=True)


def test_nodes_that_kept_the_release_pass_the_gate_in_a_rollback() -> None:
    assert gate(record=OPEN, release=A)
    assert gate(record={**OPEN, "passed": {"n1": B}}, release=A)
    # Another run continues it.
    assert gate(record={**OPEN, "desired_release": A, "passed": {"n1": B}}, release=A)
    # One that had it already when the rollout begins. The rollout is closed only when all have passed.
    assert gate(record=CLOSED, release=A)
    assert gate(record={})


def test_a_node_whose_gate_failed_passes_it_after_a_further_change_without_a_restart() -> None:
    assert gate(record=OPEN, release=C, activate=True)
    assert not gate(record={**OPEN, "passed": {"n1": B}}, release=C, activate=True)
    assert not gate(record=CLOSED, release=C, activate=True)


UP, DOWN = role.server("n1", True, False), role.server("n1", False, False)
IDLE = {"activate": False, "start": False, "restart": False, "first": False, "gate": False, "waits": False}


def planned(
    unit: str = "active",
    *,
    changed: bool = False,
    reasons: tuple[str, ...] = (),
    balancers: tuple[tuple[dict[str, Any], ...], ...] = ((UP,), (UP,)),
    **more: Any,
) -> dict[str, Any]:
    """The whole plan of node n1. A reason means that a restart is required."""
    task = role.task_of("stage", "Plan what this node needs")
    activation = {"changed": changed, "restart_required": bool(reasons), "restart_reasons": list(reasons)}
    given: dict[str, Any] = {
        "inventory_hostname": "n1",
        "rollout_operation": "rollout",
        "rollout_release": B,
        "rollout_node": {"engine": {"unit": {"active": unit}}},
        "__rollout_configuration": {"activation": activation},
        "__rollout_held": False,
        "__rollout_adds_node": False,
        "__rollout_balancer_results": [{"servers": list(servers)} for servers in balancers],
        "__rollout_current": CLOSED,
        "__rollout_taken_out": {},
        "__rollout_drained_words": "",
        **more,
    }
    for name, text in task["vars"].items():
        given[name] = role.value(text, given)
    parts = task["ansible.builtin.set_fact"]["rollout_plan"]
    return {name: role.value(text, given) for name, text in parts.items() if name != "maintenance"}


def needs(plan: dict[str, Any]) -> dict[str, bool]:
    return {name: plan[name] for name in IDLE}


def test_a_node_that_runs_the_release_needs_nothing() -> None:
    assert needs(planned()) == IDLE
    assert needs(planned(changed=True)) == {**IDLE, "activate": True}


@pytest.mark.parametrize("unit", ["inactive", "failed"])
def test_an_engine_that_does_not_run_is_started_before_the_others_and_never_restarted(unit: str) -> None:
    assert needs(planned(unit)) == {**IDLE, "start": True, "first": True}
    assert needs(planned(unit, reasons=("a key",), changed=True)) == {
        **IDLE,
        "activate": True,
        "start": True,
        "first": True,
    }
    # What an operator has stopped stays stopped.
    assert needs(planned(unit, __rollout_held=True, balancers=((DOWN,), (DOWN,)))) == IDLE


def test_an_engine_that_runs_is_restarted_for_a_reason_only() -> None:
    plan = planned(reasons=("a key",), changed=True)
    assert needs(plan) == {**IDLE, "activate": True, "restart": True}
    assert plan["reasons"] == ["a key"]
    forced = planned(__rollout_forced=["n1"])
    assert needs(forced) == {**IDLE, "restart": True}
    assert forced["reasons"] == ["the restart is forced"]
    assert needs(planned(__rollout_forced=["n2"])) == IDLE


@pytest.mark.parametrize(
    ("balancers", "first"),
    [
        (((UP,), (UP,)), False),
        # It serves through one of them.
        (((UP,), (DOWN,)), False),
        (((DOWN,), (DOWN,)), True),
        (((DOWN,),), True),
        # None of them knows it, as on a cluster without load balancers.
        (((), ()), False),
        ((), False),
    ],
)
def test_a_node_that_no_balancer_uses_comes_before_those_that_serve(balancers: Any, first: bool) -> None:
    assert planned(reasons=("a key",), balancers=balancers)["first"] is first


def test_a_new_node_that_no_balancer_knows_yet_comes_first() -> None:
    new: dict[str, Any] = {"rollout_operation": "add_node", "__rollout_adds_node": True}
    assert needs(planned(balancers=((), ()), **new)) == {**IDLE, "first": True, "gate": True}
    assert needs(planned(**new)) == IDLE


def test_a_node_that_is_let_in_again_passes_the_gate() -> None:
    assert planned(rollout_operation="undrain")["gate"] is True
    assert planned("inactive", rollout_operation="undrain")["gate"] is False
    assert planned(reasons=("a key",), rollout_operation="undrain")["gate"] is False


@pytest.mark.parametrize("unit", ["active", "inactive", "failed", "activating", "reloading", "deactivating"])
def test_an_engine_that_systemd_starts_or_stops_is_asked_again_in_its_turn(unit: str) -> None:
    assert planned(unit)["waits"] is (unit in ("activating", "reloading", "deactivating"))


def test_the_plan_says_who_keeps_users_from_the_node() -> None:
    assert planned()["taken_out"] == ""
    by_hand: dict[str, Any] = {
        "__rollout_taken_out": {"n1": {"words": "drain on lb1"}, "n2": {"words": "maint on lb2"}}
    }
    assert planned(**by_hand)["taken_out"] == "drain on lb1"
    both = planned(**by_hand, __rollout_drained_words="since noon by kim: disks")
    assert both["taken_out"] == "drain on lb1, since noon by kim: disks"


def is_required(plan: dict[str, bool] | None = None, **more: Any) -> bool:
    """Whether a run with this plan for its second node does anything at all."""
    task = role.task_of("stage", "Decide whether anything has to be rolled out")
    record: dict[str, Any] = {"desired_release": B, "operation": None, "drained": [], "schema": {"node": "n1"}}
    given: dict[str, Any] = {
        "ansible_play_hosts": ["n1", "n2"],
        "hostvars": {"n1": {"rollout_plan": IDLE}, "n2": {"rollout_plan": {**IDLE, **(plan or {})}}},
        "rollout_operation": "rollout",
        "rollout_release": B,
        "ivy_profile": {"runtime_deployment": False},
        "__rollout_has_applications": True,
        "__rollout_digests": {"x": "1"},
        "__rollout_balancer_results": [{"servers": [UP], "preferred": []}, {"servers": [UP]}],
        **more,
        "__rollout_current": {**record, "applications": {"x": "1"}, **more.get("__rollout_current", {})},
    }
    for name, text in task["vars"].items():
        given[name] = role.value(text, given)
    return bool(role.value(task["ansible.builtin.set_fact"]["rollout_required"], given))


def test_a_run_that_finds_everything_as_it_should_be_rolls_nothing_out() -> None:
    assert not is_required()
    assert not is_required({"gate": True, "waits": True, "first": True})
    # A node that is drained and not in this run stays as it is.
    assert not is_required(__rollout_current={"drained": ["n3"]})
    assert not is_required(__rollout_has_applications=False, __rollout_digests={})


@pytest.mark.parametrize("part", ["activate", "start", "restart"])
def test_what_one_node_needs_is_reason_enough_for_a_rollout(part: str) -> None:
    assert is_required({part: True})


@pytest.mark.parametrize(
    "more",
    [
        {"rollout_operation": "rollback"},
        {"rollout_operation": "restore"},
        {"rollout_release": C},
        {"__rollout_current": {"desired_release": None}},
        {"__rollout_current": {"operation": {"name": "site"}}},
        {"__rollout_current": {"drained": ["n2"]}},
        {"__rollout_current": {"schema": None}},
        {"__rollout_current": {"applications": {"x": "0"}}},
        {"__rollout_digests": {}},
        {"__rollout_balancer_results": [{"servers": [UP], "preferred": ["n1"]}]},
        # Applications are compared by the engine that deploys them.
        {"ivy_profile": {"runtime_deployment": True}},
    ],
)
def test_what_the_cluster_needs_is_reason_enough_for_a_rollout(more: dict[str, Any]) -> None:
    assert is_required(**more)


@pytest.mark.parametrize(("previous", "connected"), [(B, {"n2"}), (A, {"n2", "n3"})])
def test_a_node_that_kept_the_release_needs_no_connection_to_those_that_go_back(
    previous: str, connected: set[str]
) -> None:
    own = load("rollout/vars/main/internal.yml")
    plan = {"start": False, "restart": False, "gate": True}
    environment = jinja2.nativetypes.NativeEnvironment()
    environment.filters.update(
        dict2items=lambda found: [{"key": key, "value": value} for key, value in found.items()],
        extract=lambda name, found: found[name],
    )
    environment.tests["in"] = lambda value, found: value in found
    values: dict[str, Any] = {
        "inventory_hostname": "n1",
        "rollout_release": B,
        "rollout_plan": plan,
        "__rollout_record": {"record": {"previous_release": previous}},
        "ivy_engine_addresses": {name: name for name in ("n1", "n2", "n3")},
        "ansible_play_hosts_all": ["n1", "n2", "n3"],
        "hostvars": {
            name: {"inventory_hostname": name, "rollout_plan": {**plan, "restart": name == "n3"}}
            for name in ("n1", "n2", "n3")
        },
    }
    for name in ("__rollout_goes_back", "__rollout_others_to_change", "__rollout_peer_addresses"):
        values[name] = environment.from_string(own[name].strip()).render(values)
    assert set(values["__rollout_peer_addresses"]) == connected


def starts(operation: str, *, run_time: bool = False, cold: bool = False, deploying: bool = True) -> list[str]:
    """The nodes that would start without the applications of an interrupted deployment."""
    own = load("rollout/vars/main/internal.yml")
    values: dict[str, Any] = {
        "rollout_operation": operation,
        "ivy_profile": {"runtime_deployment": run_time},
        "ansible_play_hosts": ["n1", "n2"],
        "groups": {"engine_nodes": ["n1", "n2"]},
        "ivy_proceed_without": [],
        "__rollout_current": {"deploying": {"applications": {"demo.zip": A}} if deploying else None},
        "hostvars": {
            name: {
                "inventory_hostname": name,
                "rollout_plan": {"start": cold or name == "n2"},
                "rollout_node": {"engine": {"unit": {"active": "inactive" if cold or name == "n2" else "active"}}},
            }
            for name in ("n1", "n2")
        },
    }
    environment = jinja2.nativetypes.NativeEnvironment()
    environment.filters.update(
        difference=lambda one, other: [item for item in one if item not in other],
        extract=extract,
        length=lambda found: len(list(found)),
    )
    environment.tests["in"] = lambda value, found: value in found
    for name in ("__rollout_from_source", "__rollout_cold_start", "__rollout_deploying", "__rollout_undeployed_starts"):
        values[name] = environment.from_string(own[name].strip()).render(values)
    return list(values["__rollout_undeployed_starts"])


def extract(name: str, found: Any, more: Any = ()) -> Any:
    value = found[name]
    for part in more:
        value = value[part]
    return value


def test_no_engine_starts_without_the_applications_of_an_interrupted_deployment() -> None:
    for operation in ("site", "rollout", "rollback", "restart", "undrain", "add_node"):
        assert starts(operation) == ["n2"]
        assert starts(operation, deploying=False) == []
        # The node finds it on the file share.
        assert starts(operation, run_time=True) == []
    # It finishes the deployment, and a restore replaces what was deployed.
    assert starts("deploy") == starts("restore") == []
    # All get what is declared.
    assert starts("site", cold=True) == []
    assert starts("rollback", cold=True) == ["n1", "n2"]
    (task,) = [task for task in load("rollout/tasks/stage.yml") if "__rollout_undeployed_starts" in str(task)]
    assert task["when"] == "__rollout_undeployed_starts | length > 0"
    assert task["run_once"]
