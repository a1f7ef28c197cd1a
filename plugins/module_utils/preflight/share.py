# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests whether all nodes have the same share, IDs and locks: each node writes and locks a file, the others read it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
import typing as t

from ..node.cluster.access import acting_as
from ..node.files import bounded
from ..node.files.atomic import open_directory
from ..node.files.errors import NodeError

_INTERVAL = 0.2


def unescape(text: str) -> str:
    """Decode the octal escapes of /proc/self/mountinfo."""
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def mount_of(path: str, text: str) -> dict[str, str]:
    """The mount that contains a path, from /proc/self/mountinfo."""
    best: dict[str, str] = {"target": "", "type": "", "source": ""}
    for line in text.splitlines():
        head, dash, tail = line.partition(" - ")
        fields, after = head.split(), tail.split()
        if not dash or len(fields) < 6 or len(after) < 2:
            continue
        target = unescape(fields[4])
        inside = path == target or path.startswith(target.rstrip("/") + "/")
        # A later mount on the same directory hides an earlier one.
        if inside and len(target) >= len(best["target"]):
            best = {"target": target, "type": after[0], "source": unescape(after[1])}
    return best


def probe_path(directory: str, token: str, name: str) -> str:
    return os.path.join(directory, f".ivy-preflight-{token}-{name}")


def _write(path: str, content: str, uid: int, gid: int) -> str:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with acting_as(uid, gid):
            fd = os.open(path, flags, 0o640)
            try:
                os.write(fd, content.encode("ascii"))
                # Another host reads the file soon, and a file server shows it only what has reached it.
                os.fsync(fd)
            finally:
                os.close(fd)
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def remove(path: str, uid: int, gid: int) -> str:
    try:
        bounded.call(lambda: _remove(path, uid, gid), bounded.SHARE_SECONDS)
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def _remove(path: str, uid: int, gid: int) -> None:
    with acting_as(uid, gid), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def write(root: str, directory: str, token: str, name: str, uid: int, gid: int) -> dict[str, t.Any]:
    """Write this node's file as the engine's user, or as root if the role has not created the directory yet."""
    try:
        result: dict[str, t.Any] = bounded.call(
            lambda: _write_probe(root, directory, token, name, uid, gid), bounded.SHARE_SECONDS
        )
        return result
    except OSError as exc:
        # It is unknown whether the directory exists. The share comes first in any case.
        error = exc.strerror or str(exc)
        return {"directory": root, "path": "", "uid": None, "gid": None, "made": True, "error": error}


def _write_probe(root: str, directory: str, token: str, name: str, uid: int, gid: int) -> dict[str, t.Any]:
    exists = os.path.isdir(directory)
    target = directory if exists else root
    if not os.path.isdir(target):
        return {"directory": target, "path": "", "uid": None, "gid": None, "made": exists, "error": "it does not exist"}
    path = probe_path(target, token, name)
    error = _write(path, token, uid, gid)
    writer = (uid, gid)
    # A new share belongs to root.
    if error and not exists and _write(path, token, 0, 0) == "":
        error, writer = "", (0, 0)
    if error:
        return {"directory": target, "path": "", "uid": uid, "gid": gid, "made": exists, "error": error}
    return {"directory": target, "path": path, "uid": writer[0], "gid": writer[1], "made": exists, "error": ""}


def hold(path: str, uid: int, gid: int) -> tuple[int, str]:
    """Lock this node's file. Returns the descriptor that holds the lock (-1 if there is none), and the error."""
    try:
        return bounded.descriptor(lambda: _lock(path, uid, gid), bounded.SHARE_SECONDS), ""
    except OSError as exc:
        return -1, exc.strerror or str(exc)


def _lock(path: str, uid: int, gid: int) -> int:
    with acting_as(uid, gid):
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def _lock_of(fd: int) -> dict[str, t.Any]:
    """Whether another host holds the lock of a file, as far as this one sees."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as exc:
        held = exc.errno in (errno.EAGAIN, errno.EACCES)
        return {"locked": held, "lock_error": "" if held else exc.strerror or str(exc)}
    fcntl.flock(fd, fcntl.LOCK_UN)
    return {"locked": False, "lock_error": ""}


def read(path: str, token: str, uid: int, gid: int) -> dict[str, t.Any]:
    """Read another node's file from this host, as the account that wrote it."""
    directory, name = os.path.split(path)
    try:
        with acting_as(uid, gid):
            above = open_directory(directory)
            try:
                # Not even a device or a pipe may be opened by mistake.
                if not stat.S_ISREG(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                    return {"found": False, "error": "it is not a regular file"}
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=above)
            finally:
                os.close(above)
            try:
                info = os.fstat(fd)
                same = os.read(fd, len(token) + 1) == token.encode("ascii")
                lock = _lock_of(fd)
            finally:
                os.close(fd)
    except FileNotFoundError:
        return {"found": False, "error": ""}
    except OSError as exc:
        return {"found": False, "error": exc.strerror or str(exc)}
    except NodeError as exc:
        return {"found": False, "error": str(exc)}
    return {"found": same, "error": "", "uid": info.st_uid, "gid": info.st_gid, **lock}


def read_all(files: t.Sequence[t.Mapping[str, t.Any]], seconds: float) -> dict[str, dict[str, t.Any]]:
    """Read the files of all nodes. A network file system may show a new file some seconds late."""
    try:
        result: dict[str, dict[str, t.Any]] = bounded.call(
            lambda: _read_all(files, seconds), bounded.SHARE_SECONDS + seconds
        )
        return result
    except OSError as exc:
        return {str(file["name"]): {"found": False, "error": exc.strerror or str(exc)} for file in files}


def _read_all(files: t.Sequence[t.Mapping[str, t.Any]], seconds: float) -> dict[str, dict[str, t.Any]]:
    end = time.monotonic() + seconds
    while True:
        found = {
            str(file["name"]): read(str(file["path"]), str(file["token"]), int(file["uid"]), int(file["gid"]))
            for file in files
        }
        if all(result["found"] or result["error"] for result in found.values()) or time.monotonic() >= end:
            return found
        time.sleep(_INTERVAL)
