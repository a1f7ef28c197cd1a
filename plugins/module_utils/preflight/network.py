# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name resolution and connections from this host."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

from ..node.engine import sockets


def resolve(name: str) -> list[str]:
    """All addresses of a name; empty if it cannot be resolved."""
    with contextlib.suppress(OSError, UnicodeError):
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    return []


def resolve_all(names: t.Iterable[str]) -> dict[str, list[str]]:
    """Resolve all names in parallel, since a name without an answering server takes seconds."""
    found: dict[str, list[str]] = {}
    threads = [threading.Thread(target=lambda host=name: found.update({host: resolve(host)})) for name in set(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def is_connected(address: str, port: int) -> bool:
    """Whether a connection to the address over this port exists already, in either direction."""
    found: list[sockets.Socket] = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{table}", encoding="ascii", errors="replace") as stream:
            found.extend(sockets.parse(stream.read()))
    return sockets.linked(found, sockets.resolved(address), port)


def connect(address: str, port: int, token: str, seconds: float) -> str:
    """Open and close a connection. Returns an empty text, or the reason of the failure.

    A port listener sends its token, so another program at that address is detected.
    """
    try:
        with socket.create_connection((address, port), timeout=seconds) as stream:
            if not token:
                return ""
            received = stream.recv(len(token) + 1).decode("ascii", "replace")
            return "" if received == token else "another program answers there"
    except (OSError, UnicodeError) as exc:
        return (exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)) or "no answer"


def connect_all(targets: t.Sequence[t.Mapping[str, t.Any]], seconds: float) -> list[str]:
    """Connect to all targets in parallel, since a dropped packet takes the full timeout. Returns one text each."""
    results = [""] * len(targets)

    def connect_target(index: int, target: t.Mapping[str, t.Any]) -> None:
        address, port = str(target["address"]), int(target["port"])
        if target["linked_is_enough"] and is_connected(address, port):
            return
        results[index] = connect(address, port, str(target["token"]), seconds)

    threads = [threading.Thread(target=connect_target, args=pair) for pair in enumerate(targets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
