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
import fcntl
import hashlib
import os
import signal
import stat
import time
import typing as t

from .digest import sha256_of_fd
from .errors import NodeError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK, or a planted FIFO would hold the run for ever.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 32
# Of renameat2(2).
_NO_REPLACE, _EXCHANGE = 1, 2
_EXCHANGES = 100
# Errors that concern all files of a file system, not only the one that is written.
_OF_THE_FILE_SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
# Up to this number, files are synced one by one; more of them together.
BATCH = 16
# Nothing that is read as a whole is longer. Whoever may write a file can make it as long as he likes, at no cost.
GREATEST = 64 << 20
NOT_READ = "not-read-"
# A managed file. A longer one is reported, but neither read nor overwritten.
GREATEST_FILE = 1 << 30

Content = t.TypeVar("Content")

TEMPORARY_PREFIX = ".ivy-cluster-"
TEMPORARY_SUFFIX = ".tmp"
PARTIAL_SUFFIX = ".part.tmp"


def temporary_name(name: str) -> str:
    """A name that no watcher takes for a real file, and that the next run finds again after a kill."""
    mark = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{TEMPORARY_PREFIX}{mark}{TEMPORARY_SUFFIX}"


def partial_name(name: str) -> str:
    """The temporary name of a file that is not complete yet."""
    return temporary_name(name)[: -len(TEMPORARY_SUFFIX)] + PARTIAL_SUFFIX


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


def read_all(fd: int, limit: int) -> bytes:
    """All bytes, or the first ones up to the limit."""
    blocks: list[bytes] = []
    while limit > 0:
        block = os.read(fd, min(1 << 20, limit))
        if not block:
            break
        blocks.append(block)
        limit -= len(block)
    return b"".join(blocks)


@contextlib.contextmanager
def open_at(directory: int, name: str) -> t.Iterator[tuple[int, os.stat_result]]:
    """One regular file, opened; a link or anything special there is an error, never followed."""
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise NodeError(f"{name} is not a regular file.")
        yield fd, info
    finally:
        os.close(fd)


def read_at(directory: int, name: str, limit: int) -> tuple[bytes, os.stat_result]:
    """The begin of one regular file, up to the limit."""
    with open_at(directory, name) as (fd, info):
        return read_all(fd, limit), info


def read_whole_at(directory: int, name: str, limit: int = GREATEST) -> tuple[bytes, os.stat_result]:
    """Content of one regular file. A longer one than the limit is an error, and is not read."""
    with open_at(directory, name) as (fd, info):
        # It may grow while it is read.
        content = read_all(fd, limit + 1) if info.st_size <= limit else b""
        if max(info.st_size, len(content)) > limit:
            raise NodeError(
                f"{name} is larger than {limit} bytes, so it is not read. Inspect it, and move it away if the engine "
                "does not need it."
            )
        return content, info


def read_end_at(directory: int, name: str, size: int) -> bytes:
    """The last bytes of one regular file."""
    with open_at(directory, name) as (fd, info):
        os.lseek(fd, max(info.st_size - size, 0), os.SEEK_SET)
        return read_all(fd, size)


def digest_at(directory: int, name: str, limit: int = GREATEST_FILE) -> tuple[str, os.stat_result] | None:
    """Digest and status of one regular file; None if it is missing or not a regular file.

    A longer one than the limit is not read. It gets a mark that no content has, and that changes with the file.
    """
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
        if info.st_size > limit:
            return f"{NOT_READ}{info.st_ino:x}-{info.st_size:x}-{info.st_ctime_ns:x}", info
        return sha256_of_fd(fd, info.st_size, limit), info
    finally:
        os.close(fd)


