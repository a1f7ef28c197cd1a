# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes hold a port."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pwd
import typing as t

from ..node.engine import sockets
from ..node.engine import unit as units

_ANY = ("0.0.0.0", "::")


def listening(ports: t.Container[int], proc: str = "/proc") -> list[sockets.Socket]:
    """The sockets of this host that accept connections on one of the ports."""
    found: list[sockets.Socket] = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"{proc}/net/{table}", encoding="ascii", errors="replace") as stream:
            found.extend(sockets.parse(stream.read()))
    return [entry for entry in found if entry.state == sockets.LISTEN and entry.local_port in ports]


def conflicts(held: str, addresses: t.Collection[str]) -> bool:
    """Whether a listening socket prevents a service from using the addresses ('*' is any)."""
    return held in _ANY or "*" in addresses or held in addresses


def is_local(address: str) -> bool:
    """Whether a socket on this address can be reached only from this host."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def owners(inodes: t.Container[int], proc: str = "/proc") -> tuple[dict[int, int], dict[int, list[int]]]:
    """The first process of each socket; and by user the processes whose sockets the kernel does not show.

    In a container even root may be denied the files of another user's process.
    """
    found: dict[int, int] = {}
    hidden: dict[int, list[int]] = {}
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdecimal()):
        # A process may end at any time.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            opened = sockets_of(pid, proc)
            if opened is None:
                hidden.setdefault(os.stat(f"{proc}/{pid}").st_uid, []).append(pid)
            else:
                found.update({inode: pid for inode in opened if inode in inodes and inode not in found})
    return found, hidden


def sockets_of(pid: int, proc: str) -> list[int] | None:
    """The inodes of a process's sockets; None if access is denied."""
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
        "unit": sockets.unit_of(text("cgroup")) if pid else "",
        "user": _user_name(uid),
    }


def possible_holders(hidden: t.Mapping[int, t.Sequence[int]], uid: int) -> list[int]:
    """The hidden processes that may have a user's socket. Root may have passed a socket on to any user."""
    return [pid for owner, pids in hidden.items() if uid in (0, owner) for pid in pids]


def likely_holder(candidates: t.Sequence[dict[str, t.Any]], unit: str, uid: int) -> dict[str, t.Any]:
    """The most likely holder of a socket: the expected unit, or the only candidate; unknown otherwise."""
    matching = [process for process in candidates if process["unit"] == unit] or candidates
    return matching[0] if matching and (matching[0]["unit"] == unit or len(matching) == 1) else describe(0, uid)


def addresses_of(names: t.Iterable[str]) -> set[str]:
    """The addresses on which a service will listen, in the form of the kernel's table."""
    found: set[str] = set()
    for name in names:
        found |= {"*"} if name in ("*", *_ANY, "") else sockets.resolved(name.strip("[]"))
    return found


def is_stopped(name: str) -> bool:
    """Whether the unit neither runs nor starts, so its port can be used for some seconds."""
    return units.show(name).active in ("inactive", "failed") if name else True


def exclude(states: t.Sequence[dict[str, t.Any]], pids: t.Container[int]) -> None:
    """Remove these processes of root from the holders, also where the kernel hides which process it is."""
    for state in states:
        state["holders"] = [
            holder
            for holder in state["holders"]
            if holder["pid"] not in pids and not (holder["pid"] == 0 and holder["user"] == _user_name(0))
        ]


def gather(requested: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Each requested port with its holders, and whether its own service is stopped."""
    found = listening({int(request["port"]) for request in requested})
    pids, hidden = owners({entry.inode for entry in found}) if found else ({}, {})
    states = []
    for request in requested:
        held = [entry for entry in found if entry.local_port == request["port"]]
        if held:
            addresses = addresses_of(request["addresses"])
            held = [entry for entry in held if conflicts(entry.local_address, addresses)]
        unit = str(request["unit"])
        processes = [
            describe(pids[entry.inode], entry.uid)
            if entry.inode in pids
            else likely_holder(
                [describe(pid, entry.uid) for pid in possible_holders(hidden, entry.uid)], unit, entry.uid
            )
            for entry in held
        ]
        holders = [process for index, process in enumerate(processes) if process not in processes[:index]]
        states.append(
            {
                "port": request["port"],
                "holders": holders,
                "quiet": bool(holders) or is_stopped(unit),
                # The state after the package of PostgreSQL was installed: it runs, but is not configured yet.
                "local_only": bool(held) and all(is_local(entry.local_address) for entry in held),
            }
        )
    return states
