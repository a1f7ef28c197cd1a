# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until this host has the addresses that PostgreSQL listens on. Fails if one does not come in time."""

from __future__ import annotations

import socket
import sys
import time
from typing import Any

# The unit tries again without limit, so this only bounds the time between two messages.
_SECONDS = 60.0
_PAUSE = 1.0


def _refusal(family: int, kind: int, address: tuple[Any, ...]) -> str:
    try:
        with socket.socket(family, kind) as probe:
            probe.bind(address)
    except OSError as exc:
        return f"{address[0]}: {exc.strerror}"
    return ""


def problem(name: str) -> str:
    """Why PostgreSQL could not listen on any address of a name now; empty if it could."""
    if name == "*":
        return ""
    try:
        found = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as exc:
        return f"The name {name} cannot be resolved yet ({exc.strerror})."
    reasons = [_refusal(family, kind, address) for family, kind, _protocol, _name, address in found]
    if not all(reasons):
        # PostgreSQL listens on those addresses of a name that are there, such as only 127.0.0.1 of localhost.
        return ""
    return f"This host does not have the address {name} yet ({', '.join(reasons)})."


def main(names: list[str]) -> int:
    end = time.monotonic() + _SECONDS
    logged = ""
    while True:
        reason = next(filter(None, map(problem, names)), "")
        if not reason:
            return 0
        if reason != logged:
            print(f"PostgreSQL is not started yet. {reason}", file=sys.stderr, flush=True)
            logged = reason
        if time.monotonic() >= end:
            return 1
        time.sleep(_PAUSE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
