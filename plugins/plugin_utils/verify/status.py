# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of status: the state of a cluster on one screen, from the facts of one run.

It has no checks, see verify for those. A fact that could not be gathered is reported as unknown.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import fence, lease
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers, maintenance
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.licence import WARN_DAYS
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import columns, count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import virtual_address
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import (
    FactError,
    Host,
    Result,
    Snapshot,
    login_problem,
    snapshot_from,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import drained_nodes
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import commit
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import database as database_members
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import etcd as quorum
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import redundancy

_COLUMNS = ("node", "state", "engine", "release", "drift", "restart", "peers", "balancer", "since")
# ivy.cluster.site renews certificates; a new authority has to be distributed to all users first.
_SOON_DAYS = 30
_AUTHORITY_SOON_DAYS = 90
_SHOWN = 5


def short(release: t.Any) -> str:
    return str(release)[:12] if release else "none"


def days(number: t.Any, soon: int = _SOON_DAYS) -> str:
    """The days until an expiry, in capitals when it is near."""
    if not isinstance(number, int):
        return "unknown"
    if number < 0:
        return f"EXPIRED {count(-number, 'day')} ago"
    return count(number, "day") + (" - RENEW SOON" if number < soon else "")


# --- the cluster


def cluster_facts(facts: Snapshot) -> dict[str, str]:
    """The state of the cluster record and the licence, by label; first that the service is in maintenance."""
    found = _maintenance(facts)
    record, why = facts.record()
    if not record:
        found["record"] = why
    else:
        found["release"] = f"{short(record.get('desired_release'))} desired; {_operation(record)}; {_pin(record)}"
        source = commit.words_of(record, record.get("desired_release"))
        if source:
            found["source"] = source
        if record.get("lease"):
            found["at work"] = lease.describe(record["lease"])
        found.update(drained_nodes.facts(record))
        history = record.get("history") or []
        if history:
            last = history[-1]
            found["last"] = (
                f"{last.get('time')}  {last.get('operation')} by {last.get('owner') or 'unknown'}, "
                f"release {short(last.get('release'))}"
            )
        if record.get("isolated"):
            found["isolated"] = (
                f"since {record['isolated'].get('since')}: no balancer uses a node until {command('go_live')}"
            )
    found["licence"] = _licence(facts)
    backup = _backup(facts)
    if backup:
        found["backup"] = backup
    if facts.accept_unsupported:
        found["accepted"] = f"{', '.join(facts.accept_unsupported)} (not supported by the vendor)"
    return found


def _maintenance(facts: Snapshot) -> dict[str, str]:
    answered = {
        name: maintenance.of_result(facts.hosts[name].results.get("balancer"))
        for name in facts.balancers
        if name in facts.hosts and facts.hosts[name].reachable and facts.hosts[name].results.get("balancer")
    }
    text = maintenance.of_cluster(answered)
    return {"service": text} if text else {}


def _operation(record: Result) -> str:
    operation = record.get("operation")
    if not operation:
        return "no operation in progress"
    step = f", step {operation['step']}" if operation.get("step") else ""
    previous = record.get("previous_release")
    until = f" until {record['old_releases_until']}" if record.get("old_releases_until") else ""
    also = f", release {short(previous)} allowed as well{until}" if previous else ""
    owner = operation.get("owner") or "unknown"
    return f"OPEN: {operation.get('name')} by {owner} since {operation.get('since')}{step}{also}"


def _pin(record: Result) -> str:
    pin = record.get("pin")
    if not pin:
        return "not pinned"
    return f"PINNED to {short(pin.get('release') if isinstance(pin, dict) else pin)}"


def _licence(facts: Snapshot) -> str:
    """The licence is part of the release, so it is the same on every node."""
    for node in facts.reached:
        try:
            licence = node.engine.get("licence")
        except FactError:
            continue
        if licence:
            limits = _licence_limits(licence, len(facts.nodes))
            if licence.get("valid_in_days"):
                return f"NOT VALID before {licence['valid_from']}{limits}"
            left = days(licence.get("days_left"), WARN_DAYS)
            return f"{left}, valid until {licence.get('valid_until') or 'unknown'}{limits}"
    return "none found"


def _licence_limits(licence: Result, nodes: int) -> str:
    """Only those that the licence states."""
    limits = [count(licence[name], name[:-1]) for name in ("nodes", "sessions") if licence.get(name)]
    sessions = licence.get("sessions")
    few = " - TOO FEW" if isinstance(sessions, int) and 0 < sessions < nodes else ""
    return "".join(f", {limit}" for limit in limits) + few


def _backup(facts: Snapshot) -> str:
    """The newest backup and the result of the last attempt; empty where none was ever made."""
    for node in facts.reached:
        result = node.results.get("backup") or {}
        try:
            answers.check(result, {"backups": [str], "last": dict})
            answers.check(result["last"], {"time?": int, "problem?": str, "size?": int})
        except ValueError:
            if result and not result.get("skipped"):
                return f"UNKNOWN on {node.name}: {plain_text(str(result.get('msg') or 'its answer is invalid'))}"
            continue
        backups, last = result["backups"], result["last"]
        if not backups and not last:
            continue
        newest = (
            f"newest {backups[0]} on {node.name}, {count(len(backups), 'backup')}"
            if backups
            else f"none on {node.name}"
        )
        if last.get("problem"):
            return plain_text(f"LAST ATTEMPT FAILED: {last['problem']}; {newest}")
        return plain_text(f"{newest}, {int(last.get('size') or 0)} bytes")
    return ""


# --- the nodes


def node_rows(facts: Snapshot) -> list[dict[str, t.Any]]:
    """One row for each node: the columns, and remarks."""
    found = []
    for node in facts.present:
        cells, remarks = _node(facts, node)
        drained = drained_nodes.described(facts.record()[0] or {}, node.name)
        remarks = [f"drained {drained}", *remarks] if drained else remarks
        found.append({**dict(zip(_COLUMNS, cells)), "remarks": [*remarks, *guard_remarks(node)]})
    return found


def _node(facts: Snapshot, node: Host) -> tuple[tuple[str, ...], list[str]]:
    balancer = _balancer_state(facts, node.name)
    left = " (in ivy_proceed_without)" if node.name in facts.proceed_without else ""
    if not node.reachable:
        return (node.name, "UNREACHABLE", "", "", "", "", "", balancer, ""), [f"{node.why}{left}"]
    try:
        engine = node.engine
    except FactError as exc:
        return (node.name, "UNKNOWN", "", "", "", "", "", balancer, ""), [str(exc)]
    unit, running, remarks = engine["unit"], engine.get("running") or {}, []
    version = str(engine.get("installed_version") or "none")
    drift, changes = _drift(node)
    remarks += changes
    if unit["active"] != "active":
        state, why = _stopped(facts, node.name, engine)
        # Also if the balancers have the node up: they cannot see which program answers.
        why += [str(engine["port_problem"])] if engine.get("port_problem") else []
        return (
            node.name,
            state,
            version,
            short(engine.get("applied")),
            drift,
            "",
            "",
            balancer,
            str(unit.get("since") or ""),
        ), remarks + why
    health = engine.get("health") or {}
    state = f"{unit['active']}/{unit['sub']}" if health.get("ok") else "NOT SERVING"
    if not health.get("ok"):
        remarks.append(f"health: {health.get('reason') or health.get('status')}")
    failures = _failures(engine)
    if failures:
        state = "CRASH LOOP" if failures > 1 else state
        remarks.append(_crash_loop(facts, engine, failures))
    release = short(running.get("release"))
    if running.get("release") != engine.get("applied"):
        release = f"{release} (applied {short(engine.get('applied'))})"
    reasons = facts.restart_reasons(node)
    remarks += [f"restart: {reason}" for reason in reasons[:5]]
    peers = f"{len((engine.get('peers') or {}).get('connected') or [])}/{len(facts.nodes) - 1}"
    restart = "REQUIRED" if engine.get("restart_required") and (reasons or not engine.get("restart_reasons")) else "no"
    return (node.name, state, version, release, drift, restart, peers, balancer, str(unit.get("since") or "")), remarks


def _stopped(facts: Snapshot, node: str, engine: Result) -> tuple[str, list[str]]:
    """The state of a node whose engine does not run, with the reason and the command to run."""
    unit, start = engine["unit"], engine.get("start") or {}
    state = f"{unit['active']}/{unit['sub']}"
    if engine.get("applied") is None:
        return state, []
    again = command("site", "--limit", node)
    reason = str(start.get("reason") or "")
    fenced = fence_reason(facts, node, engine)
    if fenced:
        return "FENCED", [f"fenced: {fenced}"]
    if unit["active"] == "activating":
        since = f" (since {start['since']})" if start.get("since") else ""
        if start.get("state") in ("waiting", "pausing") and reason:
            return "RETRYING", [f"{reason}{since}"]
        # Except at the beginning of a start, systemd is waiting to restart an engine that ended.
        return ("RETRYING", [_ended(facts, unit)]) if unit["sub"].startswith("auto-restart") else (state, [])
    if unit["active"] == "failed":
        if start.get("state") == "refused" and reason:
            return "FAILED", [f"refused at {start.get('since')}: {reason}", f"afterwards run: {again}"]
        return "FAILED", [_ended(facts, unit), f"to start it run: {again}"]
    drained = (facts.record()[0] or {}).get("drained_nodes") or {}
    again = command("undrain", "-e", f"undrain_nodes={node}") if node in drained else again
    return state, [f"it was stopped; to start it run: {again}"] if unit.get("known") else []


def _ended(facts: Snapshot, unit: Result) -> str:
    status = f", exit status {unit['exit_status']}" if unit.get("exit_status") else ""
    return (
        f"the engine ended (result {unit.get('result') or 'unknown'}{status}); "
        f"to find the cause, run on the node: journalctl -u {facts.unit}"
    )


def _failures(engine: Result) -> int:
    """How often in a row an engine that runs at the moment ended soon after its start."""
    failures = (engine.get("start") or {}).get("failures")
    return failures if isinstance(failures, int) else 0


def _crash_loop(facts: Snapshot, engine: Result, failures: int) -> str:
    return (
        f"the engine ended {count(failures, 'time')} in a row soon after its start, and was started again at "
        f"{engine['start'].get('since')}; to find the cause, run on the node: journalctl -u {facts.unit}"
    )


def _drift(node: Host) -> tuple[str, list[str]]:
    """Whether files of the node have local changes, and which."""
    try:
        found = node.fact("scan", "drift")
    except FactError as exc:
        return "unknown", [f"drift: {exc}"]
    if not found:
        return "no", []
    names = listed((plain_text(f"{item['path']} ({item['kind']})") for item in found), 5)
    return count(len(found), "FILE", "FILES"), [f"drift: {names}; by key: {command('drift')}"]


def guard_remarks(node: Host) -> list[str]:
    """The last result of the node's guard; empty without a guard or without a problem."""
    try:
        status = answers.parsed(node.fact("guard", "text"))
        answers.check(status, {"findings?": [dict]})
    except (FactError, ValueError):
        return []
    last = f"guard at {status.get('time')}"
    if status.get("error"):
        return [f"{last}: {status['error']}"]
    remarks = []
    findings = status.get("findings") or []
    if findings:
        shown = [f"{item.get('path')} ({item.get('kind')})" for item in findings[:_SHOWN]]
        more = len(findings) - len(shown)
        names = ", ".join([*shown, *([f"{more} more"] if more else [])])
        remarks.append(f"{last}: {count(len(findings), 'file differs', 'files differ')}: {names}")
    remarks += [f"{last}: {status[name]}" for name in ("record_problem", "waits") if status.get(name)]
    return remarks


def fence_reason(facts: Snapshot, node: str, engine: Result) -> str:
    """Why the fence prevents a start of this node; empty if it does not. The engine's start uses the same rule."""
    record, why = facts.record()
    if why:
        # Without the share or without a record, the node waits for the record.
        return ""
    return fence.refusal(engine.get("applied"), record, facts.cluster, node)


def _balancer_state(facts: Snapshot, name: str) -> str:
    """The node's state in the balancers; by balancer if they differ."""
    found: dict[str, str] = {}
    for balancer in facts.balancers:
        host = facts.hosts.get(balancer)
        if host is None or not host.reachable:
            continue
        try:
            servers = [server for server in host.fact("balancer", "servers") if server["name"] == name]
        except FactError:
            continue
        found[balancer] = _server_state(servers[0]) if servers else "missing"
    states = set(found.values())
    if not states:
        return "unknown"
    return states.pop() if len(states) == 1 else ", ".join(f"{key} {value}" for key, value in found.items())


def _server_state(server: Result) -> str:
    admin = server.get("admin_state")
    if admin in ("drain", "maint"):
        return "drain without users" if admin == "drain" and server.get("cookie_ignored") else str(admin)
    return "up" if server.get("up") else str(server.get("status", "unknown")).lower()


# --- the services of the nodes


def services(facts: Snapshot) -> dict[str, str]:
    """The state of each balancer, the database and the search engine."""
    found = {name: _balancer(facts.hosts[name]) for name in facts.balancers if name in facts.hosts}
    if facts.virtual_address:
        found[facts.virtual_address] = _virtual_address(facts)
    members = {"etcd": quorum.described(quorum.gather(facts))} if facts.etcd_members else {}
    if facts.patroni_members:
        members["database"] = database_members.described(database_members.gather(facts))
    return {**found, **dict([_database(facts), *_searches(facts)]), **members}


def _virtual_address(facts: Snapshot) -> str:
    """Who holds the virtual address, in capitals if nobody could take it over."""
    present = [facts.hosts[name] for name in facts.balancers if name in facts.hosts]
    if len(present) < len(facts.balancers):
        return "virtual address, not all load balancers are part of this run (--limit)"
    state = virtual_address.state_of(present)
    text = f"virtual address, {state.words}"
    return f"{text}. NOT REDUNDANT: {'; '.join(state.problems)}" if state.problems else text


def _balancer(host: Host) -> str:
    if not host.reachable:
        return f"UNREACHABLE: {host.why}"
    try:
        servers = host.fact("balancer", "servers")
    except FactError as exc:
        return f"HAProxy does not respond: {exc}"
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
    if result.get("preferred"):
        text += f", new users get to {listed(map(str, result['preferred']))}"
    if maintenance.of_result(result) is not None:
        text += ", IN MAINTENANCE"
    if result.get("reload_required"):
        text += ", RELOAD REQUIRED"
    return text


def _database(facts: Snapshot) -> tuple[str, str]:
    if not facts.database.host:
        return "database", f"{facts.database} (not a host of this inventory)"
    host = facts.hosts.get(facts.database.host)
    if host is None:
        return facts.database.host, "not part of this run (--limit)"
    if not host.reachable:
        return host.name, f"UNREACHABLE: {host.why}"
    try:
        row = host.fact("database_state", "query_result")[0]
    except (FactError, IndexError) as exc:
        return host.name, f"PostgreSQL does not respond: {exc}"
    problem = login_problem(host)
    return host.name, (
        f"PostgreSQL {str(row['version']).split(' ', maxsplit=1)[0]}, {row['connections']} of {row['max_connections']} "
        f"connections, {facts.database_name} {row['size']}"
    ) + (f", LOGIN OF THE ENGINES CHANGED: {problem}. Run {command('site')}" if problem else "") + _archive(host)


def _archive(host: Host) -> str:
    """The result of the last backup in the archive of the database; empty without an archive."""
    result = host.results.get("database_archive") or {}
    if not result or result.get("skipped"):
        return ""
    if "content" not in result:
        return ", ARCHIVE: NO BACKUP YET"
    try:
        last = answers.parsed(answers.decoded(result["content"]))
        answers.check(last, {"newest": str, "problem": str, "complete": int})
    except ValueError:
        return ", ARCHIVE: UNKNOWN, its answer is invalid"
    newest = f"archive {last['newest'] or 'without a backup'}, {count(last['complete'], 'backup')}"
    failed = f"ARCHIVE: LAST BACKUP FAILED: {last['problem']}; " if last["problem"] else ""
    return plain_text(f", {failed}{newest}")


def _searches(facts: Snapshot) -> list[tuple[str, str]]:
    """One line for one server, and a line for each member of a cluster."""
    if len(facts.search_servers) < 2:
        return [_search(facts)]
    found = []
    for name in facts.search_servers:
        one = dataclasses.replace(facts, search=dataclasses.replace(facts.search, host=name))
        label, text = _search(one)
        host = facts.hosts.get(name)
        health: t.Any = host.results.get("search_state", {}).get("json") if host else None
        whole = (
            isinstance(health, dict)
            and health.get("status") == "green"
            and health.get("number_of_nodes") == len(facts.search_servers)
        )
        found.append((label, text if whole or name not in facts.hosts else f"{text} - NOT REDUNDANT"))
    return found


def _search(facts: Snapshot) -> tuple[str, str]:
    if not facts.search.host:
        return "search", f"{facts.search} (not a host of this inventory)"
    host = facts.hosts.get(facts.search.host)
    if host is None:
        return facts.search.host, "not part of this run (--limit)"
    if not host.reachable:
        return host.name, f"UNREACHABLE: {host.why}"
    try:
        health = host.fact("search_state", "json")
    except FactError as exc:
        return host.name, f"the search engine does not respond: {exc}"
    if not isinstance(health, dict):
        return host.name, "the search engine does not answer with its health"
    nodes = count(int(health.get("number_of_nodes") or 0), "node")
    shards = count(int(health.get("active_shards") or 0), "shard")
    return host.name, f"search cluster {health.get('cluster_name')} {health.get('status')}, {nodes}, {shards}"


# --- the report


def document(params: t.Mapping[str, t.Any]) -> Document:
    """The report from the facts that the role verify gathers."""
    return from_facts(snapshot_from(params))


def from_facts(facts: Snapshot) -> Document:
    rows, cluster, service_states = node_rows(facts), cluster_facts(facts), services(facts)
    components = redundancy.components(facts)
    unreachable = [name for name, host in facts.hosts.items() if not host.reachable]
    summary = {
        "ok": len(unreachable) < len(facts.hosts),
        "counts": {"hosts": len(facts.hosts), "nodes": len(rows), "running": len(facts.running)},
        "unreachable": unreachable,
        "not_redundant": [one.name for one in components if one.spare is not None and not one.redundant],
    }
    content = {
        "engine_version": facts.engine_version,
        "facts": cluster,
        "nodes": rows,
        "services": service_states,
        "redundancy": {
            "components": [one.to_dict() for one in components],
            "critical_hosts": redundancy.critical_hosts(components),
            "next_loss": redundancy.summary(components),
        },
    }
    headline = f"{len(facts.running)} of {count(len(rows), 'node')} running"
    if unreachable:
        headline += f"; {listed(unreachable)} not reachable"
    page = {"columns": _COLUMNS, "redundancy_rows": redundancy.rows(components)}
    text = [*lines(facts, cluster, rows, service_states), "", *redundancy.lines(components)]
    return Document("status", facts.cluster, f"{headline}.", summary, content, text, page)


def lines(
    facts: Snapshot,
    cluster: t.Mapping[str, str],
    rows: t.Sequence[t.Mapping[str, t.Any]],
    service_states: t.Mapping[str, str],
) -> list[str]:
    """The report for a terminal."""
    found = [f"Cluster {facts.cluster}, engine {facts.engine_version}"]
    found += [f"  {label.ljust(10)} {text}" for label, text in cluster.items()]
    if rows:
        table = [[name.upper() for name in _COLUMNS], *([row[name] for name in _COLUMNS] for row in rows)]
        head, *of_nodes = columns(table)
        found += ["", head]
        for line, row in zip(of_nodes, rows):
            found += [line, *(f"    {remark}" for remark in row["remarks"])]
    width = max(map(len, service_states))
    return [*found, "", *(f"{name.ljust(width)}  {text}" for name, text in service_states.items())]
