# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to a search server, within a time limit for all of it and a limit of what is read."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import typing as t
import urllib.parse

from ..node.engine.deadline import Deadline

# The names of thousands of indices.
LONGEST = 1 << 20


class Answer(t.NamedTuple):
    """What the server answered. Without an answer the status is 0, and the problem says why."""

    status: int
    content: bytes
    problem: str

    def parsed(self) -> t.Any:
        """The JSON in the answer; None if it is not JSON, or longer than what is read."""
        if len(self.content) > LONGEST:
            return None
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


def get(url: str, user: str, password: str, seconds: float) -> Answer:
    """Ask once. A redirect is not followed, and no proxy is used: the login is for this server only."""
    try:
        connection, path = _connection(url, seconds)
    except ValueError:
        return Answer(0, b"", "the URL cannot be used")
    headers = {"Accept": "application/json", "Connection": "close"}
    if user:
        token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        headers["Authorization"] = f"Basic {token}"
    try:
        Deadline(seconds).connect(connection)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(LONGEST + 1), "")
    except (OSError, ValueError, http.client.HTTPException) as exc:
        return Answer(0, b"", f"no answer ({exc or type(exc).__name__})")
    finally:
        connection.close()


def _connection(url: str, seconds: float) -> tuple[http.client.HTTPConnection, str]:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(parts.scheme)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds), path
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=seconds, context=context), path
