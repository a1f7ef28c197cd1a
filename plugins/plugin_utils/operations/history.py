# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who applied which release when: the cluster record and the nodes' stores, put together."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import NO_RECORD, first_line, lost
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import rollback

Result = t.Mapping[str, t.Any]


def _usable(result: Result | None, key: str) -> str:
    """Why a result cannot be used; empty when it can."""
    if not result:
        return "not reached"
    if result.get("unreachable"):
        return f"not reached: {lost(result)}"
    if result.get("failed") or key not in result:
        return first_line(result.get("msg")) or "it gave no usable answer"
    return ""


def report(seen: t.Mapping[str, t.Mapping[str, Result]], cluster: str) -> dict[str, t.Any]:
    """The text, the data, and what is wrong where nothing is known."""
    record: t.Mapping[str, t.Any] = {}
    problem = NO_RECORD
    reached = False
    for results in seen.values():
        why = _usable(results.get("record"), "record")
        if not why:
            reached = True
            record = results["record"]["record"] or {}
            if record:
                break
        elif not reached:
            problem = why
    if reached:
        problem = "" if record else NO_RECORD
    stores: dict[str, t.Mapping[str, t.Any]] = {}
    away: dict[str, str] = {}
    for node, results in seen.items():
        why = _usable(results.get("releases"), "releases")
        if why:
            away[node] = why
        else:
            stores[node] = results["releases"]
    data = {
        "cluster": cluster,
        "desired_release": record.get("desired_release"),
        "previous_release": rollback.previous(record) or None,
        "pin": record.get("pin"),
        "operation": record.get("operation"),
        "drained": record.get("drained") or [],
        "history": record.get("history") or [],
        "nodes": {
            node: {"applied": store.get("applied"), "releases": [item["id"] for item in store.get("releases") or []]}
            for node, store in stores.items()
        },
        "not_reached": away,
    }
    return {"text": "\n".join(_lines(data, record, stores, away, problem)), "data": data, "problem": problem}


def _lines(
    data: t.Mapping[str, t.Any],
    record: t.Mapping[str, t.Any],
    stores: t.Mapping[str, t.Mapping[str, t.Any]],
    away: t.Mapping[str, str],
    problem: str,
) -> t.Iterator[str]:
    yield f"Cluster {data['cluster']}"
    if problem:
        yield f"  record     {problem}"
    else:
        yield f"  wanted     {data['desired_release'] or 'no release'}"
        yield f"  before     {data['previous_release'] or 'none that reached all nodes'}"
        pin = data["pin"]
        if pin:
            yield (
                f"  PINNED     to {pin.get('release')} since {pin.get('time')} by {pin.get('owner') or 'unknown'}: "
                f"{pin.get('reason') or 'no reason given'}"
            )
        operation = data["operation"]
        if operation:
            owner = operation.get("owner") or "unknown"
            yield f"  OPEN       {operation.get('name')} of {owner} since {operation.get('since')}"
        if data["drained"]:
            yield f"  drained    {', '.join(data['drained'])}"
        yield ""
        yield "What happened, the newest first"
        for entry in reversed(data["history"]):
            yield "  " + _event(entry)
    yield ""
    yield "Releases that the nodes can go back to"
    known = rollback.Available(record, stores, [])
    for line in rollback.inventory(known):
        yield f"  {line}"
    for node, why in away.items():
        yield f"  {node}: {why}"


def _event(entry: t.Mapping[str, t.Any]) -> str:
    words = [
        str(entry.get("time", "at an unknown time")),
        str(entry.get("operation", "")).ljust(14),
        str(entry.get("release") or "-").ljust(32),
        f"by {entry.get('owner') or 'unknown'}",
    ]
    words += [f"on {entry['node']}"] if entry.get("node") else []
    words += [f"from {entry['from_owner']}"] if entry.get("from_owner") else []
    words += [f"({entry['reason']})"] if entry.get("reason") else []
    words += [f"[{entry['applications']}]"] if entry.get("applications") else []
    return "  ".join(words)
