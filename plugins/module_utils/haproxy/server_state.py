# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the administrative state of a server in every backend of a running HAProxy."""

from __future__ import annotations

import re
from typing import Any

from .runtime_socket import RuntimeSocket, RuntimeSocketError
from .servers import describe_servers, parse_server_states, parse_statistics

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


def _servers(runtime: RuntimeSocket, name: str) -> list[dict[str, Any]]:
    statistics = parse_statistics(runtime.command("show stat"))
    states = parse_server_states(runtime.command("show servers state"))
    return [server for server in describe_servers(statistics, states) if server["name"] == name]


def set_state(runtime: RuntimeSocket, name: str, state: str, check: bool) -> tuple[bool, list[dict[str, Any]]]:
    """Whether a state was changed, and the servers of that name afterwards."""
    if not _NAME.fullmatch(name):
        raise RuntimeSocketError(f"{name!r} is not the name of a server.")
    servers = _servers(runtime, name)
    others = [server for server in servers if server["admin_state"] != state]
    if check:
        kept = [server for server in servers if server["admin_state"] == state]
        predicted = {"admin_state": state, "up": False, "status": "MAINT" if state == "maint" else "DOWN"}
        return bool(others), [*kept, *({**server, **predicted} for server in others)]
    for server in others:
        runtime.command(f"set server {server['backend']}/{name} state {state}")
    return bool(others), _servers(runtime, name) if others else servers
