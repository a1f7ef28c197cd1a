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
