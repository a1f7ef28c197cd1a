# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places an artefact for the engine once, and waits until the engine has deployed it."""

from __future__ import annotations

import typing as t

from ..files.atomic import Tree
from ..files.errors import NodeError
from ..store.store import Store
from . import applications
from .applications import Artefact


def predict(artefact: Artefact, store_path: str) -> dict[str, t.Any]:
    """The result in check mode. On a host without an engine or without the artefact, it would be placed."""
    with Store(store_path) as store, Tree(artefact.deploy_directory) as tree:
        try:
            placed = tree.exists and applications.is_placed(
                store, tree, artefact, applications.digest_of(artefact.source)
            )
        except NodeError:
            placed = False
        return {"changed": not placed, "status": applications.marker(tree, artefact)}


def deploy(artefact: Artefact, store_path: str, wait: bool, timeout: float) -> dict[str, t.Any]:
    """Place the artefact, and optionally wait until the engine has deployed it. A failure is in `msg` and `log`."""
    with Store(store_path) as store, Tree(artefact.deploy_directory) as tree:
        if not tree.exists:
            raise NodeError(f"{artefact.deploy_directory} does not exist. Install the engine first.")
        digest = applications.digest_of(artefact.source)
        with store.lock():
            changed = not applications.is_placed(store, tree, artefact, digest)
            if changed:
                applications.put(store, tree, artefact, digest)
        if not wait:
            return {"changed": changed, "status": applications.marker(tree, artefact)}
        status, waited = applications.await_marker(tree, artefact, timeout)
        result: dict[str, t.Any] = {"changed": changed, "status": status, "waited": round(waited, 1)}
        if status != applications.DEPLOYED:
            reason = (
                "the engine could not deploy it; see log"
                if status == applications.FAILED
                else f"the engine did not process it within {timeout:.0f} seconds. Check that the engine runs"
            )
            result.update(msg=f"{artefact.name} is not deployed: {reason}.", log=applications.log_of(tree, artefact))
        return result
