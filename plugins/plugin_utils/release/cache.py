# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's cache of built releases: ``releases/<id>/manifest.json`` and ``blobs/<sha256>``.

Blobs are named by their content, so a release that differs in one file costs one file, and two runs that write at the
same time write the same bytes under the same names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import time
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import atomic_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import source
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.large_file import LargeFile

FORMAT = 1
BLOCK = 1 << 20
KEPT_RELEASES = 20
# A run that has just looked up a blob may not have written its manifest yet, so young blobs are never pruned.
PRUNE_AGE_SECONDS = 86400

_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ENTRY_KEYS = ("root", "path", "sha256", "size", "mode", "secret", "kind", "restart")

Manifest = dict[str, t.Any]


class CacheError(Exception):
    """The cache cannot give or take what was asked; the message says why and what to do."""


def manifest_path(cache: str | os.PathLike[str], release_id: str) -> Path:
    if not _ID.fullmatch(release_id):
        raise CacheError(f"'{release_id}' is not the id of a release: an id is 32 characters of 0-9 and a-f.")
    return Path(cache) / "releases" / release_id / "manifest.json"


def blob_path(cache: str | os.PathLike[str], sha256: str) -> Path:
    """Where the bytes lie, for callers that hand a file to a transfer instead of reading it."""
    return Path(_blob(cache, sha256))


