# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the administrative state of a server in every backend of a running HAProxy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .runtime_socket import RuntimeSocket, RuntimeSocketError
from .servers import describe_servers, parse_server_states, parse_statistics

RESTORED = "restored"
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


def _servers(runtime: RuntimeSocket, name: str) -> list[dict[str, Any]]:
    statistics = parse_statistics(runtime.command("show stat"))
    states = parse_server_states(runtime.command("show servers state"))
    return [server for server in describe_servers(statistics, states) if server["name"] == name]


def _wanted(server: Mapping[str, Any], state: str, before: Mapping[str, str]) -> str:
    """What is not in maintenance was changed by somebody since, and is left as it is."""
    if state != RESTORED:
        return state
    is_state: str = server["admin_state"]
    return before.get(server["backend"], "ready") if is_state == "maint" else is_state


def set_state(
    runtime: RuntimeSocket, name: str, state: str, check: bool, before: Mapping[str, str] | None = None
) -> tuple[bool, list[dict[str, Any]]]:
    """Whether a state was changed, and the servers of that name afterwards.

    ``restored`` sets a server that is in maintenance to its state in ``before``, by backend, or to ready.
    """
    if not _NAME.fullmatch(name):
        raise RuntimeSocketError(f"{name!r} is not the name of a server.")
    servers = _servers(runtime, name)
    wanted = [_wanted(server, state, before or {}) for server in servers]
    others = [(server, to) for server, to in zip(servers, wanted) if server["admin_state"] != to]
    if check:
        return bool(others), [
            server
            if server["admin_state"] == to
            else {**server, "admin_state": to, "up": False, "status": "MAINT" if to == "maint" else "DOWN"}
            for server, to in zip(servers, wanted)
        ]
    for server, to in others:
        runtime.command(f"set server {server['backend']}/{name} state {to}")
    return bool(others), _servers(runtime, name) if others else servers
