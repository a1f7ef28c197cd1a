# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases in a node's store: the list of them, and one of them piece by piece for the controller."""

from __future__ import annotations

import typing as t

from ..files.errors import NodeError
from ..store.store import Store, timestamp
from . import payload


def _describe(store: Store, release: str, blobs: t.Container[str]) -> dict[str, t.Any]:
    item: dict[str, t.Any] = {"id": release, "complete": False}
    found = store.tree.read(f"releases/{release}/manifest.json")
    if found is not None:
        item["staged"] = timestamp(found[1].st_mtime)
    try:
        manifest = store.manifest(release)
    except NodeError as exc:
        # One damaged release must not hide the others.
        return {**item, "problem": str(exc)}
    if manifest is None:
        return item
    return {
        **item,
        "cluster": manifest.cluster,
        "engine_version": manifest.engine_version,
        "files": len(manifest.entries),
        "size": sum(entry.size for entry in manifest.entries),
        "complete": all(entry.sha256 in blobs for entry in manifest.entries),
    }


def listing(store_path: str) -> dict[str, t.Any]:
    """The releases in the store, the newest first, and the applied one."""
    with Store(store_path) as store:
        if not store.tree.exists:
            return {"releases": [], "applied": None, "applied_time": None}
        blobs = store.blob_names()
        applied = store.applied()
        found = [_describe(store, name, blobs) for name in store.releases()]
    found.sort(key=lambda item: (str(item.get("staged", "")), str(item["id"])), reverse=True)
    return {"releases": found, "applied": applied.get("release"), "applied_time": applied.get("time")}


def pieces(store_path: str, release: str, blobs: t.Iterable[str]) -> dict[str, t.Any]:
    """A release's list of files, or the bytes of some of them, each checked against its digest."""
    with Store(store_path) as store:
        # Reading it is what checks it.
        manifest = store.manifest(release) if store.tree.exists else None
        found = store.tree.read(f"releases/{release}/manifest.json") if manifest is not None else None
        if manifest is None or found is None:
            raise NodeError(f"The store {store_path} does not have release {release}.")
        named = {entry.sha256 for entry in manifest.entries}
        wanted = list(blobs)
        if any(digest not in named for digest in wanted):
            raise NodeError(f"Release {release} does not have all the files that were asked for.")
        if not wanted:
            return {"manifest": payload.to_text(found[0])}
        return {"blobs": {digest: payload.to_text(store.blob(digest)) for digest in wanted}}
