# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a PostgreSQL server takes connections, asked without logging in.

That its port accepts a connection says little: a proxy before it does so too, and so does a server that is starting.
So the first message of a connection is sent, and the kind of the answer decides. Nobody logs in, so no password is
needed, and whatever the server says about the account is an answer of a server that works.
"""

from __future__ import annotations

import socket
import struct
import typing as t

_PROTOCOL = 3 << 16
_LIMIT = 1 << 16
# Classes of SQLSTATE: connection exceptions, no resources (too many connections), operator intervention (starting up,
# shutting down, standby that takes no connections).
_NOT_NOW = ("08", "53", "57")
# In the first class, but about what was sent: PgBouncer answers so where it wants TLS, which nothing here speaks.
_DISLIKED = "08P01"


class Answer(t.NamedTuple):
    """The first message of the server."""

    kind: str
    code: str = ""
    text: str = ""


def startup_message(user: str, database: str) -> bytes:
    values = ("user", user, "database", database, "application_name", "ivy-cluster")
    body = struct.pack("!i", _PROTOCOL) + b"".join(value.encode("utf-8") + b"\0" for value in values) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def parse(data: bytes) -> Answer:
    """The answer to a startup message; its fields have one letter each."""
    kind = data[:1].decode("latin-1")
    if kind != "E":
        return Answer(kind)
    fields = {field[:1]: field[1:].decode("utf-8", "replace") for field in data[5:].split(b"\0") if field}
    return Answer(kind, fields.get(b"C", ""), fields.get(b"M", ""))


def problem_of(answer: Answer) -> str:
    """Why the server takes no connections now; empty where it does."""
    if answer.kind == "R":
        return ""
    if answer.kind == "E" and answer.code:
        wait = answer.code[:2] in _NOT_NOW and answer.code != _DISLIKED
        return answer.text or answer.code if wait else ""
    if not answer.kind:
        return "it closes the connection without an answer"
    return "it does not answer as PostgreSQL does"


def _receive(connection: socket.socket) -> bytes:
    """One message, up to the end of what the server sends."""
    data = b""
    while len(data) < 5 or len(data) < min(1 + struct.unpack("!i", data[1:5])[0], _LIMIT):
        block = connection.recv(4096)
        if not block:
            break
        data += block
    return data


def problem(address: str, port: int, user: str, database: str, seconds: float) -> str:
    """Why the database at an address takes no connections now; empty where it does."""
    try:
        with socket.create_connection((address, port), timeout=seconds) as connection:
            connection.sendall(startup_message(user, database))
            return problem_of(parse(_receive(connection)))
    except OSError as exc:
        return exc.strerror or str(exc) or type(exc).__name__
