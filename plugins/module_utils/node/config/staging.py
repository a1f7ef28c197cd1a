# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 1: stage the requested release, or find out that the controller must send it first."""

from __future__ import annotations

from ..files.errors import NodeError
from ..files.manifest import Manifest, parse
from .context import Context


def obtain_release(context: Context) -> Manifest | None:
    """The requested release; None if the controller must send it first. Writes nothing in check mode."""
    request, store = context.request, context.store
    staged = context.view.manifest(request.release) if store.tree.exists else None
    if staged is not None:
        if request.manifest_digest and staged.digest != request.manifest_digest:
            raise NodeError(
                f"The store is damaged: the manifest of release {request.release} in {store.path} differs from the "
                f"controller's. Remove {store.path}/releases/{request.release} and run again."
            )
        present = store.blob_names()
        if request.check or all(entry.sha256 in present for entry in staged.entries):
            return staged
    if request.manifest is None:
        return None
    received = parse(request.manifest, "received from the controller")
    if received.id != request.release or (request.manifest_digest and received.digest != request.manifest_digest):
        raise NodeError(
            "The received manifest is not the announced one: it was damaged in transit. Nothing was changed. Run again."
        )
    _reject_other_key(context, received)
    if not request.check:
        store.stage(request.manifest, request.blobs)
        store.journal("staged", release=received.id)
    return received


def _reject_other_key(context: Context, received: Manifest) -> None:
    """With two keys in use, each controller would report the other's release as a change, again and again."""
    applied = context.view.applied_manifest(context.recorded.applied)
    if applied is None or not applied.key or applied.key == received.key or context.request.accept_new_key:
        return
    raise NodeError(
        f"Release {received.id} was built with another cluster key than release {applied.id}, which is applied. "
        "Nothing was changed. Correct ivy_cluster_key; if it was renewed on purpose, run once with "
        "-e engine_accept_new_cluster_key=true."
    )
