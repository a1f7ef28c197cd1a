# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a backup: one directory, which gets its name only when everything in it is complete."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import io
import os
import tarfile
import typing as t

from ..cluster import record
from ..files.atomic import check_relative, write_all
from ..files.errors import NodeError
from ..store.store import Store, timestamp
from . import database, directory, encryption, manifest, retention, trees
from .place import Place, read_place

# Besides the files, for what is written meanwhile.
_RESERVE = 64 << 20
_NODE_DIRECTORIES = ("releases", "blobs")
_RESTORE = "restore"
_PRIVATE_KEY = b"PRIVATE KEY"


class Options(t.NamedTuple):
    """What is backed up and where to."""

    directory: str
    settings: str
    trees: dict[str, str]
    recipients: list[str]
    keep: int = 14
    keep_days: int = 0
    certificates: dict[str, str] | None = None


class Writer:
    """Writes one file of a backup, encrypted where there are recipients, with its size and its SHA-256."""

    def __init__(self, target: str, recipients: t.Sequence[str]) -> None:
        self.target, self.recipients = target, recipients
        self.files: dict[str, dict[str, t.Any]] = {}

    @contextlib.contextmanager
    def file(self, name: str) -> t.Iterator[t.Callable[[bytes], t.Any]]:
        name += manifest.ENCRYPTED if self.recipients else ""
        fd = os.open(
            os.path.join(self.target, name), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            if self.recipients:
                with encryption.encrypt_to(fd, self.recipients) as write:
                    yield write
            else:
                yield lambda block: write_all(fd, block)
            os.fsync(fd)
            self.files[name] = described(fd)
        finally:
            os.close(fd)


def described(fd: int) -> dict[str, t.Any]:
    """Size and SHA-256 of a file."""
    os.lseek(fd, 0, os.SEEK_SET)
    digest, size = hashlib.sha256(), 0
    while block := os.read(fd, 1 << 20):
        digest.update(block)
        size += len(block)
    return {"size": size, "sha256": digest.hexdigest()}


def _record(place: Place) -> record.Record:
    found = record.read(place.record_directory, place.account.uid, place.account.gid)
    if found is None or not found["desired_release"]:
        raise NodeError("Nothing was rolled out to this cluster yet, so there is nothing to back up.")
    if (found["operation"] or {}).get("name") == _RESTORE:
        raise NodeError(
            "A restore is not finished, so a backup now would contain parts of two states. Finish it first: "
            "ansible-playbook ivy.cluster.restore"
        )
    return found


def _check_space(options: Options, place: Place, facts: t.Mapping[str, int]) -> None:
    """Before anything is written. What is compressed needs less, how much less the last backup shows."""
    sizes = sum(trees.size(path, place.account) for path in place.trees.values())
    most = facts["bytes"] + sizes
    last = directory.newest(options.directory)
    needed = min(most, 2 * manifest.size_of(last)) if last else most
    status = os.statvfs(options.directory)
    free = status.f_bavail * status.f_frsize
    if free < needed + _RESERVE:
        raise NodeError(
            f"{options.directory} has {free >> 20} MiB free, and a backup needs up to {(needed + _RESERVE) >> 20} MiB. "
            "Nothing was written, and the earlier backups are there. Free some space, keep fewer backups "
            "(backup_keep), or choose another backup_directory."
        )


def _store(path: str, write: t.Callable[[bytes], t.Any]) -> None:
    """All releases of the node. They contain the licence and the secrets."""

    class _Out(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, block: t.Any) -> int:
            write(bytes(block))
            return len(block)

    out = t.cast("t.IO[bytes]", _Out())
    with Store(path) as store, store.lock(), trees.writing(out) as archive:
        for name in _NODE_DIRECTORIES:
            archive.add(os.path.join(path, name), arcname=name)


def _certificates(files: t.Mapping[str, str], keys: bool) -> bytes:
    """An archive of the certificates that the controller has read on the balancers. Without keys, no file with one."""
    data = io.BytesIO()
    with trees.writing(data) as archive:
        for name, text in sorted(files.items()):
            check_relative(name)
            try:
                content = base64.b64decode(text, validate=True)
            except binascii.Error as exc:
                raise NodeError(f"The certificate {name} was damaged on its way.") from exc
            if _PRIVATE_KEY in content and not keys:
                continue
            item = tarfile.TarInfo(name)
            item.size, item.mode = len(content), 0o600
            archive.addfile(item, io.BytesIO(content))
    return data.getvalue()


Check = t.Callable[[str, manifest.Manifest], list[str]]


def make(options: Options, now: float, check: Check) -> dict[str, t.Any]:
    """Make a backup, and remove those that are not to be kept. An error leaves the earlier ones.

    ``check`` reads the files again, before the backup gets its name.
    """
    place = read_place(options.settings, options.trees)
    with directory.locked(options.directory):
        directory.remove_incomplete(options.directory)
        found = _record(place)
        facts = database.facts(place.database)
        _check_space(options, place, facts)
        backup = manifest.new_id(now)
        target = directory.begin(options.directory, backup)
        try:
            content = _write(options, place, found, facts, target)
            content.update({"id": backup, "time": timestamp(now)})
            problems = check(target, content)
            if problems:
                raise NodeError(
                    f"The new backup cannot be used and was removed. The earlier ones are there. {' '.join(problems)}"
                )
            directory.complete(options.directory, backup, content)
        except OSError as exc:
            raise NodeError(
                f"The backup cannot be written to {options.directory}: {exc.strerror or exc}. The earlier backups are "
                "there."
            ) from exc
        finally:
            directory.discard(target)
        complete = directory.complete_ids(options.directory)
        removed = retention.removable(complete, options.keep, options.keep_days, now, retention.needed(found))
        for old in removed:
            directory.remove(options.directory, old)
    return {
        "id": backup,
        "path": os.path.join(options.directory, backup),
        "size": manifest.size_of(content),
        "files": sorted(content["files"]),
        "release": content["release"],
        "changed_while_read": content["changed_while_read"],
        "left_out": content["left_out"],
        "removed": removed,
    }


def _write(
    options: Options, place: Place, found: record.Record, facts: t.Mapping[str, int], target: str
) -> manifest.Manifest:
    writer = Writer(target, options.recipients)
    # The database first: what it names in the share is there already, and files are only added later.
    with writer.file(manifest.DUMP) as write:
        database.dump(place.database, write)
    packed: dict[str, t.Any] = {}
    for name, path in place.trees.items():
        with writer.file(manifest.tree_file(name)) as write:
            packed[name] = trees.pack(path, place.account, write)
    with writer.file(manifest.RELEASES) as write:
        _store(place.store, write)
    with writer.file(manifest.RECORD) as write:
        write(record.to_bytes({**found, "lease": None}, "the cluster record"))
    if options.certificates:
        with writer.file(manifest.CERTIFICATES) as write:
            write(_certificates(options.certificates, keys=bool(options.recipients)))
    return {
        "format": manifest.FORMAT,
        "cluster": place.cluster,
        "node": place.node,
        "engine_version": str(found["engine_version"] or ""),
        "release": str(found["desired_release"]),
        "operation": str((found["operation"] or {}).get("name") or ""),
        "schema": found["schema"],
        "database": {"name": place.database.name, **facts},
        "trees": {name: {**packed[name], "path": path} for name, path in place.trees.items()},
        "changed_while_read": [f"{name}/{path}" for name in packed for path in packed[name]["changed"]],
        "left_out": [f"{name}/{path}" for name in packed for path in packed[name]["left_out"]],
        "files": writer.files,
    }
