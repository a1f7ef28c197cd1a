# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses the release of a rollback from the cluster record and the releases that are available.

If the choice is not clear, the result is a message that lists the available releases.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import commit

Record = t.Mapping[str, t.Any]

_DONE = " done"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The release and the nodes that have all of it, or the reason why none can be chosen."""

    release: str = ""
    sources: tuple[str, ...] = ()
    in_cache: bool = False
    problem: str = ""

    def to_dict(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "sources": list(self.sources)}


@dataclasses.dataclass(frozen=True)
class Available:
    """The cluster record, the releases in the stores of the nodes, and those in the controller's cache."""

    record: Record
    nodes: t.Mapping[str, t.Mapping[str, t.Any]]
    cached: t.Sequence[t.Mapping[str, t.Any]]

    def nodes_with(self, release: str) -> tuple[str, ...]:
        return tuple(
            node
            for node, store in self.nodes.items()
            if any(item["id"] == release and item.get("complete") for item in store.get("releases") or [])
        )

    def in_cache(self, release: str) -> bool:
        return any(item["id"] == release for item in self.cached)

    @property
    def ids(self) -> list[str]:
        listed = {item["id"] for node in self.nodes.values() for item in node.get("releases") or []}
        stored = {release for release in listed if self.nodes_with(release)}
        return sorted(stored) + sorted(item["id"] for item in self.cached if item["id"] not in stored)

    def engine_version(self, release: str) -> str:
        listed = [item for node in self.nodes.values() for item in node.get("releases") or []]
        for item in [*listed, *self.cached]:
            if item["id"] == release and item.get("engine_version"):
                return str(item["engine_version"])
        return ""


def rolled_out(record: Record) -> list[str]:
    """The releases whose rollout was completed, in that order."""
    ends = [
        str(entry["release"])
        for entry in record.get("history") or []
        if str(entry.get("operation", "")).endswith(_DONE) and entry.get("release")
    ]
    return [release for index, release in enumerate(ends) if index == 0 or ends[index - 1] != release]


def previous(record: Record) -> str:
    """The last release that reached all nodes and is not the desired one."""
    desired = record.get("desired_release")
    found = [release for release in rolled_out(record) if release != desired]
    return found[-1] if found else ""


def choose(requested: str, available: Available, engine_version: str) -> Choice:
    record = available.record
    if not record or not record.get("desired_release"):
        return _reject(available, "Nothing was rolled out to this cluster yet, so there is nothing to go back to.")
    new_nodes = [node for node, store in available.nodes.items() if not store.get("applied")]
    if new_nodes:
        return _reject(
            available, f"No release was ever applied to {', '.join(new_nodes)}. Set it up first: {command('site')}"
        )
    release, problem = _resolve(requested.strip().lower(), available)
    if problem:
        return _reject(available, problem)
    version = available.engine_version(release)
    if version and version != engine_version:
        return _reject(
            available,
            f"Release {release} was built for engine {version}, and the inventory has {engine_version}. A rollback "
            "changes the configuration, not the engine.",
        )
    return Choice(release, available.nodes_with(release), available.in_cache(release))


def _resolve(requested: str, available: Available) -> tuple[str, str]:
    record = available.record
    if not requested:
        operation = record.get("operation") or {}
        pin = record.get("pin") or {}
        if operation.get("name") == "rollback":
            # An interrupted rollback is completed; it does not count as a state to go back from.
            requested = str(record["desired_release"])
        elif pin:
            requested = str(pin.get("release"))
        else:
            requested = previous(record)
        if not requested:
            return (
                "",
                "The cluster record has no release before the desired one. Name one: rollback_release.",
            )
    matches = [release for release in available.ids if release.startswith(requested)]
    if len(matches) == 1:
        return matches[0], ""
    if matches:
        return "", f"More than one release begins with {requested}. Give more characters of its id."
    if any(release.startswith(requested) for release in rolled_out(record)):
        return (
            "",
            f"Release {requested} was rolled out once, but neither a node of this run nor the controller's cache has "
            "it.",
        )
    return "", f"There is no release {requested}."


def _reject(available: Available, problem: str) -> Choice:
    return Choice(problem=f"{problem} Nothing was changed.\n" + "\n".join(inventory(available)))


def inventory(available: Available) -> list[str]:
    """The available releases and where they are."""
    desired = available.record.get("desired_release") if available.record else None
    lines = []
    for node, store in available.nodes.items():
        lines.append(f"{node} has:")
        for item in store.get("releases") or []:
            notes = [f"staged {item.get('staged', 'at an unknown time')}"]
            notes += [f"engine {item['engine_version']}"] if item.get("engine_version") else []
            source = commit.words_of(available.record, item["id"])
            notes += [source] if source else []
            notes += ["applied"] if item["id"] == store.get("applied") else []
            notes += ["desired"] if item["id"] == desired else []
            notes += [] if item.get("complete") else ["not complete"]
            lines.append(f"  {item['id']}  {', '.join(notes)}")
        if not store.get("releases"):
            lines.append("  no release")
    if available.cached:
        lines.append(f"the controller's cache has: {', '.join(item['id'] for item in available.cached)}")
    return lines
