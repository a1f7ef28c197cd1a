# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a run that changes the cluster: its state, what happened to each node, and the next commands."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import REASON, command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import strategy

_RELEASE_SHOWN = 12
_MOST_WARNINGS = 10
_MOST_NODES = 20


def render(data: t.Mapping[str, t.Any]) -> str:
    """``nodes`` contains the plan of each node, None for a node that did not complete the run."""
    check = bool(data["check_mode"])
    release = str(data["release"])[:_RELEASE_SHOWN]
    is_at = "would be at" if check else "is at"
    waits = bool((data.get("course") or {}).get("waits"))
    state = f"{'would wait' if check else 'waits'} for confirmation of" if waits else is_at
    lines = [
        plain_text(f"Cluster {data['cluster']} {state} release {release}, engine {data['engine_version']}"),
        plain_text(f"  URL      {data['url']}"),
    ]
    for done, nodes in _by_state(data["nodes"], check).items():
        lines.append(f"  {done}: {listed(nodes, _MOST_NODES)}")
    for how, nodes in _taken_out(data["nodes"]).items():
        lines.append(f"  an operator keeps users out, {how}: {listed(nodes, _MOST_NODES)}")
    states = {str(plan["maintenance"]) for plan in data["nodes"].values() if plan and plan.get("maintenance")}
    lines += [plain_text(f"  users    {text}") for text in sorted(states)]
    lines += _table(data.get("times") or {})
    lines += strategy.summary(data)
    if data["left_out"]:
        lines.append(f"  not in this run: {listed(data['left_out'], _MOST_NODES)}")
    if data["pinned"] and not check:
        lines.append(f"  pinned   until {command('unpin')}{REASON}")
    warnings = [Finding.from_dict(item) for item in data["findings"] if item.get("severity") == WARNING]
    if warnings:
        lines.append(f"  {count(len(warnings), 'warning')} of preflight:")
        lines += [f"    - {warning}" for warning in warnings[:_MOST_WARNINGS]]
        if len(warnings) > _MOST_WARNINGS:
            lines.append(f"    and {len(warnings) - _MOST_WARNINGS} more, in the report above")
    # The nodes of a rollout that waits have different releases.
    if waits and not check:
        lines.append(f"  watch it {command('status')}")
    elif not check:
        lines += [f"  prove it {command('verify')}", f"  watch it {command('status')}"]
    return "\n".join(lines)


_STEPS = (("drain", "stop"), ("stop", "start"), ("start", "gate"), ("gate", "wait"), ("wait", "end"))
_COUNTS = ("users moved", "WebSockets closed", "requests cut off")


def _table(times: t.Mapping[str, t.Mapping[str, t.Any] | None]) -> list[str]:
    """How long each step of each node took, and what users noticed."""
    rows = [["seconds", *(begin for begin, _end in _STEPS), *_COUNTS]]
    for node, found in times.items():
        marks = (found or {}).get("marks") or {}
        # Each run of a node begins with the drain. One that drains it for maintenance may end there.
        if found is None or not all(name in marks for name in _STEPS[0]):
            continue
        closed = found.get("closed") or []
        counts = [
            int(found.get("moved") or 0),
            sum(int(entry.get("websockets", 0)) for entry in closed),
            sum(int(entry.get("requests", 0)) for entry in closed),
        ]
        seconds = [
            f"{max(0.0, float(marks[end]) - float(marks[begin])):.1f}" if begin in marks and end in marks else "-"
            for begin, end in _STEPS
        ]
        rows.append([plain_text(node), *seconds, *map(str, counts)])
    if len(rows) == 1:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]


def _by_state(nodes: t.Mapping[str, t.Mapping[str, t.Any] | None], check: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, plan in nodes.items():
        found.setdefault(_state(plan, check), []).append(plain_text(name))
    return found


def _taken_out(nodes: t.Mapping[str, t.Mapping[str, t.Any] | None]) -> dict[str, list[str]]:
    """Nodes that no run lets users in to."""
    found: dict[str, list[str]] = {}
    for name, plan in nodes.items():
        how = (plan or {}).get("taken_out")
        if how:
            found.setdefault(plain_text(str(how)), []).append(plain_text(name))
    return found


def _state(plan: t.Mapping[str, t.Any] | None, check: bool) -> str:
    if plan is None:
        return "not finished, see the error above"
    done = str(plan.get("outcome") or "") or (
        "restarted"
        if plan.get("restart")
        else "started"
        if plan.get("start")
        else "changed without a restart"
        if plan.get("activate")
        else ""
    )
    return f"would be {done}" if done and check else done or "unchanged"
