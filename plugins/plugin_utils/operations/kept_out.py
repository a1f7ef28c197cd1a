# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes that no load balancer may use, as the cluster record has it, and the servers of HAProxy that differ.

A load balancer that was replaced, or that lost its disk, knows nothing of them.
"""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.drained_nodes import described

_Record = t.Mapping[str, t.Any]


class Change(t.NamedTuple):
    """A server that a load balancer would use, although its node is to be out."""

    balancer: str
    node: str
    state: str
    ignore_cookie: bool
    reason: str


def nodes(
    record: _Record, known: t.Collection[str], operation: str, chosen: t.Collection[str], engines: t.Mapping[str, t.Any]
) -> dict[str, dict[str, str]]:
    """State and reason of each node that must be out, of those that the inventory knows.

    The run itself brings back those of an isolated cluster (go_live), those that it was asked for (undrain), and those
    that an interrupted run has left out and that serve all the same.
    """
    found: dict[str, dict[str, str]] = {}
    for name in record.get("drained_nodes") or {}:
        if operation != "undrain" or name not in chosen:
            found[name] = {"state": "drain", "reason": f"drained {described(record, name)}"}
    for name in record.get("drained") or []:
        if not _may_serve(record, engines.get(name)):
            found[name] = {"state": "maint", "reason": "left out by a run"}
    isolated = record.get("isolated")
    if isolated and operation != "go_live":
        reason = f"the cluster is isolated since {plain_text(isolated.get('since'))}"
        found.update((name, {"state": "maint", "reason": reason}) for name in known)
    return {name: found[name] for name in known if name in found}


def _may_serve(record: _Record, engine: t.Any) -> bool:
    """Whether its engine runs with the release of the cluster, and nobody is replacing that."""
    desired, engine = record.get("desired_release"), engine or {}
    if not desired or record.get("operation") or (engine.get("unit") or {}).get("active") != "active":
        return False
    return bool(engine.get("applied") == (engine.get("running") or {}).get("release") == desired)


def changes(
    wanted: t.Mapping[str, t.Mapping[str, str]], results: t.Iterable[t.Mapping[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """What is to be set, from the results of balancer_info in a loop over the balancers. Each server once.

    Whoever has taken a node out in another way has done no harm.
    """
    found: dict[tuple[str, str], Change] = {}
    for result in results:
        balancer = str(result.get(result.get("ansible_loop_var", "item"), ""))
        for server in result.get("servers") or []:
            name = str(server["name"])
            if name not in wanted or server.get("admin_state", "ready") != "ready":
                continue
            # HAProxy with an earlier configuration cannot ignore a cookie.
            drains = wanted[name]["state"] == "drain" and bool(result.get("drains"))
            state = "drain" if drains else "maint"
            found[balancer, name] = Change(balancer, name, state, drains, wanted[name]["reason"])
    return [change._asdict() for change in found.values()]
