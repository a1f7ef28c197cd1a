# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs and unpacks directories of the file share, as the engine's user.

What is packed belongs to that user, so a link that he plants leads only to what he may read himself. What is unpacked
contains files, directories and links, and nothing outside of the directory.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import stat
import tarfile
import typing as t

from ..cluster.access import acting_as
from ..files import bounded
from ..files.atomic import check_relative, is_temporary, read_all, write_all
from ..files.errors import NodeError, mount_advice
from .paths import make_directories

# A share that is slow, but not away, has read a block or written a file within it.
SECONDS = 120.0
_BLOCK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PROGRESS = b"."
# What the engine's user can make of a directory must not prevent a backup of the rest, nor make it endless.
_DEEPEST = 100
_MOST_HOLES = 64 << 30
_ALLOCATED = 512
_CLOSED = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)


class Account(t.NamedTuple):
    """The user who owns the directories."""

    uid: int
    gid: int


class _Exactly:
    """The first bytes of a file that another process may change meanwhile: always as many as were announced."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.left, self.short = fd, size, False

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        block = read_all(self.fd, wanted)
        if len(block) < wanted:
            self.short = True
            block += b"\0" * (wanted - len(block))
        self.left -= wanted
        return block


class _Packer:
    """Adds the entries of a directory to an archive."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self.archive = archive
        self.files = self.size = 0
        self.changed: list[str] = []
        self.left_out: list[str] = []

    def add(self, directory: str, prefix: str = "", depth: int = 0) -> None:
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            if not is_temporary(entry.name):
                name = f"{prefix}{entry.name}"
                try:
                    self._entry(entry.path, name, depth)
                except FileNotFoundError:
                    pass
                except OSError as exc:
                    if exc.errno not in _CLOSED:
                        raise
                    self.left_out.append(name)

    def _entry(self, path: str, name: str, depth: int) -> None:
        info = os.lstat(path)
        item = tarfile.TarInfo(name)
        item.mode, item.mtime = stat.S_IMODE(info.st_mode) & 0o777, int(info.st_mtime)
        if stat.S_ISDIR(info.st_mode):
            item.type = tarfile.DIRTYPE
            self.archive.addfile(item)
            if depth >= _DEEPEST:
                self.left_out.append(name)
            else:
                self.add(path, f"{name}/", depth + 1)
        elif stat.S_ISLNK(info.st_mode):
            item.type, item.linkname = tarfile.SYMTYPE, os.readlink(path)
            self.archive.addfile(item)
        elif stat.S_ISREG(info.st_mode) and info.st_size - info.st_blocks * _ALLOCATED <= _MOST_HOLES:
            self._file(path, item)
        else:
            self.left_out.append(name)

    def _file(self, path: str, item: tarfile.TarInfo) -> None:
        fd = os.open(path, _READ)
        try:
            item.size = os.fstat(fd).st_size
            content = _Exactly(fd, item.size)
            self.archive.addfile(item, t.cast("t.IO[bytes]", content))
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if content.short or after.st_size != item.size or int(after.st_mtime) != item.mtime:
            self.changed.append(item.name)
        self.files += 1
        self.size += item.size


@contextlib.contextmanager
def writing(stream: t.IO[bytes]) -> t.Iterator[tarfile.TarFile]:
    """A new compressed archive. The fastest compression, since the engines work on the same host."""
    with contextlib.ExitStack() as stack:
        packed = stack.enter_context(gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0))
        yield stack.enter_context(tarfile.TarFile(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT))


def pack(directory: str, account: Account, consume: t.Callable[[bytes], t.Any]) -> dict[str, t.Any]:
    """Pass on a compressed archive of a directory. Returns the number of files and bytes, and what changed."""

    def produce(fd: int) -> dict[str, t.Any]:
        with acting_as(account.uid, account.gid), os.fdopen(fd, "wb", closefd=False) as stream:
            if not os.path.isdir(directory):
                raise NodeError(f"{directory} does not exist. {mount_advice(directory)}")
            with writing(stream) as archive:
                packer = _Packer(archive)
                packer.add(directory)
        return {
            "files": packer.files,
            "bytes": packer.size,
            "changed": packer.changed[:20],
            "left_out": packer.left_out[:20],
        }

    return t.cast("dict[str, t.Any]", on_share(directory, produce, consume))


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as exc:
        if exc.errno in _CLOSED:
            return []
        raise


