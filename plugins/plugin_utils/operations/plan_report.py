# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a plan on one page: what would be done to each node and in which order, what users notice, how long."""

from __future__ import annotations

import json
import shlex
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import playbook
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, duration, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift import changes, text
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.session import HELPER
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import plan as plans
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import strategy
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.plan import Plan
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import commit
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document

_SHOWN = 12
# What is on the page. The JSON form has everything.
_MOST_NAMES = 20
_MOST_CHANGES = 40
_MOST_KEYS = 20
_MOST_DIFFERENCES = 5
_SIDES = {"pending": "Would be applied", "reverted": "Would be reverted (a copy stays on the node)"}
# What users may notice when a role changes something.
_NOTICED = {
    "haproxy": "HAProxy on {hosts} may reload: open connections stay.",
    "keepalived": "The virtual address may move between {hosts}: browsers connect again.",
    "certificates": "Browsers get a new certificate from {hosts}.",
    "postgres": "PostgreSQL on {hosts} may restart: requests that need the database wait or fail for some seconds.",
    "elasticsearch": "The search engine on {hosts} may restart: searches fail for some seconds.",
}


def document(params: t.Mapping[str, t.Any]) -> Document:
    plan = Plan(params)
    digest = plan.digest
    approved = str(params.get("approved") or "")
    differs = plans.differences(approved, digest) if approved.strip() else []
    content = {
        "operation": plan.operation,
        "engine_version": params["engine_version"],
        "release": params["release"],
        "strategy": str(plan.course.get("strategy") or strategy.ROLLING),
        "waits": bool(plan.course.get("waits")),
        "source": params.get("source") or None,
        "desired_release": plan.record.get("desired_release"),
        "digest": digest,
        "approved": approved or None,
        "differs": differs,
        "steps": [{"node": s.node, "action": s.action, "seconds": plan.seconds(s)} for s in plan.steps],
        "nodes": {node: _node(plan, node) for node in plan.nodes},
        "services": plan.services,
        "applications": plan.applications,
        "left_out": list(params.get("left_out") or []),
        "users_notice": users_notice(plan),
        "duration": durations(plan),
        "decisions": plan.decisions(),
    }
    summary = {
        "ok": not differs,
        "digest": digest,
        "changes": not plan.changes_nothing,
        "differs": differs,
        "counts": {
            "nodes": len(plan.nodes),
            "restarts": len(plan.stopped()),
            "starts": sum(1 for step in plan.steps if step.action == plans.START),
            "pending": sum(len(_of_side(plan, node, "pending")) for node in plan.nodes),
            "reverted": sum(len(_of_side(plan, node, "reverted")) for node in plan.nodes),
            "services": sum(len(roles) for roles in plan.services.values()),
        },
    }
    grouped = {side: _grouped(plan, side) for side in _SIDES}
    command = _command(plan, digest)
    page = {
        "facts": _facts(plan),
        "order": _order(plan),
        "reasons": _reasons(plan),
        "grouped": {_SIDES[side]: found for side, found in grouped.items() if found},
        "columns": text.columns,
        "cell": text.cell,
        "what": _what,
        "files": _other_files(plan),
        "service_rows": _service_rows(plan),
        "command": command,
    }
    lines = list(_lines(plan, content, page, grouped))
    return Document("plan", plan.params["cluster"], headline(plan, differs), summary, content, lines, page)


def headline(plan: Plan, differs: t.Sequence[str] = ()) -> str:
    """The plan in one sentence, or that it is not the approved one."""
    if differs:
        return f"This is not the approved plan: {plan.operation} would do something else now."
    if plan.changes_nothing:
        return f"{plan.operation} would change nothing."
    parts = []
    for action, verb in ((plans.RESTART, "restart"), (plans.START, "start")):
        nodes = [step.node for step in plan.steps if step.action == action]
        parts += [f"{verb} {len(nodes)} of {count(len(plan.nodes), 'node')}"] if nodes else []
    changed = [step.node for step in plan.steps if step.action == plans.ACTIVATE]
    parts += [f"change {count(len(changed), 'node')} without a restart"] if changed else []
    parts += [f"set up {count(len(plan.services), 'host')}"] if plan.services else []
    text_of = ", ".join(parts) or "complete the rollout without changing a node"
    waits = ", and then wait for confirmation" if plan.course.get("waits") else ""
    return f"{plan.operation} would {text_of}{waits}."


