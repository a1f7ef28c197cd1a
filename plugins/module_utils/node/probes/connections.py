# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Established TCP connections, from the kernel's tables."""

from __future__ import annotations

import contextlib
import socket
import time
import typing as t

from ..engine import sockets
from ..engine import unit as units

_INTERVAL = 0.25

# The addresses of an expected peer, and its port.
Peer = tuple[t.Collection[str], int]


class Connection(t.NamedTuple):
    """One established connection from this host's point of view."""

    direction: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int


def own_addresses(fib_trie: str, if_inet6: str) -> list[str]:
    """The host's addresses, from /proc/net/fib_trie and /proc/net/if_inet6. Loopback addresses are left out."""
    found: set[str] = set()
    last = ""
    for line in fib_trie.splitlines():
        parts = line.replace("|--", "").split()
        if "|--" in line and parts:
            last = parts[0]
        elif parts[-2:] == ["host", "LOCAL"] and parts[0] == "/32":
            found.add(last)
    for line in if_inet6.splitlines():
        fields = line.split()
        if fields:
            found.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
    return sorted(address for address in found if address != "::1" and not address.startswith("127."))


def listening_ports(table: t.Iterable[sockets.Socket]) -> list[int]:
    return sorted({entry.local_port for entry in table if entry.state == sockets.LISTEN})


def established(
    table: t.Sequence[sockets.Socket], local_ports: t.Collection[int], remote_ports: t.Collection[int] = ()
) -> set[Connection]:
    """The established connections, optionally only those at certain ports of this host or of its peers."""
    listening = set(listening_ports(table))
    everything = not local_ports and not remote_ports
    return {
        Connection(
            "in" if entry.local_port in listening else "out",
            entry.local_address,
            entry.local_port,
            entry.remote_address,
            entry.remote_port,
        )
        for entry in table
        if entry.state == sockets.ESTABLISHED
        and (everything or entry.local_port in local_ports or entry.remote_port in remote_ports)
    }


def has_all(found: t.Collection[Connection], expected: t.Sequence[Peer]) -> bool:
    return all(
        any(connection.remote_address in addresses and connection.remote_port == port for connection in found)
        for addresses, port in expected
    )


def resolve(name: str) -> list[str]:
    """All addresses of a name; empty if it cannot be resolved."""
    with contextlib.suppress(OSError):
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    return []


def watch(
    read_table: t.Callable[[], t.Sequence[sockets.Socket]],
    local_ports: t.Collection[int],
    expected: t.Sequence[Peer],
    wait: float,
    remote_ports: t.Collection[int] = (),
) -> tuple[set[Connection], list[int]]:
    """Collect connections until all expected ones were found or the time is over.

    Pools open and close connections, so a connection that was found once counts.
    """
    end = time.monotonic() + wait
    found: set[Connection] = set()
    while True:
        table = read_table()
        found |= established(table, local_ports, remote_ports)
        if has_all(found, expected) or time.monotonic() >= end or not table:
            return found, listening_ports(table)
        time.sleep(_INTERVAL)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def of_host(proc: str = "/proc") -> list[sockets.Socket]:
    """The sockets of the host."""
    return sockets.parse(_read(f"{proc}/net/tcp")) + sockets.parse(_read(f"{proc}/net/tcp6"))


def gather(
    unit: str,
    local_ports: t.Collection[int],
    remote_ports: t.Collection[int],
    expect: t.Sequence[t.Mapping[str, t.Any]],
    wait: float,
) -> dict[str, t.Any]:
    """The connections of the host, or of one unit, with the host's addresses and listening ports."""
    resolved = {peer["address"]: resolve(peer["address"]) for peer in expect}
    expected = [(set(resolved[peer["address"]]), peer["port"]) for peer in expect]
    pid = units.show(unit).main_pid if unit else 0
    read = (lambda: sockets.of_process(pid)) if unit else of_host
    found, listening = watch(read, set(local_ports), expected, wait, set(remote_ports))
    return {
        "connections": [connection._asdict() for connection in sorted(found)],
        "addresses": own_addresses(_read("/proc/net/fib_trie"), _read("/proc/net/if_inet6")),
        "listening": listening,
        "resolved": resolved,
        "main_pid": pid,
    }
