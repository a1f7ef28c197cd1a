# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the share the same on every node, with the same numbers: one file of each node, looked for by the others."""

from __future__ import annotations

import contextlib
import os
import stat
import time
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster.record import acting_as

_PAUSE = 0.2


def unescape(text: str) -> str:
    """The kernel writes blanks in a path as octal numbers."""
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def mount_of(path: str, text: str) -> dict[str, str]:
    """The mount that a path lies on, out of /proc/self/mountinfo."""
    best: dict[str, str] = {"target": "", "type": "", "source": ""}
    for line in text.splitlines():
        head, dash, tail = line.partition(" - ")
        fields, after = head.split(), tail.split()
        if not dash or len(fields) < 6 or len(after) < 2:
            continue
        target = unescape(fields[4])
        inside = path == target or path.startswith(target.rstrip("/") + "/")
        # A later mount of the same place hides an earlier one.
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
                # Another host looks soon; a file server tells it only what has reached it.
                os.fsync(fd)
            finally:
                os.close(fd)
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def remove(path: str, uid: int, gid: int) -> str:
    try:
        with acting_as(uid, gid), contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def write(root: str, directory: str, token: str, name: str, uid: int, gid: int) -> dict[str, t.Any]:
    """Write this node's file: as the engine's user, or as root where the role has yet to make the directory."""
    made = os.path.isdir(directory)
    place = directory if made else root
    if not os.path.isdir(place):
        return {"directory": place, "path": "", "uid": None, "gid": None, "made": made, "error": "it does not exist"}
    path = probe_path(place, token, name)
    error = _write(path, token, uid, gid)
    writer = (uid, gid)
    # A share that nobody has set up yet belongs to root.
    if error and not made and _write(path, token, 0, 0) == "":
        error, writer = "", (0, 0)
    if error:
        return {"directory": place, "path": "", "uid": uid, "gid": gid, "made": made, "error": error}
    return {"directory": place, "path": path, "uid": writer[0], "gid": writer[1], "made": made, "error": ""}


def see(path: str, token: str, uid: int, gid: int) -> dict[str, t.Any]:
    """A file of another node as the one who wrote it sees it from here."""
    try:
        with acting_as(uid, gid):
            info = os.lstat(path)
            if not stat.S_ISREG(info.st_mode):
                return {"found": False, "error": "it is no file"}
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                same = os.read(fd, len(token) + 1) == token.encode("ascii")
            finally:
                os.close(fd)
    except FileNotFoundError:
        return {"found": False, "error": ""}
    except OSError as exc:
        return {"found": False, "error": exc.strerror or str(exc)}
    return {"found": same, "error": "", "uid": info.st_uid, "gid": info.st_gid}


def see_all(files: t.Sequence[t.Mapping[str, t.Any]], seconds: float) -> dict[str, dict[str, t.Any]]:
    """The files of all nodes. A network file system may show a new one some seconds late."""
    end = time.monotonic() + seconds
    while True:
        found = {
            str(one["name"]): see(str(one["path"]), str(one["token"]), int(one["uid"]), int(one["gid"]))
            for one in files
        }
        if all(one["found"] or one["error"] for one in found.values()) or time.monotonic() >= end:
            return found
        time.sleep(_PAUSE)