def _allocated(entry: os.DirEntry[str]) -> int:
    try:
        info = entry.stat(follow_symlinks=False)
    except OSError as exc:
        if exc.errno in (*_CLOSED, errno.ENOENT):
            return 0
        raise
    return min(info.st_size, info.st_blocks * _ALLOCATED)


def size(directory: str, account: Account) -> int:
    """The bytes on the disk of all files in a directory that a backup contains."""

    def count(fd: int) -> int:
        total = 0
        waiting = [(directory, 0)]
        with acting_as(account.uid, account.gid):
            while waiting:
                path, depth = waiting.pop()
                for entry in _entries(path):
                    if not entry.is_dir(follow_symlinks=False):
                        total += _allocated(entry)
                    elif depth < _DEEPEST:
                        waiting.append((entry.path, depth + 1))
                os.write(fd, _PROGRESS)
        return total

    return int(on_share(directory, count, lambda _block: None))


def unpack(source: int, directory: str, account: Account) -> dict[str, t.Any]:
    """Unpack an archive from a descriptor into a new directory."""

    def extract(fd: int) -> dict[str, t.Any]:
        with acting_as(account.uid, account.gid):
            make_directories(directory, 0o750)
            return read(source, lambda: os.write(fd, _PROGRESS), directory)

    return t.cast("dict[str, t.Any]", on_share(directory, extract, lambda _block: None))


def read(source: int, progress: t.Callable[[], t.Any] = lambda: None, directory: str = "") -> dict[str, t.Any]:
    """Read all of an archive, and write it where a directory is named."""
    files, links = 0, set()
    try:
        with os.fdopen(source, "rb", closefd=False) as stream, gzip.GzipFile(fileobj=stream) as packed:
            with tarfile.open(fileobj=packed, mode="r|") as archive:
                for item in archive:
                    parts = check_relative(item.name)
                    if any("/".join(parts[:length]) in links for length in range(1, len(parts))):
                        raise NodeError(f"The archive is damaged: {item.name} is below a link.")
                    if item.issym():
                        links.add(item.name)
                    content = archive.extractfile(item) if item.isreg() else None
                    _write(item, content, directory, progress)
                    files += item.isreg()
            # The checksum is at the end.
            while packed.read(_BLOCK):
                progress()
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as exc:
        raise NodeError(f"The archive is damaged: {exc}") from exc
    return {"files": files}


def _write(item: tarfile.TarInfo, content: t.IO[bytes] | None, directory: str, progress: t.Callable[[], t.Any]) -> None:
    path = os.path.join(directory, item.name)
    if not directory:
        while content is not None and content.read(_BLOCK):
            progress()
    elif item.isdir():
        os.mkdir(path, 0o700 | item.mode & 0o777)
    elif item.issym():
        os.symlink(item.linkname, path)
    elif content is not None:
        fd = os.open(path, _CREATE, item.mode & 0o777)
        try:
            while block := content.read(_BLOCK):
                write_all(fd, block)
                progress()
            os.utime(fd, (item.mtime, item.mtime))
            os.fsync(fd)
        finally:
            os.close(fd)
    progress()


def on_share(directory: str, function: t.Callable[[int], t.Any], consume: t.Callable[[bytes], t.Any]) -> t.Any:
    try:
        return bounded.stream(function, consume, SECONDS)
    except TimeoutError as exc:
        raise NodeError(
            f"The file share at {directory} does not answer ({exc.strerror}). Check its server and the mount, then run "
            "again."
        ) from exc
    except OSError as exc:
        where = f" {exc.filename}" if exc.filename else ""
        raise NodeError(f"{directory}{where} cannot be read or written: {exc.strerror}.") from exc
