# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A background process that listens on free ports, and keeps and locks the host's file on the share for some seconds.

The process releases both when it receives SIGTERM, or when its time is over, even if the run was killed. While it
listens, an empty file in MARKER_DIRECTORY, named after the process, marks it for other runs.
"""

from __future__ import annotations

import contextlib
import glob
import os
import select
import signal
import socket
import time
import typing as t

from . import share

MARKER_DIRECTORY = "/run"
_PREFIX = "ivy-preflight-"
_CLIENT_TIMEOUT = 2.0
_INTERVAL = 0.1


def open_socket(port: int) -> socket.socket:
    """A listening socket on all addresses of the host, where the service would listen."""
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    return socket.create_server(("", port), backlog=64)


def start_time(pid: int) -> str:
    """Distinguishes a process from a later one with the same PID; empty if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


def create_marker() -> str:
    """Mark this process as a port listener. Returns the path of the marker; empty if it cannot be created."""
    pid = os.getpid()
    # The name contains everything, so a reader never finds a partial marker.
    path = os.path.join(MARKER_DIRECTORY, f"{_PREFIX}{pid}-{start_time(pid)}")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError:
        return ""
    return path


def others() -> list[int]:
    """The port listeners of other runs. The marker of a process that was killed is removed."""
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(MARKER_DIRECTORY), f"{_PREFIX}*-*"))):
        pid, _dash, start = os.path.basename(path)[len(_PREFIX) :].partition("-")
        if not (pid.isdecimal() and start.isdecimal()):
            continue
        if start_time(int(pid)) == start:
            found.append(int(pid))
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
    return found


def wait_for_others(seconds: float) -> list[int]:
    """Wait until other port listeners have ended; returns those that have not."""
    deadline = time.monotonic() + seconds
    found = others()
    while found and time.monotonic() < deadline:
        time.sleep(_INTERVAL)
        found = others()
    return found


def _answer(stream: socket.socket, token: str) -> None:
    with contextlib.suppress(OSError), stream:
        stream.settimeout(_CLIENT_TIMEOUT)
        stream.sendall(token.encode("ascii"))
        # The client closes first. Otherwise the port would stay in TIME_WAIT.
        stream.recv(1)


def serve(listeners: t.Sequence[socket.socket], token: str, deadline: float, stop: int) -> None:
    """Answer clients until the deadline, or until the descriptor `stop` is readable."""
    by_number = {listener.fileno(): listener for listener in listeners}
    # select() would refuse descriptors above 1023.
    poll = select.poll()
    for number in (stop, *by_number):
        poll.register(number, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return
        ready = [number for number, _events in poll.poll(left * 1000)]
        if stop in ready:
            return
        for number in ready:
            with contextlib.suppress(OSError):
                stream, _address = by_number[number].accept()
                _answer(stream, token)


def _wake_on_signals() -> int:
    """A descriptor that becomes readable on a signal, so that a signal before select is not lost."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return reading


def _detach(keep: t.Container[int]) -> None:
    """Close all other descriptors. An open one would keep the connection to the controller open."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2 and number not in keep:
            with contextlib.suppress(OSError):
                os.close(number)


def start(
    listeners: t.Sequence[socket.socket],
    token: str,
    file: tuple[str, int, int] | None,
    seconds: float,
    lock: int = -1,
) -> dict[str, t.Any]:
    """Start the process in the background; returns its identity for stop(). It keeps the descriptor of a lock open."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _detach({listener.fileno() for listener in listeners} | {writing, lock})
                stop_descriptor = _wake_on_signals()
                marker = create_marker() if listeners else ""
                os.write(writing, str(os.getpid()).encode("ascii"))
                os.close(writing)
                try:
                    serve(listeners, token, time.monotonic() + seconds, stop_descriptor)
                finally:
                    if file is not None:
                        share.remove(*file)
                    for listener in listeners:
                        listener.close()
                    if marker:
                        with contextlib.suppress(OSError):
                            os.unlink(marker)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        os.waitpid(child, 0)
        answer = os.read(reading, 32).decode("ascii")
    finally:
        os.close(reading)
        if lock >= 0:
            os.close(lock)
        for listener in listeners:
            listener.close()
    pid = int(answer or 0)
    return {"pid": pid, "start": start_time(pid)}


def stop(pid: int, start: str, seconds: float) -> bool:
    """Terminate the process and wait for its end. Returns whether it has ended."""
    deadline = time.monotonic() + seconds
    if start and start_time(pid) == start:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    while start and start_time(pid) == start:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
