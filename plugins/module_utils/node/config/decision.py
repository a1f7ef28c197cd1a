# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 4: decide what an activation does, and whether the engine must be restarted."""

from __future__ import annotations

import json
import os
import typing as t

from ..engine import run_state
from ..engine.unit import belongs
from ..files.errors import NodeError
from ..files.manifest import Manifest
from ..files.scan import BASELINE, NODE, Expected, Found, printable
from .activate import ATTRIBUTES, DELETE, Action, blocking_paths, plan, predict
from .context import Context
from .drift import Findings
from .node_files import Records
from .node_state import Inspection

OVERWRITE, FAIL, KEEP = "overwrite", "fail", "keep"


class Decision(t.NamedTuple):
    """The actions of an activation, the files that it does not touch, and the files on disk afterwards."""

    actions: list[Action]
    kept: list[str]
    files_after: dict[str, Found]


def decide(context: Context, inspection: Inspection, findings: Findings) -> Decision:
    keep: set[str] = set()
    if context.request.on_drift == KEEP:
        keep = {drift.key for drift in findings.drift}
    blocked = [key for key in blocking_paths(inspection.scene, inspection.target) if key in keep]
    if blocked:
        raise NodeError(
            f"on_drift is keep, but the release needs directories in place of {', '.join(map(printable, blocked))} "
            "on the node. Nothing was changed. Move these files away, or run with on_drift: overwrite."
        )
    actions = plan(
        inspection.scene,
        inspection.target,
        {**inspection.planned, **inspection.before},
        [drift.key for drift in findings.drift if drift.kind == "extra"],
        _known_digests(context, inspection),
        keep,
        _availability(context),
        context.view.owners["engine"],
    )
    actions = _without_renamed(context, inspection, actions)
    if not context.request.sets_node_files:
        actions = [action for action in actions if action.root != NODE or action.target is not None]
    return Decision(actions, sorted(printable(key) for key in keep), predict(inspection.scene, actions))


def _known_digests(context: Context, inspection: Inspection) -> t.Callable[[str], set[str]]:
    """Contents of a file that need no backup: those of a release and the vendor's."""
    view, baseline = context.view, inspection.baseline
    groups = (inspection.before, inspection.target, inspection.planned)
    aliases = {view.alias(key): key for group in groups[:2] for key in group}

    def known(key: str) -> set[str]:
        names = {key, view.alias(key), aliases.get(key, key)}
        digests = {digest for group in groups for name in names if name in group for digest in group[name].digests}
        inside = view.engine_path(key) if key.startswith("/") else key.split(":", 1)[1]
        if baseline is not None and inside and key.startswith(("/", "engine:")):
            item = baseline.get("files", {}).get(inside)
            if item:
                digests.add(str(item.get("sha256")))
        return digests

    return known


def _availability(context: Context) -> t.Callable[[Expected], bool]:
    """Whether a file can be written: the store has only the digest of some of the vendor's files."""
    blobs, view = context.blob_names(), context.view
    return lambda expected: (
        expected.origin != BASELINE or (expected.digests[0] in blobs and not view.is_unmanaged(expected))
    )


def _without_renamed(context: Context, inspection: Inspection, actions: t.Iterable[Action]) -> list[Action]:
    """Without deletions of files that get another key, such as a released file that becomes a node file."""
    alias = context.view.alias
    other_names = {alias(key) for key in inspection.target}
    return [
        action
        for action in actions
        if action.action != DELETE or (alias(action.key) not in inspection.target and action.key not in other_names)
    ]


def content_of(context: Context, contents: t.Mapping[str, bytes], expected: Expected) -> bytes:
    """The content to write for a file."""
    digest = expected.digests[0]
    return contents[digest] if digest in contents else context.store.blob(digest)


# --- restart


def run_state_with(
    context: Context,
    inspection: Inspection,
    release: Manifest | None,
    files: dict[str, Found],
    expected: t.Mapping[str, Expected],
    node_files: Records,
    java_home: str,
) -> run_state.RunState:
    """Whether the engine must be restarted if these were the files on disk."""
    view = context.view
    present = view.present(files, expected, release, java_home)
    drifted = [
        item.path
        for key, item in expected.items()
        if item.origin != BASELINE and present.files.get(key) not in item.digests
    ]
    drifted += [drift.path for drift in inspection.copy.drift()]
    started = run_state.read(context.request.run_directory)
    return run_state.judge(started, context.unit, present, view.kinds(node_files), drifted)


def current_run_state(context: Context, inspection: Inspection, java_home: str | None = None) -> run_state.RunState:
    """Whether the engine must be restarted as the node is now."""
    return run_state_with(
        context,
        inspection,
        inspection.applied_manifest,
        inspection.scene.files,
        inspection.before,
        inspection.applied_node_files,
        context.view.java_home() if java_home is None else java_home,
    )


def run_state_after(
    context: Context,
    inspection: Inspection,
    decision: Decision,
    release: Manifest,
    contents: t.Mapping[str, bytes],
) -> run_state.RunState:
    """Whether the engine must be restarted after the activation."""
    return run_state_with(
        context,
        inspection,
        release,
        decision.files_after,
        inspection.target,
        inspection.node_files,
        _java_home_after(context, inspection, contents),
    )


def _java_home_after(context: Context, inspection: Inspection, contents: t.Mapping[str, bytes]) -> str:
    path = os.path.join(context.view.settings.roots["environment"], "node.json")
    record = inspection.node_files.get(path)
    if record is not None and record["sha256"] in contents:
        return context.view.java_home(_json_object(contents[record["sha256"]]))
    return context.view.java_home()


def _json_object(data: bytes) -> dict[str, t.Any]:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def needs_daemon_reload(context: Context, decision: Decision) -> bool:
    name = context.view.settings.unit
    return bool(name) and (
        context.unit.need_reload
        or any(action.root == NODE and belongs(action.path, name) for action in decision.actions)
    )


def hot_reloads(context: Context, decision: Decision, state: run_state.RunState) -> list[str]:
    """The changed files that the running engine reloads without a restart."""
    if not context.unit.running:
        return []
    return sorted(
        printable(action.path)
        for action in decision.actions
        if action.action != ATTRIBUTES and action.root == "engine" and action.key not in state.keys
    )


def will_change(context: Context, inspection: Inspection, decision: Decision, release: str) -> bool:
    return bool(decision.actions) or context.recorded.release != release or not inspection.engine_matches
