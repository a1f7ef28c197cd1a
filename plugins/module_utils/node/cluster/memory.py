# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster record remembers for reports only: the commits of its releases, and how long nodes have taken.

Nothing is decided by it, so a part that is invalid is dropped when the record is read, and prevents no start.
"""

from __future__ import annotations

import re
import typing as t

from ..files.manifest import check_id

# Durations of all nodes together; a median needs a few of each node.
MOST_DURATIONS = 60
RESTART, START = "restart", "start"
# The first step of a node decides what it takes part in.
_FIRST_STEPS = {"drain": RESTART, "stop": RESTART, "start": START}
_LONGEST_SECONDS = 7 * 24 * 3600
_LONGEST_NODE = 255
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

Record = dict[str, t.Any]


def readable(record: Record) -> dict[str, t.Any]:
    """The valid entries of what was read."""
    sources, durations = record.get("sources"), record.get("durations")
    return {
        "sources": {
            release: {"commit": entry["commit"], "clean": entry["clean"]}
            for release, entry in (sources.items() if isinstance(sources, dict) else ())
            if source_problem(entry) == ""
        },
        "durations": [
            {name: entry[name] for name in ("kind", "node", "seconds")}
            for entry in (durations if isinstance(durations, list) else [])
            if _is_duration(entry)
        ][-MOST_DURATIONS:],
    }


def source_problem(entry: t.Any) -> str:
    """What is wrong with the commit of a source; empty if nothing is."""
    if not isinstance(entry, dict) or not isinstance(entry.get("commit"), str):
        return "it is not a commit"
    if not _COMMIT.fullmatch(entry["commit"]):
        return "its commit is not the id of a commit"
    return "" if isinstance(entry.get("clean"), bool) else "clean is not true or false"


def _is_duration(entry: t.Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("kind") in (RESTART, START)
        and isinstance(entry.get("node"), str)
        and 0 < len(entry["node"]) <= _LONGEST_NODE
        and isinstance(entry.get("seconds"), int)
        and not isinstance(entry["seconds"], bool)
        and 0 <= entry["seconds"] <= _LONGEST_SECONDS
    )


def remember_source(record: Record, release: str, source: t.Mapping[str, t.Any] | None) -> None:
    """The commit of a release. Once it is one with exactly these files, another commit with the same files is not."""
    known = record["sources"].get(release)
    if not source or not source.get("commit") or source_problem(source) or (known and known["clean"]):
        return
    check_id(release)
    record["sources"] = {**record["sources"], release: {"commit": source["commit"], "clean": source["clean"]}}


def forget_sources(record: Record) -> None:
    """Keep the commits of releases that the record still names."""
    named = {record["desired_release"], record["previous_release"], *record["allowed_releases"]}
    named |= {(record["pin"] or {}).get("release"), *(event.get("release") for event in record["history"])}
    kept = {release: entry for release, entry in record["sources"].items() if release in named}
    if kept != record["sources"]:
        record["sources"] = kept


def begin(lease: Record, node: str, step: str, now: float) -> None:
    """Note in the lease when the run began with a node."""
    known = lease.get("node_began")
    if step in _FIRST_STEPS and not (isinstance(known, dict) and known.get("node") == node):
        lease["node_began"] = {"node": node, "kind": _FIRST_STEPS[step], "time": int(now)}


def end(record: Record, node: str, now: float) -> None:
    """Record how long the run took from its first step on the node to the gate."""
    began = (record["lease"] or {}).get("node_began")
    if not isinstance(began, dict) or began.get("node") != node or not isinstance(began.get("time"), int):
        return
    record["lease"] = {name: value for name, value in record["lease"].items() if name != "node_began"}
    entry = {"kind": began.get("kind"), "node": node, "seconds": round(now) - began["time"]}
    if _is_duration(entry):
        record["durations"] = [*record["durations"], entry][-MOST_DURATIONS:]
