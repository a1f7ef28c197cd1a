# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2: inspect the node. Collects the expected files and the files on disk."""

from __future__ import annotations

import os
import typing as t

from ..files.atomic import Tree
from ..files.errors import NodeError
from ..files.manifest import Manifest
from ..files.scan import Expected, Found, Scene, check_area
from .context import Context
from .node_files import Records
from .running_copy import COPY, RunningCopy, inspect_copy


class Inspection(t.NamedTuple):
    """The state of a node: what was applied, what is requested and what is on disk."""

    applied_manifest: Manifest | None
    node_files: Records
    applied_node_files: Records
    # The keys that hold secrets, by the key of their YAML file.
    secret_keys: dict[str, t.Any]
    baseline: dict[str, t.Any] | None
    engine_matches: bool
    # Expected files: as applied, as requested, and as an interrupted activation was about to leave them.
    before: dict[str, Expected]
    target: dict[str, Expected]
    planned: dict[str, Expected]
    scene: Scene
    copy: RunningCopy

    def known(self, key: str) -> tuple[Expected | None, Found | None]:
        """A managed file as applied and as found, in the engine's copy or in its place."""
        if key in self.copy.expected:
            return self.copy.expected[key], self.copy.found[key]
        return self.before.get(key), self.scene.files.get(key)

    def with_accepted(self, key: str, digest: str) -> Inspection:
        """The same state with one more accepted content of a file."""
        if key in self.copy.expected:
            return self._replace(copy=self.copy.with_accepted(key, digest))
        expected = self.before[key]
        before = {**self.before, key: expected._replace(digests=(*expected.digests, digest))}
        target = self.target.get(key)
        if target is None or target.digests[0] != expected.digests[0]:
            return self._replace(before=before)
        accepted = target._replace(digests=(*target.digests, digest))
        return self._replace(before=before, target={**self.target, key: accepted})


def inspect_node(context: Context, requested: Manifest | None, node_files: Records) -> Inspection:
    """Inspect all managed places once. Without a requested release, the applied state is the target."""
    view, recorded = context.view, context.recorded
    applied_manifest = view.applied_manifest(recorded.applied)
    versions = [manifest.engine_version for manifest in (requested, applied_manifest) if manifest]
    baseline = context.store.baseline(view.engine_directory, versions[0] if versions else "")
    engine_matches = recorded.applied.get("engine_directory") == view.engine_directory
    applied_node_files = recorded.node_files
    before = view.expected(applied_manifest, recorded.accepted, baseline, applied_node_files, engine_matches)
    target = view.expected(requested, recorded.accepted, baseline, node_files) if requested else dict(before)
    planned = _planned(context, baseline)
    scene = view.survey((before, target, planned), context.unit)
    check_area(scene, "engine")
    entries = applied_manifest.entries if applied_manifest else ()
    return Inspection(
        applied_manifest=applied_manifest,
        node_files=node_files,
        applied_node_files=applied_node_files,
        secret_keys={entry.key: entry.secret_keys for entry in entries if entry.secret_keys},
        baseline=baseline,
        engine_matches=engine_matches,
        before=before,
        target=target,
        planned=planned,
        scene=scene,
        copy=inspect_copy(view, applied_manifest, recorded.accepted, context.request.run_directory),
    )


def _planned(context: Context, baseline: t.Mapping[str, t.Any] | None) -> dict[str, Expected]:
    """The files that interrupted activations were about to write, with all contents that these may have written."""
    planned: dict[str, Expected] = {}
    intent, view = context.recorded.intent, context.view
    for goal in (intent, *(intent.get("earlier") or ())):
        manifest = view.manifest(str(goal.get("release") or "")) if goal else None
        if manifest is None:
            continue
        matches = goal.get("engine_directory") == view.engine_directory
        node_files = dict(goal.get("node_files") or {})
        expected = view.expected(manifest, context.recorded.accepted, baseline, node_files, matches)
        for key, one in expected.items():
            known = planned.get(key)
            planned[key] = one if known is None else known._replace(digests=(*known.digests, *one.digests))
    return planned


def tree_of(context: Context, inspection: Inspection, root: str) -> Tree | None:
    """The open directory of a root."""
    return inspection.copy.tree if root == COPY else context.view.trees[root]


def read_expected(
    context: Context, inspection: Inspection, expected: Expected, limit: int
) -> tuple[bytes, os.stat_result] | None:
    """Content of an expected file; None if there is none, or if it has become longer than the limit."""
    tree = tree_of(context, inspection, expected.root)
    try:
        return tree.read(expected.path, limit) if tree is not None else None
    except NodeError:
        return None


def lacks_contents(context: Context, inspection: Inspection, contents: t.Container[str]) -> bool:
    """Whether the controller must send the content of a node file that is to be written."""
    if context.request.check and not context.request.diff:
        return False
    blobs = context.blob_names()
    for path, record in inspection.node_files.items():
        digest = str(record["sha256"])
        found = inspection.scene.files.get(path)
        if digest not in contents and digest not in blobs and (found is None or found.sha256 != digest):
            return True
    return False
