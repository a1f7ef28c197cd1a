# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says about the engine's unit."""

from __future__ import annotations

import os
import subprocess
import typing as t

from .atomic import open_directory

_PROPERTIES = (
    "LoadState,ActiveState,SubState,MainPID,ExecMainStartTimestamp,StateChangeTimestamp,InvocationID,NeedDaemonReload,FragmentPath,"
    "DropInPaths,NRestarts,Result"
)
_PLACES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
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


def _ask(name: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["systemctl", "show", *options, "-p", _PROPERTIES, "--", name],
        capture_output=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        check=False,
        timeout=30,
    )


def show(name: str) -> Unit:
    """Ask systemd; a host without it, or without the unit, has an inactive one."""
    name = full_name(name)
    try:
        done = _ask(name, "--timestamp=utc")
        if done.returncode != 0:
            # Older systemd does not know the option.
            done = _ask(name)
    except (OSError, subprocess.TimeoutExpired):
        return nothing(name)
    if done.returncode != 0:
        return nothing(name)
    return parse(name, done.stdout.decode("utf-8", "replace"))


def parse(name: str, text: str) -> Unit:
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def number(key: str) -> int:
        value = values.get(key, "")
        return int(value) if value.isdigit() else 0

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