@contextlib.contextmanager
def naming(fd: int) -> t.Iterator[None]:
    """Errors that concern a whole file system name the directory of an open file, or the open directory itself."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in _OF_THE_FILE_SYSTEM or exc.strerror != os.strerror(exc.errno):
            raise
        try:
            place = os.readlink(f"/proc/self/fd/{fd}")
            directory = place if stat.S_ISDIR(os.fstat(fd).st_mode) else os.path.dirname(place)
        except OSError:
            raise exc from None
        raise OSError(exc.errno, f"{exc.strerror} in {directory}") from exc


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    with naming(fd):
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
    mark_partial: bool = False,
) -> None:
    """Write a complete file, or its blocks one after another, under its temporary name.

    A caller that writes several files can pass durable=False and synchronise them together. With mark_partial, the
    file has the temporary name only once it is complete.
    """
    temporary = partial_name(name) if mark_partial else temporary_name(name)
    with naming(directory):
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
            with naming(directory):
                os.fsync(fd)
        if mark_partial:
            os.rename(temporary, temporary_name(name), src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with contextlib.suppress(OSError):
            discard_at(directory, temporary)
        raise
    finally:
        os.close(fd)


def commit_at(directory: int, name: str) -> None:
    """Rename a prepared file to its final name, which replaces an existing file."""
    os.rename(temporary_name(name), name, src_dir_fd=directory, dst_dir_fd=directory)


def exchange_at(directory: int, name: str) -> bool:
    """Bring a prepared file to its final name. What was there before, of any kind, has the temporary name then.

    Nothing that another process puts there at this very moment is lost. Returns whether there was something.
    """
    temporary = temporary_name(name)
    for _attempt in range(_EXCHANGES):
        with contextlib.suppress(FileNotFoundError):
            rename_at(directory, temporary, name, _EXCHANGE)
            return True
        # It is gone, or never was there.
        with contextlib.suppress(FileExistsError):
            rename_at(directory, temporary, name, _NO_REPLACE)
            return False
    raise NodeError(f"{name} appears and vanishes all the time. Find out which program does that, and run again.")


def take_away_at(directory: int, name: str) -> bool:
    """Give a file, or anything else of that name, its temporary name. Returns whether there was something."""
    temporary = temporary_name(name)
    try:
        with contextlib.suppress(FileExistsError):
            rename_at(directory, name, temporary, _NO_REPLACE)
            return True
        # Planted a moment ago.
        remove_tree_at(directory, temporary)
        rename_at(directory, name, temporary, _NO_REPLACE)
        return True
    except FileNotFoundError:
        return False


def rename_at(directory: int, old: str, new: str, flags: int) -> None:
    """Rename within a directory, without replacing anything: exchange both names, or fail if the new one exists."""
    number = _renameat2(directory, old, new, flags)
    if number in (errno.ENOSYS, errno.EINVAL):
        # A file system or a kernel that does not know this.
        _rename_by_steps(directory, old, new, flags)
    elif number:
        raise OSError(number, os.strerror(number), new)


def _renameat2(directory: int, old: str, new: str, flags: int) -> int:
    """The number of the error; 0 if there is none."""
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return errno.ENOSYS
    if function(directory, os.fsencode(old), directory, os.fsencode(new), ctypes.c_uint(flags)) == 0:
        return 0
    return ctypes.get_errno()


def _rename_by_steps(directory: int, old: str, new: str, flags: int) -> None:
    """The same with calls that every file system knows. For a moment, neither has the new name."""
    if flags == _NO_REPLACE:
        info = os.stat(old, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISDIR(info.st_mode):
            os.link(old, new, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
            os.unlink(old, dir_fd=directory)
            return
        if lstat_at(directory, new) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=directory)
        return
    aside = temporary_name(f"{new}/aside")
    os.stat(old, dir_fd=directory, follow_symlinks=False)
    os.rename(new, aside, src_dir_fd=directory, dst_dir_fd=directory)
    try:
        _rename_by_steps(directory, old, new, _NO_REPLACE)
    except FileExistsError as exc:
        # Made in that moment. Both stay for the next run, which backs them up.
        raise NodeError(f"{new} was made on the node while it was being replaced. Run again.") from exc
    except OSError:
        with contextlib.suppress(FileExistsError):
            _rename_by_steps(directory, aside, new, _NO_REPLACE)
        raise
    os.rename(aside, old, src_dir_fd=directory, dst_dir_fd=directory)


def await_writers(fd: int, seconds: float) -> bool:
    """Wait until nobody has an open file open for writing. False if somebody still has after that time."""
    end = time.monotonic() + seconds
    # The signal for an open of the file while we hold the lease. The usual one would end this process.
    fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
    while True:
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as exc:
            if exc.errno != errno.EAGAIN:
                # A file system without leases.
                return True
        else:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.01)


def write_at(directory: int, name: str, data: bytes, mode: int, uid: int, gid: int, durable: bool = True) -> None:
    """Write a file atomically: temporary name, fsync, rename, fsync of the directory. Without fsyncs if not durable."""
    prepare_at(directory, name, data, mode, uid, gid, durable)
    try:
        with naming(directory):
            commit_at(directory, name)
    except OSError:
        with contextlib.suppress(OSError):
            discard_at(directory, temporary_name(name))
        raise
    if durable:
        with naming(directory):
            os.fsync(directory)


def sync_filesystem(fd: int) -> None:
    """Make all that was written to one file system durable: for many files far cheaper than one fsync for each."""
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        os.sync()
        return
    if function(fd) == 0:
        return
    number = ctypes.get_errno()
    if number != errno.ENOSYS:
        # The data are not on the disk. sync() would not report that.
        with naming(fd):
            raise OSError(number, os.strerror(number))
    os.sync()


def set_attributes_at(directory: int, name: str, mode: int, uid: int, gid: int) -> bool:
    """Correct mode and group in place; False where only a new file is safe, since a second name shares this one.

    The owner is never changed: a second name may have been removed since it led here to a file of somebody else.
    """
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1 or info.st_uid != uid:
            return False
        if info.st_gid != gid:
            os.fchown(fd, -1, gid)
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

    def read(self, path: str, limit: int = GREATEST) -> tuple[bytes, os.stat_result] | None:
        """Content of a regular file; None where there is none. A longer one than the limit is an error."""
        return self._read(path, lambda directory, name: read_whole_at(directory, name, limit))

    def read_end(self, path: str, size: int) -> bytes | None:
        """The last bytes of a regular file; None where there is none."""
        return self._read(path, lambda directory, name: read_end_at(directory, name, size))

    def _read(self, path: str, read: t.Callable[[int, str], Content]) -> Content | None:
        place = self.open_parent(path)
        if place is None:
            return None
        try:
            return read(*place)
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                return None
            raise
        finally:
            os.close(place[0])

    def remove_empty_directories(self, path: str) -> None:
        """Remove the directories above a path that hold nothing.

        The first two levels (`configuration/applications`) stay: the engine watches them and expects them.
        """
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
        with naming(parent):
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
    """Remove a whole directory without following a link in it.

    Its depth does not matter: whoever made it could have made any number of levels, so the directories in a directory
    are moved to the top before it is removed.
    """
    top = _open_or_discard(parent, name)
    if top is None:
        return
    try:
        waiting = _remove_files(top)
        number = 0
        while waiting:
            child = waiting.pop()
            below = _open_or_discard(top, child)
            if below is None:
                continue
            try:
                for moved in _remove_files(below):
                    number = _move_up(below, moved, top, number)
                    waiting.append(_moved_name(number))
            finally:
                os.close(below)
            os.rmdir(child, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _open_or_discard(parent: int, name: str) -> int | None:
    """Open a directory; None if there is none (any more). Anything else of that name is removed."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as exc:
        if exc.errno in (errno.ENOTDIR, errno.ELOOP):
            discard_at(parent, name)
        elif exc.errno != errno.ENOENT:
            raise
        return None


def _remove_files(directory: int) -> list[str]:
    """Remove all but the directories, whose names are returned."""
    with os.scandir(directory) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in names:
        if not is_directory:
            discard_at(directory, name)
    return [name for name, is_directory in names if is_directory]


def _moved_name(number: int) -> str:
    return f"{TEMPORARY_PREFIX}moved-{number}{TEMPORARY_SUFFIX}"


def _move_up(directory: int, name: str, top: int, number: int) -> int:
    """Move a directory to the top under the next free name. Returns the number of that name."""
    while True:
        number += 1
        # An empty directory of that name is replaced, which removes it.
        try:
            os.rename(name, _moved_name(number), src_dir_fd=directory, dst_dir_fd=top)
            return number
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
