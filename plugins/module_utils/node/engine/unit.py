# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says about the engine's unit."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import typing as t

from ..files.atomic import open_directory

_PROPERTIES = (
    "LoadState,ActiveState,SubState,MainPID,ExecMainStartTimestamp,StateChangeTimestamp,InvocationID,NeedDaemonReload,FragmentPath,"
    "DropInPaths,NRestarts,Result,ExecMainStatus"
)
_PLACES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_PROGRAMS = ("/usr/bin/systemctl", "/bin/systemctl")
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_TIMEOUT = 30.0
RUNNING_STATES = ("active", "activating", "reloading", "deactivating")


class Unit(t.NamedTuple):
    """The unit as systemd has it loaded."""

    name: str
    known: bool
    active: str
    sub: str
    main_pid: int
    since: str
    invocation: str
    need_reload: bool
    fragment: str
    drop_ins: tuple[str, ...]
    restarts: int
    result: str
    # How the main process ended last; 0 while none has ended.
    exit_status: int = 0

    @property
    def running(self) -> bool:
        return self.active in RUNNING_STATES

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(path for path in (self.fragment, *self.drop_ins) if path)


def full_name(name: str) -> str:
    return name if "." in name else f"{name}.service"


def nothing(name: str) -> Unit:
    return Unit(name, False, "inactive", "dead", 0, "", "", False, "", (), 0, "")


def _spawn(program: str, arguments: t.Sequence[str], output: int) -> int:
    """Start a program with nothing but an output. Far less to load than subprocess, in every call on a clean node."""
    actions = (
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    )
    return os.posix_spawn(program, [program, *arguments], _ENVIRONMENT, file_actions=actions)


def _read_until_end(fd: int, seconds: float) -> bytes:
    """All that a program writes."""
    limit = time.monotonic() + seconds
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    blocks: list[bytes] = []
    while True:
        left = limit - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError("systemctl does not answer")
        block = os.read(fd, 1 << 16)
        if not block:
            return b"".join(blocks)
        blocks.append(block)


def systemctl(*arguments: str, seconds: float = _TIMEOUT) -> str | None:
    """What systemctl says; None where there is none, or where it fails."""
    program = next((path for path in _PROGRAMS if os.access(path, os.X_OK)), None)
    if program is None:
        return None
    reading, writing = os.pipe()
    try:
        try:
            process = _spawn(program, arguments, writing)
        finally:
            os.close(writing)
        try:
            output = _read_until_end(reading, seconds)
        except OSError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            raise
        finally:
            _pid, status = os.waitpid(process, 0)
    finally:
        os.close(reading)
    return output.decode("utf-8", "replace") if status == 0 else None


def _ask(name: str, *options: str, seconds: float = _TIMEOUT) -> str | None:
    return systemctl("show", *options, "-p", _PROPERTIES, "--", name, seconds=seconds)


def show(name: str) -> Unit:
    """Ask systemd; a host without it, or without the unit, has an inactive one."""
    name = full_name(name)
    try:
        # Older systemd does not know the option.
        text = _ask(name, "--timestamp=utc") or _ask(name)
    except OSError:
        return nothing(name)
    return nothing(name) if text is None else parse(name, text)


def parse(name: str, text: str) -> Unit:
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def number(key: str) -> int:
        value = values.get(key, "")
        return int(value) if value.isdecimal() else 0

    return Unit(
        name=name,
        known=values.get("LoadState", "not-found") not in ("not-found", ""),
        active=values.get("ActiveState", "inactive"),
        sub=values.get("SubState", "dead"),
        main_pid=number("MainPID"),
        since=values.get("ExecMainStartTimestamp", ""),
        invocation=values.get("InvocationID", ""),
        need_reload=values.get("NeedDaemonReload", "no") == "yes",
        fragment=values.get("FragmentPath", ""),
        drop_ins=tuple(values.get("DropInPaths", "").split()),
        restarts=number("NRestarts"),
        result=values.get("Result", ""),
        exit_status=number("ExecMainStatus"),
    )


def belongs(path: str, name: str) -> bool:
    """Whether a path is the unit's file or a drop-in of it, wherever systemd looks."""
    name = full_name(name)
    head, base = os.path.split(path)
    if head in _PLACES:
        return base == name
    above, directory = os.path.split(head)
    return above in _PLACES and directory == f"{name}.d" and base.endswith(".conf")


def own_drop_ins(name: str) -> list[str]:
    """The drop-ins in /etc: what an administrator or this collection put there."""
    directory = f"/etc/systemd/system/{full_name(name)}.d"
    try:
        fd = open_directory(directory)
    except OSError:
        return []
    try:
        with os.scandir(fd) as entries:
            return sorted(f"{directory}/{entry.name}" for entry in entries if entry.name.endswith(".conf"))
    finally:
        os.close(fd)
