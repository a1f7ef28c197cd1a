# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release a rollback goes to, out of the cluster record and what the nodes have.

Nothing is guessed: what cannot be decided is one message that lists what there is.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command

Record = t.Mapping[str, t.Any]

_DONE = " done"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The release, and the nodes that have all of it; or why there is none."""

    release: str = ""
    sources: tuple[str, ...] = ()
    in_cache: bool = False
    problem: str = ""

    def plain(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "sources": list(self.sources)}


@dataclasses.dataclass(frozen=True)
class Known:
    """Everything that is known of the releases there are."""

    record: Record
    nodes: t.Mapping[str, t.Mapping[str, t.Any]]
    cached: t.Sequence[t.Mapping[str, t.Any]]

    def holders(self, release: str) -> tuple[str, ...]:
        return tuple(
            node
            for node, store in self.nodes.items()
            if any(item["id"] == release and item.get("complete") for item in store.get("releases") or [])
        )

    def in_cache(self, release: str) -> bool:
        return any(item["id"] == release for item in self.cached)

    @property
    def available(self) -> list[str]:
        listed = {item["id"] for node in self.nodes.values() for item in node.get("releases") or []}
        stored = {release for release in listed if self.holders(release)}
        return sorted(stored) + sorted(item["id"] for item in self.cached if item["id"] not in stored)

    def engine_version(self, release: str) -> str:
        listed = [item for node in self.nodes.values() for item in node.get("releases") or []]
        for item in [*listed, *self.cached]:
            if item["id"] == release and item.get("engine_version"):
                return str(item["engine_version"])
        return ""


def rolled_out(record: Record) -> list[str]:
    """The releases whose rollout came to its end, in the order in which it did."""
    ends = [
        str(entry["release"])
        for entry in record.get("history") or []
        if str(entry.get("operation", "")).endswith(_DONE) and entry.get("release")
    ]
    return [release for index, release in enumerate(ends) if index == 0 or ends[index - 1] != release]


def previous(record: Record) -> str:
    """The release before the wanted one: the last one that reached all nodes and is not the wanted one itself."""
    desired = record.get("desired_release")
    found = [release for release in rolled_out(record) if release != desired]
    return found[-1] if found else ""


def choose(wanted: str, known: Known, engine_version: str) -> Choice:
    record = known.record
    if not record or not record.get("desired_release"):
        return _refuse(known, "Nothing was rolled out to this cluster yet, so there is nothing to go back to.")
    fresh = [node for node, store in known.nodes.items() if not store.get("applied")]
    if fresh:
        return _refuse(known, f"No release was ever applied to {', '.join(fresh)}: set it up first: {command('site')}")
    release, problem = _resolve(wanted.strip().lower(), known)
    if problem:
        return _refuse(known, problem)
    version = known.engine_version(release)
    if version and version != engine_version:
        return _refuse(
            known,
            f"Release {release} was built for engine {version}, and the inventory says {engine_version}. A rollback "
            "changes the configuration only, not the engine.",
        )
    return Choice(release, known.holders(release), known.in_cache(release))


def _resolve(wanted: str, known: Known) -> tuple[str, str]:
    record = known.record
    if not wanted:
        operation = record.get("operation") or {}
        pin = record.get("pin") or {}
        if operation.get("name") == "rollback":
            # A rollback that was cut off is brought to its end, not taken for the state to go back from.
            wanted = str(record["desired_release"])
        elif pin:
            wanted = str(pin.get("release"))
        else:
            wanted = previous(record)
        if not wanted:
            return (
                "",
                "The cluster record knows no release before the one that is wanted now. Name one: rollback_release.",
            )
    matches = [release for release in known.available if release.startswith(wanted)]
    if len(matches) == 1:
        return matches[0], ""
    if matches:
        return "", f"More than one release begins with {wanted}. Give more characters of its id."
    if any(release.startswith(wanted) for release in rolled_out(record)):
        return (
            "",
            f"Release {wanted} was rolled out once, but neither a node of this run nor the controller's cache has it.",
        )
    return "", f"There is no release {wanted}."


def _refuse(known: Known, problem: str) -> Choice:
    return Choice(problem=f"{problem} Nothing was changed.\n" + "\n".join(inventory(known)))


def inventory(known: Known) -> list[str]:
    """Which releases there are and where."""
    desired = known.record.get("desired_release") if known.record else None
    lines = []
    for node, store in known.nodes.items():
        lines.append(f"{node} has:")
        for item in store.get("releases") or []:
            notes = [f"staged {item.get('staged', 'at an unknown time')}"]
            notes += [f"engine {item['engine_version']}"] if item.get("engine_version") else []
            notes += ["applied"] if item["id"] == store.get("applied") else []
            notes += ["wanted"] if item["id"] == desired else []
            notes += [] if item.get("complete") else ["not complete"]
            lines.append(f"  {item['id']}  {', '.join(notes)}")
        if not store.get("releases"):
            lines.append("  no release")
    if known.cached:
        lines.append(f"the controller's cache has: {', '.join(item['id'] for item in known.cached)}")
    return lines
