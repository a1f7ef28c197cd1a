# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a cluster on one screen: what was seen of the hosts in, lines out.

It judges nothing; that is what verify is for. What could not be looked at stands there as such.
"""

from __future__ import annotations

import base64
import json
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import fence
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.licence import WARN_DAYS
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import (
    Host,
    LookError,
    Observed,
    Result,
)

_COLUMNS = ("NODE", "STATE", "ENGINE", "RELEASE", "DRIFT", "RESTART", "PEERS", "BALANCER", "SINCE")
# A certificate is renewed by a run of ivy.cluster.site; a licence has to be bought, an authority handed to all users.
_SOON_DAYS = 30
_AUTHORITY_SOON_DAYS = 90
_SHOWN = 5


def short(release: t.Any) -> str:
    return str(release)[:12] if release else "none"


def days(number: t.Any, soon: int = _SOON_DAYS) -> str:
    """A span until an expiry, loud when it is near."""
    if not isinstance(number, int):
        return "unknown"
    if number < 0:
        return f"EXPIRED {count(-number, 'day')} ago"
    return count(number, "day") + (" - RENEW SOON" if number < soon else "")


def table(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


# --- the cluster


def cluster_lines(seen: Observed) -> list[str]:
    lines = [f"Cluster {seen.cluster}, engine {seen.engine_version}"]
    record, why = seen.record()
    if not record:
        lines.append(f"  record     {why}")
    else:
        lines.append(
            f"  release    {short(record.get('desired_release'))} is wanted; {_operation(record)}; {_pin(record)}"
        )
        if record.get("drained"):
            lines.append(f"  drained    {listed(map(str, record['drained']))}")
        history = record.get("history") or []
        if history:
            last = history[-1]
            lines.append(
                f"  last       {last.get('time')}  {last.get('operation')} by {last.get('owner') or 'unknown'}, "
                f"release {short(last.get('release'))}"
            )
    lines.append(f"  licence    {_licence(seen)}")
    if seen.accept_unsupported:
        lines.append(f"  accepted   {', '.join(seen.accept_unsupported)} (not supported by the vendor)")
    return lines


def _operation(record: Result) -> str:
    operation = record.get("operation")
    if not operation:
        return "no operation is open"
    step = f", step {operation['step']}" if operation.get("step") else ""
    previous = record.get("previous_release")
    also = f", release {short(previous)} may run too" if previous else ""
    owner = operation.get("owner") or "unknown"
    return f"OPEN: {operation.get('name')} by {owner} since {operation.get('since')}{step}{also}"


def _pin(record: Result) -> str:
    pin = record.get("pin")
    if not pin:
        return "not pinned"
    return f"PINNED to {short(pin.get('release') if isinstance(pin, dict) else pin)}"


def _licence(seen: Observed) -> str:
    """The licence is part of the release, so one node tells for all."""
    for node in seen.reached:
        try:
            licence = node.engine.get("licence")
        except LookError:
            continue
        if licence:
            nodes = f", {count(licence['nodes'], 'node')}" if licence.get("nodes") else ""
            left = days(licence.get("days_left"), WARN_DAYS)
            return f"{left}, valid until {licence.get('valid_until') or 'unknown'}{nodes}"
    return "none found"


# --- the nodes


def node_lines(seen: Observed) -> list[str]:
    """One row a node; below it what needs more words."""
    if not seen.present:
        return []
    rows: list[tuple[str, ...]] = [_COLUMNS]
    notes: list[list[str]] = [[]]
    for node in seen.present:
        row, remarks = _node(seen, node)
        remarks += guard_remarks(node)
        rows.append(row)
        notes.append(remarks)
    lines = []
    for text, remarks in zip(table(rows), notes):
        lines.append(text)
        lines += [f"    {remark}" for remark in remarks]
    return lines


def _node(seen: Observed, node: Host) -> tuple[tuple[str, ...], list[str]]:
    place = _place(seen, node.name)
    left = " (in ivy_proceed_without)" if node.name in seen.proceed_without else ""
    if not node.reachable:
        return (node.name, "UNREACHABLE", "", "", "", "", "", place, ""), [f"{node.why}{left}"]
    try:
        engine = node.engine
    except LookError as exc:
        return (node.name, "UNKNOWN", "", "", "", "", "", place, ""), [str(exc)]
    unit, running, remarks = engine["unit"], engine.get("running") or {}, []
    version = str(engine.get("installed_version") or "none")
    drift, changes = _drift(node)
    remarks += changes
    if unit["active"] != "active":
        state, why = _stopped(seen, node.name, engine)
        return (
            node.name,
            state,
            version,
            short(engine.get("applied")),
            drift,
            "",
            "",
            place,
            str(unit.get("since") or ""),
        ), remarks + why
    health = engine.get("health") or {}
    state = f"{unit['active']}/{unit['sub']}" if health.get("ok") else "NOT SERVING"
    if not health.get("ok"):
        remarks.append(f"health: {health.get('reason') or health.get('status')}")
    release = short(running.get("release"))
    if running.get("release") != engine.get("applied"):
        release = f"{release} (applied {short(engine.get('applied'))})"
    reasons = list(engine.get("restart_reasons") or [])
    remarks += [f"restart: {reason}" for reason in reasons[:5]]
    peers = f"{len((engine.get('peers') or {}).get('connected') or [])}/{len(seen.nodes) - 1}"
    restart = "REQUIRED" if engine.get("restart_required") else "no"
    return (node.name, state, version, release, drift, restart, peers, place, str(unit.get("since") or "")), remarks


def _stopped(seen: Observed, node: str, engine: Result) -> tuple[str, list[str]]:
    """The state of a node whose engine does not run; below it why, and what to run."""
    unit, start = engine["unit"], engine.get("start") or {}
    state = f"{unit['active']}/{unit['sub']}"
    if engine.get("applied") is None:
        return state, []
    again = command("site", "--limit", node)
    reason = str(start.get("reason") or "")
    fenced = fence_reason(seen, node, engine)
    if fenced:
        return "FENCED", [f"fenced: {fenced}"]
    if unit["active"] == "activating":
        since = f" (since {start['since']})" if start.get("since") else ""
        if start.get("state") in ("waiting", "pausing") and reason:
            return "RETRYING", [f"{reason}{since}"]
        # Beside the first moments of a start, this is the time between an end of the engine and its next start.
        return ("RETRYING", [_ended(seen, unit)]) if unit["sub"].startswith("auto-restart") else (state, [])
    if unit["active"] == "failed":
        if start.get("state") == "refused" and reason:
            return "FAILED", [f"refused at {start.get('since')}: {reason}", f"when that is done run: {again}"]
        return "FAILED", [_ended(seen, unit), f"to start it run: {again}"]
    return state, [f"it was stopped; to start it run: {again}"] if unit.get("known") else []


def _ended(seen: Observed, unit: Result) -> str:
    status = f", exit status {unit['exit_status']}" if unit.get("exit_status") else ""
    return (
        f"the engine ended (result {unit.get('result') or 'unknown'}{status}); "
        f"for the reason run on the node: journalctl -u {seen.unit}"
    )


def _drift(node: Host) -> tuple[str, list[str]]:
    """Whether somebody changed files of the node, and which."""
    try:
        found = node.look("scan", "drift")
    except LookError as exc:
        return "unknown", [f"drift: {exc}"]
    if not found:
        return "no", []
    names = listed((plain_text(f"{item['path']} ({item['kind']})") for item in found), 5)
    return count(len(found), "FILE", "FILES"), [f"drift: {names}; by key: {command('drift')}"]


def guard_remarks(node: Host) -> list[str]:
    """What the guard of this node found when it looked last; nothing where there is no guard, or nothing to tell."""
    try:
        told = json.loads(base64.b64decode(node.look("guard", "content")))
    except (LookError, ValueError):
        return []
    last = f"guard at {told.get('time')}"
    if told.get("error"):
        return [f"{last}: {told['error']}"]
    remarks = []
    findings = told.get("findings") or []
    if findings:
        shown = [f"{item.get('path')} ({item.get('kind')})" for item in findings[:_SHOWN]]
        more = len(findings) - len(shown)
        names = ", ".join([*shown, *([f"{more} more"] if more else [])])
        remarks.append(f"{last}: {count(len(findings), 'file differs', 'files differ')}: {names}")
    remarks += [f"{last}: {told[name]}" for name in ("record_problem", "waits") if told.get(name)]
    return remarks


def fence_reason(seen: Observed, node: str, engine: Result) -> str:
    """Why this node may not start now; empty when it may. The very rule that counts at the engine's start."""
    record, why = seen.record()
    if why:
        # A share that is away proves nothing, and neither does an empty one: the node waits for its record.
        return ""
    return fence.refusal(engine.get("applied"), record, seen.cluster, node)


