# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of site, rollout or rollback would do, and the digest by which a later run proves that it does the same.

The digest covers what would be done and never when, how long, or who. Contents count by the id of the release and by
keyed digests, so it contains nothing of a secret.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import durations, node_answers, strategy

Item = t.Mapping[str, t.Any]

# The parts of a digest, each with what differs if a run has another one.
PARTS = {
    "run": "the operation, the release, the strategy, the engine's version, or the open rollout that would be "
    "completed",
    "nodes": "the nodes of the run",
    "steps": "the steps, or their order",
    "configuration": "the files that would be written on the nodes, the local changes that would be reverted, or why "
    "engines would restart",
    "services": "what would be set up beside the release",
    "applications": "the applications that would be deployed",
}
_LONG, _SHORT = 32, 4
_DIGEST = re.compile(rf"[0-9a-f]{{{_LONG}}}(?:-[0-9a-f]{{{_SHORT}}}){{{len(PARTS)}}}")
RESTART, START, GATE, ACTIVATE = "restart", "start", "pass the gate", "change without a restart"
# Durations of a node that count. Older ones may be of another engine or another machine.
_RECENT = 5


@dataclasses.dataclass(frozen=True)
class Step:
    node: str
    action: str

    @property
    def kind(self) -> str:
        """The kind of the duration in the cluster record."""
        return {RESTART: "restart", START: "start"}.get(self.action, "")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The parameters of ivy.cluster.report, and what follows from them."""

    params: Item

    @property
    def operation(self) -> str:
        return str(self.params["operation"])

    @functools.cached_property
    def record(self) -> Item:
        """A node has sent it."""
        found = self.params.get("record")
        if problem := node_answers.problem({"record": found}, "record"):
            raise TypeError(f"cluster record: {problem}")
        return found or {}

    @property
    def nodes(self) -> t.Mapping[str, Item]:
        found: t.Mapping[str, Item] = self.params["nodes"]
        return found

    def of(self, node: str, name: str) -> Item:
        return self.nodes[node].get(name) or {}

    @property
    def course(self) -> Item:
        found: Item = self.params.get("course") or {}
        return found

    @property
    def steps(self) -> list[Step]:
        """In the order of the run: what needs no stop, the nodes that do not serve, then the others."""
        plans = {node: self.of(node, "plan") for node in self.nodes}
        first = [
            Step(node, ACTIVATE) for node, plan in plans.items() if plan.get("activate") and not plan.get("restart")
        ]
        # Everything on a node that is started later is activated before.
        first = [step for step in first if not plans[step.node].get("start")]
        second = [
            Step(node, START if plan.get("start") else RESTART if plan.get("restart") else GATE)
            for node, plan in plans.items()
            if plan.get("gate") or (plan.get("first") and (plan.get("start") or plan.get("restart")))
        ]
        third = [Step(node, RESTART) for node, plan in plans.items() if plan.get("restart") and not plan.get("first")]
        return [*first, *second, *third]

    def stopped(self) -> list[str]:
        return [step.node for step in self.steps if step.action == RESTART]

    def reverted(self, node: str) -> list[Item]:
        """Local changes that the run would revert; it keeps a copy of each on the node."""
        configuration = self.of(node, "configuration")
        written = {(action.get("root"), action.get("path")) for action in self.actions(node)}
        restarts = node in self.stopped()
        return [
            item
            for side in ("conflict", "drift")
            for item in configuration.get(side) or []
            if (item.get("root"), item.get("path")) in written or (item.get("root") == "copy" and restarts)
        ]

    def actions(self, node: str) -> list[Item]:
        return list(self.of(node, "foreseen").get("actions") or [])

    @property
    def services(self) -> dict[str, Item]:
        """By host, what differs from the state that the roles set."""
        hosts: t.Mapping[str, Item] = self.params.get("services") or {}
        return {host: found["differences"] for host, found in hosts.items() if found.get("differences")}

    @property
    def applications(self) -> Item:
        return next((self.of(node, "foreseen").get("applications") or {} for node in self.nodes), {})

    @property
    def required(self) -> bool:
        """Whether the run would roll anything out, if only in the cluster record."""
        return any(self.of(node, "foreseen").get("required") for node in self.nodes)

    @property
    def changes_nothing(self) -> bool:
        return not self.steps and not self.services and not self.required

    def decisions(self) -> dict[str, t.Any]:
        """What would be done, by the part of the digest."""
        operation = self.record.get("operation") or {}
        return {
            "run": {
                "cluster": self.params["cluster"],
                "operation": self.operation,
                "engine_version": self.params["engine_version"],
                "release": self.params["release"],
                "completes": str(operation.get("name") or ""),
                "creates_schema": not self.record.get("schema"),
                "desired": self.record.get("desired_release") == self.params["release"],
                "strategy": str(self.course.get("strategy") or strategy.ROLLING),
            },
            "nodes": {"run": list(self.nodes), "left_out": list(self.params.get("left_out") or [])},
            "steps": [[step.node, step.action] for step in self.steps],
            "configuration": {node: self._configuration(node) for node in self.nodes},
            "services": {
                host: {
                    role: [
                        sorted(map(plain_text, texts)),
                        (self.params["services"][host].get("wanted") or {}).get(role, ""),
                    ]
                    for role, texts in differences.items()
                }
                for host, differences in self.services.items()
            },
            "applications": dict(self.applications),
        }

    def _configuration(self, node: str) -> dict[str, t.Any]:
        foreseen, plan = self.of(node, "foreseen"), self.of(node, "plan")
        return {
            "actions": _texts(self.actions(node), ("root", "path", "action")),
            "reverted": _texts(self.reverted(node), ("root", "path", "kind", "comparable")),
            "reasons": sorted(map(plain_text, plan.get("reasons") or [])) if plan.get("restart") else [],
            "node_files": str(foreseen.get("node_files") or ""),
        }

    @property
    def digest(self) -> str:
        """One digest of everything, and a short one of each part, so that a run can name what differs."""
        decisions = self.decisions()
        parts = (_sha256(decisions[name])[:_SHORT] for name in PARTS)
        return "-".join([_sha256(decisions)[:_LONG], *parts])

    def seconds(self, step: Step) -> int | None:
        """Of a step, from the recent ones of the node, else of all nodes."""
        return durations.typical(self.record, [step.kind] if step.kind else [], step.node)

    def earlier_runs(self) -> list[int]:
        """Seconds of the recent runs of the same operation that completed a rollout."""
        events = [
            event for event in self.record.get("history") or [] if event.get("operation") == f"{self.operation} done"
        ]
        return [int(event["seconds"]) for event in events if isinstance(event.get("seconds"), int)][-_RECENT:]


def _texts(items: t.Iterable[Item], names: t.Iterable[str]) -> list[list[str]]:
    names = tuple(names)
    return sorted([plain_text(item.get(name)) for name in names] for item in items)


def _sha256(value: t.Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def differences(approved: str, digest: str) -> list[str]:
    """What a run would do differently than approved, in words; empty if nothing."""
    approved = approved.strip().lower()
    if approved == digest:
        return []
    if not _DIGEST.fullmatch(approved):
        return [f"ivy_plan is not the digest of a plan: {plain_text(approved[:80])}"]
    before, now = approved.split("-"), digest.split("-")
    found = [words for words, old, new in zip(PARTS.values(), before[1:], now[1:]) if old != new]
    return found or ["something in it; its parts are too short to show what"]
