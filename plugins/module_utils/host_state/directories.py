# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that others can write to or whose parents they can write to: never changed through a link.

Whoever can write to a share can replace a directory by a link to a directory of the host. So owner and mode are set
through a descriptor that was opened without following links, name by name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import typing as t

from ..node.cluster.access import acting_as
from ..node.files.atomic import (
    Tree,
    lstat_at,
    open_directory,
    read_at,
)
from ..node.files.errors import NodeError

# O_PATH needs no right to read the directory, as stat().
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Result = t.TypeVar("Result")


class Wanted(t.NamedTuple):
    """One directory. Without a number, an existing directory keeps its own."""

    path: str
    uid: int | None
    gid: int | None
    mode: int | None

    def after(self, info: os.stat_result | None) -> tuple[int, int, int]:
        found = (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) if info else (os.geteuid(), os.getegid(), 0o755)
        uid, gid, mode = (own if own is not None else old for own, old in zip((self.uid, self.gid, self.mode), found))
        return uid, gid, mode


def _text(uid: int, gid: int, mode: int) -> str:
    return f"directory:{uid}:{gid}:{mode:04o}"


def describe(path: str) -> str:
    """Kind, owner and mode, of a link itself; empty where there is nothing."""
    try:
        info = os.lstat(path)
    except OSError:
        return ""
    text = _text(info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode))
    return text if stat.S_ISDIR(info.st_mode) else text.replace("directory", "other", 1)


class Directories:
    """Creates and corrects directories.

    With ``within``, no link below this directory is followed, whoever owns it: a file server chooses the owner. With
    ``as_owner``, each access is tried as the directory's owner before root, because a share may deny root access.
    """

    def __init__(self, within: str, as_owner: bool, check_mode: bool) -> None:
        self.within = os.path.normpath(within) if within else ""
        self.as_owner = as_owner
        self.check_mode = check_mode

    def apply(self, wanted: t.Sequence[Wanted]) -> list[dict[str, str]]:
        """The changes. If a path cannot be used, nothing is changed."""
        found = [self._inspected(one) for one in wanted]
        problems = [one for one in found if isinstance(one, str)]
        if problems:
            raise NodeError("\n".join(problems))
        changes = []
        for one, info in zip(wanted, found):
            if isinstance(info, str):
                continue
            before, after = _of(info) if info else "", _text(*one.after(info))
            if before != after:
                if not self.check_mode:
                    self._set(one)
                changes.append({"path": one.path, "before": before, "after": after})
        return changes

    def _access(self, one: Wanted, function: t.Callable[[], Result]) -> Result:
        if self.as_owner and one.uid is not None and one.gid is not None:
            with contextlib.suppress(PermissionError), acting_as(one.uid, one.gid):
                return function()
        return function()

    def _parts(self, one: Wanted) -> list[str]:
        below = os.path.relpath(os.path.normpath(one.path), self.within)
        if below == "." or below.startswith(".."):
            raise NodeError(f"{one.path} is not below {self.within}. Correct the path.")
        return below.split("/")

    def _top(self, one: Wanted) -> int:
        """The directory in which no link is followed. It and its parents belong to the host's administrators."""
        try:
            return open_directory(self.within)
        except PermissionError:
            parent = open_directory(os.path.dirname(self.within))
            try:
                name = os.path.basename(self.within)
                return self._access(one, lambda: os.open(name, _STEP, dir_fd=parent))
            finally:
                os.close(parent)

    def _open(self, one: Wanted, directory: int, name: str, flags: int) -> int:
        try:
            return self._access(one, lambda: os.open(name, flags, dir_fd=directory))
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENOTDIR):
                raise _unusable(one.path, name) from exc
            raise

    def _parent(self, one: Wanted, create: bool) -> tuple[int, str]:
        parts = self._parts(one)
        fd = self._top(one)
        try:
            for part in parts[:-1]:
                if create and self._access(one, lambda: lstat_at(fd, part)) is None:  # noqa: B023
                    self._access(one, lambda: os.mkdir(part, 0o755, dir_fd=fd))  # noqa: B023
                below = self._open(one, fd, part, _STEP)
                os.close(fd)
                fd = below
            opened, fd = fd, -1
            return opened, parts[-1]
        finally:
            if fd >= 0:
                os.close(fd)

    def _inspected(self, one: Wanted) -> os.stat_result | str | None:
        """What exists, or the problem with it."""
        try:
            return self._inspect(one)
        except NodeError as exc:
            return str(exc)
        except OSError as exc:
            return f"{one.path} cannot be inspected ({exc.strerror}). Check the rights of its parents and the mount."

    def _inspect(self, one: Wanted) -> os.stat_result | None:
        try:
            if not self.within:
                fd = open_directory(one.path)
                try:
                    return os.fstat(fd)
                finally:
                    os.close(fd)
            parent, name = self._parent(one, create=False)
        except FileNotFoundError:
            return None
        try:
            info = self._access(one, lambda: lstat_at(parent, name))
        finally:
            os.close(parent)
        if info is not None and not stat.S_ISDIR(info.st_mode):
            raise _unusable(one.path, name)
        return info

    def _set(self, one: Wanted) -> None:
        try:
            fd = self._created(one)
            try:
                self._correct(one, fd)
            finally:
                os.close(fd)
        except OSError as exc:
            hint = (
                " On the file server the directory must belong to this uid and gid, and the export must not map users"
                " (all_squash)."
                if self.as_owner
                else ""
            )
            uid, gid, mode = one.after(None)
            raise NodeError(
                f"{one.path} cannot be created with owner {uid}:{gid} and mode {mode:04o}, or corrected: "
                f"{exc.strerror}.{hint}"
            ) from exc

    def _correct(self, one: Wanted, fd: int) -> None:
        info = os.fstat(fd)
        uid, gid, mode = one.after(info)
        if (info.st_uid, info.st_gid) != (uid, gid):
            self._access(one, lambda: os.fchown(fd, uid, gid))
        # After the owner, because chown() clears the setgid bit.
        if stat.S_IMODE(os.fstat(fd).st_mode) != mode:
            self._access(one, lambda: os.fchmod(fd, mode))

    def _created(self, one: Wanted) -> int:
        if not self.within:
            with Tree(one.path) as tree:
                tree.create_base(0o755, os.geteuid(), os.getegid())
                return os.dup(tree.fd)
        parent, name = self._parent(one, create=True)
        try:
            if self._access(one, lambda: lstat_at(parent, name)) is None:
                self._access(one, lambda: os.mkdir(name, 0o700, dir_fd=parent))
            return self._open(one, parent, name, _DIRECTORY)
        finally:
            os.close(parent)


