# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a port."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pwd
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import sockets
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit as units

_ANY = ("0.0.0.0", "::")


def listening(ports: t.Container[int], proc: str = "/proc") -> list[sockets.Socket]:
    """The sockets of this host that accept connections on one of the ports."""
    found: list[sockets.Socket] = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"{proc}/net/{table}", encoding="ascii", errors="replace") as stream:
            found.extend(sockets.parse(stream.read()))
    return [one for one in found if one.state == sockets.LISTEN and one.local_port in ports]


def conflicts(held: str, wanted: t.Collection[str]) -> bool:
    """Whether a socket on one address keeps a service from listening on the addresses that it wants ('*' is any)."""
    return held in _ANY or "*" in wanted or held in wanted


def is_local(address: str) -> bool:
    """Whether a socket on this address can be reached from its own host only."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def unit_of(text: str) -> str:
    """The systemd unit of a process, from /proc/<pid>/cgroup; empty where it has none."""
    best = ""
    for line in text.splitlines():
        fields = line.split(":", 2)
        if len(fields) != 3:
            continue
        parts = [part for part in fields[2].split("/") if part.endswith((".service", ".scope"))]
        # The container's own scope stands first, the innermost unit last.
        if parts and (fields[1] in ("", "name=systemd") or not best):
            best = parts[-1]
    return best


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def owners(inodes: t.Container[int], proc: str = "/proc") -> tuple[dict[int, int], dict[int, list[int]]]:
    """The first process that has each socket; and by user the processes that the kernel does not let us look into.

    In a container even root may not look into a process of another user.
    """
    found: dict[int, int] = {}
    hidden: dict[int, list[int]] = {}
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdigit()):
        # A process may end while it is looked at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            inside = sockets_of(pid, proc)
            if inside is None:
                hidden.setdefault(os.stat(f"{proc}/{pid}").st_uid, []).append(pid)
            else:
                found.update({inode: pid for inode in inside if inode in inodes and inode not in found})
    return found, hidden


def sockets_of(pid: int, proc: str) -> list[int] | None:
    """The inodes of a process's sockets; None where the kernel does not tell."""
    found = []
    try:
        for name in os.listdir(f"{proc}/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
                target = os.readlink(f"{proc}/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    found.append(int(target[8:-1]))
    except PermissionError:
        return None
    return found


def describe(pid: int, uid: int, proc: str = "/proc") -> dict[str, t.Any]:
    def text(name: str) -> str:
        with contextlib.suppress(OSError), open(f"{proc}/{pid}/{name}", encoding="utf-8", errors="replace") as stream:
            return stream.read()
        return ""

    return {
        "pid": pid,
        "program": text("comm").strip() if pid else "",
        "unit": unit_of(text("cgroup")) if pid else "",
        "user": _user_name(uid),
    }


def may_hold(hidden: t.Mapping[int, t.Sequence[int]], uid: int) -> list[int]:
    """The processes that a socket of a user can belong to. What root opened, it may have handed on to any user."""
    return [pid for owner, pids in hidden.items() if uid in (0, owner) for pid in pids]


def likely(candidates: t.Sequence[dict[str, t.Any]], unit: str, uid: int) -> dict[str, t.Any]:
    """The process that most likely holds a socket of its user: the expected service, else the only one there is."""
    fitting = [one for one in candidates if one["unit"] == unit] or candidates
    return fitting[0] if fitting and (fitting[0]["unit"] == unit or len(fitting) == 1) else describe(0, uid)


def addresses_of(names: t.Iterable[str]) -> set[str]:
    """What a service will listen on, as the kernel's table shows it."""
    found: set[str] = set()
    for name in names:
        found |= {"*"} if name in ("*", *_ANY, "") else sockets.resolved(name.strip("[]"))
    return found


def is_quiet(name: str) -> bool:
    """Whether systemd is not about to start, or running, the unit: then nobody misses its port for some seconds."""
    return units.show(name).active in ("inactive", "failed") if name else True


def without(seen: t.Sequence[dict[str, t.Any]], pids: t.Container[int]) -> None:
    """Leave out what these processes of root hold, or may hold where the kernel hides it."""
    for state in seen:
        state["holders"] = [
            one
            for one in state["holders"]
            if one["pid"] not in pids and not (one["pid"] == 0 and one["user"] == _user_name(0))
        ]


def look(wanted: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Each wanted port with whoever holds it, and whether its own service is quiet."""
    found = listening({int(one["port"]) for one in wanted})
    pids, hidden = owners({one.inode for one in found}) if found else ({}, {})
    out = []
    for one in wanted:
        holders = [item for item in found if item.local_port == one["port"]]
        if holders:
            addresses = addresses_of(one["addresses"])
            holders = [item for item in holders if conflicts(item.local_address, addresses)]
        told = [
            describe(pids[item.inode], item.uid)
            if item.inode in pids
            else likely([describe(pid, item.uid) for pid in may_hold(hidden, item.uid)], str(one["unit"]), item.uid)
            for item in holders
        ]
        unique = [item for index, item in enumerate(told) if item not in told[:index]]
        state = {"port": one["port"], "holders": unique, "quiet": bool(unique) or is_quiet(str(one["unit"]))}
        # As the package of PostgreSQL leaves it: the service runs, and the role has not configured it yet.
        state["local_only"] = bool(holders) and all(is_local(item.local_address) for item in holders)
        out.append(state)
    return out