def _place(seen: Observed, name: str) -> str:
    """What the balancers do with the node; by balancer only where they differ."""
    found: dict[str, str] = {}
    for balancer in seen.balancers:
        host = seen.hosts.get(balancer)
        if host is None or not host.reachable:
            continue
        try:
            servers = [server for server in host.look("balancer", "servers") if server["name"] == name]
        except LookError:
            continue
        found[balancer] = _server_state(servers[0]) if servers else "missing"
    states = set(found.values())
    if not states:
        return "unknown"
    return states.pop() if len(states) == 1 else ", ".join(f"{key} {value}" for key, value in found.items())


def _server_state(server: Result) -> str:
    admin = server.get("admin_state")
    if admin in ("drain", "maint"):
        return str(admin)
    return "up" if server.get("up") else str(server.get("status", "unknown")).lower()


# --- what stands beside the nodes


def service_lines(seen: Observed) -> list[str]:
    rows = [(name, _balancer(seen.hosts[name])) for name in seen.balancers if name in seen.hosts]
    rows.append(_database(seen))
    rows.append(_search(seen))
    width = max(len(name) for name, _text in rows)
    return [f"{name.ljust(width)}  {text}" for name, text in rows]


def _balancer(host: Host) -> str:
    if not host.reachable:
        return f"UNREACHABLE: {host.why}"
    try:
        servers = host.look("balancer", "servers")
    except LookError as exc:
        return f"HAProxy does not answer: {exc}"
    result = host.results["balancer"]
    version = (result.get("process") or {}).get("version", "")
    up = sum(1 for server in servers if server.get("up"))
    text = f"HAProxy {version}, {up} of {count(len(servers), 'server')} up"
    certificates = [item for item in result.get("certificates") or [] if isinstance(item.get("days_left"), int)]
    if certificates:
        text += f", certificate {days(min(item['days_left'] for item in certificates))}"
    authorities = [
        item["days_left"] for item in result.get("authorities") or [] if isinstance(item.get("days_left"), int)
    ]
    if authorities:
        text += f", authority {days(min(authorities), _AUTHORITY_SOON_DAYS)}"
    if result.get("reload_required"):
        text += ", RELOAD REQUIRED"
    return text


