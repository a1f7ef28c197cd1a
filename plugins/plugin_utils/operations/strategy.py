# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a rollout by its strategy: one node after another, all at once, or one node and then a confirmation."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import REASON, command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, duration, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import durations, given

ROLLING, ALL_AT_ONCE, CONFIRM = "rolling", "all_at_once", "confirm"
OPTION = "rollout_strategy"
_ACCEPT = "engine_accept_downtime"
_MOST_NODES = 20
_SHOWN = 12
_STAYS_OPEN = "The rollout stays open."
# What a node needs. Each of them changes it, but for the gate.
_CHANGES = ("activate", "start", "restart")
_NOTHING = {**dict.fromkeys((*_CHANGES, "first", "gate", "waits"), False), "reasons": []}
WAITING = "waiting for confirmation"
RESTARTED = "restarted"

Item = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Course(given.Returned):
    """What the run does. ``strategy`` is the one in effect, ``plans`` has the nodes of which it changes the plan."""

    strategy: str = ROLLING
    notice: str = ""
    plans: t.Mapping[str, Item] = dataclasses.field(default_factory=dict)
    # The release that nodes have which the run does not change.
    earlier: str = ""
    # Of confirm: whether nodes wait for a later run, which ones, and the node that runs the release. It is empty if no
    # node is to restart.
    waits: bool = False
    canary: str = ""
    waiting: tuple[str, ...] = ()
    # Whether a run that waits has nothing to do at all.
    idle: bool = False
    # Whether the record has to remember the rollout although the release stays the same.
    keep_open: bool = False
    # Of all_at_once: the nodes that stop together, the one that starts first, and how long the service is unavailable.
    together: tuple[str, ...] = ()
    first: str = ""
    interrupts: bool = False
    expected: int | None = None
    # What is left if the run ends in the middle.
    unfinished: str = _STAYS_OPEN


@dataclasses.dataclass(frozen=True)
class State(given.Given):
    """``nodes`` has those of the run, in its order, each with the fact ``rollout_plan``; ``all_nodes`` the inventory's.

    ``predicted`` is true in check mode, and for a plan.
    """

    strategy: str
    operation: str
    release: str
    record: Item
    nodes: t.Mapping[str, Item]
    all_nodes: t.Sequence[str]
    left_out: t.Sequence[str]
    accepted: bool
    predicted: bool
    start_timeout: int

    @property
    def is_new(self) -> bool:
        """Whether the cluster has no release yet, so that no node has an earlier one."""
        return not self.record.get("desired_release")

    @property
    def is_resumed(self) -> bool:
        return bool(self.record.get("operation")) and self.record.get("desired_release") == self.release

    @property
    def earlier(self) -> str:
        desired = str(self.record.get("desired_release") or "")
        return desired if desired != self.release else str(self.record.get("previous_release") or "")

    @property
    def limited(self) -> list[str]:
        return [node for node in self.all_nodes if node not in self.nodes and node not in self.left_out]

    def needs(self, node: str, *names: str) -> bool:
        return any(self.nodes[node].get(name) for name in names)

    def has_passed(self, node: str) -> bool:
        """Whether the node runs the release and has nothing left to do in the open rollout."""
        passed = (self.record.get("passed") or {}).get(node) == self.release
        return self.is_resumed and passed and not self.needs(node, *_CHANGES, "gate")

    def expected(self, node: str) -> int | None:
        return durations.typical(self.record, durations.STARTS, node)


def problem(data: Item) -> str:
    """Everything that keeps the strategy from being used, in one message; empty if nothing does."""
    state = State.from_dict(data)
    if state.strategy == ROLLING:
        return ""
    problems = []
    if state.limited:
        why = (
            "the nodes that it leaves out would serve with another release"
            if state.strategy == ALL_AT_ONCE
            else "the run chooses the first node itself, and has to know which ones wait"
        )
        problems.append(
            f"--limit leaves out {listed(state.limited, _MOST_NODES)}, and with {OPTION}: {state.strategy} {why}. Run "
            "without --limit. Name nodes that are switched off in ivy_proceed_without."
        )
    if state.strategy == ALL_AT_ONCE and not state.accepted and not state.predicted and not state.is_new:
        again = command(state.operation, "-e", f"{OPTION}={ALL_AT_ONCE}", "-e", f"{_ACCEPT}=true")
        reason = REASON if state.operation == "rollback" else ""
        away = _away(state, next(iter(state.nodes), ""))
        problems.append(
            f"{OPTION}: {ALL_AT_ONCE} stops the engines of all nodes together if one has to restart. Users notice: the "
            f"service is unavailable from the stop until the first engine has passed the gate, {away}. {_ACCEPT} is "
            f"not set. To accept this interruption: {again}{reason}"
        )
    if not problems:
        return ""
    heading = f"This {state.operation} cannot be done: {count(len(problems), 'problem')}. Nothing was changed."
    return "\n".join([heading, *(f"- {one}" for one in problems)])


