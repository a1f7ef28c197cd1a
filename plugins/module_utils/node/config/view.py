# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The managed directories of a node: expected files, files on disk, and their differences.

The modules, the start check, the guard and the gate all use this class, so they agree on what belongs to the shared
configuration.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..engine.run_state import Present, java_state, keystore_state, kinds_of, present
from ..engine.unit import Unit, belongs, own_drop_ins
from ..files import accounts, scan
from ..files.atomic import Tree, resolve
from ..files.errors import NodeError
from ..files.manifest import Manifest, Restart
from ..files.patterns import Patterns
from ..files.scan import (
    BASELINE,
    ENGINE_OWNED,
    NODE,
    Drift,
    Expected,
    Found,
    Scene,
    compare,
    declared_applications,
    directories_above,
    directories_in_disorder,
    expected_of_baseline,
    expected_of_release,
    unexpected_files,
)
from ..store.store import Store, read_json_file
from .running_copy import CopyTree

# Files that the engine creates at its first start.
_MADE_BY_ENGINE = ("configuration/keystore.p12", "configuration/truststore.p12")


class Settings(t.NamedTuple):
    """The directories and owner of a node, from module parameters or from the store."""

    roots: dict[str, str]
    owner: str
    group: str
    unit: str
    ignore: tuple[str, ...]

    def to_dict(self) -> dict[str, t.Any]:
        return {
            "roots": self.roots,
            "owner": self.owner,
            "group": self.group,
            "unit": self.unit,
            "ignore": list(self.ignore),
        }


def settings_from(value: t.Mapping[str, t.Any]) -> Settings:
    return Settings(
        roots={str(k): os.path.normpath(str(v)) for k, v in value.get("roots", {}).items()},
        owner=str(value.get("owner", "")),
        group=str(value.get("group", "")),
        unit=str(value.get("unit", "")),
        ignore=tuple(value.get("ignore") or ()),
    )


class Assessment(t.NamedTuple):
    """The result of comparing a node with the expected files."""

    drift: list[Drift]
    engine_owned: list[str]
    warnings: list[str]


