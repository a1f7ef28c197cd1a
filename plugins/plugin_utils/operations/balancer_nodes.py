# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of each node in the load balancers: what operators have taken out, and whether HAProxy has done it."""

from __future__ import annotations

import typing as t

_Server = t.Mapping[str, t.Any]


def taken_out(server: _Server) -> str:
    """How an administrator keeps users from the server; empty if nobody does."""
    requested = server.get("admin_state", "ready")
    if requested != "ready":
        return str(requested)
    return "weight 0" if _runs(server) and server.get("weight") == 0 and not server["up"] else ""


def _state(server: _Server) -> str:
    """As the cluster record takes it: ``closed`` is a drained server whose cookie is ignored."""
    state = str(server.get("admin_state", "ready"))
    return "closed" if state == "drain" and server.get("cookie_ignored") else state


def settled(server: _Server) -> bool:
    """Whether HAProxy uses the server as far as an administrator permits it, and its health check passes.

    HAProxy does not check a server in maintenance.
    """
    how = taken_out(server)
    if how == "maint":
        return str(server.get("status", "MAINT")).startswith("MAINT")
    if how == "drain":
        return server.get("status", "DRAIN") in ("DRAIN", "UP", "no check") and _check_passed(server)
    return bool(server["up"]) or how == "weight 0"


def _runs(server: _Server) -> bool:
    return server.get("status") in ("UP", "no check")


def _check_passed(server: _Server) -> bool:
    status = (server.get("check") or {}).get("status", "")
    return not status or "OK" in status


def by_node(results: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
    """From the results of balancer_info in a loop over the balancers, for each node that one of them lists:

    ``states``, the requested state by balancer and backend; ``taken_out``, how, by balancer; ``words``, the same in
    words.
    """
    found: dict[str, dict[str, t.Any]] = {}
    for result in results:
        balancer = str(result.get(result.get("ansible_loop_var", "item"), ""))
        for server in result.get("servers") or []:
            node = found.setdefault(server["name"], {"states": {}, "taken_out": {}})
            node["states"][f"{balancer}/{server.get('backend', '')}"] = _state(server)
            how = taken_out(server)
            if how:
                node["taken_out"][balancer] = how
    return {node: {**known, "words": _words(known["taken_out"])} for node, known in found.items()}


def _words(how: t.Mapping[str, str]) -> str:
    ways: dict[str, list[str]] = {}
    for balancer, way in how.items():
        ways.setdefault(way, []).append(balancer)
    return ", ".join(f"{way} on {' and '.join(balancers)}" for way, balancers in ways.items())
