# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look at all nodes found, put in order: one finding for all nodes that differ in the same way.

Nothing is read from anywhere but the answers of the nodes, so the same answers give the same report.
"""

from __future__ import annotations

import dataclasses
import glob
import json
import re
import shlex
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import playbook
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.connection_errors import diagnose
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import source

FORMAT = 1
# The order in which a person should read them.
SIDES = ("conflict", "drift", "pending")
CLEAN, DIFFERENT, UNREACHABLE, FAILED = "clean", "different", "unreachable", "failed"
_PLAIN = re.compile(r"[\w./-]+", re.ASCII)

Item = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Node:
    """One node, as far as it could be looked at."""

    name: str
    state: str
    reason: str
    result: Item

    @property
    def looked_at(self) -> bool:
        return self.state in (CLEAN, DIFFERENT)

    def plain(self) -> Item:
        found: Item = {"name": self.name, "state": self.state, "reason": self.reason}
        if self.looked_at:
            found.update(
                release=self.result.get("applied"),
                applied=self.result.get("applied_time"),
                running=self.result.get("unit_active", False),
                interrupted=self.result.get("interrupted", False),
                restart_required=self.result.get("restart_required", False),
                restart_reasons=list(self.result.get("restart_reasons") or []),
                engine_owned=list(self.result.get("engine_owned") or []),
                **{side: len(self.result.get(side) or []) for side in SIDES},
            )
        return found


def node_from(name: str, result: Item) -> Node:
    reason = str(result.get("msg") or "")
    if result.get("unreachable"):
        return Node(name, UNREACHABLE, reason or "the host could not be reached", {})
    if result.get("failed") or "drift" not in result:
        return Node(name, FAILED, reason or "the node was not looked at", {})
    different = any(result.get(side) for side in SIDES)
    return Node(name, DIFFERENT if different else CLEAN, "", result)


@dataclasses.dataclass(frozen=True)
class Place:
    """The file of a finding on one node."""

    node: str
    owner: str
    modified: str
    mode: str
    size: int | None

    def plain(self) -> Item:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One difference, and every node that has it in just this way."""

    side: str
    root: str
    path: str
    kind: str
    change: str
    detail: str
    secret: bool
    keys: tuple[Item, ...]
    places: tuple[Place, ...]

    @property
    def nodes(self) -> list[str]:
        return [place.node for place in self.places]

    @property
    def what(self) -> str:
        """The finding in a few words."""
        did = {
            "modified": "changed on the node",
            "missing": "removed on the node",
            "extra": "added on the node",
            "attributes": "owner or mode changed on the node",
        }.get(self.kind, "")
        will = {
            "create": "the source adds it",
            "update": "the source changes it",
            "delete": "the source removes it",
            "attributes": "the source changes its owner or mode",
        }.get(self.change, "")
        return ", ".join(part for part in (did, will) if part)

    def plain(self) -> Item:
        return {
            "side": self.side,
            "root": self.root,
            "path": self.path,
            "kind": self.kind,
            "change": self.change,
            "detail": self.detail,
            "secret": self.secret,
            "keys": list(self.keys),
            "nodes": [place.plain() for place in self.places],
        }


@dataclasses.dataclass(frozen=True)
class Step:
    """What to do next, with the command where there is one."""

    text: str
    command: str = ""


@dataclasses.dataclass(frozen=True)
class Report:
    cluster: str
    engine_version: str
    time: str
    release: str
    release_problem: str
    command: str
    nodes: tuple[Node, ...]
    findings: tuple[Finding, ...]
    # The release that the cluster is pinned to, by whom and why; empty where it is not.
    pin: str = ""

    def of(self, side: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.side == side]

    def names(self, *states: str) -> list[str]:
        return [node.name for node in self.nodes if node.state in states]

    def with_side(self, side: str) -> list[str]:
        return [node.name for node in self.nodes if node.result.get(side)]

    @property
    def not_seen(self) -> list[str]:
        return self.names(UNREACHABLE, FAILED)

    @property
    def drift_found(self) -> bool:
        return bool(self.of("drift") or self.of("conflict"))

    @property
    def ok(self) -> bool:
        """Every node was looked at, and nobody changed anything on one."""
        return not self.drift_found and not self.not_seen

    @property
    def releases(self) -> dict[str, list[str]]:
        """The nodes by the release that is applied to them."""
        found: dict[str, list[str]] = {}
        for node in self.nodes:
            if node.looked_at:
                found.setdefault(str(node.result.get("applied") or ""), []).append(node.name)
        return found

    def summary(self) -> Item:
        return {
            "ok": self.ok,
            "drift_found": self.drift_found,
            "nodes": len(self.nodes),
            "clean": self.names(CLEAN),
            "drifted": sorted({*self.with_side("drift"), *self.with_side("conflict")}),
            "unreachable": self.names(UNREACHABLE),
            "failed": self.names(FAILED),
            **{side: len(self.of(side)) for side in SIDES},
        }

    def plain(self) -> Item:
        return {
            "format": FORMAT,
            "cluster": self.cluster,
            "engine_version": self.engine_version,
            "time": self.time,
            "release": self.release or None,
            "release_problem": self.release_problem or None,
            "pin": self.pin or None,
            "summary": self.summary(),
            "nodes": [
                {**node.plain(), **({} if node.looked_at else {"next": [dataclasses.asdict(node_step(self, node))]})}
                for node in self.nodes
            ],
            "findings": [
                {**finding.plain(), "next": [dataclasses.asdict(step) for step in steps(self, finding)]}
                for finding in self.findings
            ],
        }