def users_notice(plan: Plan) -> list[str]:
    """What users notice, one sentence each."""
    found = []
    stopped = plan.stopped()
    serving = [node for node in plan.nodes if not plan.of(node, "plan").get("first")]
    others = len(serving) + len(plan.params.get("others") or [])
    if plan.course.get("notice"):
        found.append(str(plan.course["notice"]))
    # For engines that stop together, the notice above has it.
    one_by_one = bool(stopped) and not plan.course.get("together")
    if one_by_one and others > 1:
        found.append(
            f"{listed(stopped, _MOST_NAMES)}: one after another. Users of a node that stops go to another one and log "
            "in again there; unsaved input is lost."
        )
    elif one_by_one:
        found.append(f"The service is interrupted while {listed(stopped, _MOST_NAMES)} restarts: no other node serves.")
    if any(step.action == plans.ACTIVATE for step in plan.steps):
        found.append("Running engines reload the changed files. No session ends.")
    by_role: dict[str, list[str]] = {}
    for host, roles in plan.services.items():
        for role in roles:
            by_role.setdefault(role, []).append(host)
    found += [_NOTICED[role].format(hosts=", ".join(hosts)) for role, hosts in by_role.items() if role in _NOTICED]
    if plan.applications:
        found.append(f"Applications would be deployed: {listed(plan.applications, _MOST_NAMES)}.")
    for node in plan.nodes:
        how = plan.of(node, "plan").get("taken_out")
        if how:
            found.append(f"{node} stays without users: an operator keeps them out ({how}).")
    return [plain_text(sentence) for sentence in found] or ["Nothing."]


def durations(plan: Plan) -> dict[str, t.Any]:
    """The expected seconds from the cluster's own history, and in words what they come from."""
    timed = [step for step in plan.steps if step.kind]
    known = [plan.seconds(step) for step in timed]
    total = sum(seconds for seconds in known if seconds is not None)
    words = []
    if timed and None not in known:
        words.append(f"About {duration(total)} for {count(len(timed), 'node')}, as their last starts took.")
    elif timed:
        limit = max((int(plan.of(node, "foreseen").get("start_timeout") or 0) for node in plan.nodes), default=0)
        words.append(
            "The cluster record has no start of an engine yet"
            + (f"; each may take up to engine_start_timeout, {duration(limit)}." if limit else ".")
        )
    runs = plan.earlier_runs()
    if runs:
        span = " to ".join(dict.fromkeys((duration(min(runs)), duration(max(runs)))))
        words.append(f"The last {count(len(runs), 'rollout')} by {plan.operation} took {span} in all.")
    return {"nodes_seconds": total if timed and None not in known else None, "runs_seconds": runs, "words": words}


def _node(plan: Plan, node: str) -> dict[str, t.Any]:
    return {
        "actions": [step.action for step in plan.steps if step.node == node],
        "reasons": list(plan.of(node, "plan").get("reasons") or []),
        "pending": _of_side(plan, node, "pending"),
        "reverted": _of_side(plan, node, "reverted"),
        "files": [dict(item) for item in plan.actions(node)],
        "taken_out": str(plan.of(node, "plan").get("taken_out") or ""),
    }


def _of_side(plan: Plan, node: str, side: str) -> list[dict[str, t.Any]]:
    if side == "reverted":
        return [dict(item) for item in plan.reverted(node)]
    configuration = plan.of(node, "configuration")
    return [dict(item) for item in [*(configuration.get("pending") or []), *(configuration.get("conflict") or [])]]


def _grouped(plan: Plan, side: str) -> list[changes.Change]:
    """Equal changes of several nodes as one, as in the drift report."""
    sides = {"pending": ("conflict", "pending"), "reverted": ("drift",)}[side]
    reverted = {node: plan.reverted(node) for node in plan.nodes}
    results = {
        node: {
            "drift": [item for item in plan.of(node, "configuration").get("drift") or [] if item in reverted[node]],
            "pending": plan.of(node, "configuration").get("pending") or [],
            "conflict": plan.of(node, "configuration").get("conflict") or [],
        }
        for node in plan.nodes
    }
    report = changes.build(plan.params["cluster"], "", "", plan.params["release"], "", "", results)
    return [change for name in sides for change in report.of(name)]


def _facts(plan: Plan) -> list[tuple[str, str]]:
    release, desired = plan.params["release"], plan.record.get("desired_release")
    now = "unchanged" if release == desired else f"instead of {str(desired)[:_SHOWN]}" if desired else "the first one"
    source = commit.words(plan.params.get("source")) or commit.words_of(plan.record, release)
    problem = str((plan.params.get("source") or {}).get("problem") or "")
    found = [
        ("operation", plan.operation),
        ("release", f"{release[:_SHOWN]}, {now}"),
        ("source", source or (f"no commit: {problem}" if problem else "no commit recorded")),
        ("engine", str(plan.params["engine_version"])),
        ("strategy", strategy.words(plan.course)),
    ]
    operation = plan.record.get("operation")
    if operation:
        found.append(("completes", f"{operation.get('name')} of {operation.get('owner') or 'unknown'}"))
    if plan.params.get("left_out"):
        found.append(("left out", listed(plan.params["left_out"], _MOST_NAMES)))
    return [*found, ("digest", plan.digest)]


def _order(plan: Plan) -> list[list[str]]:
    rows = []
    for number, step in enumerate(plan.steps, 1):
        seconds = plan.seconds(step)
        rows.append([str(number), step.node, step.action, f"about {duration(seconds)}" if seconds is not None else ""])
    return rows


