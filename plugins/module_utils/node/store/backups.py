# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of what an activation or the guard replaces: how they are made, and which of them may go.

Contents are copied block by block and without their holes, since whoever made a file may have made it of any size.
"""

from __future__ import annotations

import calendar
import errno
import hashlib
import os
import stat
import time
import typing as t

from ..files.atomic import GREATEST_FILE, open_at, write_all
from ..files.errors import NodeError
from ..files.scan import check_depth

FILE, LINK, DIRECTORY, SPECIAL = "file", "link", "directory", "special"
# Backups older than this go, if there are enough newer ones.
DAYS = 30
MOST_BACKUPS = 5_000
MOST_ITEMS = 20_000
# Left free on the store's file system, because an engine without space for its own files fails in other ways.
_RESERVE = 4 << 20
_BLOCK = 1 << 20

Item = dict[str, t.Any]


class Signature(t.NamedTuple):
    """What changes with any change of a file."""

    path: str
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


def copy(source: int, target: int, limit: int = GREATEST_FILE) -> str:
    """Copy an open file without its holes. Returns the digest of its data, and of where they are if it has holes."""
    state, position, copied = hashlib.sha256(), 0, 0
    while True:
        start, end = _next_data(source, position)
        if start > position:
            state.update(f"hole to {start}".encode())
        if start == end:
            os.ftruncate(target, end)
            return state.hexdigest()
        os.lseek(source, start, os.SEEK_SET)
        os.lseek(target, start, os.SEEK_SET)
        position = start
        while position < end:
            block = os.read(source, min(_BLOCK, end - position))
            if not block:
                # It became shorter.
                break
            copied += len(block)
            if copied > limit:
                raise NodeError(f"has more than {limit} bytes, which no backup keeps")
            state.update(block)
            write_all(target, block)
            position += len(block)
        if position == start or position >= os.fstat(source).st_size:
            return state.hexdigest()


def _next_data(source: int, position: int) -> tuple[int, int]:
    """Where data begin and end; the size twice if there are none any more."""
    size = os.fstat(source).st_size
    try:
        start = os.lseek(source, position, os.SEEK_DATA)
        return start, os.lseek(source, start, os.SEEK_HOLE)
    except OSError as exc:
        if exc.errno == errno.ENXIO:
            return max(size, position), max(size, position)
        if exc.errno == errno.EINVAL:
            # A file system that does not know holes.
            return position, size
        raise


class Collector:
    """Copies names and all that is below them into the directory of one backup."""

    def __init__(self, directory: int, above: int, known: t.Mapping[str, str]) -> None:
        self.items: list[Item] = []
        self._directory = directory
        self._above = above
        # The content that other backups have: its path below the directory of all backups, by digest.
        self._known = known

    def add(self, directory: int, name: str, root: str, path: str) -> None:
        """Add one name, or all below it."""
        try:
            info = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return
        if len(self.items) >= MOST_ITEMS:
            raise NodeError(
                f"More than {MOST_ITEMS} files would have to be backed up, the last one {path!r}. Move them away and "
                "run again."
            )
        item: Item = {
            "root": root,
            "path": path,
            "mode": f"{stat.S_IMODE(info.st_mode):04o}",
            "uid": info.st_uid,
            "gid": info.st_gid,
            "mtime": info.st_mtime,
        }
        if stat.S_ISLNK(info.st_mode):
            self.items.append(dict(item, kind=LINK, link=os.readlink(name, dir_fd=directory)))
        elif stat.S_ISDIR(info.st_mode):
            self._add_directory(directory, name, root, path, item)
        elif stat.S_ISREG(info.st_mode):
            self._add_file(directory, name, path, item)
        else:
            self.items.append(dict(item, kind=SPECIAL))

    def _add_directory(self, directory: int, name: str, root: str, path: str, item: Item) -> None:
        check_depth(path)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            self.items.append(dict(item, kind=DIRECTORY))
            for child in sorted(os.listdir(fd)):
                self.add(fd, child, root, f"{path}/{child}")
        finally:
            os.close(fd)

    def _add_file(self, directory: int, name: str, path: str, item: Item) -> None:
        file = f"{len(self.items):04d}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open_at(directory, name) as (source, info):
            free = os.fstatvfs(self._directory)
            if info.st_blocks * 512 + _RESERVE > free.f_bavail * free.f_frsize:
                raise NodeError(f"There is not enough space to back up {path!r}. Free some space and run again.")
            target = os.open(file, flags, 0o600, dir_fd=self._directory)
            try:
                digest = copy(source, target)
                os.fsync(target)
            except NodeError as exc:
                raise NodeError(f"{path!r} {exc}. Move it away and run again.") from exc
            finally:
                os.close(target)
        self._share(digest, file)
        self.items.append(dict(item, kind=FILE, size=info.st_size, sha256=digest, file=file))

    def _share(self, digest: str, file: str) -> None:
        """Store equal content once."""
        if digest not in self._known:
            return
        temporary = f"{file}.link"
        try:
            os.link(
                self._known[digest],
                temporary,
                src_dir_fd=self._above,
                dst_dir_fd=self._directory,
                follow_symlinks=False,
            )
        except OSError:
            # The other backup is damaged, or has as many names as a file can have.
            return
        os.rename(temporary, file, src_dir_fd=self._directory, dst_dir_fd=self._directory)


def signature(info: os.stat_result, path: str = "") -> Signature:
    """The signature of a file. A rename changes the ctime, so that of what is renamed itself does not count."""
    return Signature(path, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns if path else 0)


def signatures(directory: int, name: str, path: str = "") -> list[Signature]:
    """The signatures of one name and of all that is below it. Renaming it changes none of them."""
    try:
        info = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return []
    found = [signature(info, path)]
    if stat.S_ISDIR(info.st_mode):
        check_depth(path)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            for child in sorted(os.listdir(fd)):
                found.extend(signatures(fd, child, f"{path}/{child}"))
        finally:
            os.close(fd)
    return found


class Backup(t.NamedTuple):
    """A complete backup, as far as it matters for which of them may go."""

    name: str
    time: float
    reported: bool
    items: tuple[Item, ...]

    @property
    def contents(self) -> dict[str, tuple[t.Any, ...]]:
        """What it keeps of each path. Without a digest, content is like no other."""
        return {
            f"{item.get('root')}:{item.get('path')}": (
                str(item.get("kind")),
                str(item.get("link")),
                str(item.get("sha256") or (self.name if item.get("kind") == FILE else "")),
            )
            for item in self.items
        }


def seconds(text: str) -> float:
    """A time in UTC in seconds since 1970; 0 if it is not a time."""
    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return 0.0


def removable(backups: t.Iterable[Backup], keep: int, now: float, days: int = DAYS) -> list[str]:
    """The backups that nobody needs any more.

    A file that is changed again and again must not push out the backup of another one. So a backup goes if newer ones
    have the same content of each of its files, or enough other contents; or if it is old, and there are enough newer
    backups altogether. One that was never reported stays. A later backup whose time is earlier, since the clock was set
    back, does not count: it goes first.
    """
    gone: list[str] = []
    newer: dict[str, dict[tuple[t.Any, ...], float]] = {}
    kept = 0
    for backup in sorted(backups, key=lambda one: one.name, reverse=True):
        contents = backup.contents
        superseded = kept > 0 and all(
            _is_superseded(content, newer.get(path, {}), keep, backup.time) for path, content in contents.items()
        )
        old = kept >= keep and backup.time < now - days * 86400
        if backup.reported and (superseded or old or kept >= MOST_BACKUPS):
            gone.append(backup.name)
            continue
        kept += 1
        for path, content in contents.items():
            times = newer.setdefault(path, {})
            times[content] = max(backup.time, times.get(content, backup.time))
    return gone


def _is_superseded(
    content: tuple[t.Any, ...], newer: t.Mapping[tuple[t.Any, ...], float], keep: int, time: float
) -> bool:
    later = [one for one, its_time in newer.items() if its_time >= time]
    return content in later or len(later) >= keep
