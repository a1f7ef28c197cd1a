# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime socket: sends commands, and parses answers of the form key: value."""

from __future__ import annotations

import socket

# Beginnings of HAProxy's error messages. The answer to a successful command never begins with one of them.
_ERRORS = (
    "Unknown command",
    "Permission denied",
    "No such",
    "Can't find",
    "Require",
    "Invalid",
    "Missing",
    "A server name",
    "Proxy is disabled",
    "Backend does not",
    "Unsupported",
    "Unknown ACL",
    "Unknown map",
    "Key not found",
    "Absolute weight",
    "Backend is using",
)


class RuntimeSocketError(Exception):
    """The socket cannot be used, or HAProxy rejected a command. The text is a message for users."""


class RuntimeSocket:
    """The UNIX socket of one HAProxy process. Each command uses a new connection."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        self.path = path
        self.timeout = timeout

    def command(self, text: str) -> str:
        """Send one command and return the complete answer. Raises RuntimeSocketError if HAProxy rejects it."""
        if "\n" in text or ";" in text:
            raise RuntimeSocketError(f"A command for HAProxy's socket must be one line without a semicolon: {text!r}.")
        answer = self._exchange(text + "\n")
        if answer.lstrip().startswith(_ERRORS):
            first_line = answer.strip().splitlines()[0]
            raise RuntimeSocketError(f"HAProxy at {self.path} rejected '{text}': {first_line}")
        return answer

    def _exchange(self, text: str) -> str:
        chunks: list[bytes] = []
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self.timeout)
                connection.connect(self.path)
                connection.sendall(text.encode("utf-8"))
                while True:
                    chunk = connection.recv(65536)
                    if not chunk:
                        break
                    chunks.append(chunk)
        except OSError as error:
            raise RuntimeSocketError(
                f"HAProxy's runtime socket {self.path} cannot be used: {error}. Is haproxy.service running?"
            ) from error
        return b"".join(chunks).decode("utf-8", "replace")


def parse_info(text: str) -> dict[str, str]:
    """Parse lines of the form key: value, such as the answers to `show info` and `show ssl cert <file>`."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, separator, value in pairs if separator}
