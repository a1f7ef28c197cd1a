# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as this host sees them, and whom it can reach."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import sockets


def resolve(name: str) -> list[str]:
    """All addresses of a name, empty where it has none."""
    with contextlib.suppress(OSError, UnicodeError):
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    return []


def resolve_all(names: t.Iterable[str]) -> dict[str, list[str]]:
    """A name that no server answers for takes seconds, so all are asked at once."""
    found: dict[str, list[str]] = {}
    threads = [threading.Thread(target=lambda one=name: found.update({one: resolve(one)})) for name in set(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def linked(address: str, port: int) -> bool:
    """Whether a connection with this port of the other side, or from it to ours, is there already."""
    found: list[sockets.Socket] = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{table}", encoding="ascii", errors="replace") as stream:
            found.extend(sockets.parse(stream.read()))
    return sockets.linked(found, sockets.resolved(address), port)


def connect(address: str, port: int, token: str, seconds: float) -> str:
    """Open a connection and end it again; empty when it worked, else why not.

    A temporary listener says its token, so that somebody else at that address is noticed.
    """
    try:
        with socket.create_connection((address, port), timeout=seconds) as stream:
            if not token:
                return ""
            said = stream.recv(len(token) + 1).decode("ascii", "replace")
            return "" if said == token else "somebody else answers there"
    except (OSError, UnicodeError) as exc:
        return (exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)) or "no answer"


def reach(targets: t.Sequence[t.Mapping[str, t.Any]], seconds: float) -> list[str]:
    """One text for each target, empty when it was reached. All at once, since a dropped packet takes the whole time."""
    out = [""] * len(targets)

    def one(index: int, target: t.Mapping[str, t.Any]) -> None:
        address, port = str(target["address"]), int(target["port"])
        if target["linked_is_enough"] and linked(address, port):
            return
        out[index] = connect(address, port, str(target["token"]), seconds)

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(targets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out
