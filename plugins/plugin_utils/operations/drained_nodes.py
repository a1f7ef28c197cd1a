# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reports say of nodes that operators have drained, and of a restart and a deployment that are not finished."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed, plain_text

_MOST_NODES = 20


def described(record: t.Mapping[str, t.Any], node: str) -> str:
    """Since when, by whom and why an operator has drained the node; empty if none has."""
    entry = (record.get("drained_nodes") or {}).get(node)
    if not entry:
        return ""
    stopped = ", engine stopped" if entry.get("stopped") else ""
    owner = entry.get("owner") or "unknown"
    return plain_text(f"since {entry.get('since')} by {owner}: {entry.get('reason') or 'no reason'}{stopped}")


def facts(record: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The lines of a report on the record, by label."""
    found: dict[str, str] = {}
    nodes = [f"{plain_text(node)} {described(record, node)}" for node in sorted(record.get("drained_nodes") or {})]
    taken_out = listed(map(plain_text, record.get("drained") or []), _MOST_NODES)
    if taken_out:
        nodes.append(f"{taken_out} by a run; the next one brings back what that run left out")
    if nodes:
        found["drained"] = "; ".join(nodes)
    deploying = record.get("deploying")
    if deploying:
        found["deployment"] = (
            f"of {listed(map(plain_text, deploying['applications']), _MOST_NODES)} by "
            f"{plain_text(deploying['owner']) or 'unknown'} since {plain_text(deploying['since'])}, and not completed. "
            f"To finish it: {command('deploy')}"
        )
    restarts = record.get("restarts")
    if restarts:
        reached = listed(map(plain_text, restarts["nodes"]), _MOST_NODES)
        found["restart"] = (
            f"forced by {plain_text(restarts['owner']) or 'unknown'} at {plain_text(restarts['since'])}, and did not "
            f"reach {reached}. To finish it: {command('restart')}"
        )
    return found
