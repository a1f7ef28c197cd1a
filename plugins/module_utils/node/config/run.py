# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call on a node, step by step: release, drift, comparisons, plan, restart, activation."""

from __future__ import annotations

import contextlib
import json
import os
import time
import typing as t

from ..engine import run_state
from ..engine.unit import Unit, belongs
from ..files import accounts
from ..files.atomic import Tree
from ..files.digest import sha256
from ..files.errors import NodeError
from ..files.manifest import Manifest, parse
from ..files.scan import (
    BASELINE,
    FILE,
    NODE,
    Drift,
    Expected,
    Found,
    Scene,
    attribute_problem,
    check_area,
    printable,
)
from ..store.store import Store, timestamp
from . import payload
from .activate import ATTRIBUTES, CREATE, DELETE, UPDATE, Action, Executor, blocking_paths, plan, predict
from .running_copy import COPY, RunningCopy
from .view import Settings, View

OVERWRITE, FAIL, KEEP = "overwrite", "fail", "keep"
SAME, REWRITING = "same", "rewriting"
_JUDGED_SIZE = 4 << 20


class Request(t.NamedTuple):
    """What the controller asks of a node."""

    state: str
    release: str
    manifest_digest: str
    settings: Settings
    store: str
    node_files: list[dict[str, t.Any]] | None
    on_drift: str
    keep_releases: int
    keep_backups: int
    check: bool
    diff: bool
    judge: bool
    manifest: bytes | None
    blobs: dict[str, bytes]
    verdicts: dict[str, dict[str, str]]
    key: bytes = b""
    accept_new_key: bool = False
    run_directory: str = run_state.RUN_DIRECTORY


