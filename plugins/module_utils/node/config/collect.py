# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a node that differ from what was applied, with both contents, for a controller that adopts them.

The result is confidential. The caller encrypts it.
"""

from __future__ import annotations

import typing as t

from ..engine.unit import nothing
from ..files.errors import NodeError
from ..files.patterns import Patterns
from ..files.scan import BASELINE, ENGINE_AREAS, FILE, Drift, Found, printable
from ..store.store import Store
from . import payload
from .context import Context, open_context
from .describe import drift_to_dict
from .drift import find_drift
from .node_state import Inspection, inspect_node, tree_of
from .request import Request
from .running_copy import COPY
from .view import View

# A longer file is not configuration that anybody edits. It is reported, and copied by hand.
GREATEST_FILE = 16 << 20
# In Base64 it fits into what the controller accepts.
GREATEST_ANSWER = 16 << 20

# The vendor's documentation.
_DOCUMENTATION = ("configuration/reference/", "configuration/templates/")


class _Contents:
    """Reads contents of files, up to the total size of a result."""

    def __init__(self, context: Context, inspection: Inspection) -> None:
        self.context = context
        self.inspection = inspection
        self.left = GREATEST_ANSWER

    def actual(self, root: str, path: str, found: Found | None) -> tuple[str | None, bool]:
        """The content on disk, and whether it is too long."""
        if found is None or found.kind != FILE:
            return None, False
        if found.size > min(GREATEST_FILE, self.left):
            return None, True
        tree = tree_of(self.context, self.inspection, root)
        try:
            # It may have grown since.
            read = tree.read(path, max(min(GREATEST_FILE, self.left), 0)) if tree is not None else None
        except NodeError:
            return None, True
        if read is None:
            return None, False
        self.left -= len(read[0])
        return payload.to_text(read[0]), False

    def applied(self, digest: str) -> tuple[str | None, bool]:
        """The applied content, and whether it is too long."""
        if digest not in self.context.store.blob_names():
            # The store has only the digest of some of the vendor's files.
            return None, False
        content = self.context.store.blob(digest)
        if len(content) > min(GREATEST_FILE, self.left):
            return None, True
        self.left -= len(content)
        return payload.to_text(content), False


def collect(request: Request, take: t.Iterable[str] = (), everything: bool = False) -> dict[str, t.Any]:
    """Drifted files; with ``take`` also files of the engine's own; with ``everything`` all that is not the vendor's."""
    with Store(request.store) as store, View(request.settings, store, must_exist=False) as view:
        context = open_context(request, store, view, nothing(request.settings.unit))
        inspection = inspect_node(context, None, context.recorded.node_files)
        contents = _Contents(context, inspection)
        taken = Patterns(take)
        release = context.recorded.applied.get("release")
        result: dict[str, t.Any] = {
            "applied": release,
            "interrupted": context.interrupted and not store.busy(),
            "manifest": None,
            "findings": [],
            "baseline": inspection.baseline is not None,
        }
        if release:
            found = store.tree.read(f"releases/{release}/manifest.json")
            result["manifest"] = payload.to_text(found[0]) if found else None
        if everything:
            result["findings"], result["engine_owned"] = _everything(context, inspection, contents, taken)
            return result
        findings = find_drift(context, inspection, stopped=True)
        result["findings"] = [_with_contents(inspection, drift, contents) for drift in findings.drift]
        owned = [key.split(":", 1)[1] for key in findings.engine_owned if key.startswith("engine:")]
        result["engine_owned"] = [path for path in owned if not taken.match(path)]
        for path in owned:
            found_file = inspection.scene.files.get(f"engine:{path}")
            if taken.match(path) and found_file is not None:
                result["findings"].append(_extra(path, found_file, contents))
        return result


def _with_contents(inspection: Inspection, drift: Drift, contents: _Contents) -> dict[str, t.Any]:
    """A finding with both contents of its file."""
    expected = inspection.before.get(drift.key) or inspection.copy.expected.get(drift.key)
    item = {
        **drift_to_dict(drift),
        "path": drift.path,
        "origin": expected.origin if expected else "",
        "yaml": expected is not None and expected.kind == "yaml",
        "before": None,
        "after": None,
        "too_long": False,
        "irregular": drift.found is not None and drift.found.kind != FILE,
    }
    if drift.root in ("engine", COPY):
        if expected is not None:
            item["before"], item["too_long"] = contents.applied(expected.digests[0])
        if not item["too_long"]:
            item["after"], item["too_long"] = contents.actual(drift.root, drift.path, drift.found)
    return item


def _extra(path: str, found: Found, contents: _Contents) -> dict[str, t.Any]:
    after, too_long = contents.actual("engine", path, found)
    return {
        "root": "engine",
        "path": path,
        "kind": "extra",
        "detail": "nobody declared this file",
        "secret": False,
        "origin": "",
        "yaml": path.endswith((".yaml", ".yml")),
        "before": None,
        "after": after,
        "too_long": too_long,
        "irregular": found.kind != FILE,
    }


def _everything(
    context: Context, inspection: Inspection, contents: _Contents, taken: Patterns
) -> tuple[list[dict[str, t.Any]], list[str]]:
    """All files of the managed directories that are not as the vendor delivered them; the engine's own separately."""
    view = context.view
    files, owned = [], []
    delivered = (inspection.baseline or {}).get("files", {})
    node_files = {view.alias(path).split(":", 1)[-1] for path in inspection.applied_node_files}
    for key, found in sorted(inspection.scene.files.items()):
        root, _colon, path = key.partition(":")
        if root != "engine" or path.split("/", 1)[0] not in ENGINE_AREAS or path.startswith(_DOCUMENTATION):
            continue
        if path in node_files or view.ignored.match(path):
            continue
        vendor = delivered.get(path)
        if vendor is not None and vendor.get("sha256") == found.sha256:
            continue
        expected = inspection.before.get(key)
        unmanaged = expected is None or expected.origin == BASELINE
        if view.owned.match(path) and not taken.match(path) and unmanaged:
            owned.append(printable(path))
            continue
        files.append(_extra(path, found, contents))
    return files, owned
