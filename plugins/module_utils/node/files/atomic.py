# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole files or none, below directories that somebody else may own.

The managed directories belong to the engine's user, who may plant links in them while we write as root. So nothing
here ever opens a path: every step opens one name relative to a directory already held open and refuses links.
A link is followed only above the managed directories, where the directory that holds it belongs to root.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
import typing as t

from .digest import sha256_of_fd
from .errors import NodeError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK, or a planted FIFO would hold the run for ever.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 32
# Up to this number, files are synced one by one; more of them together.
BATCH = 16

TEMPORARY_PREFIX = ".ivy-cluster-"
TEMPORARY_SUFFIX = ".tmp"


def temporary_name(name: str) -> str:
    """A name that no watcher takes for a real file, and that the next run finds again after a kill."""
    mark = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{TEMPORARY_PREFIX}{mark}{TEMPORARY_SUFFIX}"


def is_temporary(name: str) -> bool:
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def check_relative(path: str) -> list[str]:
    """The components of a path inside a root; anything that could leave the root is refused."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise NodeError(
            f"The path {path!r} is not a plain relative path. Paths in a release must stay inside their root."
        )
    return parts


def _trusted_link(directory: int, link: os.stat_result) -> bool:
    holder = os.fstat(directory)
    ours = (0, os.geteuid())
    if link.st_uid not in ours or holder.st_uid not in ours:
        return False
    return not holder.st_mode & 0o022 or bool(holder.st_mode & stat.S_ISVTX)


def open_directory(path: str) -> int:
    """Open an absolute directory; links count only where they and their directory are in root's hands."""
    if not path.startswith("/"):
        raise NodeError(f"The path {path!r} is not absolute.")
    for _hop in range(_MAX_LINKS):
        fd = os.open("/", _DIRECTORY)
        parts = [part for part in os.path.normpath(path).split("/") if part]
        try:
            for index, name in enumerate(parts):
                try:
                    below = os.open(name, _DIRECTORY, dir_fd=fd)
                except OSError as exc:
                    if exc.errno not in (errno.ELOOP, errno.ENOTDIR):
                        raise
                    link = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    here = "/" + "/".join(parts[: index + 1])
                    if not stat.S_ISLNK(link.st_mode):
                        raise NodeError(f"{here} is not a directory. Remove it or correct the path {path}.") from exc
                    if not _trusted_link(fd, link):
                        raise NodeError(
                            f"{here} is a symbolic link in a directory that others may write. It is not followed; "
                            "replace it by a real directory, or let root own the link and its directory."
                        ) from exc
                    target = os.readlink(name, dir_fd=fd)
                    path = os.path.normpath(os.path.join("/" + "/".join(parts[:index]), target, *parts[index + 1 :]))
                    break
                os.close(fd)
                fd = below
            else:
                opened, fd = fd, -1
                return opened
        finally:
            if fd >= 0:
                os.close(fd)
    raise NodeError(f"{path}: too many symbolic links.")


