# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspection without changes to the configuration: drift, pending changes, and the engine's own rewriting."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ..engine.unit import nothing, show
from ..files.errors import NodeError
from ..files.scan import BASELINE, FILE, Drift, Expected, Found, attribute_problem, printable
from ..store.store import Store
from .activate import ATTRIBUTES, CREATE, DELETE, UPDATE
from .context import Context, open_context
from .decision import current_run_state
from .describe import drift_to_dict, found_to_dict
from .drift import REWRITING, SAME, Findings, find_drift, questions, settle, yaml_texts
from .node_state import Inspection, inspect_node
from .request import Request
from .staging import obtain_release
from .view import View

MACROS = (b"${encrypt:", b"${hash:")
_REWRITING_POLL = 0.2


def _still_as_released(request: Request) -> bool:
    """Whether the engine has not yet rewritten a file with a value that it encrypts."""
    with Store(request.store) as store:
        release = store.applied().get("release") if store.tree.exists else None
        manifest = store.manifest(str(release)) if release else None
        if manifest is None:
            return False
        with View(request.settings, store) as view:
            for entry in manifest.entries:
                if entry.root != "engine" or entry.kind != "yaml":
                    continue
                released = store.blob(entry.sha256)
                if not any(macro in released for macro in MACROS):
                    continue
                tree = view.copy_tree(manifest.copy) if manifest.copy else view.trees[entry.root]
                # The engine's user may have put a file of any length there.
                with contextlib.suppress(NodeError):
                    read = tree.read(entry.path, len(released))
                    if read is not None and read[0] == released:
                        return True
    return False


def await_rewriting(request: Request, seconds: float) -> None:
    """Wait for a running engine to encrypt values, which it does some moments after it loads a file.

    It is not an error if it does not: an engine with a read-only configuration leaves the files as they are.
    """
    end = time.monotonic() + seconds
    while _still_as_released(request) and time.monotonic() < end:
        time.sleep(_REWRITING_POLL)


def accept(request: Request) -> dict[str, t.Any]:
    """Find the YAML that differs from the applied release, and record what the controller judged to be rewriting."""
    with Store(request.store) as store:
        applied = store.applied() if store.tree.exists else {}
        if not applied.get("release"):
            return {"changed": False, "accepted": []}
        with contextlib.nullcontext() if request.check else store.lock(), View(request.settings, store) as view:
            context = open_context(request, store, view, nothing(request.settings.unit))
            inspection = inspect_node(context, None, context.recorded.node_files)
            findings = find_drift(context, inspection, stopped=True)
            open_questions = questions(context, inspection, findings) if request.judge else []
            if open_questions:
                return {"changed": False, "questions": open_questions}
            settlement = settle(context, inspection, findings, (SAME, REWRITING))
            if not request.check:
                for accepted in settlement.accepted:
                    store.accept(accepted.key, accepted.released, accepted.content)
                if settlement.accepted:
                    store.journal("accepted", files=[accepted.key for accepted in settlement.accepted])
        return {
            "changed": False,
            "accepted": sorted(accepted.key.split(":", 1)[-1] for accepted in settlement.accepted),
            "drift": [drift_to_dict(drift) for drift in settlement.findings.drift],
        }


def _pending(inspection: Inspection) -> dict[str, dict[str, t.Any]]:
    """Differences between the requested and the applied release that are not on the node yet."""
    out: dict[str, dict[str, t.Any]] = {}
    for key in sorted({*inspection.before, *inspection.target}):
        old, new = inspection.before.get(key), inspection.target.get(key)
        found = inspection.scene.files.get(key)
        if new is None:
            expected, change = inspection.before[key], DELETE
            done = found is None and key not in inspection.scene.directories
        elif old is None:
            expected, change, done = new, CREATE, _matches(found, new)
        elif old.digests[0] != new.digests[0]:
            expected, change, done = new, UPDATE, _matches(found, new)
        elif new.origin != BASELINE and (old.mode, old.uid, old.gid) != (new.mode, new.uid, new.gid):
            expected, change = new, ATTRIBUTES
            done = found is not None and not attribute_problem(new, found)
        else:
            continue
        if not done:
            out[key] = {
                "root": expected.root,
                "path": printable(expected.path),
                "change": change,
                "detail": "",
                "secret": expected.secret or (old is not None and old.secret),
                **found_to_dict(found),
            }
    return out


