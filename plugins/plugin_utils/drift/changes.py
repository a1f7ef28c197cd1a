# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences between the nodes, the applied release and the source. Equal changes of several nodes are one change.

The report depends on the nodes' results only, so the same results give the same report.
"""

from __future__ import annotations

import dataclasses
import glob
import json
import re
import shlex
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import REASON, playbook
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.connection_errors import diagnose
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import commit, restart, source

# In order of importance.
SIDES = ("conflict", "drift", "pending")
CLEAN, DIFFERENT, UNREACHABLE, FAILED = "clean", "different", "unreachable", "failed"
_PLAIN = re.compile(r"[\w./-]+", re.ASCII)

Item = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Node:
    """One node and its result, which is empty if the node could not be inspected."""

    name: str
    state: str
    reason: str
    result: Item

    @property
    def inspected(self) -> bool:
        return self.state in (CLEAN, DIFFERENT)

    def to_dict(self) -> Item:
        found: Item = {"name": self.name, "state": self.state, "reason": self.reason}
        if self.inspected:
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


def node_from(name: str, result: Item, hot_reload_keys: t.Sequence[str] = ()) -> Node:
    reason = str(result.get("msg") or "")
    if result.get("unreachable"):
        return Node(name, UNREACHABLE, reason or "the host could not be reached", {})
    if result.get("failed") or "drift" not in result:
        return Node(name, FAILED, reason or "the node was not inspected", {})
    if result.get("restart_reasons"):
        changed = [*(result.get("drift") or []), *(result.get("conflict") or [])]
        reasons = restart.needed(result, changed, hot_reload_keys)
        result = {**result, "restart_reasons": reasons, "restart_required": bool(reasons)}
    different = any(result.get(side) for side in SIDES)
    return Node(name, DIFFERENT if different else CLEAN, "", result)


@dataclasses.dataclass(frozen=True)
class ChangedFile:
    """The file of a change on one node."""

    node: str
    owner: str
    modified: str
    mode: str
    size: int | None

    def to_dict(self) -> Item:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference, with every node that has it."""

    side: str
    root: str
    path: str
    kind: str
    change: str
    detail: str
    secret: bool
    keys: tuple[Item, ...]
    files: tuple[ChangedFile, ...]

    @property
    def nodes(self) -> list[str]:
        return [file.node for file in self.files]

    @property
    def what(self) -> str:
        """A short description, for example "changed on the node"."""
        on_node = {
            "modified": "changed on the node",
            "missing": "removed on the node",
            "extra": "added on the node",
            "attributes": "owner or mode changed on the node",
        }.get(self.kind, "")
        in_source = {
            "create": "the source adds it",
            "update": "the source changes it",
            "delete": "the source removes it",
            "attributes": "the source changes its owner or mode",
        }.get(self.change, "")
        return ", ".join(part for part in (on_node, in_source) if part)

    def to_dict(self) -> Item:
        return {
            "side": self.side,
            "root": self.root,
            "path": self.path,
            "kind": self.kind,
            "change": self.change,
            "detail": self.detail,
            "secret": self.secret,
            "keys": list(self.keys),
            "nodes": [file.to_dict() for file in self.files],
        }