def resolve(path: str) -> str:
    """The real path of a directory, by the same rules as opening it; the path itself where it does not exist."""
    try:
        fd = open_directory(path)
    except FileNotFoundError:
        return os.path.normpath(path)
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def lstat_at(directory: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def read_all(fd: int, limit: int = sys.maxsize) -> bytes:
    """All bytes, or the first ones up to the limit."""
    blocks: list[bytes] = []
    while limit > 0:
        block = os.read(fd, min(1 << 20, limit))
        if not block:
            break
        blocks.append(block)
        limit -= len(block)
    return b"".join(blocks)


def read_at(directory: int, name: str, limit: int = sys.maxsize) -> tuple[bytes, os.stat_result]:
    """Content of one regular file, or its begin; a link or anything special there is an error, never followed."""
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise NodeError(f"{name} is not a regular file.")
        return read_all(fd, limit), info
    finally:
        os.close(fd)


def digest_at(directory: int, name: str) -> tuple[str, os.stat_result] | None:
    """Digest and status of one regular file; None if it is missing or not a regular file."""
    try:
        fd = os.open(name, _READ, dir_fd=directory)
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENOENT, errno.ENXIO):
            return None
        raise
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            return None
        return sha256_of_fd(fd, info.st_size), info
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def discard_at(directory: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def prepare_at(
    directory: int,
    name: str,
    data: bytes | t.Iterable[bytes],
    mode: int,
    uid: int,
    gid: int,
    durable: bool = True,
) -> None:
    """Write a complete file, or its blocks one after another, under its temporary name.

    A caller that writes several files can pass durable=False and synchronise them together.
    """
    temporary = temporary_name(name)
    try:
        fd = os.open(temporary, _CREATE, 0o600, dir_fd=directory)
    except FileExistsError:
        # Left by a run that was killed.
        discard_at(directory, temporary)
        fd = os.open(temporary, _CREATE, 0o600, dir_fd=directory)
    try:
        for block in (data,) if isinstance(data, bytes) else data:
            write_all(fd, block)
        info = os.fstat(fd)
        if (info.st_uid, info.st_gid) != (uid, gid):
            os.fchown(fd, uid, gid)
        if stat.S_IMODE(info.st_mode) != mode:
            os.fchmod(fd, mode)
        if durable:
            os.fsync(fd)
    except OSError:
        with contextlib.suppress(OSError):
            discard_at(directory, temporary)
        raise
    finally:
        os.close(fd)


def commit_at(directory: int, name: str) -> None:
    """Rename a prepared file to its final name, which replaces an existing file."""
    os.rename(temporary_name(name), name, src_dir_fd=directory, dst_dir_fd=directory)


def write_at(directory: int, name: str, data: bytes, mode: int, uid: int, gid: int, durable: bool = True) -> None:
    """Write a file atomically: temporary name, fsync, rename, fsync of the directory. Without fsyncs if not durable."""
    prepare_at(directory, name, data, mode, uid, gid, durable)
    try:
        commit_at(directory, name)
    except OSError:
        with contextlib.suppress(OSError):
            discard_at(directory, temporary_name(name))
        raise
    if durable:
        os.fsync(directory)


def sync_filesystem(fd: int) -> None:
    """Make all that was written to one file system durable: for many files far cheaper than one fsync for each."""
    import ctypes

    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(fd) == 0:
            return
    except (AttributeError, OSError):
        pass
    os.sync()


def set_attributes_at(directory: int, name: str, mode: int, uid: int, gid: int) -> bool:
    """Correct mode and owner in place; False where only a new file is safe, since a second name shares this one."""
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
            return False
        if (info.st_uid, info.st_gid) != (uid, gid):
            os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)
        return True
    finally:
        os.close(fd)


