# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy that an engine works on whose configuration is read-only.

It takes the copy at its start, so what is changed there (in the Cockpit) works at once and is gone after the next
restart. It is only read here, never written.
"""

from __future__ import annotations

import os
import typing as t

from ..engine import run_state
from ..files.atomic import Tree
from ..files.manifest import Manifest
from ..files.scan import FILE, Drift, Expected, Found, as_expected, look

if t.TYPE_CHECKING:
    from .view import View

COPY = "copy"
_COPIED = "configuration/"
DETAIL = "changed in the running engine, which works on a copy: it vanishes at the next restart"


class CopyTree(Tree):
    """The copy under the names of the files that were copied."""

    def open_parent(self, path: str) -> tuple[int, str] | None:
        return super().open_parent(path[len(_COPIED) :] if path.startswith(_COPIED) else path)


class RunningCopy:
    """What the engine made of the files of a release; empty where nothing is read-only, or nothing was copied."""

    def __init__(
        self,
        view: View,
        release: Manifest | None,
        accepted: t.Mapping[str, t.Mapping[str, t.Sequence[str]]],
        run_directory: str = run_state.RUN_DIRECTORY,
    ) -> None:
        self.expected: dict[str, Expected] = {}
        self.found: dict[str, Found] = {}
        self.tree = view.copy_tree(release.copy) if release is not None and release.copy else None
        if release is None or self.tree is None or not self.tree.exists:
            return
        started = (run_state.read(run_directory) or {}).get("files", {})
        for entry in release.entries:
            if entry.root != "engine" or not entry.path.startswith(_COPIED):
                continue
            place = self.tree.open_parent(entry.path)
            if place is None:
                continue
            try:
                found = look(*place)
            finally:
                os.close(place[0])
            if found is None:
                continue
            original = as_expected(entry, accepted, (-1, -1))
            key = f"{COPY}:{entry.path}"
            # The content that the engine was started with is not a change of the copy, whoever changed it before.
            at_start = started.get(entry.key, {}).get("sha256", "")
            good = (*original.digests, *accepted.get(key, {}).get(entry.sha256, ()), str(at_start))
            self.expected[key] = original._replace(root=COPY, digests=good, mode=None, uid=None, gid=None)
            self.found[key] = found

    def drift(self) -> list[Drift]:
        findings = []
        for key, want in self.expected.items():
            found = self.found[key]
            if found.kind != FILE or found.sha256 not in want.digests:
                findings.append(Drift(COPY, want.path, "modified", DETAIL, found, want.secret))
        return findings

    def take_for_good(self, key: str, digest: str) -> None:
        """Removes changes whose meaning turned out to be the same."""
        want = self.expected[key]
        self.expected[key] = want._replace(digests=(*want.digests, digest))