def _reasons(plan: Plan) -> list[tuple[str, str]]:
    return [
        (node, plain_text(reason))
        for node in plan.stopped()
        for reason in list(plan.of(node, "plan").get("reasons") or [])[:_MOST_KEYS]
    ]


def _other_files(plan: Plan) -> list[tuple[str, str, str]]:
    """Files of the nodes that are not part of the release: path, action and nodes."""
    found: dict[tuple[str, str], list[str]] = {}
    for node in plan.nodes:
        for item in plan.actions(node):
            if item.get("root") != "node":
                continue
            path = str(item.get("path"))
            # The collection's own code is some eighty files.
            place = f"{HELPER} (the collection's node helper)" if path.startswith(HELPER) else path
            nodes = found.setdefault((place, str(item.get("action"))), [])
            if node not in nodes:
                nodes.append(node)
    return [(path, action, ", ".join(nodes)) for (path, action), nodes in sorted(found.items())]


def _service_rows(plan: Plan) -> list[tuple[str, str, str]]:
    rows = []
    for host, roles in plan.services.items():
        for role, texts in roles.items():
            rows += [(host, role, plain_text(words)) for words in list(texts)[:_MOST_DIFFERENCES]]
            if len(texts) > _MOST_DIFFERENCES:
                rows.append((host, role, f"and {len(texts) - _MOST_DIFFERENCES} more differences"))
    return rows


def _command(plan: Plan, digest: str) -> str:
    words = [str(plan.params.get("command") or "ansible-playbook"), playbook(plan.operation)]
    if plan.params.get("limit"):
        words += ["--limit", shlex.quote(str(plan.params["limit"]))]
    if plan.course.get("strategy") in (strategy.ALL_AT_ONCE, strategy.CONFIRM):
        words += ["-e", f"{strategy.OPTION}={plan.course['strategy']}"]
    if plan.course.get("strategy") == strategy.ALL_AT_ONCE:
        words += ["-e", "engine_accept_downtime=true"]
    if plan.params.get("left_out"):
        words += ["-e", shlex.quote(json.dumps({"ivy_proceed_without": list(plan.params["left_out"])}))]
    if plan.operation == "rollback":
        words += ["-e", "\"rollback_reason='<why>'\"", "-e", f"rollback_release={plan.params['release']}"]
    return " ".join([*words, "-e", f"ivy_plan={digest}"])


def _what(change: changes.Change) -> str:
    return change.what + (f" ({change.detail})" if change.detail else "")


def _lines(
    plan: Plan,
    content: t.Mapping[str, t.Any],
    page: t.Mapping[str, t.Any],
    grouped: t.Mapping[str, t.Sequence[changes.Change]],
) -> t.Iterator[str]:
    """The report for a terminal."""
    yield f"Cluster {plan.params['cluster']}: {headline(plan, content['differs'])}"
    if content["differs"]:
        yield "Different:"
        yield from (f"  - {words}" for words in content["differs"])
        yield f"  approved   {content['approved']}"
    for label, words in page["facts"]:
        yield f"  {label.ljust(10)} {words}"
    if page["order"]:
        yield ""
        yield "Nodes, in this order"
        for number, node, action, about in page["order"]:
            yield f"  {number}. {node}: {action}{', ' if about else ''}{about}"
    if page["reasons"]:
        yield ""
        yield "Why engines restart"
        yield from (f"  {node}: {reason}" for node, reason in page["reasons"])
    for side, title in _SIDES.items():
        yield from _change_lines(title, grouped[side])
    if page["files"]:
        yield ""
        yield "Other files of the nodes"
        yield from (f"  {path}: {action} on {nodes}" for path, action, nodes in page["files"])
    if page["service_rows"]:
        yield ""
        yield "Other services"
        yield from (f"  {host}, role {role}: {words}" for host, role, words in page["service_rows"])
    yield ""
    yield "Users notice"
    yield from (f"  - {words}" for words in content["users_notice"])
    if content["duration"]["words"]:
        yield ""
        yield "Duration"
        yield from (f"  - {words}" for words in content["duration"]["words"])
    if not plan.changes_nothing:
        yield ""
        yield "To do exactly this, or nothing:"
        yield f"  {page['command']}"


def _change_lines(title: str, found: t.Sequence[changes.Change]) -> t.Iterator[str]:
    if found:
        yield ""
        yield title
    for change in found[:_MOST_CHANGES]:
        location = f" ({text.LOCATIONS[change.root]})" if change.root in text.LOCATIONS else ""
        yield f"  {change.path}{location} on {', '.join(change.nodes)}: {_what(change)}"
        for key in change.keys[:_MOST_KEYS]:
            yield f"    {text.key_line(change, key)}"
        if len(change.keys) > _MOST_KEYS:
            yield f"    and {len(change.keys) - _MOST_KEYS} more keys"
    if len(found) > _MOST_CHANGES:
        yield f"  and {len(found) - _MOST_CHANGES} more files"
