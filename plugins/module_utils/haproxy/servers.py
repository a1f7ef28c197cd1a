# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of HAProxy's backends: parses statistics and server states and joins them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from .runtime_socket import RuntimeSocket, RuntimeSocketError

# Bits of srv_admin_state in `show servers state` (HAProxy's enum srv_admin).
# The bits 0x20 and 0x40 are HAProxy's own maintenance, while a name cannot be resolved.
_MAINTENANCE_BITS = 0x01 | 0x02 | 0x04
_DRAIN_BITS = 0x08 | 0x10


@dataclass(frozen=True)
class ServerState:
    """What `show servers state` adds to the statistics: the state that an administrator requested."""

    backend: str
    name: str
    address: str
    port: int
    admin_state: str
    weight: str


def parse_statistics(text: str) -> list[dict[str, str]]:
    """Parse `show stat`: CSV whose header line begins with a hash."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# "):
        raise RuntimeSocketError(f"HAProxy's statistics have an unknown format. They begin with {text[:60]!r}.")
    return list(csv.DictReader(io.StringIO("\n".join([lines[0][2:], *lines[1:]]))))


def parse_server_states(text: str) -> list[ServerState]:
    """Parse `show servers state`, format 1."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "1":
        raise RuntimeSocketError(f"HAProxy's server states have an unknown format. They begin with {text[:60]!r}.")
    names: list[str] = []
    states = []
    for line in lines[1:]:
        fields = line.lstrip("# ").split()
        if line.startswith("#"):
            names = fields
        elif fields:
            row = dict(zip(names, fields))
            states.append(
                ServerState(
                    backend=row["be_name"],
                    name=row["srv_name"],
                    address=row["srv_addr"],
                    port=int(row["srv_port"]),
                    admin_state=admin_state(int(row["srv_admin_state"])),
                    weight=row.get("srv_uweight", ""),
                )
            )
    return states


def admin_state(bits: int) -> str:
    """The requested state in HAProxy's terms. Maintenance takes precedence over drain."""
    if bits & _MAINTENANCE_BITS:
        return "maint"
    if bits & _DRAIN_BITS:
        return "drain"
    return "ready"


def is_up(status: str) -> bool:
    """Whether a server is fully up. `UP 1/3` is about to go down, and `DRAIN` gets no new users. Nor does weight 0."""
    return status in ("UP", "no check")


# Their servers are database servers, which must not count as nodes that serve.
OF_OTHER_SERVICES = ("database",)


def describe_servers(statistics: list[dict[str, str]], states: list[ServerState]) -> list[dict[str, Any]]:
    """Join statistics and states into one entry for each server."""
    states_by_server = {(state.backend, state.name): state for state in states}
    servers = []
    for row in statistics:
        if row["svname"] in ("FRONTEND", "BACKEND") or row.get("type") != "2" or row["pxname"] in OF_OTHER_SERVICES:
            continue
        state = states_by_server.get((row["pxname"], row["svname"]))
        servers.append(
            {
                "backend": row["pxname"],
                "name": row["svname"],
                "address": row.get("addr") or (f"{state.address}:{state.port}" if state else ""),
                "status": row["status"],
                "up": is_up(row["status"]) and (state is None or state.weight != "0"),
                "check": {
                    "status": row.get("check_status", "").lstrip("* "),
                    "code": row.get("check_code", ""),
                    "reason": row.get("last_chk") or row.get("check_desc", ""),
                },
                "admin_state": state.admin_state if state else "ready",
                "sessions": _number(row.get("scur")),
                "sessions_total": _number(row.get("stot")),
                "queue": _number(row.get("qcur")),
                "seconds_since_request": _since(row.get("lastsess")),
                "weight": _number(row.get("weight")),
                "seconds_since_change": _number(row.get("lastchg")),
            }
        )
    return servers


def server_names(runtime: RuntimeSocket) -> set[str]:
    """The names of all servers."""
    states = parse_server_states(runtime.command("show servers state"))
    return {state.name for state in states if state.backend not in OF_OTHER_SERVICES}


def _since(text: str | None) -> int | None:
    """HAProxy prints -1 if there was none."""
    return int(text) if text and text != "-1" else None


def _number(text: str | None) -> int:
    return int(text) if text else 0
