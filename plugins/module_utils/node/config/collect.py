# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a node that differ from what was applied, with both contents, for a controller that adopts them.

The result is confidential: the caller encrypts it.
"""

from __future__ import annotations

import typing as t

from ..engine.unit import nothing
from ..files.patterns import Patterns
from ..files.scan import BASELINE, ENGINE_AREAS, FILE, Found, printable
from ..store.store import Store
from . import payload
from .run import Request, Run, describe
from .running_copy import COPY
from .view import View

# A longer file is not edited configuration. It is listed, and copied by hand.
GREATEST_FILE = 16 << 20
GREATEST_ANSWER = 64 << 20

# What the vendor delivers to be read by people.
_DOCUMENTATION = ("configuration/reference/", "configuration/templates/")


class _Contents:
    """Contents of files, up to a total that an answer can carry."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.left = GREATEST_ANSWER

    def actual(self, root: str, path: str, found: Found | None) -> tuple[str | None, bool]:
        """The content on the disk, and whether it is too long."""
        if found is None or found.kind != FILE:
            return None, False
        if found.size > min(GREATEST_FILE, self.left):
            return None, True
        tree = self.run.tree(root)
        read = tree.read(path) if tree is not None else None
        if read is None:
            return None, False
        self.left -= len(read[0])
        return payload.to_text(read[0]), False

    def applied(self, digest: str) -> str | None:
        if digest not in self.run.store.blob_names():
            # Some of the vendor's files are remembered without their content.
            return None
        return payload.to_text(self.run.store.blob(digest))


def collect(request: Request, take: t.Iterable[str] = (), everything: bool = False) -> dict[str, t.Any]:
    """What drifted; with ``take`` also files of the engine's own; with ``everything`` all that is not the vendor's."""
    with Store(request.store) as store, View(request.settings, store, must_exist=False) as view:
        run = Run(request, store, view, nothing(request.settings.unit))
        run.observe(None, run.applied_nodes_of(run.applied))
        run.drift(stopped=True)
        contents = _Contents(run)
        taken = Patterns(take)
        release = run.applied.get("release")
        answer: dict[str, t.Any] = {
            "applied": release,
            "interrupted": bool(run.intent) and not store.busy(),
            "manifest": None,
            "findings": [],
            "baseline": run.baseline is not None,
        }
        if release:
            found = store.tree.read(f"releases/{release}/manifest.json")
            answer["manifest"] = payload.to_text(found[0]) if found else None
        if everything:
            answer["findings"], answer["engine_owned"] = _everything(run, contents, taken)
            return answer
        for one in run.findings:
            want = run.before.get(one.key) or run.copy.expected.get(one.key)
            item = {**describe(one), "path": one.path, "origin": want.origin if want else "", "before": None}
            item["yaml"] = want is not None and want.kind == "yaml"
            item["after"], item["too_long"] = None, False
            item["irregular"] = one.found is not None and one.found.kind != FILE
            if one.root in ("engine", COPY):
                if want is not None:
                    item["before"] = contents.applied(want.digests[0])
                item["after"], item["too_long"] = contents.actual(one.root, one.path, one.found)
            answer["findings"].append(item)
        owned = [key.split(":", 1)[1] for key in run.engine_owned if key.startswith("engine:")]
        answer["engine_owned"] = [path for path in owned if not taken.match(path)]
        for path in owned:
            found_one = run.scene.files.get(f"engine:{path}")
            if taken.match(path) and found_one is not None:
                answer["findings"].append(_extra(path, found_one, contents))
        return answer


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


def _everything(run: Run, contents: _Contents, taken: Patterns) -> tuple[list[dict[str, t.Any]], list[str]]:
    """All files of the managed directories that the vendor did not deliver so, and the engine's own apart from them."""
    files, owned = [], []
    delivered = (run.baseline or {}).get("files", {})
    nodes = {run.view.alias(path).split(":", 1)[-1] for path in run.applied_nodes}
    for key, found in sorted(run.scene.files.items()):
        root, _colon, path = key.partition(":")
        if root != "engine" or path.split("/", 1)[0] not in ENGINE_AREAS or path.startswith(_DOCUMENTATION):
            continue
        if path in nodes or run.view.ignored.match(path):
            continue
        vendor = delivered.get(path)
        if vendor is not None and vendor.get("sha256") == found.sha256:
            continue
        want = run.before.get(key)
        if run.view.owned.match(path) and not taken.match(path) and (want is None or want.origin == BASELINE):
            owned.append(printable(path))
            continue
        files.append(_extra(path, found, contents))
    return files, owned