def build(
    cluster: str,
    engine_version: str,
    time: str,
    release: str,
    release_problem: str,
    command: str,
    results: t.Mapping[str, Item],
    pin: t.Mapping[str, t.Any] | None = None,
) -> Report:
    nodes = tuple(node_from(name, results[name]) for name in sorted(results))
    findings = tuple(_findings(nodes))
    return Report(cluster, engine_version, time, release, release_problem, command, nodes, findings, _pinned(pin or {}))


def _pinned(pin: t.Mapping[str, t.Any]) -> str:
    if not pin.get("release"):
        return ""
    why = f" ({pin['reason']})" if pin.get("reason") else ""
    return f"{str(pin['release'])[:12]} since {pin.get('time')} by {pin.get('owner') or 'unknown'}{why}"


def _findings(nodes: t.Iterable[Node]) -> list[Finding]:
    groups: dict[tuple[str, ...], list[tuple[Node, Item]]] = {}
    for node in nodes:
        for side in SIDES:
            for item in node.result.get(side) or []:
                groups.setdefault(_alike(side, node, item), []).append((node, item))
    found = []
    for (side, *_rest), members in groups.items():
        item = members[0][1]
        places = tuple(
            Place(
                node.name,
                str(one.get("owner") or ""),
                str(one.get("modified") or ""),
                str(one.get("mode") or ""),
                one.get("size"),
            )
            for node, one in members
        )
        found.append(
            Finding(
                side,
                str(item["root"]),
                str(item["path"]),
                str(item.get("kind") or ""),
                str(item.get("change") or ""),
                str(item.get("detail") or ""),
                bool(item.get("secret")),
                tuple(item.get("keys") or ()),
                places,
            )
        )
    return sorted(found, key=lambda one: (SIDES.index(one.side), one.root, one.path, one.nodes))


def _alike(side: str, node: Node, item: Item) -> tuple[str, ...]:
    """Findings with the same result here are one. Without a comparable nobody knows, so each stands for itself."""
    alike = item.get("comparable") or f"only {node.name}"
    return (side, *(str(item.get(name) or "") for name in ("root", "path", "kind", "change")), str(alike))


# --- what to do next


def steps(report: Report, finding: Finding) -> list[Step]:
    # While the cluster is pinned, site refuses what the source has now; the rollback brings the pinned release anew.
    rollout = f"{report.command} {playbook('rollback' if report.pin else 'site')}"
    if finding.side == "pending" and report.pin:
        unpin = f"{report.command} {playbook('unpin')} -e \"rollback_reason='<why>'\""
        return [Step("Nothing is wrong: the pin holds it back. To let it go on, lift the pin, then run site:", unpin)]
    if finding.side == "pending":
        return [Step("Nothing is wrong. The next rollout brings it to the nodes:", rollout)]
    what = "To put it right"
    if finding.side == "conflict":
        what = "To take the pinned release's side" if report.pin else "To take the source's side"
    found = [Step(f"{what} (what would be lost is backed up on the node first):", rollout)]
    if finding.root == "copy" and finding.side == "drift":
        found = [Step("It vanishes at the engine's next restart, and the file itself is as it should be.")]
    if finding.root not in ("engine", "copy"):
        found.append(Step(f"To keep it, change the inventory and roll it out: {_where(finding)}"))
    elif finding.side == "conflict":
        found.append(Step("To keep the node's side, make the change in the source by hand: both changed the same."))
    elif finding.kind == "extra" and (refused := source.node_path_problem(finding.path)) is not None:
        found.append(
            Step(f"Adopt never takes it: {refused[0]}. To keep it on the node, name it in engine_drift_ignore.")
        )
    elif finding.kind != "attributes":
        adopt = _adopt(report, finding)
        if adopt:
            found.append(Step("To keep it, look at it as a change of the source first:", adopt))
        else:
            found.append(Step("To keep it, make the same change in the source; its name cannot be typed in a command."))
        if finding.kind == "extra":
            found.append(Step("If it is nobody's business, name it in engine_drift_ignore."))
    return found


def _where(finding: Finding) -> str:
    if finding.root == "node":
        return "a node's unit, environment and jvm.options come from the options of the role engine (engine_*)."
    return "what the engine gets through its environment comes from ivy_shared_secrets."


def _adopt(report: Report, finding: Finding) -> str:
    path, node = finding.path, finding.nodes[0]
    if not (path.isprintable() and node.isprintable()) or "\\" in path:
        return ""
    # The playbook takes patterns, and a text without quotes only where it is plain.
    options = f"adopt_files={path}"
    if not _PLAIN.fullmatch(path):
        options = json.dumps({"adopt_files": [glob.escape(path)]}, ensure_ascii=False)
    chosen = f"-e {shlex.quote(f'adopt_node={node}')} -e {shlex.quote(options)}"
    return f"{report.command} {playbook('adopt')} {chosen}"


def node_step(report: Report, node: Node) -> Step:
    again = f"{report.command} {playbook('drift')} --limit {shlex.quote(node.name)}"
    if node.state == UNREACHABLE:
        advice = diagnose(node.reason, connecting=True).cause.advice
        return Step(f"{advice}. Then inspect it again:", again)
    return Step("Mend the cause, then look at the node again:", again)
