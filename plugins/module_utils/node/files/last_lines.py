# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a text of any size, read with little memory and within a time limit."""

from __future__ import annotations

import collections
import os
import select
import subprocess
import time
import typing as t

# What is behind this in a line is not kept.
LONGEST = 8192
_CHUNK = 65536
_TOO_LONG = "(the end of a line that is too long to be shown)"


def of_end(end: bytes, limit: int) -> list[str]:
    """The lines of the last bytes of a file, which were read with this limit.

    The first one may have begun before. It is left out: it may be the rest of a secret whose name is not there.
    """
    lines = end.decode("utf-8", "replace").splitlines()
    return lines if len(end) < limit else [_TOO_LONG, *lines[1:]]


def of_command(arguments: t.Sequence[str], count: int, seconds: float) -> list[str]:
    """The last lines of what a program prints; of one that does not end in time, the last until then."""
    lines = _Lines(count)
    end = time.monotonic() + seconds
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    output = t.cast("t.IO[bytes]", process.stdout)
    # Unlike select(), it works with any number of open files.
    poll = select.poll()
    poll.register(output, select.POLLIN)
    try:
        while (left := end - time.monotonic()) > 0 and poll.poll(left * 1000):
            chunk = os.read(output.fileno(), _CHUNK)
            if not chunk:
                break
            lines.add(chunk)
    finally:
        output.close()
        process.kill()
        process.wait()
    return lines.read()


class _Lines:
    """Keeps the beginning of each of the last lines."""

    def __init__(self, count: int) -> None:
        self._ended: collections.deque[bytes] = collections.deque(maxlen=count)
        self._last = b""

    def add(self, chunk: bytes) -> None:
        first, *others = chunk.split(b"\n")
        self._last += first[: LONGEST - len(self._last)]
        for piece in others:
            self._ended.append(self._last)
            self._last = piece[:LONGEST]

    def read(self) -> list[str]:
        lines = [*self._ended, self._last] if self._last else [*self._ended]
        return [line.decode("utf-8", "replace") for line in lines][-t.cast("int", self._ended.maxlen) :]