def _of(info: os.stat_result) -> str:
    return _text(info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode))


def _unusable(path: str, name: str) -> NodeError:
    where = path if path.rstrip("/").endswith(f"/{name}") else f"{name} in {path}"
    return NodeError(
        f"{where} is a symbolic link or a file, not a directory. It is not followed, because whoever can write there "
        "could make it lead to any directory of the host. Find out who created it, move it away, restore the real "
        "directory, and run again."
    )


def write_problem(directory: str, uid: int, gid: int) -> str:
    """Why the user cannot write, rename and remove a file in a directory; empty if he can.

    The names are random, and neither a link nor an existing file is opened: others can write to the directory.
    """
    name = f".ivy-probe-{secrets.token_hex(8)}"
    try:
        with acting_as(uid, gid):
            fd = os.open(directory, _DIRECTORY)
            try:
                return _probe(fd, name, uid)
            finally:
                for left in (name, f"{name}.new"):
                    with contextlib.suppress(OSError):
                        os.unlink(left, dir_fd=fd)
                os.close(fd)
    except OSError as exc:
        return exc.strerror or str(exc)


def _probe(directory: int, name: str, uid: int) -> str:
    data = name.encode("ascii")
    fd = os.open(f"{name}.new", _CREATE, 0o640, dir_fd=directory)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    os.rename(f"{name}.new", name, src_dir_fd=directory, dst_dir_fd=directory)
    content, info = read_at(directory, name, len(data) + 1)
    if content != data:
        return "a file created there has other content"
    return "" if info.st_uid == uid else "a file created there has another owner"


__all__ = ["Directories", "Wanted", "describe", "write_problem"]
