# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 1: stage the requested release, or find out that the controller must send it first."""

from __future__ import annotations

import typing as t

from ..files.delta import assembled
from ..files.digest import sha256
from ..files.errors import NodeError
from ..files.manifest import Manifest, check_id, parse
from .context import Context


class Obtained(t.NamedTuple):
    """The requested release, and its manifest if it came with this call and is not in the store yet."""

    release: Manifest
    received: bytes | None


def obtain_release(context: Context) -> Obtained | None:
    """The requested release; None if the controller must send it first. Writes nothing."""
    request, store = context.request, context.store
    staged = context.view.manifest(request.release) if store.tree.exists else None
    if staged is not None:
        if request.manifest_digest and staged.digest != request.manifest_digest:
            raise NodeError(
                f"The store is damaged: the manifest of release {request.release} in {store.path} differs from the "
                f"controller's. Remove {store.path}/releases/{request.release} and run again."
            )
        if request.check or _is_complete(staged, store.blob_names()):
            return Obtained(staged, None)
    received = request.manifest if request.manifest is not None else _from_delta(context)
    if received is None:
        return None
    release = parse(received, "received from the controller")
    if release.id != request.release or (request.manifest_digest and release.digest != request.manifest_digest):
        raise NodeError(
            "The received manifest is not the announced one: it was damaged in transit. Nothing was changed. Run again."
        )
    complete = request.manifest is not None or request.check
    if not complete and not _is_complete(release, store.blob_names() | request.blobs.keys()):
        # The delta came with the contents that the controller believed to be missing. The node has fewer.
        return None
    _reject_other_key(context, release)
    return Obtained(release, received)


def keep_release(context: Context, obtained: Obtained) -> None:
    """Add a release that came with this call to the store."""
    if obtained.received is not None and not context.request.check:
        context.store.stage(obtained.received, context.request.blobs)
        context.store.journal("staged", durable=context.request.state == "staged", release=obtained.release.id)


def _is_complete(release: Manifest, contents: t.Container[str]) -> bool:
    return all(entry.sha256 in contents for entry in release.entries)


def _from_delta(context: Context) -> bytes | None:
    """The manifest made from an earlier one; None where the node has another one, or nothing of that name."""
    delta, store = context.request.delta, context.store
    if not delta or not store.tree.exists:
        return None
    found = store.tree.read(f"releases/{check_id(str(delta.get('base')))}/manifest.json")
    made = assembled(found[0], delta.get("parts") or ()) if found is not None else None
    if made is None or sha256(made) != context.request.manifest_digest:
        return None
    return made


def _reject_other_key(context: Context, received: Manifest) -> None:
    """With two keys in use, each controller would report the other's release as a change, again and again."""
    applied = context.view.applied_manifest(context.recorded.applied)
    request = context.request
    if applied is None or not applied.key or applied.key == received.key or request.accept_new_key:
        return
    if applied.key == request.previous_key:
        return
    raise NodeError(
        f"Release {received.id} was built with another cluster key than release {applied.id}, which is applied. "
        "Nothing was changed. Correct ivy_cluster_key; if it was renewed on purpose, set ivy_cluster_key_previous to "
        "the former one, or run once with -e engine_accept_new_cluster_key=true."
    )