class View:
    """The managed directories of one node, opened once."""

    def __init__(self, settings: Settings, store: Store, must_exist: bool = True) -> None:
        self.settings = settings
        self.store = store
        self.uid = accounts.uid_of(settings.owner, must_exist)
        self.gid = accounts.gid_of(settings.group, must_exist)
        ours = (os.geteuid(), os.getegid())
        self.owners = {
            "engine": (self.uid, self.gid),
            "environment": ours,
            "secrets": (ours[0], self.gid),
        }
        self.engine_directory = resolve(settings.roots["engine"])
        self.trees = {root: Tree(path) for root, path in settings.roots.items()}
        self.owned = Patterns((*ENGINE_OWNED, *_MADE_BY_ENGINE))
        self.ignored = Patterns(settings.ignore)
        self._manifests: dict[str, Manifest | None] = {}
        self._of_release: tuple[Manifest, t.Any, dict[str, Expected]] | None = None
        self._copies: dict[str, CopyTree] = {}

    def close(self) -> None:
        for tree in (*self.trees.values(), *self._copies.values()):
            tree.close()

    def copy_tree(self, place: str) -> CopyTree:
        """The copy on which an engine with a read-only configuration works."""
        if place not in self._copies:
            self._copies[place] = CopyTree(os.path.join(self.engine_directory, place))
        return self._copies[place]

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # --- knowledge

    def manifest(self, release: str | None) -> Manifest | None:
        if not release:
            return None
        if release not in self._manifests:
            self._manifests[release] = self.store.manifest(release)
        return self._manifests[release]

    def applied_manifest(self, applied: t.Mapping[str, t.Any]) -> Manifest | None:
        release = applied.get("release")
        if not release:
            return None
        found = self.manifest(str(release))
        if found is None:
            raise NodeError(
                f"The store is damaged: release {release} is applied but its manifest is missing from "
                f"{self.store.path}/releases. Move {self.store.path}/applied.json away and run again: what differs "
                "is backed up first."
            )
        return found

    def expected(
        self,
        release: Manifest | None,
        accepted: t.Mapping[str, t.Mapping[str, t.Sequence[str]]],
        baseline: t.Mapping[str, t.Any] | None,
        node_files: t.Mapping[str, t.Mapping[str, t.Any]],
        engine_matches: bool = True,
    ) -> dict[str, Expected]:
        """The vendor's files, overridden by those of the release, overridden by the node files.

        In an engine directory to which nothing was applied yet, only the vendor's files can be expected.
        """
        out = expected_of_baseline(baseline, accepted) if baseline else {}
        if release is not None:
            for key, one in self._expected_of(release, accepted).items():
                if one.root != "engine" or engine_matches:
                    out[key] = one
        for path, item in node_files.items():
            inside = self.engine_path(path)
            if inside is not None:
                out.pop(f"engine:{inside}", None)
                if not engine_matches:
                    continue
            out[path] = Expected(
                NODE,
                path,
                (str(item["sha256"]),),
                int(item["mode"]),
                int(item["uid"]),
                int(item["gid"]),
                NODE,
                bool(item.get("secret")),
                "text",
            )
        return out

    def _expected_of(
        self, release: Manifest, accepted: t.Mapping[str, t.Mapping[str, t.Sequence[str]]]
    ) -> dict[str, Expected]:
        # On a clean node the applied release is also the requested one.
        known = self._of_release
        if known is None or known[0] is not release or known[1] is not accepted:
            known = self._of_release = (release, accepted, expected_of_release(release, accepted, self.owners))
        return known[2]

    def engine_path(self, path: str) -> str | None:
        """The relative path of a file in the engine's directory, by its configured or its real path; None outside."""
        for base in (self.settings.roots["engine"], self.engine_directory):
            if path.startswith(base.rstrip("/") + "/"):
                return os.path.normpath(path[len(base.rstrip("/")) + 1 :])
        return None

    # --- the disk

    def survey(self, expected: t.Iterable[t.Mapping[str, Expected]], unit: Unit) -> Scene:
        """Inspect all expected files, and the unit's files."""
        sizes: dict[str, dict[str, int]] = {NODE: dict.fromkeys(unit.files, scan.UNKNOWN_SIZE)}
        for one in expected:
            for want in one.values():
                by_path = sizes.setdefault(want.root, {})
                by_path[want.path] = max(want.size, by_path.get(want.path, want.size))
        own = own_drop_ins(self.settings.unit) if self.settings.unit else ()
        sizes[NODE].update(dict.fromkeys(own, scan.UNKNOWN_SIZE))
        return scan.survey(self.trees, sizes, sizes[NODE])

    def alias(self, key: str) -> str:
        """The key that a node file in the engine's directory would have as a file of the release; empty if none."""
        inside = self.engine_path(key) if key.startswith("/") else None
        return f"engine:{inside}" if inside is not None else ""

    def without_aliases(self, found: t.Mapping[str, Found], expected: t.Mapping[str, Expected]) -> dict[str, Found]:
        """Each file under one key only; a node file under its absolute path."""
        out = dict(found)
        for key in found:
            other = self.alias(key)
            if other:
                out.pop(other if key in expected else key, None)
        return out

    def assess(
        self,
        scene: Scene,
        expected: t.Mapping[str, Expected],
        known: t.Container[str],
        paths: t.Iterable[str],
        baseline_known: bool,
    ) -> Assessment:
        """Drift of the disk from the expected files. Files in known are not reported as unexpected."""
        drift, owned, warnings = [], [], []
        for one in compare(scene, expected):
            want = expected[one.key]
            if self.is_unmanaged(want):
                owned.append(one.key)
            else:
                drift.append(one)
        drift.extend(directories_in_disorder(scene, expected, self.owners["engine"]))
        directories = directories_above(key for key, want in expected.items() if want.root != NODE)
        extra, kept = unexpected_files(
            scene, known, directories, self.owned, self.ignored, declared_applications(paths)
        )
        if not baseline_known:
            unknown = [one for one in extra if one.root == "engine"]
            extra = [one for one in extra if one.root != "engine"]
            if unknown:
                warnings.append(
                    f"No vendor baseline is recorded for {self.engine_directory}, so {len(unknown)} files that the "
                    "release does not name cannot be distinguished from the vendor's. Record it right after unpacking "
                    "(state: baseline)."
                )
        drift.extend(extra)
        drift.extend(self._unexpected_drop_ins(scene, expected))
        return Assessment(drift, sorted([*owned, *kept]), warnings)

    def is_unmanaged(self, want: Expected) -> bool:
        """Whether a vendor's file is engine-owned or ignored. Files of a release are always managed."""
        return want.origin == BASELINE and (self.owned.match(want.path) or self.ignored.match(want.path))

    def _unexpected_drop_ins(self, scene: Scene, expected: t.Mapping[str, Expected]) -> list[Drift]:
        unit = self.settings.unit
        declared = [want for want in expected.values() if want.root == NODE]
        if not unit or not any(belongs(want.path, unit) for want in declared):
            # If the unit itself is not declared, its drop-ins are not managed either.
            return []
        return [
            Drift(NODE, key, "extra", "nobody declared this drop-in of the engine's unit", found)
            for key, found in sorted(scene.files.items())
            if key.startswith("/etc/") and belongs(key, unit) and key not in expected and not self.ignored.match(key)
        ]

    # --- restart

    def node_json(self) -> dict[str, t.Any]:
        return read_json_file(os.path.join(self.settings.roots["environment"], "node.json")) or {}

    def java_home(self, node_json: t.Mapping[str, t.Any] | None = None) -> str:
        return str((self.node_json() if node_json is None else node_json).get("java_home") or "")

    def present(
        self,
        found: t.Mapping[str, Found],
        expected: t.Mapping[str, Expected],
        release: Manifest | None,
        java_home: str,
    ) -> Present:
        restarts: dict[str, Restart] = {}
        if release is not None:
            restarts = {entry.key: entry.restart for entry in release.entries}
        return present(
            self.without_aliases(found, expected),
            expected,
            restarts,
            self.engine_directory,
            java_state(java_home),
            release.id if release else "",
            bool(release and release.read_only),
            keystore_state(str(self.node_json().get("keystore") or "")),
        )

    def kinds(self, node_files: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, str]:
        return kinds_of(node_files)


@contextlib.contextmanager
def opened(settings: Settings, store_path: str, must_exist: bool = True) -> t.Iterator[View]:
    with Store(store_path) as store, View(settings, store, must_exist) as view:
        yield view
