# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a backup again: its checksums, and what its files contain."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t

from .. import commands
from ..cluster import record
from ..files.errors import NodeError
from . import database, encryption, manifest, paths, trees
from .make import described

NONE, CHECKSUMS, CONTENT = "none", "checksums", "content"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_ARCHIVE = ".tar.gz"


def checksums(directory: str, found: manifest.Manifest) -> list[str]:
    """The files of a backup that are missing, or that are not those of its manifest."""
    problems = []
    for name, expected in sorted(found["files"].items()):
        try:
            fd = os.open(os.path.join(directory, name), _READ)
        except OSError as exc:
            problems.append(f"{name} cannot be read: {exc.strerror}.")
            continue
        try:
            if os.fstat(fd).st_size != expected["size"]:
                problems.append(f"{name} has {os.fstat(fd).st_size} bytes instead of {expected['size']}.")
            elif described(fd)["sha256"] != expected["sha256"]:
                problems.append(f"{name} is damaged: its SHA-256 is not that of the manifest.")
        except OSError as exc:
            problems.append(f"{name} cannot be read: {exc.strerror}.")
        finally:
            os.close(fd)
    return problems


@contextlib.contextmanager
def opened(directory: str, found: manifest.Manifest, name: str, identity: str = "") -> t.Iterator[int]:
    """The descriptor with the content of a file, decrypted."""
    stored = manifest.file_in(found, name)
    if not stored:
        raise NodeError(f"The backup {found['id']} has no {name}.")
    fd = os.open(os.path.join(directory, stored), _READ)
    try:
        if stored == name:
            yield fd
        else:
            with encryption.decrypted(fd, identity) as clear:
                yield clear
    finally:
        os.close(fd)


@contextlib.contextmanager
def dump_file(directory: str, found: manifest.Manifest, identity: str = "") -> t.Iterator[str]:
    """The path of the dump. One that is encrypted is written to a private file beside the backup for that time."""
    path = os.path.join(directory, manifest.DUMP)
    if manifest.file_in(found, manifest.DUMP) == manifest.DUMP:
        yield path
        return
    work = tempfile.mkdtemp(prefix=".incomplete-", dir=os.path.dirname(directory))
    try:
        path = os.path.join(work, manifest.DUMP)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as stream, opened(directory, found, manifest.DUMP, identity) as clear:
            commands.read_descriptor(clear, stream.write, "age")
        yield path
    finally:
        paths.remove_tree(work)


def stored_record(directory: str, found: manifest.Manifest, identity: str = "") -> record.Record:
    """The cluster record in a backup."""
    blocks: list[bytes] = []
    with opened(directory, found, manifest.RECORD, identity) as fd:
        commands.read_descriptor(fd, blocks.append, "age")
    return record.parse(b"".join(blocks), f"{directory}/{manifest.RECORD}")


def content(directory: str, found: manifest.Manifest, identity: str = "") -> list[str]:
    """What is wrong with the content of the files; all of it is read. Encrypted files are not without the identity."""
    if manifest.is_encrypted(found) and not identity:
        return []
    steps: list[tuple[str, t.Callable[[], t.Any]]] = [
        (manifest.DUMP, lambda: _dump(directory, found, identity)),
        (manifest.RECORD, lambda: stored_record(directory, found, identity)),
    ]
    for stored in sorted(found["files"]):
        name = stored[: -len(manifest.ENCRYPTED)] if stored.endswith(manifest.ENCRYPTED) else stored
        if name.endswith(_ARCHIVE):
            steps.append((name, lambda name=name: _archive(directory, found, name, identity)))  # type: ignore[misc]
    return [problem for name, step in steps if (problem := _tried(name, step))]


def _tried(name: str, step: t.Callable[[], t.Any]) -> str:
    try:
        step()
    except (NodeError, OSError) as exc:
        return f"{name} cannot be restored: {exc}"
    return ""


def _dump(directory: str, found: manifest.Manifest, identity: str) -> None:
    with dump_file(directory, found, identity) as path:
        if " TABLE " not in database.contents(path) and found["database"].get("tables"):
            raise NodeError("the dump contains no table.")
        database.read(path)


def _archive(directory: str, found: manifest.Manifest, name: str, identity: str) -> None:
    with opened(directory, found, name, identity) as fd:
        trees.read(fd)
