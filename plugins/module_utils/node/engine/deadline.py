# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One time limit for a whole HTTP request.

The timeout of a socket counts for each call, so a service that sends a byte now and then would hold a request for ever.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
import typing as t


class Deadline:
    """The end of a request."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds until the end. After it this is an error, as of a socket."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def connect(self, connection: http.client.HTTPConnection) -> socket.socket:
        """Connect, and let everything that is sent and received over this connection end at the deadline."""
        connection.timeout = self.left()
        connection.connect()
        stream = connection.sock
        connection.sock = t.cast("socket.socket", _Limited(stream, self))
        return stream


class _Limited:
    """What http.client uses of a socket."""

    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._stream.settimeout(self._deadline.left())
        self._stream.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._stream, self._deadline))

    def close(self) -> None:
        self._stream.close()


class _Reader(io.RawIOBase):
    """Reads from a socket until the deadline."""

    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._stream = stream
        self._deadline = deadline
        # The socket stays open until this is closed, too.
        self._raw = stream.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        self._stream.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
