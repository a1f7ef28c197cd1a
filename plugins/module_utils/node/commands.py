# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs with limits of bytes and time, and passes what they write on without keeping it in memory."""

from __future__ import annotations

import collections
import contextlib
import glob
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import typing as t

from .files.errors import NodeError
from .masking.text import masked

BLOCK = 1 << 20
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_LAST = 2000
# Without a byte for that long, a program is regarded as hanging.
STALL_SECONDS = 900.0
_END_SECONDS = 60.0

Consume = t.Callable[[bytes], t.Any]


def environment(**more: str) -> dict[str, str]:
    return {"PATH": _PATH, "LC_ALL": "C.UTF-8", **more}


def client_program(name: str) -> str:
    """A client of PostgreSQL, of the newest installed version. The wrapper in the path may choose an older one."""
    found = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    if found:
        return max(found, key=lambda path: int((re.findall(r"/([0-9]+)/bin/", path) or ["0"])[0]))
    return program(name, "postgresql-client")


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise NodeError(
            f"{name} is not installed on this host. Install the package {package}, or run ivy.cluster.backup."
        )
    return found


def read_descriptor(
    fd: int, consume: Consume, what: str, seconds: float = STALL_SECONDS, end: float | None = None
) -> None:
    """Pass on what comes from a pipe until it ends. ``end`` limits it in all, as a time of ``time.monotonic``."""
    # Unlike select(), it works with any number of open files.
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        left = seconds if end is None else min(seconds, end - time.monotonic())
        if left <= 0 or not poll.poll(left * 1000):
            raise NodeError(f"{what} has written nothing for {seconds:.0f} seconds, so it was ended.")
        block = os.read(fd, BLOCK)
        if not block:
            return
        consume(block)


@contextlib.contextmanager
def running(argv: t.Sequence[str], env: t.Mapping[str, str], **streams: t.Any) -> t.Iterator[subprocess.Popen[bytes]]:
    """A program. An error of the caller ends it, and its own error is raised when the caller has finished."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, env=dict(env), stderr=log, **{"stdin": subprocess.DEVNULL, **streams})
        try:
            yield process
            if process.stdin is not None:
                process.stdin.close()
            process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired as exc:
            raise NodeError(f"{os.path.basename(argv[0])} does not end.") from exc
        except BrokenPipeError:
            # Its own message says why.
            process.wait(timeout=_END_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=_END_SECONDS)
        if process.returncode != 0:
            raise NodeError(f"{os.path.basename(argv[0])} failed: {_last(log)}")


def _last(log: t.IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _LAST))
    return masked(" ".join(log.read().decode("utf-8", "replace").split())) or "it printed no reason"


def output_to(
    argv: t.Sequence[str],
    env: t.Mapping[str, str],
    consume: Consume,
    seconds: float = STALL_SECONDS,
    **streams: t.Any,
) -> None:
    """Pass on what a program writes."""
    output = subprocess.PIPE
    with running(argv, env, stdout=output, **streams) as process, t.cast("t.IO[bytes]", process.stdout) as stream:
        read_descriptor(stream.fileno(), consume, os.path.basename(argv[0]), seconds)


def output_of(argv: t.Sequence[str], env: t.Mapping[str, str], limit: int = 1 << 20, **more: t.Any) -> str:
    """The output of a program that writes little. ``more`` are arguments of ``output_to``."""
    blocks: list[bytes] = []

    def consume(block: bytes) -> None:
        blocks.append(block)
        if sum(map(len, blocks)) > limit:
            raise NodeError(f"{os.path.basename(argv[0])} writes more than {limit} bytes.")

    output_to(argv, env, consume, **more)
    return b"".join(blocks).decode("utf-8", "replace")


def end_of_output(argv: t.Sequence[str], limit: int, seconds: float) -> tuple[bytes, str]:
    """The last bytes of both outputs, and why they are not complete; empty if they are.

    The program may fail, and is ended when its time is over. Raises OSError if it cannot be run.
    """
    blocks: collections.deque[bytes] = collections.deque()
    kept = dropped = 0

    def consume(block: bytes) -> None:
        nonlocal kept, dropped
        blocks.append(block)
        kept += len(block)
        while kept - len(blocks[0]) >= limit:
            dropped += len(blocks[0])
            kept -= len(blocks.popleft())

    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(SYSTEMD_COLORS="0"),
        cwd="/",
        start_new_session=True,
    )
    stream = t.cast("t.IO[bytes]", process.stdout)
    note = ""
    try:
        read_descriptor(stream.fileno(), consume, argv[0], seconds, time.monotonic() + seconds)
    except NodeError:
        note = f"it did not end within {seconds:.0f} seconds"
    finally:
        stream.close()
        process.kill()
        process.wait()
    data = b"".join(blocks)
    dropped += max(0, len(data) - limit)
    if dropped:
        note = "; ".join(filter(None, (note, f"the first {dropped} bytes are left out")))
    elif not note and process.returncode > 0:
        note = f"it ended with status {process.returncode}"
    return data[-limit:], note


@contextlib.contextmanager
def fed(argv: t.Sequence[str], env: t.Mapping[str, str], **streams: t.Any) -> t.Iterator[Consume]:
    """A program that reads what the caller passes on."""
    with running(argv, env, stdin=subprocess.PIPE, **streams) as process:
        stream = t.cast("t.IO[bytes]", process.stdin)
        os.set_blocking(stream.fileno(), False)
        name = os.path.basename(argv[0])

        def write(block: bytes) -> None:
            view, limit = memoryview(block), time.monotonic() + STALL_SECONDS
            poll = select.poll()
            poll.register(stream.fileno(), select.POLLOUT)
            while view:
                if not poll.poll(max(0.0, limit - time.monotonic()) * 1000):
                    raise NodeError(f"{name} has read nothing for {STALL_SECONDS:.0f} seconds, so it was ended.")
                with contextlib.suppress(BlockingIOError):
                    view, limit = view[os.write(stream.fileno(), view) :], time.monotonic() + STALL_SECONDS

        yield write