def _blob(cache: str | os.PathLike[str], sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise CacheError(f"'{sha256}' is not a SHA-256 digest.")
    return f"{os.fspath(cache)}/blobs/{sha256}"


_ADVICE = "Build the release again (ivy.cluster.config_release)."


def raw_manifest(cache: str | os.PathLike[str], release_id: str) -> bytes:
    """The bytes of a manifest, unchecked."""
    path = manifest_path(cache, release_id)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CacheError(f"Release {release_id} is not in the cache {cache}. {_ADVICE}") from None
    except OSError as error:
        raise CacheError(f"Release {release_id} cannot be read from {path}: {error.strerror}.") from error


def manifest_digest(cache: str | os.PathLike[str], release_id: str) -> str:
    """The digest by which a node knows whether it has the same manifest, which need not be understood for that."""
    return hashlib.sha256(raw_manifest(cache, release_id)).hexdigest()


def load_manifest(cache: str | os.PathLike[str], release_id: str) -> Manifest:
    """The manifest of a built release; a damaged or foreign one is an error, never a partial answer."""
    path, advice = manifest_path(cache, release_id), _ADVICE
    raw = raw_manifest(cache, release_id)
    try:
        manifest = json.loads(raw)
    except ValueError as error:
        raise CacheError(f"{path} is damaged ({error}). Remove the directory {path.parent}. {advice}") from error
    problem = manifest_problem(manifest, release_id)
    if problem is None and canonical(manifest) != raw:
        problem = "its bytes are not those that were written"
    if problem is not None:
        raise CacheError(
            f"{path} is not the manifest of release {release_id}: {problem}. "
            f"Remove the directory {path.parent}. {advice}"
        )
    return t.cast(Manifest, manifest)


def read_blob(cache: str | os.PathLike[str], sha256: str) -> bytes:
    """The bytes of one file of a release, checked against their digest."""
    return b"".join(blob_blocks(cache, sha256))


def blob_blocks(cache: str | os.PathLike[str], sha256: str) -> t.Iterator[bytes]:
    """One file of a release block by block. After the last one, a content with another digest is an error."""
    path = _blob(cache, sha256)
    state = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as stream:
            while block := stream.read(BLOCK):
                state.update(block)
                yield block
    except FileNotFoundError:
        raise CacheError(
            f"The cache {cache} lacks a file of the release ({sha256}). "
            "Build the release again (ivy.cluster.config_release)."
        ) from None
    except OSError as error:
        raise CacheError(f"{path} cannot be read: {error.strerror}.") from error
    if state.hexdigest() != sha256:
        raise CacheError(
            f"{path} is damaged: its content does not have the digest in its name. "
            "Remove it and build the release again."
        )


def write_release(
    cache: str | os.PathLike[str],
    manifest: Manifest,
    blobs: t.Iterable[bytes],
    large_files: t.Iterable[LargeFile] = (),
) -> Path:
    """Write blobs first and the manifest last, so that a manifest in the cache always has its blobs."""
    root = Path(cache)
    path = manifest_path(root, manifest["id"])
    try:
        for directory in (root, root / "blobs", root / "releases", path.parent):
            private_directory(directory)
        for data in blobs:
            _write_blob(blob_path(root, hashlib.sha256(data).hexdigest()), data)
        for file in large_files:
            _copy_blob(root, file)
        atomic_files.replace(path, canonical(manifest))
    except OSError as error:
        raise CacheError(f"The release cannot be written to the cache {root}: {error}.") from error
    return path


def prune(cache: str | os.PathLike[str], keep: str, kept_releases: int = KEPT_RELEASES) -> None:
    """Forget all but the newest releases, and the files that no kept release names.

    Losing this race or this work costs disk space only, so nothing here raises.
    """
    root = Path(cache)
    with contextlib.suppress(OSError, ValueError, KeyError, CacheError):
        releases = sorted((root / "releases").iterdir(), key=lambda entry: entry.stat().st_mtime, reverse=True)
        horizon = time.time() - PRUNE_AGE_SECONDS
        needed: set[str] = set()
        for position, release in enumerate(releases):
            if position < kept_releases or release.name == keep or release.stat().st_mtime > horizon:
                needed.update(entry["sha256"] for entry in load_manifest(root, release.name)["entries"])
                continue
            (release / "manifest.json").unlink(missing_ok=True)
            release.rmdir()
        for record in _node_records(root):
            if not (root / "releases" / record.read_text(encoding="ascii").strip()).is_dir():
                record.unlink(missing_ok=True)
        for blob in (root / "blobs").iterdir():
            if blob.name not in needed and blob.stat().st_mtime < horizon:
                blob.unlink(missing_ok=True)


def _node_records(root: Path) -> list[Path]:
    """The files that record which release a node has."""
    return list((root / "nodes").iterdir()) if (root / "nodes").is_dir() else []


def manifest_problem(manifest: t.Any, release_id: str) -> str | None:
    if not isinstance(manifest, dict):
        return "it is not an object"
    if manifest.get("format") != FORMAT:
        return f"its format is {manifest.get('format')!r}, this version of the collection reads {FORMAT}"
    if manifest.get("id") != release_id:
        return "it names another id"
    entries = manifest.get("entries")
    if not isinstance(entries, list):
        return "it has no list of entries"
    for entry in entries:
        if not isinstance(entry, dict) or any(key not in entry for key in _ENTRY_KEYS):
            return "an entry is not complete"
        path = entry["path"]
        problem = source.relative_problem(path) if isinstance(path, str) else ("it is not a text", "")
        if problem is not None:
            return f"the path {plain_text(str(path))} is not accepted: {problem[0]}"
        if not _SHA256.fullmatch(str(entry["sha256"])):
            return f"the digest of {path} is not a SHA-256 digest"
        size, keys = entry["size"], entry.get("secret_keys") or []
        if not isinstance(size, int) or size < 0:
            return f"the size of {path} is not a number"
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            return f"the secret keys of {path} are not a list of names"
    return None


def private_directory(path: Path) -> None:
    """Make a directory that only this user can enter, or ensure that it is one."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise CacheError(f"{path} is not a directory; the cache holds secrets and is not written through a link.")
    if status.st_uid != os.geteuid():
        raise CacheError(
            f"{path} belongs to another user; the cache holds secrets. "
            "Set ivy_controller_cache to a directory of your own."
        )
    if stat.S_IMODE(status.st_mode) != 0o700:
        path.chmod(0o700)


def _write_blob(path: Path, data: bytes) -> None:
    try:
        present = path.read_bytes()
    except FileNotFoundError:
        present = None
    if present == data:
        # By its time prune() recognises that the blob is in use.
        os.utime(path)
        return
    # A blob that a crash left incomplete does not have its digest, so the next build writes it again.
    atomic_files.replace(path, data, durable=False)


def _copy_blob(root: Path, file: LargeFile) -> None:
    """Copy a file that stays on disk; in the cache it counts only with the content that the release records."""
    path = blob_path(root, file.sha256)
    with contextlib.suppress(CacheError):
        for _block in blob_blocks(root, file.sha256):
            pass
        os.utime(path)
        return
    atomic_files.replace(path, _unchanged(file), durable=False)


def _unchanged(file: LargeFile) -> t.Iterator[bytes]:
    """The blocks of a file that still has the content for which the release was built."""
    state = hashlib.sha256()
    for block in file.blocks():
        state.update(block)
        yield block
    if state.hexdigest() != file.sha256:
        raise CacheError(f"{file.path} was changed while the release was built from it. Run again.")
