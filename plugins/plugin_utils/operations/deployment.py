# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How new applications reach the engines, what users notice of it, and the report at the end."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command, completing
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import (
    columns,
    count,
    duration,
    listed,
    plain_text,
    sentence,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import durations, given

# Nothing to do; only the record has to be changed; through one running node; engines start or restart.
NOTHING, RECORD, RUN_TIME, ENGINES = "nothing", "record", "run_time", "engines"
_ACCEPT = "engine_accept_downtime"
_SHORT = 12
_LOG_LINES = 20
_LOG_WIDTH = 400

Item = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Deployment(given.Returned):
    """What the run has to do. ``stop``, ``restart``, ``start`` and ``place`` are nodes, each in one of them at most."""

    way: str = NOTHING
    problem: str = ""
    notice: str = ""
    # Applications that the cluster record does not have in this version.
    new: tuple[str, ...] = ()
    node: str = ""
    stop: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    # Set aside by an operator with the engine stopped: they get the applications for their next start.
    place: tuple[str, ...] = ()
    lacks: t.Mapping[str, t.Sequence[str]] = dataclasses.field(default_factory=dict)
    interrupts: bool = False
    expected: int | None = None


@dataclasses.dataclass(frozen=True)
class State:
    """The cluster as the run found it. ``active`` has the nodes of the run, in their order."""

    record: Item
    record_problem: str
    run_time: bool
    engine_version: str
    declared: t.Mapping[str, str]
    all_nodes: t.Sequence[str]
    left_out: t.Sequence[str]
    active: t.Mapping[str, str]
    lacks: t.Mapping[str, t.Sequence[str]]
    held: t.Sequence[str]
    accepted: bool
    check_mode: bool
    start_timeout: int

    @classmethod
    def from_dict(cls, data: Item) -> State:
        names = [field.name for field in dataclasses.fields(cls) if field.name != "declared"]
        declared = {str(item["name"]): str(item["sha256"]) for item in data["applications"]}
        return cls(declared=declared, **{name: data[name] for name in names})

    @property
    def recorded(self) -> dict[str, str]:
        return dict(self.record.get("applications") or {})

    @property
    def new(self) -> tuple[str, ...]:
        return tuple(name for name, digest in self.declared.items() if self.recorded.get(name) != digest)

    @property
    def is_recorded(self) -> bool:
        """Whether the cluster record says that every node has the declared applications."""
        return self.recorded == dict(self.declared) and not self.record.get("deploying")

    @property
    def absent(self) -> list[str]:
        return [node for node in self.all_nodes if node not in self.active and node not in self.left_out]

    def runs(self, node: str) -> bool:
        """Whether an engine runs there, or systemd is about to start or stop one."""
        return self.active[node] not in ("inactive", "failed")


def plan(data: Item) -> Deployment:
    state = State.from_dict(data)
    problem = _problem_of_cluster(state)
    if problem:
        return Deployment(problem=problem)
    return _at_run_time(state) if state.run_time else _at_start(state)


def _problem_of_cluster(state: State) -> str:
    if state.record_problem:
        return state.record_problem
    if not state.record.get("desired_release"):
        return f"The cluster has no release yet. Nothing was changed. Install it first: {command('site')}"
    operation = state.record.get("operation") or {}
    if operation:
        name = str(operation.get("name"))
        return (
            f"The operation {plain_text(name)} of {plain_text(operation.get('owner') or 'unknown')} since "
            f"{plain_text(operation.get('since'))} has not been completed, so the nodes may differ. Nothing was "
            f"changed. Complete it first: {completing(name)}"
        )
    return ""


def _at_run_time(state: State) -> Deployment:
    running = [node for node in state.all_nodes if state.active.get(node) == "active"]
    if not state.new:
        if state.is_recorded:
            return Deployment(notice=f"Every node has {_applications(state)}. Nothing is deployed.")
        return Deployment(RECORD, notice=_dropped(state), node=next(iter(state.active)))
    if not running:
        return Deployment(
            problem=f"No engine of this run is running ({listed(state.active)}), and a running one deploys "
            f"{listed(state.new)}. Nothing was changed. Start the engines: {command('site')}"
        )
    notice = (
        f"{running[0]} {'would deploy' if state.check_mode else 'deploys'} {listed(state.new)} for all nodes while "
        "they serve. No engine is restarted, and users notice nothing."
    )
    return Deployment(RUN_TIME, notice=_with(notice, _dropped(state)), new=state.new, node=running[0])


def _at_start(state: State) -> Deployment:
    lacking = [node for node in state.active if state.lacks.get(node)]
    new = state.new
    if new and state.absent:
        return Deployment(
            problem=f"This run leaves out {listed(state.absent)}, and engine {state.engine_version} takes "
            f"{listed(new)} at its start only, while no engine runs without it. Nothing was changed. Run without "
            "--limit, or name the nodes that are to stay off in ivy_proceed_without."
        )
    affected = [node for node in lacking if state.runs(node)]
    stop = affected if new else []
    restart = [] if new else affected
    others = [node for node in state.active if state.active[node] != "active" and node not in affected]
    start = [node for node in others if node not in state.held]
    place = [node for node in others if node in state.held and node in lacking]
    if not (stop or restart or start or place):
        if state.is_recorded:
            return Deployment(notice=f"Every node has {_applications(state)}. Nothing is deployed.")
        return Deployment(RECORD, notice=_dropped(state), new=new, node=next(iter(state.active)))
    serving = [node for node in state.active if state.active[node] == "active" and node not in affected]
    interrupts = bool(stop) and not serving
    expected = durations.typical(state.record, durations.STARTS, stop[0]) if interrupts else None
    notice = _notice_of_starts(state, stop, restart, start, serving, expected)
    if place:
        notice = _with(notice, f"{listed(place)} is set aside and deploys at its next start.")
    problem = ""
    if interrupts and not state.accepted and not state.check_mode:
        again = command("deploy", "-e", f"{_ACCEPT}=true")
        problem = f"{notice} Nothing was changed, because {_ACCEPT} is not set. To accept this interruption: {again}"
    return Deployment(
        ENGINES,
        problem,
        _with(notice, _dropped(state)),
        new,
        next(iter(state.active)),
        tuple(stop),
        tuple(restart),
        tuple(start),
        tuple(place),
        {node: list(state.lacks[node]) for node in lacking},
        interrupts,
        expected,
    )


def _notice_of_starts(
    state: State,
    stop: t.Sequence[str],
    restart: t.Sequence[str],
    start: t.Sequence[str],
    serving: t.Sequence[str],
    expected: int | None,
) -> str:
    words = []
    if stop:
        words.append(
            f"Engine {state.engine_version} takes a new application at its start only, so the engines on "
            f"{listed(stop)} stop together and start one after another with {listed(state.new)}."
        )
        if serving:
            words.append(f"{listed(serving)} has it already and serves meanwhile.")
        else:
            limit = f"at most {duration(state.start_timeout)} for each start (engine_start_timeout)"
            how_long = f"about {duration(expected)}, as its last starts took" if expected is not None else limit
            words.append(
                "Users notice: the service is unavailable from the stop until the first engine has started and "
                f"deployed it, {how_long}. Then everybody logs in again."
            )
    if restart:
        words.append(
            f"The engines on {listed(restart)} lack applications that the other nodes have, and restart one after "
            "another. Their users move to other nodes."
        )
    if start:
        words.append(f"The engines on {listed(start)} do not run, and start.")
    return " ".join(words)


def _applications(state: State) -> str:
    return listed(state.declared) or "its applications (engine_applications is empty)"


def _dropped(state: State) -> str:
    names = [plain_text(name) for name in state.recorded if name not in state.declared]
    if not names:
        return ""
    return (
        f"No longer in engine_applications: {listed(names)}. It stays deployed until it is removed in the Cockpit. New "
        "nodes do not get it."
    )


def _with(text: str, more: str) -> str:
    return f"{text} {more}".strip()


def failure(data: Item) -> str:
    """One message for everything that went wrong; empty if nothing did."""
    lines = []
    for item in data["not_deployed"]:
        lines.append(f"{plain_text(item['name'])} was not deployed by {plain_text(item['node'])}. " + _sentence(item))
        log = [plain_text(line)[:_LOG_WIDTH] for line in list(item.get("log") or [])[-_LOG_LINES:]]
        if log:
            lines += ["The end of the engine's deployment log:", *(f"  {line}" for line in dict.fromkeys(log))]
    for node, problems in data["problems"].items():
        lines += [f"{plain_text(node)}: {sentence(plain_text(problem))}" for problem in problems or ()]
    if not lines:
        return ""
    if data["not_deployed"]:
        lines.append(
            "An archive whose deployment failed was removed from the deploy directory, and the cluster record keeps "
            "the version that was in use before. Correct the archive or engine_applications, and run again: "
            + command("deploy")
        )
    else:
        lines.append(f"Check the nodes: {command('status')}")
    return "\n".join(lines)


def _sentence(item: Item) -> str:
    return sentence(plain_text(item.get("message") or "no reason stated"))


def summary(data: Item) -> str:
    """The table at the end of the run."""
    wanted = {str(item["name"]): str(item["sha256"]) for item in data["applications"]}
    plan_ = data["plan"]
    if data["check_mode"] or plan_["way"] in (NOTHING, RECORD):
        return str(plan_["notice"]) or "The cluster record was brought up to date."
    failed = {item["name"] for item in data["not_deployed"]}
    rows = [["application", "version", "result", "node", "seconds"]]
    for item in [*data["deployed"], *data["not_deployed"]]:
        name = str(item["name"])
        seconds = f"{float(item['seconds']):.1f}" if "seconds" in item else "-"
        result = "not deployed" if "seconds" not in item else "deployed"
        rows.append([plain_text(name), wanted.get(name, "")[:_SHORT], result, plain_text(item["node"]), seconds])
    lines = columns(rows) if len(rows) > 1 else []
    if plan_["way"] == RUN_TIME:
        done = count(len([name for name in plan_["new"] if name not in failed]), "application")
        lines.append(f"{done} deployed by {plan_['node']} at run time. No engine was stopped.")
    else:
        lines += _downtime(data)
    return "\n".join(lines)


def _downtime(data: Item) -> t.Iterator[str]:
    plan_ = data["plan"]
    if not plan_["interrupts"]:
        yield "The service was not interrupted: another engine served."
        return
    ends = [
        float(marks["end"]) for found in data["times"].values() if "end" in (marks := (found or {}).get("marks") or {})
    ]
    if not ends:
        yield "No engine has passed the gate yet, so the service is still unavailable."
        return
    away = max(0, round(min(ends) - float(data["stopped_at"])))
    announced = f"announced: about {duration(int(plan_['expected']))}" if plan_["expected"] is not None else ""
    more = f" ({announced})" if announced else ""
    yield f"Users: the service was unavailable for {duration(away)}{more}, one start of an engine."
