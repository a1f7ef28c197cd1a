# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends an activation that was cut off, without the controller: the store has all that a release is made of.

The files of a node are then those of one release again: the one that was about to be activated, or the one before.
"""

from __future__ import annotations

import os
import typing as t

from ..engine import run_state
from ..files.atomic import resolve
from ..files.errors import NodeError, PermanentError
from ..store.store import Store
from . import converge
from .decision import OVERWRITE
from .node_files import Records
from .request import Request
from .view import settings_from

# A run that activates a release holds the lock; nobody waits for it here, since it may take long.
_LOCK_SECONDS = 1.0
# The next run removes what is old: it knows how much is to be kept.
_KEEP_ALL = 1 << 30


class Candidate(t.NamedTuple):
    """A release that the files of the node can be brought to."""

    release: str
    node_files: Records
    settings: dict[str, t.Any]
    # Whether it is the one that was about to be activated.
    forward: bool


class Recovery(t.NamedTuple):
    """The release that the node has now, and whether systemd has to read its units again."""

    candidate: Candidate
    daemon_reload: bool


def candidates(applied: t.Mapping[str, t.Any], intent: t.Mapping[str, t.Any]) -> list[Candidate]:
    """The releases that are complete in the store: first the one that a run was about to activate."""
    settings = intent.get("settings") or applied.get("settings") or {}
    found = [Candidate(str(intent.get("release") or ""), dict(intent.get("node_files") or {}), settings, True)]
    if applied.get("release") and applied.get("engine_directory") == intent.get("engine_directory"):
        # Another directory is that of another engine, which never had this release.
        before = dict(applied.get("node_files") or {})
        found.append(Candidate(str(applied["release"]), before, applied.get("settings") or settings, False))
    return [one for one in found if one.release and one.settings.get("roots")]


def recover(store: Store, intent: t.Mapping[str, t.Any], wanted: t.Sequence[Candidate], run_directory: str) -> Recovery:
    """Bring the files to the first of the releases whose contents the store has.

    PermanentError: it has none of them. Any other error may pass, such as a full disk.
    """
    with store.lock(_LOCK_SECONDS):
        if store.intent() != intent:
            raise NodeError("A run has activated a release on this node meanwhile.")
        damage: list[str] = []
        for one in wanted:
            problem = _misplaced(one, str(intent.get("engine_directory") or "")) or _damage(store, one)
            if not problem:
                return _activate(store, one, run_directory)
            damage.append(problem)
    raise PermanentError(" ".join(dict.fromkeys(damage)))


def _misplaced(one: Candidate, engine_directory: str) -> str:
    """Whether the engine's directory is another one now, whose files are not those that were about to be changed."""
    directory = str(one.settings["roots"].get("engine") or "")
    if not os.path.isdir(directory):
        raise NodeError(f"The engine's directory {directory} does not exist. Mount its file system.")
    now = resolve(directory)
    return "" if now == engine_directory else f"The engine's directory was {engine_directory} then, and is {now} now."


def _damage(store: Store, one: Candidate) -> str:
    """Why the store does not have the whole release; empty if it does."""
    try:
        manifest = store.manifest(one.release)
        if manifest is None:
            return f"The store lacks release {one.release}."
        digests = [entry.sha256 for entry in manifest.entries]
        for digest in dict.fromkeys([*digests, *(str(record["sha256"]) for record in one.node_files.values())]):
            store.blob(digest)
    except NodeError as exc:
        return str(exc)
    return ""


def _activate(store: Store, one: Candidate, run_directory: str) -> Recovery:
    request = Request(
        state=converge.APPLIED,
        release=one.release,
        manifest_digest="",
        settings=settings_from(one.settings),
        store=store.path,
        node_files=None,
        on_drift=OVERWRITE,
        keep_releases=_KEEP_ALL,
        keep_backups=_KEEP_ALL,
        check=False,
        diff=False,
        judge=False,
        manifest=None,
        blobs={},
        verdicts={},
        recorded_node_files=one.node_files,
        run_directory=run_directory or run_state.RUN_DIRECTORY,
    )
    result = converge.converge_locked(request, store)
    if result.get("need_release") or result.get("need_contents"):
        raise PermanentError(f"The store lacks contents of release {one.release}.")
    store.journal("recovered", release=one.release, forward=one.forward)
    return Recovery(one, bool(result.get("daemon_reload")))