def plan(data: Item) -> Course:
    state = State.from_dict(data)
    if state.strategy == ROLLING or state.is_new:
        return Course(earlier=state.earlier)
    return _confirm(state) if state.strategy == CONFIRM else _all_at_once(state)


def _away(state: State, node: str) -> str:
    expected = state.expected(node)
    if expected is None:
        return f"at most {duration(state.start_timeout)} for its start (engine_start_timeout)"
    return f"about {duration(expected)}, as the last starts took"


def _confirm(state: State) -> Course:
    pending = [node for node in state.nodes if state.needs(node, *_CHANGES)]
    if not pending:
        # Nodes that have the release already are not changed by a gate.
        return Course(CONFIRM, notice="No node has to be changed, so there is nothing to confirm.")
    canary = next((node for node in state.nodes if state.has_passed(node)), "")
    is_idle = bool(canary)
    if not canary:
        canary = _canary(state)
    waiting = tuple(node for node in pending if node != canary)
    if not waiting:
        notice = f"No node but {canary} has to be changed, so there is nothing to confirm."
        return Course(CONFIRM, notice=notice, canary=canary)
    drained = [node for node in state.record.get("drained") or [] if node in state.nodes]
    return Course(
        CONFIRM,
        notice=_notice_of_confirm(state, canary, waiting, is_idle),
        plans={node: {**state.nodes[node], **_NOTHING, "outcome": WAITING} for node in waiting},
        earlier=state.earlier,
        waits=True,
        canary=canary,
        waiting=waiting,
        # An interrupted run may have left a node out of the balancers.
        idle=(is_idle and not drained) or not canary,
        keep_open=bool(canary) and not state.record.get("operation") and not state.earlier,
    )


def _canary(state: State) -> str:
    """The first node that runs the release after this run. One that an interrupted run has started comes before."""
    gated = [node for node in state.nodes if state.is_resumed and state.needs(node, "gate")]
    not_serving = [node for node in state.nodes if state.needs(node, "first") and state.needs(node, "start", "restart")]
    others = [node for node in state.nodes if state.needs(node, "start", "restart")]
    return next(iter([*gated, *not_serving, *others]), "")


def _notice_of_confirm(state: State, canary: str, waiting: t.Sequence[str], is_idle: bool) -> str:
    names = listed(waiting, _MOST_NODES)
    if is_idle:
        return (
            f"{canary} runs the release, and the rollout waits for confirmation. Nothing is changed. Waiting: {names}."
        )
    if not canary:
        return (
            f"No engine has to restart, so there is no first node to wait for. Nothing is activated. {names} would be "
            "changed without a restart."
        )
    verb = "would be" if state.predicted else "is"
    return (
        f"Only {canary} {verb} changed. When it has passed the gate, the rollout waits for confirmation, and {names} "
        "stay as they are."
    )


def _all_at_once(state: State) -> Course:
    stopped = [node for node in state.nodes if state.needs(node, "restart")]
    if not stopped:
        return Course(
            ALL_AT_ONCE, notice="No engine that runs has to restart, so the service is not interrupted.", earlier=""
        )
    # Whatever would start with the earlier release meanwhile, and what an interrupted run has stopped.
    together = [node for node in state.nodes if state.needs(node, "restart", "start", "waits")]
    used = [node for node in together if not state.needs(node, "taken_out")]
    first = next(iter([*used, *together]))
    serving = [node for node in state.nodes if not state.needs(node, *_CHANGES, "first", "taken_out")]
    interrupts = not serving
    verb = "would stop" if state.predicted else "stop"
    words = [
        f"The engines on {listed(together, _MOST_NODES)} {verb} together and start one after another with the release. "
        "engine_minimum_available does not apply."
    ]
    if interrupts:
        words.append(
            f"Users notice: the service is unavailable from the stop until {first} has passed the gate, "
            f"{_away(state, first)}. Then everybody logs in again."
        )
    else:
        words.append(f"{listed(serving, _MOST_NODES)} has the release already and serves meanwhile.")
    words.append(f"If {first} does not pass the gate, every node comes back with the release that it has now.")
    absent = [node for node in state.all_nodes if node in state.left_out]
    if absent:
        words.append(f"Make sure that the engine on {listed(absent, _MOST_NODES)} is off.")
    return Course(
        ALL_AT_ONCE,
        notice=" ".join(words),
        earlier=state.earlier,
        together=tuple(together),
        first=first,
        interrupts=interrupts,
        expected=state.expected(first) if interrupts else None,
        unfinished=(
            f"{_STAYS_OPEN} Engines may be stopped. The same command starts them with the release; a rollback starts "
            "them with an earlier one."
        ),
    )