def _matches(found: Found | None, expected: Expected) -> bool:
    if found is None or found.kind != FILE or found.sha256 not in expected.digests:
        return False
    return not attribute_problem(expected, found)


def _blocking(context: Context, inspection: Inspection, pending: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[Drift]:
    """Files and directories on the node where the release is about to create another file."""
    findings = []
    before, alias = inspection.before, context.view.alias
    # A node file inside the engine's directory is expected under its other name.
    expected = {*before, *filter(None, (alias(key) for key in before))}
    for key, item in pending.items():
        found = inspection.scene.files.get(key)
        if found is None and not any(other.startswith(f"{key}/") for other in before):
            # A directory that the applied release needed is removed with its files; any other directory blocks.
            found = inspection.scene.directories.get(key)
        if item["change"] == CREATE and found is not None and not expected & {key, alias(key)}:
            target = inspection.target[key]
            detail = "nobody declared this file, and the release has another one here"
            findings.append(Drift(target.root, target.path, "extra", detail, found, target.secret))
    return findings


def _comparisons(
    context: Context, inspection: Inspection, findings: Findings, pending: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """YAML that the controller can compare by keys."""
    keys = {drift.key for drift in findings.drift if drift.kind in ("modified", ATTRIBUTES)}
    keys.update(key for key, item in pending.items() if item["change"] == UPDATE)
    texts = (yaml_texts(context, inspection, key) for key in sorted(keys))
    return [item for item in texts if item is not None]


def inspect(request: Request) -> dict[str, t.Any]:
    """Drift, pending changes and conflicts, each file in one of them only; nothing is written.

    The result contains the texts with which the controller compares YAML by keys.
    """
    with Store(request.store) as store, View(request.settings, store, must_exist=False) as view:
        context = open_context(request, store, view, show(request.settings.unit))
        obtained = obtain_release(context) if request.release else None
        release = obtained.release if obtained else None
        inspection = inspect_node(context, release, context.recorded.node_files)
        findings = find_drift(context, inspection)
        needs: dict[str, t.Any] = {}
        if request.release and release is None:
            needs["need_release"] = True
        open_questions = questions(context, inspection, findings) if request.judge else []
        if open_questions:
            needs["questions"] = open_questions
        if needs:
            return {"changed": False, **needs}
        pending = _pending(inspection) if release is not None else {}
        comparisons = _comparisons(context, inspection, findings, pending) if request.key else []
        inspection, findings, _accepted = settle(context, inspection, findings)
        found = [*findings.drift, *_blocking(context, inspection, pending)]
        drifted = {drift.key for drift in found}
        now = current_run_state(context, inspection)
        return {
            "changed": False,
            "applied": context.recorded.applied.get("release"),
            "applied_time": context.recorded.applied.get("time"),
            "drift": [drift_to_dict(drift) for drift in found if drift.key not in pending],
            "conflict": [
                {**drift_to_dict(drift), **{name: pending[drift.key][name] for name in ("change", "secret")}}
                for drift in found
                if drift.key in pending
            ],
            "pending": [item for key, item in pending.items() if key not in drifted],
            "engine_owned": [key.split(":", 1)[-1] for key in findings.engine_owned],
            "interrupted": context.interrupted and not store.busy(),
            "running": now.running,
            "unit_active": context.unit.running,
            "restart_required": now.restart_required,
            "restart_reasons": now.reasons,
            "restart_undecided": dict(now.undecided),
            "warnings": findings.warnings,
            "comparisons": comparisons,
            "digests": {
                printable(drift.key): drift.found.sha256 for drift in found if drift.found is not None and request.key
            },
        }
