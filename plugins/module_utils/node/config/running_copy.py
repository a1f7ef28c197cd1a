# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy of the configuration on which an engine with a read-only configuration works.

The engine makes the copy at its start. A change in the copy (in the Cockpit) takes effect at once and is lost at the
next restart. This module only reads the copy.
"""

from __future__ import annotations

import os
import typing as t

from ..engine import run_state
from ..files.atomic import Tree
from ..files.manifest import Manifest
from ..files.scan import FILE, Budget, Drift, Expected, Found, as_expected

if t.TYPE_CHECKING:
    from .view import View

COPY = "copy"
_COPIED = "configuration/"
DETAIL = "changed in the running engine, which works on a copy: it vanishes at the next restart"


class CopyTree(Tree):
    """The copy, with the paths of the original files."""

    def open_parent(self, path: str) -> tuple[int, str] | None:
        return super().open_parent(path[len(_COPIED) :] if path.startswith(_COPIED) else path)


class RunningCopy(t.NamedTuple):
    """The released files in the engine's copy; empty if the configuration is writable or was not copied yet."""

    expected: dict[str, Expected]
    found: dict[str, Found]
    tree: CopyTree | None

    def drift(self) -> list[Drift]:
        findings = []
        for key, expected in self.expected.items():
            found = self.found[key]
            if found.kind != FILE or found.sha256 not in expected.digests:
                findings.append(Drift(COPY, expected.path, "modified", DETAIL, found, expected.secret))
        return findings

    def with_accepted(self, key: str, digest: str) -> RunningCopy:
        """The same copy with one more accepted content of a file."""
        expected = self.expected[key]
        accepted = expected._replace(digests=(*expected.digests, digest))
        return self._replace(expected={**self.expected, key: accepted})


def inspect_copy(
    view: View,
    release: Manifest | None,
    accepted: t.Mapping[str, t.Mapping[str, t.Sequence[str]]],
    run_directory: str = run_state.RUN_DIRECTORY,
) -> RunningCopy:
    tree = view.copy_tree(release.copy) if release is not None and release.copy else None
    copy = RunningCopy({}, {}, tree)
    if release is None or tree is None or not tree.exists:
        return copy
    budget = Budget()
    started = (run_state.read(run_directory) or {}).get("files", {})
    for entry in release.entries:
        if entry.root != "engine" or not entry.path.startswith(_COPIED):
            continue
        place = tree.open_parent(entry.path)
        if place is None:
            continue
        try:
            found = budget.inspect_expected(*place, entry.size)
        finally:
            os.close(place[0])
        if found is None:
            continue
        original = as_expected(entry, accepted, (-1, -1))
        key = f"{COPY}:{entry.path}"
        # The content with which the engine started is not a change in the copy, whoever changed it before.
        at_start = started.get(entry.key, {}).get("sha256", "")
        digests = (*original.digests, *accepted.get(key, {}).get(entry.sha256, ()), str(at_start))
        copy.expected[key] = original._replace(root=COPY, digests=digests, mode=None, uid=None, gid=None)
        copy.found[key] = found
    return copy
