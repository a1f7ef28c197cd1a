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
            digest = artefact.sha256 or applications.digest_of(artefact.source)
            placed = tree.exists and applications.is_placed(store, tree, artefact, digest)
        except NodeError:
            placed = False
        return {"changed": not placed, "placed": placed, "status": applications.marker(tree, artefact)}


def withdraw(artefact: Artefact, store_path: str, check: bool) -> dict[str, t.Any]:
    """Remove an artefact that the engine has not deployed. The one that was in use before is known again."""
    with Store(store_path) as store, Tree(artefact.deploy_directory) as tree:
        status = applications.marker(tree, artefact) if tree.exists else applications.ABSENT
        changed = status in (applications.WAITING, applications.FAILED)
        if changed and not check:
            with store.lock():
                applications.withdraw(store, tree, artefact)
            status = applications.marker(tree, artefact)
        return {"changed": changed, "status": status}


def deploy(artefact: Artefact, store_path: str, wait: bool, timeout: float) -> dict[str, t.Any]:
    """Place the artefact, and optionally wait until the engine has deployed it. A failure is in `msg` and `log`.

    An artefact whose deployment failed is removed. One that is still waiting stays, since the engine may be at work.
    """
    with Store(store_path) as store, Tree(artefact.deploy_directory) as tree:
        if not tree.exists:
            raise NodeError(f"{artefact.deploy_directory} does not exist. Install the engine first.")
        digest = applications.digest_of(artefact.source)
        if artefact.sha256 not in ("", digest):
            raise NodeError(f"{artefact.source} is not the artefact that is declared. Run again, so that it is copied.")
        with store.lock():
            changed = not applications.is_placed(store, tree, artefact, digest)
            if changed:
                applications.put(store, tree, artefact, digest)
        if not wait:
            return {"changed": changed, "status": applications.marker(tree, artefact)}
        return result_of(store, tree, artefact, changed, timeout)


def result_of(store: Store, tree: Tree, artefact: Artefact, changed: bool, timeout: float) -> dict[str, t.Any]:
    """Wait for the marker of a placed artefact."""
    status, waited = applications.await_marker(tree, artefact, timeout)
    result: dict[str, t.Any] = {"changed": changed, "status": status, "waited": round(waited, 1)}
    if status != applications.DEPLOYED:
        reason = (
            "the engine could not deploy it; see log"
            if status == applications.FAILED
            else f"the engine did not process it within {timeout:.0f} seconds. Check that the engine runs"
        )
        result.update(msg=f"{artefact.name} is not deployed: {reason}.", log=applications.log_of(tree, artefact))
    with store.lock():
        if status == applications.FAILED:
            applications.withdraw(store, tree, artefact)
        elif status == applications.DEPLOYED:
            applications.settle(store, tree, artefact)
    return result