class Tree:
    """One managed root, held open; every path given to it is relative and is walked without following a link."""

    def __init__(self, base: str) -> None:
        self.base = base
        try:
            self.fd = open_directory(base)
        except FileNotFoundError:
            self.fd = -1

    @property
    def exists(self) -> bool:
        return self.fd >= 0

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def create_base(self, mode: int, uid: int, gid: int) -> None:
        """Make the root itself, below a parent that exists or is made in the same way."""
        if self.exists:
            return
        parent, name = os.path.split(self.base)
        above = Tree(parent)
        try:
            above.create_base(0o755, uid, gid)
            make_directory(above.fd, name, mode, uid, gid)
        finally:
            above.close()
        self.fd = open_directory(self.base)

    def open_parent(self, path: str) -> tuple[int, str] | None:
        """The directory of a path, opened, and the last name; None where a directory on the way is not there."""
        parts = check_relative(path)
        if not self.exists:
            return None
        fd = os.dup(self.fd)
        try:
            for part in parts[:-1]:
                try:
                    below = os.open(part, _DIRECTORY, dir_fd=fd)
                except OSError as exc:
                    if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                        return None
                    raise
                os.close(fd)
                fd = below
            opened, fd = fd, -1
            return opened, parts[-1]
        finally:
            if fd >= 0:
                os.close(fd)

    def make_parent(self, path: str, mode: int, uid: int, gid: int) -> tuple[int, str]:
        """As open_parent, making the directories that are missing."""
        parts = check_relative(path)
        fd = os.dup(self.fd)
        try:
            for part in parts[:-1]:
                if lstat_at(fd, part) is None:
                    make_directory(fd, part, mode, uid, gid)
                try:
                    below = os.open(part, _DIRECTORY, dir_fd=fd)
                except OSError as exc:
                    if exc.errno in (errno.ENOTDIR, errno.ELOOP):
                        raise NodeError(
                            f"{self.base}/{path}: {part} is a link or a file where a directory is expected."
                        ) from exc
                    raise
                os.close(fd)
                fd = below
            opened, fd = fd, -1
            return opened, parts[-1]
        finally:
            if fd >= 0:
                os.close(fd)

    def read(self, path: str) -> tuple[bytes, os.stat_result] | None:
        """Content of a regular file; None where there is none."""
        place = self.open_parent(path)
        if place is None:
            return None
        try:
            return read_at(*place)
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                return None
            raise
        finally:
            os.close(place[0])

    def remove(self, path: str) -> None:
        """Remove one file or link, and the directories that this leaves empty.

        The first two levels (`configuration/applications`) stay: the engine watches them and expects them.
        """
        place = self.open_parent(path)
        if place is None:
            return
        fd, name = place
        try:
            discard_at(fd, name)
            os.fsync(fd)
        finally:
            os.close(fd)
        self.remove_empty_directories(path)

    def remove_empty_directories(self, path: str) -> None:
        """Remove the directories above a path that hold nothing, except for the first two levels."""
        parts = check_relative(path)
        for depth in range(len(parts) - 1, 2, -1):
            place = self.open_parent("/".join(parts[:depth]))
            if place is None:
                continue
            try:
                os.rmdir(place[1], dir_fd=place[0])
            except FileNotFoundError:
                # It was never made; the one above it may have been.
                continue
            except OSError:
                return
            finally:
                os.close(place[0])


def make_directory(parent: int, name: str, mode: int, uid: int, gid: int) -> None:
    """Make one directory with its final owner and mode; an existing one is left alone."""
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return
    fd = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        info = os.fstat(fd)
        if (info.st_uid, info.st_gid) != (uid, gid):
            os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)
    os.fsync(parent)


def write_file(
    directory: str, name: str, data: bytes, mode: int, durable: bool = True, create_directory: bool = False
) -> None:
    """Write a file of the calling user atomically. With create_directory, only the parent of the directory must exist.

    A directory that is created can be entered by every user (mode 0755).
    """
    uid, gid = os.geteuid(), os.getegid()
    if create_directory:
        parent, base = os.path.split(directory)
        with Tree(parent) as above:
            if not above.exists:
                raise NodeError(f"{parent} does not exist, so {directory}/{name} cannot be written.")
            make_directory(above.fd, base, 0o755, uid, gid)
    with Tree(directory) as tree:
        if not tree.exists:
            raise NodeError(f"{directory} does not exist, so {name} cannot be written there.")
        write_at(tree.fd, name, data, mode, uid, gid, durable)


def remove_tree_at(parent: int, name: str) -> None:
    """Remove a whole directory without following a link in it."""
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as exc:
        if exc.errno in (errno.ENOTDIR, errno.ELOOP):
            discard_at(parent, name)
            return
        if exc.errno == errno.ENOENT:
            return
        raise
    try:
        with os.scandir(fd) as entries:
            names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for child, is_directory in names:
            if is_directory:
                remove_tree_at(fd, child)
            else:
                discard_at(fd, child)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)
