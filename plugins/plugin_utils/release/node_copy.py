# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a release from a node's store into the controller's cache."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache as release_cache
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.build import release_id
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError, Manifest
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.restart import KeyedDigest

# Bytes of files in one answer: what a node says is held in memory several times on its way.
BATCH_SIZE = 4 << 20

# Asks the node for the release's list of files (no digests named) or for the content of some files.
Ask = t.Callable[[list[str]], dict[str, t.Any]]


def complete_in_cache(cache: str, release: str) -> Manifest | None:
    """The manifest, if the cache has the release with all its files."""
    try:
        manifest = release_cache.load_manifest(cache, release)
        for entry in manifest["entries"]:
            if not release_cache.blob_path(cache, entry["sha256"]).is_file():
                return None
    except CacheError:
        return None
    return manifest


def cached(cache: str) -> list[dict[str, str]]:
    """The complete releases of the cache."""
    directory = os.path.join(cache, "releases")
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    found = []
    for name in names:
        manifest = complete_in_cache(cache, name)
        if manifest is not None:
            found.append({"id": name, "engine_version": str(manifest.get("engine_version", ""))})
    return found


def copy(cache: str, release: str, cluster_key: str, ask: Ask) -> int:
    """Copy what the cache lacks; returns how many files the node was asked for."""
    if complete_in_cache(cache, release) is not None:
        return 0
    manifest = manifest_of(ask([]).get("manifest"), release)
    if release_id(manifest, KeyedDigest(cluster_key)) != release:
        raise CacheError(
            f"Release {release} was not built with this cluster's key: ivy_cluster_key has changed since, or somebody "
            "changed the release on the node. Set the key that it was built with, or choose another release."
        )
    sizes = {entry["sha256"]: int(entry["size"]) for entry in manifest["entries"]}
    missing = sorted(digest for digest in sizes if not _have(cache, digest))
    blobs: list[bytes] = []
    for batch in _batches(missing, sizes):
        answer = ask(batch).get("blobs")
        for digest in batch:
            data = _decoded(answer.get(digest) if isinstance(answer, dict) else None, sizes[digest], release)
            if hashlib.sha256(data).hexdigest() != digest:
                raise CacheError(f"A file of release {release} was damaged on its way from the node. Run again.")
            blobs.append(data)
    release_cache.write_release(cache, manifest, blobs)
    return len(missing)


def _decoded(text: t.Any, limit: int, release: str) -> bytes:
    """What a node sent, if it is not longer than expected."""
    try:
        return answers.decoded(text, limit)
    except answers.AnswerError as error:
        raise CacheError(f"A file of release {release} was damaged on its way from the node. Run again.") from error


def manifest_of(text: t.Any, release: str) -> Manifest:
    """The manifest of a release as a node sent it. Whether this cluster has built it, its key shows."""
    raw = _decoded(text, answers.LONGEST_MANIFEST, release)
    try:
        manifest = answers.parsed(raw)
        same = isinstance(manifest, dict) and manifest.get("id") == release and canonical(manifest) == raw
    except (ValueError, RecursionError) as error:
        raise CacheError(f"The manifest of release {release} on the node is invalid ({error}).") from error
    if not same:
        raise CacheError(
            f"What the node calls release {release} is another one, or damaged. Take it from another node."
        )
    problem = release_cache.manifest_problem(manifest, release)
    if problem is not None:
        raise CacheError(f"Release {release} cannot be used: {problem}. Choose another release.")
    return t.cast(Manifest, manifest)


def _have(cache: str, digest: str) -> bool:
    try:
        release_cache.read_blob(cache, digest)
    except CacheError:
        return False
    return True


def _batches(digests: t.Iterable[str], sizes: t.Mapping[str, int]) -> t.Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for digest in digests:
        if batch and size + sizes[digest] > BATCH_SIZE:
            yield batch
            batch, size = [], 0
        batch.append(digest)
        size += sizes[digest]
    if batch:
        yield batch
