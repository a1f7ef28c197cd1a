# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories: kind, owner, mode and digest."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
import typing as t

# Larger files are not configuration. Their digest stays empty, so they differ from any expected content.
_MAXIMUM = 16 << 20
_MAXIMUM_TEXT = 256 << 10
_CHUNK = 1 << 20


def _name(of: t.Callable[[int], t.Any], number: int) -> str:
    try:
        return str(of(number)[0])
    except KeyError:
        return ""


def _read(path: str, size: int) -> bytes | None:
    """The content of a regular file, None if it is too long or cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        parts, left = [], size + 1
        while left > 0:
            part = stream.read(min(_CHUNK, left))
            if not part:
                break
            parts.append(part)
            left -= len(part)
    return b"".join(parts) if left > 0 else None


def describe(path: str, contains: str = "") -> dict[str, t.Any]:
    """One path, without following a link."""
    try:
        info = os.lstat(path)
    except OSError:
        return {"state": "absent"}
    found: dict[str, t.Any] = {
        "state": "other",
        "uid": info.st_uid,
        "gid": info.st_gid,
        "owner": _name(pwd.getpwuid, info.st_uid),
        "group": _name(grp.getgrgid, info.st_gid),
        "mode": f"{stat.S_IMODE(info.st_mode):04o}",
    }
    if stat.S_ISLNK(info.st_mode):
        found.update(state="link", target=os.readlink(path))
    elif stat.S_ISDIR(info.st_mode):
        found["state"] = "directory"
    elif stat.S_ISREG(info.st_mode):
        content = _read(path, _MAXIMUM)
        digest = hashlib.sha256(content).hexdigest() if content is not None else ""
        found.update(state="file", sha256=digest, changed=info.st_mtime)
        if contains:
            found["contains"] = content is not None and contains.encode("utf-8") in content
    return found


def listing(path: str) -> list[str]:
    """The names in a directory; none if it cannot be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def text(path: str) -> str:
    """The content of a small text file; empty if it cannot be read."""
    return (_read(path, _MAXIMUM_TEXT) or b"").decode("utf-8", "replace")
