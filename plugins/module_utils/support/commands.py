# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program prints, with limits of bytes and time."""

from __future__ import annotations

import collections
import os
import select
import subprocess
import time
import typing as t

_CHUNK = 65536
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}


def output(arguments: t.Sequence[str], limit: int, seconds: float) -> tuple[bytes, str]:
    """The last bytes of both outputs, and why they are not complete; empty if they are.

    Raises OSError if the program cannot be run.
    """
    end = time.monotonic() + seconds
    process = subprocess.Popen(
        list(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    stream = t.cast("t.IO[bytes]", process.stdout)
    chunks: collections.deque[bytes] = collections.deque()
    kept = dropped = 0
    note = f"it did not end within {seconds:.0f} seconds"
    # Unlike select(), it works with any number of open files.
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    try:
        while (left := end - time.monotonic()) > 0 and poll.poll(left * 1000):
            chunk = os.read(stream.fileno(), _CHUNK)
            if not chunk:
                note = ""
                break
            chunks.append(chunk)
            kept += len(chunk)
            while kept - len(chunks[0]) >= limit:
                dropped += len(chunks[0])
                kept -= len(chunks.popleft())
    finally:
        stream.close()
        process.kill()
        process.wait()
    data = b"".join(chunks)
    dropped += max(0, len(data) - limit)
    if dropped:
        note = "; ".join(filter(None, (note, f"the first {dropped} bytes are left out")))
    elif not note and process.returncode > 0:
        note = f"it ended with status {process.returncode}"
    return data[-limit:], note
