# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that may hang, in a child process with a time limit.

A system call on a network file system whose server is away does not return, and neither signals nor timeouts of the
caller end it. So the call is made by a child: the caller gives up in time and kills the child. Everything that touches
the file share is called like that; tests/unit/plugins/module_utils/node/test_share_access.py finds what is not.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import time
import typing as t

from .errors import NodeError, PermanentError

# A child that the kernel does not let die is left to init.
_REAP_SECONDS = 1.0
# For one access to a file share. A server that is slow, but not away, answers within it.
SHARE_SECONDS = 10.0
_limited = False


def _answer(function: t.Callable[[], t.Any]) -> bytes:
    try:
        value: dict[str, t.Any] = {"value": function()}
    except NodeError as exc:
        value = {"message": str(exc), "permanent": isinstance(exc, PermanentError)}
    except OSError as exc:
        # The number of an OSError of a failed name lookup is not an errno.
        value = {"errno": exc.errno or 0, "text": exc.strerror or str(exc)}
    except Exception as exc:  # whatever it is, the caller has to get it
        value = {"errno": errno.EIO, "text": f"{type(exc).__name__}: {exc}"}
    return json.dumps(value).encode("ascii")


def _result(data: bytes) -> t.Any:
    value = json.loads(data)
    if "message" in value:
        raise (PermanentError if value["permanent"] else NodeError)(value["message"])
    if "errno" in value:
        raise OSError(value["errno"], value["text"])
    return value["value"]


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _read_answer(fd: int, limit: float) -> bytes | None:
    """All that the child writes; None when time is over."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    blocks: list[bytes] = []
    while True:
        left = limit - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        block = os.read(fd, 1 << 16)
        if not block:
            return b"".join(blocks)
        blocks.append(block)


def _reap(pid: int) -> None:
    limit = time.monotonic() + _REAP_SECONDS
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < limit:
            time.sleep(0.01)


def call(function: t.Callable[[], t.Any], seconds: float) -> t.Any:
    """What a function returns (values that JSON has), or its exception; a TimeoutError when it takes too long.

    Within such a function, another call has no child of its own: the child of a killed child would keep its locks.
    """
    global _limited
    if _limited:
        return function()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _limited = True
            os.close(reading)
            _write_all(writing, _answer(function))
        finally:
            os._exit(0)
    os.close(writing)
    try:
        data = _read_answer(reading, time.monotonic() + seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _reap(pid)
    if data is None:
        raise TimeoutError(errno.ETIMEDOUT, f"no answer within {seconds:.0f} seconds")
    if not data:
        raise OSError(errno.EIO, "the process that was to do it ended without an answer")
    return _result(data)


def on_share(directory: str, function: t.Callable[[], t.Any], seconds: float = SHARE_SECONDS) -> t.Any:
    """The same for a function that accesses a file share. A share that does not answer is an error that can pass."""
    try:
        return call(function, seconds)
    except TimeoutError as exc:
        raise NodeError(
            f"Not now: the file share at {directory} does not answer ({exc.strerror}). Whatever was under way there "
            "was ended. Check the server of the share and the mount, then run again."
        ) from exc


def stream(function: t.Callable[[int], t.Any], consume: t.Callable[[bytes], t.Any], seconds: float) -> t.Any:
    """The same for a function that takes long, and that writes to a descriptor as it proceeds.

    What it writes is passed on. A TimeoutError when it writes nothing for so many seconds.
    """
    global _limited
    reading, writing = os.pipe()
    answers, answering = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _limited = True
            os.close(reading)
            os.close(answers)
            answer = _answer(lambda: function(writing))
            os.close(writing)
            _write_all(answering, answer)
        finally:
            os._exit(0)
    os.close(writing)
    os.close(answering)
    try:
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        while True:
            if not poll.poll(seconds * 1000):
                raise TimeoutError(errno.ETIMEDOUT, f"no answer within {seconds:.0f} seconds")
            block = os.read(reading, 1 << 20)
            if not block:
                break
            consume(block)
        data = _read_answer(answers, time.monotonic() + seconds)
    finally:
        os.close(reading)
        os.close(answers)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _reap(pid)
    if not data:
        raise OSError(errno.EIO, "the process that was to do it ended without an answer")
    return _result(data)


def descriptor(function: t.Callable[[], int], seconds: float) -> int:
    """The same for a function that opens a file: its descriptor, with the locks that the function has set on it."""
    here, there = socket.socketpair()
    with here, there:
        call(lambda: socket.send_fds(there, [b"1"], [function()]), seconds)
        _data, received, _flags, _address = socket.recv_fds(here, 1, 1)
    return received[0]