@dataclasses.dataclass(frozen=True)
class Step:
    """A recommended action, with its command if there is one."""

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
    changes: tuple[Change, ...]
    # The pinned release with owner and reason; empty if the cluster is not pinned.
    pin: str = ""
    # Commits in words: of the source, and of the applied releases that the cluster record has.
    source: str = ""
    commits: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def of(self, side: str) -> list[Change]:
        return [change for change in self.changes if change.side == side]

    def names(self, *states: str) -> list[str]:
        return [node.name for node in self.nodes if node.state in states]

    def with_side(self, side: str) -> list[str]:
        return [node.name for node in self.nodes if node.result.get(side)]

    @property
    def not_inspected(self) -> list[str]:
        return self.names(UNREACHABLE, FAILED)

    @property
    def drift_found(self) -> bool:
        return bool(self.of("drift") or self.of("conflict"))

    @property
    def ok(self) -> bool:
        """Every node was inspected, and none has local changes or conflicts."""
        return not self.drift_found and not self.not_inspected

    @property
    def releases(self) -> dict[str, list[str]]:
        """The nodes by their applied release."""
        found: dict[str, list[str]] = {}
        for node in self.nodes:
            if node.inspected:
                found.setdefault(str(node.result.get("applied") or ""), []).append(node.name)
        return found

    def summary(self) -> Item:
        return {
            "ok": self.ok,
            "drift_found": self.drift_found,
            "counts": {"nodes": len(self.nodes), **{side: len(self.of(side)) for side in SIDES}},
            "clean": self.names(CLEAN),
            "drifted": sorted({*self.with_side("drift"), *self.with_side("conflict")}),
            "unreachable": self.names(UNREACHABLE),
            "failed": self.names(FAILED),
        }

    def to_dict(self) -> Item:
        return {
            "engine_version": self.engine_version,
            "time": self.time,
            "release": self.release or None,
            "release_problem": self.release_problem or None,
            "pin": self.pin or None,
            "source": self.source or None,
            "commits": dict(self.commits),
            "nodes": [
                {**node.to_dict(), **({} if node.inspected else {"next": [dataclasses.asdict(node_step(self, node))]})}
                for node in self.nodes
            ],
            "changes": [
                {**change.to_dict(), "next": [dataclasses.asdict(step) for step in steps(self, change)]}
                for change in self.changes
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
    hot_reload_keys: t.Sequence[str] = (),
    source_commit: t.Mapping[str, t.Any] | None = None,
) -> Report:
    nodes = tuple(node_from(name, results[name], hot_reload_keys) for name in sorted(results))
    changes = tuple(_changes(nodes))
    return Report(
        cluster,
        engine_version,
        time,
        release,
        release_problem,
        command,
        nodes,
        changes,
        _pinned(pin or {}),
        commit.words(source_commit),
        _commits(nodes),
    )


def _commits(nodes: t.Iterable[Node]) -> dict[str, str]:
    """The commit of each applied release. Every node reads the same record."""
    found: dict[str, str] = {}
    records = [node.result.get("record") for node in nodes]
    for release in sorted({str(node.result.get("applied") or "") for node in nodes} - {""}):
        known = next(filter(None, (commit.words_of(record, release) for record in records)), "")
        if known:
            found[release] = known
    return found


def _pinned(pin: t.Mapping[str, t.Any]) -> str:
    if not pin.get("release"):
        return ""
    why = f" ({pin['reason']})" if pin.get("reason") else ""
    return f"{str(pin['release'])[:12]} since {pin.get('time')} by {pin.get('owner') or 'unknown'}{why}"


def _changes(nodes: t.Iterable[Node]) -> list[Change]:
    groups: dict[tuple[str, ...], list[tuple[Node, Item]]] = {}
    for node in nodes:
        for side in SIDES:
            for item in node.result.get(side) or []:
                groups.setdefault(_group(side, node, item), []).append((node, item))
    found = []
    for (side, *_rest), members in groups.items():
        item = members[0][1]
        files = tuple(
            ChangedFile(
                node.name,
                str(result.get("owner") or ""),
                str(result.get("modified") or ""),
                str(result.get("mode") or ""),
                result.get("size"),
            )
            for node, result in members
        )
        found.append(
            Change(
                side,
                str(item["root"]),
                str(item["path"]),
                str(item.get("kind") or ""),
                str(item.get("change") or ""),
                str(item.get("detail") or ""),
                bool(item.get("secret")),
                tuple(item.get("keys") or ()),
                files,
            )
        )
    return sorted(found, key=lambda change: (SIDES.index(change.side), change.root, change.path, change.nodes))


def _group(side: str, node: Node, item: Item) -> tuple[str, ...]:
    """Items with the same key are one change. Without a comparable, equality is unknown and the node has its own."""
    comparable = item.get("comparable") or f"only {node.name}"
    return (side, *(str(item.get(name) or "") for name in ("root", "path", "kind", "change")), str(comparable))


# --- next steps


def steps(report: Report, change: Change) -> list[Step]:
    # While the cluster is pinned, site rejects the current source; rollback applies the pinned release again.
    rollout = f"{report.command} {playbook('rollback' if report.pin else 'site')}"
    if change.side == "pending" and report.pin:
        unpin = f"{report.command} {playbook('unpin')}{REASON}"
        return [Step("The pin holds it back. To apply it, remove the pin, then run site:", unpin)]
    if change.side == "pending":
        return [Step("The next rollout applies it to the nodes:", rollout)]
    purpose = "To revert it"
    if change.side == "conflict":
        purpose = "To use the value of the pinned release" if report.pin else "To use the value of the source"
    found = [Step(f"{purpose} (the node's files are backed up on the node first):", rollout)]
    if change.root == "copy" and change.side == "drift":
        found = [Step("The next restart of the engine reverts it; the configuration file itself is unchanged.")]
    if change.root not in ("engine", "copy"):
        found.append(Step(f"To keep it, change the inventory and roll it out: {_option_of(change)}"))
    elif change.side == "conflict":
        found.append(Step("To keep the node's value, make the same change in the source by hand."))
    elif change.kind == "extra" and (refused := source.node_path_problem(change.path)) is not None:
        found.append(Step(f"Adopt rejects it: {refused[0]}. To keep it on the node, list it in engine_drift_ignore."))
    elif change.kind == "missing":
        # Whether the source has it is not known here, and adopt takes nothing else away.
        text = (
            "To keep it away from all nodes, remove it from the source. What the vendor delivers or the inventory makes"
        )
        found.append(Step(f"{text} comes back with the next rollout."))
    elif change.kind != "attributes":
        adopt = _adopt(report, change)
        if adopt:
            found.append(Step("To keep it, show it as a change of the source first:", adopt))
        else:
            found.append(Step("To keep it, make the same change in the source; a command cannot contain its name."))
        if change.kind == "extra":
            found.append(Step("If it is to be ignored, list it in engine_drift_ignore."))
    return found


def _option_of(change: Change) -> str:
    if change.root == "node":
        return "a node's unit, environment and jvm.options come from the options of the role engine (engine_*)."
    return "the engine's environment comes from ivy_shared_secrets."


def _adopt(report: Report, change: Change) -> str:
    path, node = change.path, change.nodes[0]
    if not (path.isprintable() and node.isprintable()) or "\\" in path:
        return ""
    # The option takes patterns, and an unquoted text only if it has no special characters.
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
    return Step("Fix the cause, then inspect the node again:", again)