def stamp(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        # Whoever owns a file may give it any time.
        return "unknown"


def describe_found(found: Found | None) -> dict[str, t.Any]:
    """Owner and modification time of a file."""
    if found is None:
        return {}
    return {
        "size": found.size,
        "mode": f"{found.mode:04o}",
        "owner": accounts.user_name(found.uid),
        "modified": stamp(found.mtime),
    }


def describe(one: Drift) -> dict[str, t.Any]:
    """A finding for people and reports; never a digest, from which a secret could be guessed."""
    return {
        "root": one.root,
        "path": printable(one.path),
        "kind": one.kind,
        "detail": one.detail,
        "secret": one.secret,
        **describe_found(one.found),
    }


def describe_action(one: Action) -> dict[str, t.Any]:
    item: dict[str, t.Any] = {"action": one.action, "root": one.root, "path": printable(one.path)}
    if one.detail:
        item["detail"] = one.detail
    return item


def node_file_records(
    listed: t.Iterable[t.Mapping[str, t.Any]], must_exist: bool
) -> tuple[dict[str, dict[str, t.Any]], dict[str, bytes]]:
    """Node files as they are remembered, and their content by digest."""
    records: dict[str, dict[str, t.Any]] = {}
    contents: dict[str, bytes] = {}
    problems = []
    for item in listed:
        path = str(item.get("path", ""))
        mode = str(item.get("mode") or "0644")
        if not path.startswith("/") or os.path.normpath(path) != path:
            problems.append(f"{path!r} is not a plain absolute path")
            continue
        if path in records:
            problems.append(f"{path} is listed twice")
            continue
        if not mode.isdigit() or len(mode) not in (3, 4) or any(digit in "89" for digit in mode):
            problems.append(f"{path}: mode {mode!r} is not an octal mode such as 0640")
            continue
        if item.get("content") is None and item.get("sha256"):
            # The controller sends large content only when it is asked for.
            digest = str(item["sha256"])
        else:
            content = str(item.get("content") or "").encode("utf-8")
            digest = sha256(content)
            contents[digest] = content
        records[path] = {
            "sha256": digest,
            "mode": int(mode, 8),
            "uid": accounts.uid_of(str(item.get("owner") or "root"), must_exist),
            "gid": accounts.gid_of(str(item.get("group") or "root"), must_exist),
            "secret": bool(item.get("secret")),
            "restart": str(item.get("restart") or _restart_class(path)),
        }
    if problems:
        raise NodeError(f"node_files: {'; '.join(problems)}.")
    return records, contents


def _restart_class(path: str) -> str:
    # The helper of this very package and its settings are read by no engine.
    own = path.startswith("/usr/local/lib/ivy-cluster/") or path.endswith("/ivy-cluster/node.json")
    return "never" if own else "always"


def _json_object(data: bytes) -> dict[str, t.Any]:
    try:
        value = json.loads(data.decode("utf-8"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class Run:
    """The work of one call, step by step; every step can use what the ones before it found."""

    def __init__(self, request: Request, store: Store, view: View, unit: Unit) -> None:
        self.request = request
        self.store = store
        self.view = view
        self.unit = unit
        self.applied = store.applied()
        self.intent = store.intent()
        self.accepted = store.accepted()
        self.warnings: list[str] = []

    # --- step 1: the release

    def release(self) -> Manifest | None:
        """The wanted release; None while the controller has to send it first."""
        request = self.request
        staged = self.view.manifest(request.release) if self.store.tree.exists else None
        if staged is not None:
            if request.manifest_digest and staged.digest != request.manifest_digest:
                raise NodeError(
                    f"The store is damaged: the manifest of release {request.release} in {self.store.path} "
                    "differs from "
                    f"the controller's. Remove {self.store.path}/releases/{request.release} and run again."
                )
            present = self.store.blob_names()
            if request.check or all(entry.sha256 in present for entry in staged.entries):
                return staged
            if request.manifest is None:
                return None
        if request.manifest is None:
            return None
        received = parse(request.manifest, "received from the controller")
        if received.id != request.release or (request.manifest_digest and received.digest != request.manifest_digest):
            raise NodeError(
                "The manifest received is not the one announced: it was damaged in transit. Nothing was "
                "changed; run again."
            )
        self._refuse_another_key(received)
        if not request.check:
            self.store.stage(request.manifest, request.blobs)
            self.store.journal("staged", release=received.id)
        return received

    def _refuse_another_key(self, received: Manifest) -> None:
        """With two keys in use, each controller would see the other's release as a change, again and again."""
        applied = self.view.applied_manifest(self.applied)
        if applied is None or not applied.key or applied.key == received.key or self.request.accept_new_key:
            return
        raise NodeError(
            f"Release {received.id} was built with another cluster key than release {applied.id}, which is applied. "
            "Nothing was changed. Correct ivy_cluster_key; if it was renewed on purpose, run once with "
            "-e engine_accept_new_cluster_key=true."
        )

    # --- step 2: what is there and what was to be there

    def observe(self, wanted: Manifest | None, records: dict[str, dict[str, t.Any]]) -> None:
        view, applied = self.view, self.applied
        self.records = records
        self.applied_manifest = view.applied_manifest(applied)
        entries = self.applied_manifest.entries if self.applied_manifest else ()
        self.secret_keys = {entry.key: entry.secret_keys for entry in entries if entry.secret_keys}
        versions = [one.engine_version for one in (wanted, self.applied_manifest) if one]
        self.baseline = self.store.baseline(view.engine_directory, versions[0] if versions else "")
        self.engine_matches = applied.get("engine_directory") == view.engine_directory
        self.applied_nodes: dict[str, dict[str, t.Any]] = dict(applied.get("node_files") or {})
        self.before = view.expected(
            self.applied_manifest, self.accepted, self.baseline, self.applied_nodes, self.engine_matches
        )
        self.target = view.expected(wanted, self.accepted, self.baseline, records) if wanted else dict(self.before)
        self.planned: dict[str, Expected] = {}
        if self.intent:
            planned = view.manifest(str(self.intent.get("release") or ""))
            if planned is not None:
                nodes = dict(self.intent.get("node_files") or {})
                self.planned = view.expected(
                    planned,
                    self.accepted,
                    self.baseline,
                    nodes,
                    self.intent.get("engine_directory") == view.engine_directory,
                )
        self.scene: Scene = view.look((self.before, self.target, self.planned), self.unit)
        check_area(self.scene, "engine")
        self.copy = RunningCopy(view, self.applied_manifest, self.accepted, self.request.run_directory)

    def drift(self, stopped: bool = False) -> None:
        """Differences from what was applied, without those that this or an interrupted run explains.

        What a running engine holds in its copy counts, unless nobody asked whether it runs.
        """
        known = {*self.before, *self.target, *self.planned}
        known.update(self.view.alias(key) for key in list(known))
        paths = [want.path for group in (self.before, self.target) for want in group.values() if want.root == "engine"]
        found = self.view.assess(self.scene, self.before, known, paths, self.baseline is not None)
        self.engine_owned = [printable(key) for key in found.engine_owned]
        self.warnings.extend(found.warnings)
        self.findings = [one for one in found.drift if not self._explained(one)]
        if self.unit.running or stopped:
            self.findings.extend(self.copy.drift())

    def _explained(self, one: Drift) -> bool:
        key = one.key
        target, planned = self.target.get(key), self.planned.get(key)
        if one.kind == "missing":
            return (target is None and key not in self.planned) or (bool(self.intent) and planned is None)
        if one.kind in ("modified", "attributes") and one.found is not None and one.found.kind == FILE:
            content = one.found.sha256
            if one.kind == "modified":
                return any(want is not None and content in want.digests for want in (target, planned))
            return bool(self.intent) or (target is not None and not attribute_problem(target, one.found))
        return False

    @staticmethod
    def applied_nodes_of(applied: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
        return dict(applied.get("node_files") or {})

    def lacking(self, records: t.Mapping[str, t.Mapping[str, t.Any]], contents: t.Container[str]) -> bool:
        """Whether the content of a node file that must be written was not sent along."""
        if self.request.check and not self.request.diff:
            return False
        blobs = self.store.blob_names() if self.store.tree.exists else set()
        for path, record in records.items():
            digest = str(record["sha256"])
            found = self.scene.files.get(path)
            if digest not in contents and digest not in blobs and (found is None or found.sha256 != digest):
                return True
        return False

    # --- step 3: questions of meaning, which only the controller can answer

    def questions(self) -> list[dict[str, t.Any]]:
        """YAML whose bytes differ and on which nobody has judged yet."""
        asked = []
        for one in self.findings:
            verdict = self.request.verdicts.get(one.key)
            if one.kind != "modified" or (
                verdict is not None and one.found is not None and verdict.get("digest") == one.found.sha256
            ):
                continue
            texts = self.yaml_texts(one.key)
            if texts is not None:
                asked.append(texts)
        return asked

    def yaml_texts(self, key: str) -> dict[str, t.Any] | None:
        """What the controller needs to compare one applied YAML file key by key; None where that cannot be done.

        The text that was accepted last is sent with the release's own, because a later change is a change of that text.
        """
        want, found = self._known(key)
        if want is None or want.kind != "yaml" or found is None or found.kind != FILE or found.size > _JUDGED_SIZE:
            return None
        place = self._read(want)
        # Without what was applied there is nothing to compare with, and the bytes decide.
        applied = self.store.blob_if_sound(want.digests[0])
        if place is None or applied is None:
            return None
        texts = {
            "key": key,
            "digest": found.sha256,
            "applied": payload.to_text(applied),
            "actual": payload.to_text(place[0]),
            "secret": want.secret,
            "secret_keys": list(self.secret_keys.get(f"engine:{want.path}" if want.root == COPY else key, ())),
        }
        if len(want.digests) > 1 and want.root != COPY:
            texts["accepted"] = payload.to_text(self.store.blob(want.digests[-1]))
        return texts

    def _known(self, key: str) -> tuple[Expected | None, Found | None]:
        if key in self.copy.expected:
            return self.copy.expected[key], self.copy.found[key]
        return self.before.get(key), self.scene.files.get(key)

    def tree(self, root: str) -> Tree | None:
        """Where the files of a root lie."""
        return self.copy.tree if root == COPY else self.view.trees[root]

    def _read(self, want: Expected) -> tuple[bytes, os.stat_result] | None:
        tree = self.tree(want.root)
        return tree.read(want.path) if tree is not None else None

    def settle(self, good_verdicts: t.Sequence[str] = (SAME,)) -> list[tuple[str, str, bytes]]:
        """Take what means the same for what it is; returns what to remember about it."""
        remembered = []
        findings = []
        for one in self.findings:
            verdict = self.request.verdicts.get(one.key) or {}
            # In its copy, the engine encrypts again at each start.
            good = verdict.get("verdict") in (*good_verdicts, REWRITING if one.root == COPY else SAME)
            want = self._known(one.key)[0]
            if not good or want is None or one.found is None or verdict.get("digest") != one.found.sha256:
                findings.append(one)
                continue
            read = self._read(want)
            if read is None or sha256(read[0]) != one.found.sha256:
                findings.append(one)
                continue
            remembered.append((one.key, want.digests[0], read[0]))
            digest = one.found.sha256
            if want.root == COPY:
                self.copy.take_for_good(one.key, digest)
                continue
            self.before[one.key] = want._replace(digests=(*want.digests, digest))
            target = self.target.get(one.key)
            if target is not None and target.digests[0] == want.digests[0]:
                self.target[one.key] = target._replace(digests=(*target.digests, digest))
        self.findings = findings
        return remembered

    # --- step 4: the plan

    def make_plan(self, contents: t.Mapping[str, bytes]) -> None:
        keep: set[str] = set()
        if self.request.on_drift == KEEP:
            keep = {one.key for one in self.findings}
        blobs = self.store.blob_names() if self.store.tree.exists else set()

        aliases = {self.view.alias(key): key for group in (self.before, self.target) for key in group}

        def known(key: str) -> set[str]:
            groups = (self.before, self.target, self.planned)
            keys = {key, self.view.alias(key), aliases.get(key, key)}
            good = {digest for group in groups for one in keys if one in group for digest in group[one].digests}
            inside = self.view.engine_path(key) if key.startswith("/") else key.split(":", 1)[1]
            if self.baseline is not None and inside and key.startswith(("/", "engine:")):
                item = self.baseline.get("files", {}).get(inside)
                if item:
                    good.add(str(item.get("sha256")))
            return good

        def available(want: Expected) -> bool:
            # Some of the vendor's files are remembered without their content: those can be reported only.
            return want.origin != BASELINE or (want.digests[0] in blobs and not self.view.is_unmanaged(want))

        extra = [one.key for one in self.findings if one.kind == "extra"]
        blocked = [key for key in blocking_paths(self.scene, self.target) if key in keep]
        if blocked:
            raise NodeError(
                f"on_drift is keep, but the release needs directories where {', '.join(map(printable, blocked))} is "
                "on the node. Nothing was changed. Move that away, or run with on_drift: overwrite."
            )
        self.actions = plan(
            self.scene,
            self.target,
            {**self.planned, **self.before},
            extra,
            known,
            keep,
            available,
            self.view.owners["engine"],
        )
        # A file that becomes a node file, or the vendor's again, is replaced under its other name, not removed.
        other_names = {self.view.alias(key) for key in self.target}
        self.actions = [
            one
            for one in self.actions
            if one.action != DELETE or (self.view.alias(one.key) not in self.target and one.key not in other_names)
        ]
        if self.request.node_files is None:
            self.actions = [one for one in self.actions if one.root != NODE or one.target is not None]
        self.kept = sorted(printable(key) for key in keep)
        self.contents = contents
        self.after_files: dict[str, Found] = predict(self.scene, self.actions)

    def content(self, want: Expected) -> bytes:
        digest = want.digests[0]
        if digest in self.contents:
            return self.contents[digest]
        return self.store.blob(digest)

    # --- step 5: restart

    def verdict(
        self,
        wanted: Manifest | None,
        files: dict[str, Found],
        expected: t.Mapping[str, Expected],
        nodes: dict[str, dict[str, t.Any]],
        java_home: str,
    ) -> run_state.Verdict:
        now = self.view.present(files, expected, wanted, java_home)
        drifted = [
            want.path
            for key, want in expected.items()
            if want.origin != BASELINE and now.files.get(key) not in want.digests
        ]
        drifted += [one.path for one in self.copy.drift()]
        started = run_state.read(self.request.run_directory)
        return run_state.judge(started, self.unit, now, self.view.rules, self.view.kinds(nodes), drifted)

    def java_home(self, contents: t.Mapping[str, bytes]) -> str:
        record = self.records.get(os.path.join(self.view.settings.roots["environment"], "node.json"))
        if record is not None and record["sha256"] in contents:
            return self.view.java_home(_json_object(contents[record["sha256"]]))
        return self.view.java_home()

    def daemon_reload(self) -> bool:
        name = self.view.settings.unit
        return bool(name) and (
            self.unit.need_reload or any(one.root == NODE and belongs(one.path, name) for one in self.actions)
        )

    def hot(self, verdict: run_state.Verdict) -> list[str]:
        """What the running engine takes up by itself."""
        if not self.unit.running:
            return []
        return sorted(
            printable(one.path)
            for one in self.actions
            if one.action != ATTRIBUTES and one.root == "engine" and one.key not in verdict.keys
        )

    # --- step 6: acting

    def will_change(self, release: str) -> bool:
        return bool(self.actions) or self.applied.get("release") != release or not self.engine_matches

    def next_applied(self, release: str) -> dict[str, t.Any]:
        nodes = self.records if self.request.node_files is not None else self.applied_nodes
        same = self.applied.get("release") == release
        return {
            "format": 1,
            "release": release,
            "previous": self.applied.get("previous") if same else self.applied.get("release"),
            "engine_directory": self.view.engine_directory,
            "node_files": nodes,
            "settings": self.view.settings.plain(),
        }

    def _give_up(self, wanted: Manifest, executor: Executor, exc: OSError | NodeError) -> t.NoReturn:
        """Say how far an activation came; one that replaced nothing need not keep the engine from starting."""
        what = str(exc)
        if isinstance(exc, OSError):
            what = f"{exc.strerror}: {printable(str(exc.filename))}" if exc.filename else str(exc.strerror or exc)
            what += ". Make room, or mount the file system for writing, and run again"
        if executor.replaced:
            after = "Some files were replaced already, so the engine does not start before the next run is through."
        else:
            after = "No file was replaced."
            if not self.intent:
                with contextlib.suppress(OSError):
                    self.store.clear_intent()
                    self.store.journal("given up", release=wanted.id)
        raise NodeError(f"Release {wanted.id} could not be activated: {what.rstrip('.')}. {after}") from exc

    def _lost_by_a_restart(self) -> list[Action]:
        """What somebody changed in the engine's copy, which the restart for this activation takes away."""
        return [
            Action(UPDATE, COPY, one.path, one.key, None, one.found, True) for one in self.findings if one.root == COPY
        ]

    def _remove_what_was_begun(self) -> None:
        """An activation that was interrupted may have made directories and not put anything in them yet."""
        for key, want in self.planned.items():
            if key not in self.target and want.root == "engine":
                self.view.trees[want.root].remove_empty_directories(want.path)

    def act(self, wanted: Manifest) -> str:
        """Activate. Wherever it is interrupted, the next run can complete it."""
        value = self.next_applied(wanted.id)
        remembered = {key: one for key, one in self.applied.items() if key != "time"}
        backup = ""
        if self.actions or self.scene.leftovers:
            sizes = {entry.sha256: entry.size for entry in wanted.entries}
            trees: dict[str, Tree] = dict(self.view.trees)
            if self.copy.tree is not None:
                trees[COPY] = self.copy.tree
            executor = Executor(self.store, trees, self.view.owners, self.content)
            executor.check_space(
                self.actions, lambda want: sizes.get(want.digests[0], len(self.contents.get(want.digests[0], b"")))
            )
            # What the plan needs is read before anything is written: a damaged store must not leave half a release.
            for one in self.actions:
                if one.target is not None and one.action in (CREATE, UPDATE):
                    self.content(one.target)
            present = self.store.blob_names()
            for record in value["node_files"].values():
                if record["sha256"] in self.contents and record["sha256"] not in present:
                    self.store.put_blob(record["sha256"], self.contents[record["sha256"]])
            backup = executor.backup([*self.actions, *self._lost_by_a_restart()])
            self.store.put_intent(
                {
                    "release": wanted.id,
                    "engine_directory": self.view.engine_directory,
                    "node_files": value["node_files"],
                    "time": timestamp(),
                }
            )
            self.store.journal("begin", release=wanted.id, actions=len(self.actions), backup=backup or None)
            outside = [key for key in {*self.planned, *self.before, *self.target} if not key.startswith("engine:")]
            try:
                executor.run(self.actions, self.scene, outside if self.intent else ())
            except (OSError, NodeError) as exc:
                self._give_up(wanted, executor, exc)
        # If a file has the release's own bytes, the engine will rewrite it again. The earlier accepted bytes are
        # dropped, otherwise a value encrypted by hand later would count as the engine's.
        as_released = {
            key
            for key, want in self.target.items()
            if want.kind == "yaml" and key in self.after_files and self.after_files[key].sha256 == want.digests[0]
        }
        if self.actions or self.intent:
            self.store.forget_accepted(as_released)
        if remembered != value or self.actions:
            self.store.put_applied(dict(value, time=timestamp()))
        self._remove_what_was_begun()
        if self.actions or self.intent:
            self.store.clear_intent()
            self.store.journal("applied", release=wanted.id, recovered=bool(self.intent))
        if self.actions or remembered.get("release") != wanted.id:
            self.store.prune(self.request.keep_releases, self.request.keep_backups)
        return backup
