# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory with the backups: one directory each, complete once it has its name and its manifest."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import typing as t

from ..files.errors import NodeError
from . import manifest, paths

_INCOMPLETE = ".incomplete-"
_LOCK = ".lock"
_OTHERS = 0o077


def check(directory: str) -> None:
    """Only root may enter it: backups contain the data of users, and secrets where they are not encrypted."""
    try:
        info = os.lstat(directory)
    except FileNotFoundError:
        raise NodeError(
            f"{directory} does not exist on this host. Run ivy.cluster.backup, which creates it, or correct "
            "backup_directory and backup_host."
        ) from None
    if not stat.S_ISDIR(info.st_mode):
        raise NodeError(f"{directory} is not a directory. Remove it, or choose another backup_directory.")
    if info.st_uid != os.geteuid() or info.st_mode & _OTHERS:
        raise NodeError(
            f"{directory} belongs to uid {info.st_uid} and has mode {stat.S_IMODE(info.st_mode):04o}, so others may "
            f"read or change backups. Run on this host: chown root:root {directory} && chmod 0700 {directory}"
        )


@contextlib.contextmanager
def locked(directory: str) -> t.Iterator[None]:
    """One process at a time makes, removes or restores backups."""
    check(directory)
    fd = os.open(os.path.join(directory, _LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise NodeError(
                f"Another process makes or restores a backup in {directory} now. Wait until it has ended."
            ) from exc
        yield
    finally:
        os.close(fd)


def begin(directory: str, backup: str) -> str:
    """The new directory in which the files of a backup are written."""
    if os.path.lexists(os.path.join(directory, backup)):
        raise NodeError(f"There is a backup {backup} already. Run again.")
    target = os.path.join(directory, f"{_INCOMPLETE}{backup}")
    os.mkdir(target, 0o700)
    return target


def complete(directory: str, backup: str, content: manifest.Manifest) -> None:
    """Write the manifest, last, and give the directory its name."""
    target = os.path.join(directory, f"{_INCOMPLETE}{backup}")
    data = manifest.to_bytes(content)
    manifest.parse(data, "the new manifest")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(os.path.join(target, manifest.FILE_NAME), flags, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    _sync(target)
    os.rename(target, os.path.join(directory, backup))
    _sync(directory)


def _sync(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def discard(target: str) -> None:
    """Remove a directory that was not completed."""
    if os.path.basename(target).startswith(_INCOMPLETE):
        paths.remove_tree(target)


def remove_incomplete(directory: str) -> None:
    """What a run has left that was killed."""
    for name in os.listdir(directory):
        discard(os.path.join(directory, name))


def remove(directory: str, backup: str) -> None:
    """Rename it first, so that an interrupted removal leaves nothing that has the name of a backup."""
    target = os.path.join(directory, f"{_INCOMPLETE}{backup}")
    os.rename(os.path.join(directory, backup), target)
    discard(target)


def load(directory: str, backup: str) -> manifest.Manifest:
    """The manifest of a backup."""
    where = os.path.join(directory, backup, manifest.FILE_NAME)
    try:
        with open(where, "rb") as stream:
            data = stream.read(manifest.LIMIT + 1)
    except FileNotFoundError:
        raise NodeError(f"The backup {backup} is incomplete: it has no {manifest.FILE_NAME}.") from None
    except OSError as exc:
        raise NodeError(f"{where} cannot be read: {exc.strerror}.") from exc
    if len(data) > manifest.LIMIT:
        raise NodeError(f"{where} is larger than any manifest.")
    found = manifest.parse(data, where)
    if found["id"] != backup:
        raise NodeError(f"{where} is the manifest of backup {found['id']}.")
    return found


def ids(directory: str) -> list[str]:
    """All directories with the name of a backup, the newest first."""
    try:
        return sorted((name for name in os.listdir(directory) if manifest.is_id(name)), reverse=True)
    except FileNotFoundError:
        return []


def complete_ids(directory: str) -> list[str]:
    """The backups whose manifest can be read, the newest first."""
    found = []
    for backup in ids(directory):
        with contextlib.suppress(NodeError):
            load(directory, backup)
            found.append(backup)
    return found


def newest(directory: str) -> manifest.Manifest | None:
    found = complete_ids(directory)
    return load(directory, found[0]) if found else None