def _database(seen: Observed) -> tuple[str, str]:
    if not seen.database.host:
        return "database", f"{seen.database} (not a host of this inventory)"
    host = seen.hosts.get(seen.database.host)
    if host is None:
        return seen.database.host, "not part of this run (--limit)"
    if not host.reachable:
        return host.name, f"UNREACHABLE: {host.why}"
    try:
        row = host.look("database_state", "query_result")[0]
    except (LookError, IndexError) as exc:
        return host.name, f"PostgreSQL does not answer: {exc}"
    return host.name, (
        f"PostgreSQL {str(row['version']).split(' ', maxsplit=1)[0]}, {row['connections']} of {row['max_connections']} "
        f"connections, {seen.database_name} {row['size']}"
    )


def _search(seen: Observed) -> tuple[str, str]:
    if not seen.search.host:
        return "search", f"{seen.search} (not a host of this inventory)"
    host = seen.hosts.get(seen.search.host)
    if host is None:
        return seen.search.host, "not part of this run (--limit)"
    if not host.reachable:
        return host.name, f"UNREACHABLE: {host.why}"
    try:
        health = host.look("search_state", "json")
    except LookError as exc:
        return host.name, f"the search engine does not answer: {exc}"
    nodes = count(int(health.get("number_of_nodes") or 0), "node")
    shards = count(int(health.get("active_shards") or 0), "shard")
    return host.name, f"search cluster {health.get('cluster_name')} {health.get('status')}, {nodes}, {shards}"


def render(seen: Observed) -> str:
    blocks = [cluster_lines(seen), node_lines(seen), service_lines(seen)]
    return "\n\n".join("\n".join(block) for block in blocks if block)
