# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 5: activate a release so that the next start or run can finish it, wherever it is interrupted."""

from __future__ import annotations

import contextlib
import typing as t

from ..files.atomic import Tree
from ..files.errors import NodeError
from ..files.manifest import Manifest
from ..files.scan import Expected, printable
from ..store.store import timestamp
from .activate import CREATE, UPDATE, Action, Executor, Late
from .context import Context
from .decision import Decision, content_of
from .drift import Findings
from .node_state import Inspection
from .running_copy import COPY

# Goals of activations in a row that were cut off.
_EARLIER = 4


class Outcome(t.NamedTuple):
    """The directory of the backup (empty if nothing was backed up), and what was changed at the last moment."""

    backup: str
    late: Late

    @property
    def backups(self) -> list[str]:
        return [one for one in (self.backup, *self.late.backups) if one]


def activate(
    context: Context,
    inspection: Inspection,
    findings: Findings,
    decision: Decision,
    release: Manifest,
    contents: t.Mapping[str, bytes],
) -> Outcome:
    """Activate a release."""
    store, recorded = context.store, context.recorded
    next_applied = _next_applied(context, inspection, release.id)
    previous = {key: value for key, value in recorded.applied.items() if key != "time"}
    outcome = Outcome("", Late([], []))
    executes = bool(decision.actions or inspection.scene.leftovers)
    if executes:
        outcome = _execute(context, inspection, findings, decision, release, contents, next_applied)
    if decision.actions or context.interrupted:
        store.forget_accepted(_written_as_released(inspection, decision))
    if previous != next_applied or decision.actions:
        store.put_applied(dict(next_applied, time=timestamp()))
    _remove_unused_directories(context, inspection)
    if executes or context.interrupted:
        store.clear_intent()
        store.journal("applied", release=release.id, recovered=context.interrupted)
    if decision.actions or previous.get("release") != release.id:
        store.prune(context.request.keep_releases, context.request.keep_backups)
    return outcome


def _next_applied(context: Context, inspection: Inspection, release: str) -> dict[str, t.Any]:
    """The content of applied.json after the activation, without its time."""
    applied = context.recorded.applied
    same = applied.get("release") == release
    node_files = inspection.node_files if context.request.sets_node_files else inspection.applied_node_files
    changed = node_files != inspection.applied_node_files
    earlier = inspection.applied_node_files if changed else context.recorded.previous_node_files
    return {
        "format": 1,
        "release": release,
        "previous": applied.get("previous") if same else applied.get("release"),
        "engine_directory": context.view.engine_directory,
        "node_files": node_files,
        **({"previous_node_files": earlier} if earlier else {}),
        "settings": context.view.settings.to_dict(),
    }


def _execute(
    context: Context,
    inspection: Inspection,
    findings: Findings,
    decision: Decision,
    release: Manifest,
    contents: t.Mapping[str, bytes],
    next_applied: t.Mapping[str, t.Any],
) -> Outcome:
    """Back up, record the intent, and carry out the actions."""
    store, view, recorded = context.store, context.view, context.recorded

    def content(expected: Expected) -> bytes:
        return content_of(context, contents, expected)

    sizes = {entry.sha256: entry.size for entry in release.entries}
    trees: dict[str, Tree] = dict(view.trees)
    if inspection.copy.tree is not None:
        trees[COPY] = inspection.copy.tree
    executor = Executor(store, trees, view.owners, content)
    executor.check_space(
        decision.actions,
        lambda expected: sizes.get(expected.digests[0], len(contents.get(expected.digests[0], b""))),
    )
    # Read all content before writing any: a damaged store must not leave half a release.
    for action in decision.actions:
        if action.target is not None and action.action in (CREATE, UPDATE):
            content(action.target)
    present = store.blob_names()
    for record in next_applied["node_files"].values():
        if record["sha256"] in contents and record["sha256"] not in present:
            store.put_blob(record["sha256"], contents[record["sha256"]])
    backup = executor.backup([*decision.actions, *_lost_at_restart(findings)])
    store.put_intent(
        {
            "release": release.id,
            "engine_directory": view.engine_directory,
            "node_files": next_applied["node_files"],
            # For the start of the engine, which finishes this if it is cut off.
            "settings": next_applied["settings"],
            "earlier": _earlier(recorded.intent, release.id),
            "time": timestamp(),
        }
    )
    # The intent is durable and says the same.
    store.journal("begin", durable=False, release=release.id, actions=len(decision.actions), backup=backup or None)
    outside = [
        key for key in {*inspection.planned, *inspection.before, *inspection.target} if not key.startswith("engine:")
    ]
    try:
        late = executor.run(decision.actions, inspection.scene, outside if context.interrupted else ())
    except Exception as exc:
        # Of whatever kind: an intent that stays keeps the engine from starting.
        _give_up(context, release, executor, exc)
    if late.paths:
        store.journal("changed meanwhile", files=late.paths, backups=late.backups)
    return Outcome(backup, late)


def _earlier(intent: t.Mapping[str, t.Any], release: str) -> list[t.Any]:
    """What earlier activations, which were cut off as well, were about to write: their files may still be there."""
    if not intent:
        return []
    goal = {name: intent.get(name) for name in ("release", "node_files", "engine_directory")}
    known = [one for one in intent.get("earlier") or () if one.get("release") not in (release, goal["release"])]
    return [*([goal] if goal["release"] != release else []), *known][:_EARLIER]


def _give_up(context: Context, release: Manifest, executor: Executor, exc: Exception) -> t.NoReturn:
    """Report how far an activation got. If it replaced nothing, the engine may still start."""
    reason = str(exc) if isinstance(exc, NodeError) else f"{type(exc).__name__}: {exc}"
    if isinstance(exc, OSError):
        # A write to an open file has no name, and a name in an open directory has no directory.
        reason = f"{printable(executor.at or str(exc.filename or ''))}: {exc.strerror or exc}"
        reason += ". Free some space, or mount the file system for writing, and run again"
    if executor.replaced:
        consequence = "Some files were already replaced. The next run, or the next start of the engine, completes this."
    else:
        consequence = "No file was replaced."
        if not context.interrupted:
            with contextlib.suppress(OSError):
                context.store.clear_intent()
                context.store.journal("given up", release=release.id)
    raise NodeError(f"Release {release.id} could not be activated: {reason.rstrip('.')}. {consequence}") from exc


def _lost_at_restart(findings: Findings) -> list[Action]:
    """Changes in the engine's copy, which the restart for this activation discards."""
    return [
        Action(UPDATE, COPY, drift.path, drift.key, None, drift.found, True)
        for drift in findings.drift
        if drift.root == COPY
    ]


def _written_as_released(inspection: Inspection, decision: Decision) -> set[str]:
    """The YAML files with the release's own bytes.

    The engine will encrypt their values again. Its earlier rewriting must not stay accepted, or a value that somebody
    encrypted by hand would be taken for the engine's work.
    """
    files = decision.files_after
    return {
        key
        for key, expected in inspection.target.items()
        if expected.kind == "yaml" and key in files and files[key].sha256 == expected.digests[0]
    }


def _remove_unused_directories(context: Context, inspection: Inspection) -> None:
    """An interrupted activation may have created directories without a file in them."""
    for key, expected in inspection.planned.items():
        if key not in inspection.target and expected.root == "engine":
            context.view.trees[expected.root].remove_empty_directories(expected.path)
