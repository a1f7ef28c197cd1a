# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of history: who applied which release when, from the cluster record and the nodes' stores."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import lease
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, duration
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import NO_RECORD, first_line, lost
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import drained_nodes, node_answers, rollback
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import commit
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document

Result = t.Mapping[str, t.Any]


def _usable(result: Result | None, key: str) -> str:
    """Why a result cannot be used; empty if it can."""
    if not result:
        return "not reached"
    if result.get("unreachable"):
        return f"not reached: {lost(result)}"
    if result.get("failed") or key not in result:
        return first_line(result.get("msg")) or "it returned no usable result"
    return node_answers.problem(result, key)


def document(params: t.Mapping[str, t.Any]) -> Document:
    """The report from the results of every node, by their name."""
    cluster: str = params["cluster"]
    results: t.Mapping[str, t.Mapping[str, Result]] = params["nodes"]
    record, problem = _record(results)
    stores: dict[str, t.Mapping[str, t.Any]] = {}
    not_reached: dict[str, str] = {}
    for node, of_node in results.items():
        why = _usable(of_node.get("releases"), "releases")
        if why:
            not_reached[node] = why
        else:
            stores[node] = of_node["releases"]
    history = record.get("history") or []
    content = {
        "desired_release": record.get("desired_release"),
        "previous_release": rollback.previous(record) or None,
        "pin": record.get("pin"),
        "operation": record.get("operation"),
        "backup": _backup_of_upgrade(record),
        "lease": record.get("lease"),
        "drained": record.get("drained") or [],
        "drained_nodes": record.get("drained_nodes") or {},
        "restarts": record.get("restarts") or None,
        "deploying": record.get("deploying") or None,
        "history": history,
        "sources": record.get("sources") or {},
        "durations": record.get("durations") or [],
        "nodes": {
            node: {"applied": store.get("applied"), "releases": [item["id"] for item in store.get("releases") or []]}
            for node, store in stores.items()
        },
        "not_reached": not_reached,
        "problem": problem,
    }
    summary = {
        "ok": not problem,
        "counts": {"events": len(history), "nodes": len(results), "not_reached": len(not_reached)},
        **{name: content[name] for name in ("desired_release", "previous_release", "pin", "operation", "problem")},
    }
    facts = [] if problem else _facts(content)
    restorable = list(rollback.inventory(rollback.Available(record, stores, [])))
    headline = f"There is no history to show: {problem}" if problem else f"{count(len(history), 'event')} recorded."
    page = {"facts": facts, "events": [_cells(event, content) for event in reversed(history)], "restorable": restorable}
    lines = list(_lines(cluster, content, facts, restorable))
    return Document("history", cluster, headline, summary, content, lines, page)


def _record(results: t.Mapping[str, t.Mapping[str, Result]]) -> tuple[t.Mapping[str, t.Any], str]:
    """The cluster record, or why there is none. Every node reads the same one."""
    problem, was_read = NO_RECORD, False
    for of_node in results.values():
        why = _usable(of_node.get("record"), "record")
        if not why and of_node["record"]["record"]:
            return of_node["record"]["record"], ""
        was_read = was_read or not why
        problem = why or problem
    return {}, NO_RECORD if was_read else problem


def _facts(content: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    found = [
        ("desired", _with_commit(content, "desired_release") or "no release"),
        ("previous", _with_commit(content, "previous_release") or "none that reached all nodes"),
    ]
    pin, operation = content["pin"], content["operation"]
    if pin:
        reason = pin.get("reason") or "no reason"
        found.append(
            ("PINNED", f"to {pin.get('release')} since {pin.get('time')} by {pin.get('owner') or 'unknown'}: {reason}")
        )
    if operation:
        owner = operation.get("owner") or "unknown"
        found.append(("OPEN", f"{operation.get('name')} of {owner} since {operation.get('since')}"))
    if content["backup"]:
        found.append(("backup", f"{content['backup']}, made by the upgrade, before it stopped the engines"))
    if content["lease"]:
        found.append(("AT WORK", lease.describe(content["lease"])))
    return [*found, *drained_nodes.facts(content).items()]


def _backup_of_upgrade(record: t.Mapping[str, t.Any]) -> str | None:
    """Id of the backup that the last upgrade has made, or the one that is open: the only way back from it."""
    schema = record.get("schema") or {}
    for part in (schema.get("migrating"), record.get("operation"), schema):
        backup = (part or {}).get("backup")
        if backup:
            return str(backup)
    return None


def _with_commit(content: t.Mapping[str, t.Any], name: str) -> str:
    release = content[name]
    return ", ".join(filter(None, (release, commit.words_of(content, release)))) if release else ""


def _lines(
    cluster: str,
    content: t.Mapping[str, t.Any],
    facts: t.Sequence[tuple[str, str]],
    restorable: t.Sequence[str],
) -> t.Iterator[str]:
    """The report for a terminal."""
    yield f"Cluster {cluster}"
    if content["problem"]:
        yield f"  record     {content['problem']}"
    else:
        for label, text in facts:
            yield f"  {label.ljust(10)} {text}"
        yield ""
        yield "Events, newest first"
        for event in reversed(content["history"]):
            time, operation, release, owner, remarks = _cells(event, content)
            yield f"  {time}  {operation.ljust(14)}  {release.ljust(32)}  by {owner}  {remarks}"
    yield ""
    yield "Releases that the nodes can go back to"
    for line in restorable:
        yield f"  {line}"
    for node, why in content["not_reached"].items():
        yield f"  {node}: {why}"


def _cells(event: t.Mapping[str, t.Any], content: t.Mapping[str, t.Any]) -> tuple[str, str, str, str, str]:
    """Time, operation, release, owner and remarks."""
    remarks = [f"on {event['node']}"] if event.get("node") else []
    remarks += [f"from {event['from_owner']}"] if event.get("from_owner") else []
    source = commit.words_of(content, event.get("release"))
    remarks += [source] if source else []
    remarks += [f"in {duration(event['seconds'])}"] if isinstance(event.get("seconds"), int) else []
    remarks += [f"({event['reason']})"] if event.get("reason") else []
    remarks += [f"[{event['applications']}]"] if event.get("applications") else []
    return (
        str(event.get("time", "at an unknown time")),
        str(event.get("operation", "")),
        str(event.get("release") or "-"),
        str(event.get("owner") or "unknown"),
        "  ".join(remarks),
    )
