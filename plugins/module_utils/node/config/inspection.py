# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks that write nothing to the configuration: drift, pending changes, and what the engine itself rewrote."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ..engine.unit import nothing, show
from ..files.scan import BASELINE, FILE, Drift, Expected, Found, attribute_problem, printable
from ..store.store import Store
from .activate import ATTRIBUTES, CREATE, DELETE, UPDATE
from .run import REWRITING, SAME, Request, Run, describe, describe_found, node_file_records
from .view import View

MACROS = (b"${encrypt:", b"${hash:")
_REWRITING_POLL = 0.2


def _still_as_released(request: Request) -> bool:
    """Whether a file with a value that the engine has to encrypt is still as it was written."""
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
                read = tree.read(entry.path)
                if read is not None and read[0] == released:
                    return True
    return False


def await_rewriting(request: Request, seconds: float) -> None:
    """Give a running engine the time to encrypt what it just read; it does so some moments after it loads a file.

    Not an error when it does not: an engine that only reads its files leaves them as they are.
    """
    end = time.monotonic() + seconds
    while _still_as_released(request) and time.monotonic() < end:
        time.sleep(_REWRITING_POLL)


def accept(request: Request) -> dict[str, t.Any]:
    """Find what differs from the applied release in YAML, and remember what the controller judged to be rewriting."""
    with Store(request.store) as store:
        applied = store.applied() if store.tree.exists else {}
        if not applied.get("release"):
            return {"changed": False, "accepted": []}
        with contextlib.nullcontext() if request.check else store.lock(), View(request.settings, store) as view:
            run = Run(request, store, view, nothing(request.settings.unit))
            run.observe(None, run.applied_nodes_of(applied))
            run.drift(stopped=True)
            asked = run.questions() if request.judge else []
            if asked:
                return {"changed": False, "questions": asked}
            accepted = run.settle((SAME, REWRITING))
            if not request.check:
                for key, released, content in accepted:
                    store.accept(key, released, content)
                if accepted:
                    store.journal("accepted", files=[key for key, _released, _content in accepted])
        return {
            "changed": False,
            "accepted": sorted(key.split(":", 1)[-1] for key, _released, _content in accepted),
            "drift": [describe(one) for one in run.findings],
        }


def _pending(run: Run) -> dict[str, dict[str, t.Any]]:
    """What of the wanted release differs from what was applied and is not on the node already."""
    out: dict[str, dict[str, t.Any]] = {}
    for key in sorted({*run.before, *run.target}):
        old, new = run.before.get(key), run.target.get(key)
        found = run.scene.files.get(key)
        if new is None:
            one, change, done = run.before[key], DELETE, found is None and key not in run.scene.directories
        elif old is None:
            one, change, done = new, CREATE, _holds(found, new)
        elif old.digests[0] != new.digests[0]:
            one, change, done = new, UPDATE, _holds(found, new)
        elif new.origin != BASELINE and (old.mode, old.uid, old.gid) != (new.mode, new.uid, new.gid):
            one, change, done = new, ATTRIBUTES, found is not None and not attribute_problem(new, found)
        else:
            continue
        if not done:
            out[key] = {
                "root": one.root,
                "path": printable(one.path),
                "change": change,
                "detail": "",
                "secret": one.secret or (old is not None and old.secret),
                **describe_found(found),
            }
    return out


def _holds(found: Found | None, want: Expected) -> bool:
    if found is None or found.kind != FILE or found.sha256 not in want.digests:
        return False
    return not attribute_problem(want, found)


def _blocking_paths(run: Run, pending: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[Drift]:
    """Files that somebody created where the release is about to create one with another content."""
    findings = []
    # A node file inside the engine's directory was expected under its other name.
    expected = {*run.before, *filter(None, (run.view.alias(key) for key in run.before))}
    for key, item in pending.items():
        found = run.scene.files.get(key)
        if found is None and not any(other.startswith(f"{key}/") for other in run.before):
            # A directory of the applied release is removed with its files. Any other directory is blocking.
            found = run.scene.directories.get(key)
        if item["change"] == CREATE and found is not None and not expected & {key, run.view.alias(key)}:
            want = run.target[key]
            detail = "nobody declared this file, and the release has another one here"
            findings.append(Drift(want.root, want.path, "extra", detail, found, want.secret))
    return findings


def _comparisons(run: Run, pending: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """YAML that the controller can take apart key by key."""
    keys = {one.key for one in run.findings if one.kind in ("modified", ATTRIBUTES)}
    keys.update(key for key, item in pending.items() if item["change"] == UPDATE)
    texts = (run.yaml_texts(key) for key in sorted(keys))
    return [one for one in texts if one is not None]


def inspect(request: Request) -> dict[str, t.Any]:
    """Drift, pending changes and conflicts, each file in one of them only; nothing is written.

    The controller takes YAML apart by keys afterwards, for which the answer holds the texts.
    """
    with Store(request.store) as store:
        unit = show(request.settings.unit)
        with View(request.settings, store, must_exist=False) as view:
            run = Run(request, store, view, unit)
            wanted = run.release() if request.release else None
            records = run.applied_nodes_of(run.applied)
            if request.node_files is not None:
                records, _contents = node_file_records(request.node_files, must_exist=False)
            run.observe(wanted, records)
            run.drift()
            answer: dict[str, t.Any] = {"changed": False}
            if request.release and wanted is None:
                answer["need_release"] = True
            asked = run.questions() if request.judge else []
            if asked:
                answer["questions"] = asked
            if len(answer) > 1:
                return answer
            pending = _pending(run) if wanted is not None else {}
            comparisons = _comparisons(run, pending) if request.key else []
            run.settle()
            run.findings.extend(_blocking_paths(run, pending))
            drifted = {one.key for one in run.findings}
            now = run.verdict(run.applied_manifest, run.scene.files, run.before, run.applied_nodes, view.java_home())
            return {
                "changed": False,
                "applied": run.applied.get("release"),
                "applied_time": run.applied.get("time"),
                "drift": [describe(one) for one in run.findings if one.key not in pending],
                "conflict": [
                    {**describe(one), **{name: pending[one.key][name] for name in ("change", "secret")}}
                    for one in run.findings
                    if one.key in pending
                ],
                "pending": [item for key, item in pending.items() if key not in drifted],
                "engine_owned": [key.split(":", 1)[-1] for key in run.engine_owned],
                "interrupted": bool(run.intent) and not store.busy(),
                "running": now.running,
                "unit_active": unit.running,
                "restart_required": now.restart_required,
                "restart_reasons": now.reasons,
                "warnings": run.warnings,
                "comparisons": comparisons,
                "digests": {
                    printable(one.key): one.found.sha256
                    for one in run.findings
                    if one.found is not None and request.key
                },
            }