def words(course: Item) -> str:
    """The strategy in words, for reports."""
    strategy = str(course.get("strategy") or ROLLING)
    if strategy == ALL_AT_ONCE:
        return "all at once: all engines stop, and start one after another"
    if strategy == CONFIRM:
        return "confirm: the rollout waits for confirmation after the first node"
    return "rolling: one node after another"


def summary(data: Item) -> list[str]:
    """Lines of the summary: what the run waits for and the next commands, or the interruption of the service."""
    course, check = data.get("course") or {}, bool(data["check_mode"])
    lines: list[str] = []
    if course.get("waits"):
        lines += _waits(data, course, check)
    elif course.get("strategy") == CONFIRM and course.get("notice"):
        lines.append(plain_text(f"  confirm  {course['notice']}"))
    elif course.get("strategy") == ALL_AT_ONCE:
        lines.append(plain_text(f"  users    {course['notice'] if check else _measured(data, course)}"))
    return lines


def _waits(data: Item, course: Item, check: bool) -> t.Iterator[str]:
    operation = str(data["operation"])
    names, canary = listed(course["waiting"], _MOST_NODES), str(course.get("canary") or "")
    earlier = f" ({str(course['earlier'])[:_SHOWN]})" if course.get("earlier") else ""
    if not canary:
        yield plain_text(f"  waits    for confirmation. {course['notice']}")
    elif check:
        yield plain_text(f"  waits    {course['notice']}")
    else:
        yield plain_text(
            f"  waits    for confirmation. {canary} runs the new release. {names} still run as before{earlier}: the "
            "release is staged there and not active. The rollout stays open; until it is completed, both releases may "
            f"start, the earlier one for {data['old_release_hours']} h (engine_old_release_hours)"
        )
    again = ["-e", f"{OPTION}={ROLLING}"]
    if operation == "rollback":
        yield f"  go on    {command(operation, *again)}{REASON}"
        if canary and course.get("earlier"):
            back = command(operation, "-e", f"rollback_release={plain_text(course['earlier'])}", *again)
            yield f"  go back  {back}{REASON}"
        return
    yield f"  go on    {command(operation, *again)}"
    if canary and course.get("earlier"):
        yield f"  go back  {command('rollback', *again)}{REASON}"
    elif canary:
        yield "  go back  restore the earlier values in the inventory, and run the same command"


def _measured(data: Item, course: Item) -> str:
    if not course.get("together"):
        return str(course["notice"])
    if not course.get("interrupts"):
        return "the service was not interrupted: another engine served"
    ends = [
        float(marks["end"])
        for found in (data.get("times") or {}).values()
        if "end" in (marks := (found or {}).get("marks") or {})
    ]
    if not ends or not course.get("stopped_at"):
        return "no engine has passed the gate yet, so the service is still away"
    away = max(0, round(min(ends) - float(course["stopped_at"])))
    announced = f" (announced: about {duration(int(course['expected']))})" if course.get("expected") is not None else ""
    return f"the service was unavailable for {duration(away)}{announced}, one start of an engine"


def published(data: Item) -> dict[str, t.Any]:
    """What a workflow needs to choose its next step."""
    course = data.get("course") or {}
    return {
        "operation": str(data["operation"]),
        "strategy": str(course.get("strategy") or ROLLING),
        "release": str(data["release"]),
        "earlier_release": str(course.get("earlier") or ""),
        "waits": bool(course.get("waits")),
        "canary": str(course.get("canary") or ""),
        "waiting": list(course.get("waiting") or ()),
        "check_mode": bool(data["check_mode"]),
    }
