# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe files that prove that hosts share a directory."""

from __future__ import annotations

import contextlib
import os
import re
import time
import typing as t

from ..cluster.access import acting_as
from ..files import accounts, bounded
from ..files.atomic import read_at
from ..files.errors import NodeError

_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
_INTERVAL = 0.25


class Probe(t.NamedTuple):
    """The shared directory, the account that uses it, and the files of this probe."""

    directory: str
    user: str
    group: str
    token: str
    names: t.Sequence[str]


def probe_path(directory: str, token: str, name: str) -> str:
    return os.path.join(directory, f".ivy-probe-{token}-{name}")


def write(paths: t.Sequence[str], token: str) -> list[str]:
    """Create the files. A file that exists already is an error."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for path in paths:
        fd = os.open(path, flags, 0o640)
        try:
            os.write(fd, token.encode("utf-8"))
            # Other hosts read the file at once, and a file server shows them only what has reached it.
            os.fsync(fd)
        finally:
            os.close(fd)
    return list(paths)


def has_content(path: str, token: str) -> bool:
    directory, name = os.path.split(path)
    try:
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return read_at(fd, name, len(token) + 1)[0] == token.encode("utf-8")
        finally:
            os.close(fd)
    except (NodeError, OSError):
        return False


def read(paths: t.Mapping[str, str], token: str, wait: float) -> list[dict[str, t.Any]]:
    """Compare the files by host name, and wait until all of them have the right content."""
    end = time.monotonic() + wait
    while True:
        found = [{"name": name, "same": has_content(path, token)} for name, path in paths.items()]
        if all(item["same"] for item in found) or time.monotonic() >= end:
            return found
        time.sleep(_INTERVAL)


def remove(paths: t.Sequence[str]) -> list[str]:
    """Remove the files and return those that existed."""
    removed = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            removed.append(path)
    return removed


def run(probe: Probe, state: str, wait: float, check_mode: bool) -> dict[str, t.Any]:
    """Write, read or remove the files as the user of the share."""
    invalid = [text for text in (probe.token, *probe.names) if not _NAME.match(text)]
    if invalid:
        raise NodeError(
            "token and names become part of file names, so they may contain only letters, digits, dots, hyphens "
            f"and underscores: {', '.join(invalid)}."
        )
    uid, gid = accounts.uid_of(probe.user), accounts.gid_of(probe.group)
    try:
        result: dict[str, t.Any] = bounded.on_share(
            probe.directory, lambda: _access(probe, uid, gid, state, wait, check_mode), bounded.SHARE_SECONDS + wait
        )
        return result
    except OSError as exc:
        raise NodeError(
            f"{probe.user} cannot use {probe.directory}: {exc}. Check the mount and the owner of the directory."
        ) from exc


def _access(probe: Probe, uid: int, gid: int, state: str, wait: float, check_mode: bool) -> dict[str, t.Any]:
    paths = {name: probe_path(probe.directory, probe.token, name) for name in probe.names}
    files = list(paths.values())
    with acting_as(uid, gid):
        if state == "written":
            return {"changed": True, "written": files if check_mode else write(files, probe.token)}
        if state == "read":
            return {"changed": False, "files": read(paths, probe.token, wait)}
        existing = [path for path in files if os.path.lexists(path)]
        return {"changed": bool(existing), "removed": existing if check_mode else remove(existing)}
