# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run that changes the cluster: what it is now, what happened to each node, and what comes next."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.table import count, listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift.report import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.findings import WARNING, Finding

_RELEASE_SHOWN = 12
_MOST_WARNINGS = 10
_MOST_NODES = 20


def render(seen: t.Mapping[str, t.Any]) -> str:
    """``nodes`` has what the rollout planned for each node, None for one of this run that did not get to the end."""
    check = bool(seen["check_mode"])
    release = str(seen["release"])[:_RELEASE_SHOWN]
    is_at = "would be at" if check else "is at"
    lines = [
        plain_text(f"Cluster {seen['cluster']} {is_at} release {release}, engine {seen['engine_version']}"),
        plain_text(f"  URL      {seen['url']}"),
    ]
    for done, nodes in _by_state(seen["nodes"], check).items():
        lines.append(f"  {done}: {listed(nodes, _MOST_NODES)}")
    if seen["left_out"]:
        lines.append(f"  not in this run: {listed(seen['left_out'], _MOST_NODES)}")
    if seen["pinned"] and not check:
        lines.append(f"  pinned   until {command('unpin')} -e \"rollback_reason='<why>'\"")
    warnings = [Finding.from_dict(one) for one in seen["findings"] if one.get("severity") == WARNING]
    if warnings:
        lines.append(f"  {count(len(warnings), 'warning')} of preflight:")
        lines += [f"    - {warning}" for warning in warnings[:_MOST_WARNINGS]]
        if len(warnings) > _MOST_WARNINGS:
            lines.append(f"    and {len(warnings) - _MOST_WARNINGS} more, in the report above")
    if not check:
        lines += [f"  prove it {command('verify')}", f"  watch it {command('status')}"]
    return "\n".join(lines)


def _by_state(nodes: t.Mapping[str, t.Mapping[str, t.Any] | None], check: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, plan in nodes.items():
        found.setdefault(_state(plan, check), []).append(plain_text(name))
    return found


def _state(plan: t.Mapping[str, t.Any] | None, check: bool) -> str:
    if plan is None:
        return "not finished, see the error above"
    done = (
        "restarted"
        if plan.get("restart")
        else "started"
        if plan.get("start")
        else "changed without a restart"
        if plan.get("activate")
        else ""
    )
    return f"would be {done}" if done and check else done or "unchanged"
