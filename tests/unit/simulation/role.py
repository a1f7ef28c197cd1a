# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role rollout decides in expressions of its tasks. They are read from the tasks, not repeated here."""

from __future__ import annotations

import functools
import itertools
import typing as t
from pathlib import Path

import jinja2
import yaml
from ansible.plugins.filter import core, mathstuff

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import allowed_release, balancer_nodes

TASKS = Path(__file__).resolve().parents[3] / "roles/rollout/tasks"
_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)


def _listed(function: t.Callable[..., t.Any]) -> t.Callable[..., list[t.Any]]:
    """The filter as Ansible has it, which gives a list where Jinja gives a generator."""

    @functools.wraps(function)
    def listed(*arguments: t.Any, **named: t.Any) -> list[t.Any]:
        return list(function(*arguments, **named))

    return listed


_ENVIRONMENT.filters.update(
    {
        **{
            name: _listed(_ENVIRONMENT.filters[name])
            for name in ("map", "select", "reject", "selectattr", "rejectattr")
        },
        **mathstuff.FilterModule().filters(),
        # Its others, such as map and default, need the templates of Ansible.
        "extract": core.extract,
        "flatten": core.flatten,
        "ivy.cluster.server_settled": balancer_nodes.settled,
        "ivy.cluster.serving_problem": lambda found, node, cluster: allowed_release.problem(
            found, node, cluster, found["now"]
        ),
    }
)

Task = dict[str, t.Any]


class Found(t.NamedTuple):
    """What a run has found out about a node when it plans, and about the rollout that an earlier run left open."""

    active: bool
    changed: bool
    restart_required: bool
    up: bool
    listed: bool
    is_open: bool
    desired: str | None
    passed: str | None


class Plan(t.NamedTuple):
    """What the node needs, as in the fact rollout_plan."""

    first: bool
    gate: bool


def server(name: str, serves: bool, maintenance: bool) -> dict[str, t.Any]:
    """As balancer_info returns it."""
    status = "MAINT" if maintenance else "UP" if serves else "DOWN"
    state = "maint" if maintenance else "ready"
    return {"name": name, "backend": "engines", "up": status == "UP", "admin_state": state, "status": status}


@functools.cache
def plan(found: Found, release: str, operation: str) -> Plan:
    task = task_of("stage", "Plan what this node needs")
    activation = {"changed": found.changed, "restart_required": found.restart_required}
    given: dict[str, t.Any] = {
        "inventory_hostname": "node",
        "rollout_operation": operation,
        "rollout_release": release,
        "rollout_node": {"engine": {"unit": {"active": "active" if found.active else "inactive"}}},
        "__rollout_configuration": {"activation": activation},
        "__rollout_held": False,
        "__rollout_adds_node": False,
        "__rollout_balancer_results": [{"servers": [server("node", found.up, False)] if found.listed else []}],
        "__rollout_current": {
            "operation": {"name": operation} if found.is_open else None,
            "desired_release": found.desired,
            "passed": {"node": found.passed} if found.passed else {},
        },
    }
    for name, text in task["vars"].items():
        given[name] = value(text, given)
    parts = task["ansible.builtin.set_fact"]["rollout_plan"]
    return Plan(*(bool(value(parts[name], given)) for name in Plan._fields))


@functools.cache
def takes_out(absent: tuple[str, ...], operation: str, desired: str | None, is_open: bool, release: str) -> bool:
    """Whether the run takes the nodes that it leaves out of the balancers."""
    given = {
        "rollout_operation": operation,
        "rollout_release": release,
        "__rollout_absent": absent,
        "__rollout_current": {"desired_release": desired, "operation": {"name": operation} if is_open else None},
    }
    conditions = task_of("open", "Take the nodes that this run leaves out of the balancers")["when"]
    return all(value(condition, given) for condition in conditions)


@functools.cache
def recorded(absent: tuple[str, ...], in_maintenance: frozenset[str]) -> list[str]:
    """Those of them that the record has to name."""
    servers = [server(name, True, name in in_maintenance) for name in absent]
    task = task_of("take_out_absent", "Record which nodes are taken out")
    given = {"__rollout_before_taking_out": {"results": [{"servers": servers}]}, "__rollout_absent": absent}
    found: list[str] = value(task["vars"]["__rollout_to_take_out"], given)
    return found


@functools.cache
def taken_out(absent: tuple[str, ...]) -> list[str]:
    """The nodes that are in maintenance afterwards."""
    task = task_of("take_out_absent", "Take the nodes out of every balancer")
    pairs = value(task["loop"], {"groups": {"load_balancers": ["lb1"]}, "__rollout_absent": absent})
    return [node for _balancer, node in pairs if task["ivy.cluster.balancer_server"]["state"] == "maint"]


@functools.cache
def is_settled(listed: bool, serves: bool, maintenance: bool) -> bool:
    """Whether the run goes on to the next node."""
    state = {"servers": [server("other", True, False), *([server("node", serves, maintenance)] if listed else [])]}
    task = task_of("await_balancers", "Wait until every balancer lists the node and has it up")
    return bool(value(task["until"], {"inventory_hostname": "node", "__rollout_balancer_state": state}))


def may_serve(name: str, running: str | None, record: t.Mapping[str, t.Any], now: float) -> bool:
    """Whether the balancers may use the node again."""
    if not _asks_for_the_release():
        return True
    task = task_of("require_allowed_release", "Fail if the cluster record does not allow the release that runs")
    given: dict[str, t.Any] = {
        "inventory_hostname": name,
        "ivy_cluster_name": record["cluster"],
        "__rollout_before_use": {"engine": {"running": {"release": running}}, "record": record, "now": now},
    }
    for one, text in task["vars"].items():
        given[one] = value(text, given)
    return not value(task["when"], given)


@functools.cache
def _asks_for_the_release() -> bool:
    """Whether the step that lets the balancers use a node begins with that."""
    tasks = yaml.safe_load((TASKS / "put_back.yml").read_text(encoding="utf-8"))
    before = itertools.takewhile(lambda task: "ivy.cluster.balancer_server" not in task, tasks)
    return any(task.get("ansible.builtin.include_tasks") == "require_allowed_release.yml" for task in before)


@functools.cache
def task_of(file: str, name: str) -> Task:
    tasks = yaml.safe_load((TASKS / f"{file}.yml").read_text(encoding="utf-8"))
    (found,) = (task for task in _all(tasks) if task["name"] == name)
    return found


def _all(tasks: t.Iterable[Task]) -> t.Iterator[Task]:
    for task in tasks:
        yield task
        yield from _all(task.get("block", []))


def value(text: t.Any, given: t.Mapping[str, t.Any]) -> t.Any:
    """The value of an expression, with or without braces."""
    if not isinstance(text, str):
        return text
    return _compiled(text.strip().removeprefix("{{").removesuffix("}}"))(given)


@functools.cache
def _compiled(expression: str) -> t.Callable[..., t.Any]:
    return _ENVIRONMENT.compile_expression(expression, undefined_to_none=False)
