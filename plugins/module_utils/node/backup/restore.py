# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores the parts of a backup, on the node that has it.

What takes long is done beside the data in use: the dump is loaded into a new database, and the shared files are
unpacked into a new directory. Once all engines have stopped, both take the place of the old ones. The old files stay in
``before`` until the next restore.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import tarfile
import typing as t

from ..cluster.access import acting_as
from ..files.atomic import check_relative
from ..files.errors import NodeError
from ..files.manifest import check_id
from ..store.store import Store
from . import database, manifest, paths, trees, verify
from . import directory as directories
from .place import Place, read_place

NEW, BEFORE, PARTIAL = "new", "before", "before.partial"
_WORK = "restore"
_LONGEST_RELEASE_FILE = 1 << 30


def work_directory(place: Place) -> str:
    """On the file share, beside the cluster record: the engine's user may write there."""
    return os.path.join(place.record_directory, _WORK)


# --- the database


def load_database(
    place: Place, directory: str, found: manifest.Manifest, name: str, identity: str = ""
) -> dict[str, int]:
    """Load the dump into a new, empty database. Fails if fewer tables are there than the backup had."""
    with verify.dump_file(directory, found, identity) as path:
        loaded = database.load(place.database, name, path)
    expected = int(found["database"].get("tables") or 0)
    if loaded["tables"] < expected:
        raise NodeError(f"{loaded['tables']} tables were loaded into {name}, and the backup has {expected}.")
    return loaded


# --- the shared files


def _names(place: Place, found: manifest.Manifest) -> list[str]:
    return [name for name in place.trees if manifest.file_in(found, manifest.tree_file(name))]


def load_files(place: Place, directory: str, found: manifest.Manifest, again: bool, identity: str = "") -> int:
    """Unpack the shared files beside those in use. Returns their number.

    ``again`` continues an interrupted restore: what is in ``before`` then is from before its beginning, and stays.
    Otherwise it is from an earlier restore, and is removed.
    """
    new = os.path.join(work_directory(place), NEW)
    _on_share(place, lambda: _prepare(place, new, again))
    count = 0
    for name in _names(place, found):
        with verify.opened(directory, found, manifest.tree_file(name), identity) as fd:
            count += trees.unpack(fd, os.path.join(new, name), place.account)["files"]
    return count


def _prepare(place: Place, new: str, again: bool) -> None:
    work = work_directory(place)
    for old in [new] if again else [new, os.path.join(work, BEFORE), os.path.join(work, PARTIAL)]:
        paths.remove_tree(old)
    paths.make_directories(new, 0o750)
    for name, path in place.trees.items():
        if os.stat(path).st_dev != os.stat(new).st_dev:
            raise NodeError(
                f"{path} ({name}) and {place.record_directory} are on different file systems, so the restored files "
                "cannot take the place of the others at once. Restore them by hand."
            )


def swap_files(place: Place, found: manifest.Manifest) -> list[str]:
    """The restored files take the place of those in use, which stay in ``before``. Returns these directories."""
    names = _names(place, found)
    _on_share(place, lambda: _swap_all(place, names))
    return [os.path.join(work_directory(place), BEFORE, name) for name in names]


def _swap_all(place: Place, names: t.Sequence[str]) -> None:
    work = work_directory(place)
    before, partial = os.path.join(work, BEFORE), os.path.join(work, PARTIAL)
    missing = [name for name in names if not os.path.isdir(os.path.join(work, NEW, name))]
    if missing:
        raise NodeError(
            f"The restored files of {', '.join(missing)} are missing in {work}/{NEW}. Run the restore again."
        )
    paths.make_directories(before, 0o750)
    for name in names:
        _swap(place.trees[name], os.path.join(work, NEW, name), os.path.join(before, name), os.path.join(partial, name))


def _swap(path: str, new: str, before: str, partial: str) -> None:
    if os.path.isdir(before):
        # An earlier attempt has kept the old files, so what is here now is a part of the restored ones.
        for entry in os.listdir(path):
            paths.remove_tree(os.path.join(path, entry))
    else:
        paths.make_directories(partial, 0o750)
        _move(path, partial)
        # From here on, the old files are complete there.
        os.rename(partial, before)
    _move(new, path)


def _move(source: str, target: str) -> None:
    for entry in os.listdir(source):
        os.rename(os.path.join(source, entry), os.path.join(target, entry))


def _on_share(place: Place, function: t.Callable[[], t.Any]) -> t.Any:
    def run(fd: int) -> t.Any:
        with acting_as(place.account.uid, place.account.gid):
            return function()

    return trees.on_share(place.record_directory, run, lambda _block: None)


# --- the releases


def load_release(place: Place, directory: str, found: manifest.Manifest, identity: str = "") -> bool:
    """Store the backup's release on this node, unless it has it. Returns whether it was stored."""
    release = found["release"]
    check_id(release)
    with Store(place.store) as store:
        present = store.manifest(release) if store.tree.exists else None
        if present is not None and all(entry.sha256 in store.blob_names() for entry in present.entries):
            return False
        wanted = f"releases/{release}/manifest.json"
        # Twice, since the manifest is behind the files, and the backup has those of all releases.
        with verify.opened(directory, found, manifest.RELEASES, identity) as fd:
            manifests = [content for _name, content in _members(fd, lambda name: name == wanted)]
        if not manifests:
            raise NodeError(f"The backup {found['id']} does not contain its release {release}.")
        data = manifests[-1]
        with verify.opened(directory, found, manifest.RELEASES, identity) as fd:
            blobs = {_digest(name): content for name, content in _members(fd, lambda name: _is_named(name, data))}
        with store.lock():
            store.stage(data, blobs)
    return True


def _digest(name: str) -> str:
    return name.rsplit("/", 1)[1]


def _is_named(name: str, data: bytes) -> bool:
    return name.startswith("blobs/") and _digest(name).encode("utf-8", "replace") in data


def _members(fd: int, wanted: t.Callable[[str], bool]) -> t.Iterator[tuple[str, bytes]]:
    """The files of an archive that are wanted. All of it is read, since only the end shows whether it is complete."""
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(os.fdopen(fd, "rb", closefd=False))
            packed = stack.enter_context(gzip.GzipFile(fileobj=stream))
            archive = stack.enter_context(tarfile.open(fileobj=packed, mode="r|"))
            for item in archive:
                check_relative(item.name)
                content = archive.extractfile(item) if item.isreg() and wanted(item.name) else None
                if content is not None and item.size <= _LONGEST_RELEASE_FILE:
                    yield item.name, content.read()
            while packed.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as exc:
        raise NodeError(f"{manifest.RELEASES} is damaged: {exc}") from exc


def restore(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The result of ivy.cluster.backup_restore."""
    path, identity, state = params["directory"], params["identity"], params["state"]
    place = read_place(params["settings"], params["trees"])
    with directories.locked(path):
        found = directories.load(path, params["id"])
        target = os.path.join(path, params["id"])
        if state == "loaded":
            loaded = load_database(place, target, found, params["database"], identity)
            return {"changed": True, "tables": loaded["tables"]}
        if state == "unpacked":
            return {"changed": True, "files": load_files(place, target, found, params["again"], identity)}
        if state == "staged":
            return {"changed": load_release(place, target, found, identity)}
        return {"changed": True, "before": swap_files(place, found)}
