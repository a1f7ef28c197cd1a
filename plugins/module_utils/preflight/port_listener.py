# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight holds on a host for some seconds: listeners on free ports, and its file on the share.

A process of its own holds them and lets go when it is told to, or when its time is over: whatever becomes of the run.
As long as it holds ports, the name of an empty file in MARKS tells which process it is.
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

MARKS = "/run"
_MARK = "ivy-preflight-"
_CLIENT_SECONDS = 2.0
_PAUSE = 0.1


def listener(port: int) -> socket.socket:
    """A socket on every address of the host, so that it answers wherever the service would."""
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    return socket.create_server(("", port), backlog=64)


def start_time(pid: int) -> str:
    """Tells a process from a later one with the same number; empty where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


def mark() -> str:
    """Let later looks know that this process holds ports; the path, empty where none can be made."""
    pid = os.getpid()
    # All is in the name, so nobody reads half of it.
    path = os.path.join(MARKS, f"{_MARK}{pid}-{start_time(pid)}")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError:
        return ""
    return path


def others() -> list[int]:
    """The processes that hold ports for another preflight. The mark of one that was killed is removed."""
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(MARKS), f"{_MARK}*-*"))):
        pid, _dash, start = os.path.basename(path)[len(_MARK) :].partition("-")
        if not (pid.isdigit() and start.isdigit()):
            continue
        if start_time(int(pid)) == start:
            found.append(int(pid))
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
    return found


def wait_for_others(seconds: float) -> list[int]:
    """Those that have not let go by then."""
    until = time.monotonic() + seconds
    found = others()
    while found and time.monotonic() < until:
        time.sleep(_PAUSE)
        found = others()
    return found


def _answer(stream: socket.socket, token: str) -> None:
    with contextlib.suppress(OSError), stream:
        stream.settimeout(_CLIENT_SECONDS)
        stream.sendall(token.encode("ascii"))
        # The other side ends the connection, or this port would stay in TIME_WAIT.
        stream.recv(1)


def serve(listeners: t.Sequence[socket.socket], token: str, until: float, told: int) -> None:
    """Answer until the time is over, or until something can be read from `told`."""
    by_number = {one.fileno(): one for one in listeners}
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return
        ready, _writable, _failed = select.select([told, *by_number], [], [], left)
        if told in ready:
            return
        for number in ready:
            with contextlib.suppress(OSError):
                stream, _address = by_number[number].accept()
                _answer(stream, token)


def _wake_on_signals() -> int:
    """A descriptor that can be read once a signal came, so that none is lost, whenever it comes."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return reading


def _detach(kept: t.Container[int]) -> None:
    """The connection to the controller ends only when nobody has its ends open."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2 and number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)


def start(
    listeners: t.Sequence[socket.socket], token: str, file: tuple[str, int, int] | None, seconds: float
) -> dict[str, t.Any]:
    """Leave a process behind that holds all this; returns how to find it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _detach({one.fileno() for one in listeners} | {writing})
                told = _wake_on_signals()
                marked = mark() if listeners else ""
                os.write(writing, str(os.getpid()).encode("ascii"))
                os.close(writing)
                try:
                    serve(listeners, token, time.monotonic() + seconds, told)
                finally:
                    if file is not None:
                        share.remove(*file)
                    for one in listeners:
                        one.close()
                    if marked:
                        with contextlib.suppress(OSError):
                            os.unlink(marked)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        os.waitpid(child, 0)
        said = os.read(reading, 32).decode("ascii")
    finally:
        os.close(reading)
        for one in listeners:
            one.close()
    pid = int(said or 0)
    return {"pid": pid, "start": start_time(pid)}


def end(pid: int, start: str, seconds: float) -> bool:
    """Tell the process to let go, and wait until it has; whether it is gone."""
    until = time.monotonic() + seconds
    if start and start_time(pid) == start:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    while start and start_time(pid) == start:
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True
