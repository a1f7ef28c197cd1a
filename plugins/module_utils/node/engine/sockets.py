# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""To whom the engine's own processes are connected, from the kernel's tables."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import typing as t

ESTABLISHED, LISTEN = 1, 10


class Socket(t.NamedTuple):
    """One TCP socket."""

    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    state: int
    uid: int
    inode: int


def address_from(text: str, byteorder: str = sys.byteorder) -> str:
    """The kernel prints each 32-bit word of an address in the machine's byte order."""
    raw = bytes.fromhex(text)
    if byteorder == "little":
        raw = b"".join(raw[index : index + 4][::-1] for index in range(0, len(raw), 4))
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    if raw[:12] == b"\0" * 10 + b"\xff\xff":
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


def parse(text: str, byteorder: str = sys.byteorder) -> list[Socket]:
    """The lines of /proc/net/tcp or /proc/net/tcp6."""
    out = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or ":" not in fields[1] or ":" not in fields[2]:
            continue
        try:
            local, local_port = fields[1].split(":")
            remote, remote_port = fields[2].split(":")
            out.append(
                Socket(
                    address_from(local, byteorder),
                    int(local_port, 16),
                    address_from(remote, byteorder),
                    int(remote_port, 16),
                    int(fields[3], 16),
                    int(fields[7]),
                    int(fields[9]),
                )
            )
        except ValueError:
            continue
    return out


def descendants(pid: int, proc: str = "/proc") -> set[int]:
    """A process and everything it started."""
    children: dict[int, list[int]] = {}
    for name in os.listdir(proc):
        if not name.isdecimal():
            continue
        try:
            with open(f"{proc}/{name}/stat", encoding="utf-8", errors="replace") as stream:
                text = stream.read()
            # The command's name may hold spaces and brackets; the fields after it may not.
            parent = int(text.rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(name))
    out, todo = set(), [pid]
    while todo:
        one = todo.pop()
        if one not in out:
            out.add(one)
            todo.extend(children.get(one, ()))
    return out


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


def inodes_of(pids: t.Iterable[int], proc: str = "/proc") -> tuple[set[int], set[int]]:
    """The socket inodes of processes, and the users of processes whose sockets the kernel does not list."""
    inodes: set[int] = set()
    users: set[int] = set()
    for pid in pids:
        directory = f"{proc}/{pid}/fd"
        # A process may end meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            uid = os.stat(f"{proc}/{pid}").st_uid
            try:
                for name in os.listdir(directory):
                    target = _link(f"{directory}/{name}")
                    if target.startswith("socket:["):
                        inodes.add(int(target[8:-1]))
            except PermissionError:
                users.add(uid)
    return inodes, users


def of_process(pid: int, proc: str = "/proc") -> list[Socket]:
    """All TCP sockets of a process and its descendants, in its own network namespace."""
    if pid <= 0:
        return []
    pids = descendants(pid, proc)
    inodes, users = inodes_of(pids, proc)
    found: list[Socket] = []
    for table in ("tcp", "tcp6"):
        with (
            contextlib.suppress(OSError),
            open(f"{proc}/{pid}/net/{table}", encoding="ascii", errors="replace") as stream,
        ):
            found.extend(parse(stream.read()))
    return [one for one in found if one.inode in inodes or (one.inode and one.uid in users)]


def listens(sockets: t.Iterable[Socket], port: int) -> bool:
    """Whether one of the sockets accepts connections on a port."""
    return any(one.state == LISTEN and one.local_port == port for one in sockets)


def holders(port: int, proc: str = "/proc") -> list[str]:
    """The processes of this host that accept connections on a port, as name and process id."""
    inodes: set[int] = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"{proc}/net/{table}", encoding="ascii", errors="replace") as stream:
            inodes |= {one.inode for one in parse(stream.read()) if one.state == LISTEN and one.local_port == port}
    found = []
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdecimal()) if inodes else ():
        with contextlib.suppress(OSError):
            if inodes & inodes_of([pid], proc)[0]:
                found.append(_described(pid, proc))
    # Another namespace may hide the process, or it belongs to the kernel.
    return found or (["a process that is not visible on this host"] if inodes else [])


def _described(pid: int, proc: str) -> str:
    """Name, process id and systemd unit of a process. It can choose its name, so the name may contain anything."""
    with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as stream:
        name = "".join(one if one.isprintable() else "?" for one in stream.read().strip())
    unit = ""
    with contextlib.suppress(OSError), open(f"{proc}/{pid}/cgroup", encoding="utf-8", errors="replace") as stream:
        unit = unit_of(stream.read())
    return f"{name} (pid {pid}{f', unit {unit}' if unit else ''})"


def unit_of(text: str) -> str:
    """The systemd unit of a process, from /proc/<pid>/cgroup; empty if it has none."""
    best = ""
    for line in text.splitlines():
        fields = line.split(":", 2)
        if len(fields) != 3:
            continue
        parts = [part for part in fields[2].split("/") if part.endswith((".service", ".scope"))]
        # The container's scope is the first part, the innermost unit the last.
        if parts and (fields[1] in ("", "name=systemd") or not best):
            best = parts[-1]
    return best


def resolved(host: str) -> set[str]:
    """All addresses of a name; the name itself when it has none."""
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return {host}


def established(sockets: t.Iterable[Socket], address: str, port: int) -> int:
    """Number of connections to a port of an address."""
    addresses = resolved(address)
    return sum(
        1 for one in sockets if one.state == ESTABLISHED and one.remote_port == port and one.remote_address in addresses
    )


def linked(sockets: t.Iterable[Socket], addresses: t.Container[str], port: int) -> bool:
    """Whether a connection exists with one of the addresses over the cluster's port, in either direction."""
    return any(
        one.state == ESTABLISHED and one.remote_address in addresses and port in (one.local_port, one.remote_port)
        for one in sockets
    )


def accepts(address: str, port: int, seconds: float = 1.0) -> bool:
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return True
    except OSError:
        return False


class Peers(t.NamedTuple):
    """The other nodes as seen from this one."""

    connected: list[str]
    expected_reachable: list[str]
    missing: list[str]


def peers(
    sockets: t.Sequence[Socket],
    addresses: t.Iterable[str],
    port: int,
    ring: bool,
    reachable: t.Callable[[str, int], bool] = accepts,
) -> Peers:
    """Every peer whose port accepts a connection must be connected; in a ring only one of them needs to be."""
    connected, expected = [], []
    for address in addresses:
        if linked(sockets, resolved(address), port):
            connected.append(address)
            expected.append(address)
        elif reachable(address, port):
            expected.append(address)
    missing = [address for address in expected if address not in connected]
    if ring and connected:
        missing = []
    return Peers(connected, expected, missing)
