# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans the actions of an activation, predicts their effect and executes them.

Prediction and execution use the same plan, so check mode reports exactly what a run does.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import typing as t

from ..files import atomic
from ..files.atomic import (
    BATCH,
    GREATEST,
    GREATEST_FILE,
    NOT_READ,
    PARTIAL_SUFFIX,
    Tree,
    await_writers,
    digest_at,
    discard_at,
    exchange_at,
    lstat_at,
    open_at,
    open_directory,
    partial_name,
    prepare_at,
    read_at,
    remove_tree_at,
    set_attributes_at,
    take_away_at,
    temporary_name,
)
from ..files.digest import sha256
from ..files.errors import NodeError
from ..files.scan import (
    DIRECTORY,
    FILE,
    MOST_BEYOND,
    NODE,
    Expected,
    Found,
    Scene,
    attribute_problem,
    directories_above,
    directories_in_disorder,
    printable,
)
from ..store.backups import Collector, Signature, signature, signatures
from ..store.store import Store

CREATE, UPDATE, DELETE, ATTRIBUTES = "create", "update", "delete", "attributes"
_ORDER = {"secrets": 0, "environment": 1, NODE: 2, "engine": 3}
# Left free on each file system, because an engine without space for its own files fails in other ways.
_RESERVE = 4 << 20
# An editor saves a file within moments.
_WRITERS_SECONDS = 2.0

# The detail of an action that replaces something else than a regular file.
_NOT_A_FILE = "replaces a directory, a link or a special file"


class Action(t.NamedTuple):
    """One step of an activation."""

    action: str
    root: str
    path: str
    key: str
    target: Expected | None
    found: Found | None
    backup: bool
    detail: str = ""
    # A file in place of a directory of the release is removed before anything is written.
    first: bool = False

    @property
    def secret(self) -> bool:
        return self.target.secret if self.target else self.root == "secrets"


def plan(
    scene: Scene,
    target: t.Mapping[str, Expected],
    applied: t.Mapping[str, Expected],
    extra: t.Iterable[str],
    known: t.Callable[[str], t.Container[str]],
    keep: t.Container[str],
    available: t.Callable[[Expected], bool],
    owner: tuple[int, int],
) -> list[Action]:
    """The necessary actions. Contents in known need no backup; available reports whether a file can be written."""
    actions: list[Action] = []
    for key, want in target.items():
        if key in keep:
            continue
        found = scene.files.get(key) or scene.directories.get(key)
        if found is None:
            if available(want):
                actions.append(Action(CREATE, want.root, want.path, key, want, None, False))
        elif found.kind != FILE:
            if available(want):
                actions.append(
                    Action(
                        UPDATE,
                        want.root,
                        want.path,
                        key,
                        want,
                        found,
                        True,
                        _NOT_A_FILE,
                    )
                )
        elif found.sha256 not in want.digests:
            if available(want):
                lost = found.sha256 not in known(key)
                actions.append(Action(UPDATE, want.root, want.path, key, want, found, lost))
        else:
            problem = attribute_problem(want, found)
            if problem:
                actions.append(Action(ATTRIBUTES, want.root, want.path, key, want, found, False, problem))
    blocking = blocking_paths(scene, target)
    gone = [key for key in applied if key not in target]
    for key in dict.fromkeys((*blocking, *gone, *extra)):
        if key in keep:
            continue
        found = scene.files.get(key)
        if found is None:
            continue
        root, path = (NODE, key) if key.startswith("/") else key.split(":", 1)
        lost = found.kind != FILE or found.sha256 not in known(key)
        actions.append(Action(DELETE, root, path, key, None, found, lost, first=key in blocking))
    actions.extend(one for one in _directories(scene, target, owner) if one.key not in keep)
    return sorted(actions, key=lambda one: (_phase(one), _ORDER[one.root], one.path))


def _phase(one: Action) -> int:
    if one.action != DELETE:
        return 1
    return 0 if one.first else 2


def blocking_paths(scene: Scene, target: t.Mapping[str, Expected]) -> list[str]:
    """Files and links in place of directories that the release needs."""
    needed = directories_above(key for key, want in target.items() if want.root != NODE)
    return sorted(key for key in needed if key in scene.files)


def _directories(scene: Scene, target: t.Mapping[str, Expected], owner: tuple[int, int]) -> list[Action]:
    return [
        Action(ATTRIBUTES, one.root, one.path.rstrip("/"), one.key, None, one.found, False, one.detail)
        for one in directories_in_disorder(scene, target, owner)
    ]


def predict(scene: Scene, actions: t.Iterable[Action]) -> dict[str, Found]:
    """The files on disk after the actions."""
    files = dict(scene.files)
    now = time.time()
    for one in actions:
        if one.action == DELETE:
            files.pop(one.key, None)
        elif one.action in (CREATE, UPDATE) and one.target is not None:
            want = one.target
            if one.found is not None and one.found.kind == DIRECTORY:
                for below in [key for key in files if key.startswith(one.key + "/")]:
                    del files[below]
            files[one.key] = Found(FILE, want.digests[0], 0, want.mode or 0, want.uid or 0, want.gid or 0, now)
    return files


def _needed_space(
    actions: t.Iterable[Action], sizes: t.Callable[[Expected], int], trees: t.Mapping[str, Tree]
) -> dict[str, int]:
    by_place: dict[str, int] = {}
    for one in actions:
        if one.action in (CREATE, UPDATE) and one.target is not None:
            place = os.path.dirname(one.path) if one.root == NODE else trees[one.root].base
            by_place[place] = by_place.get(place, 0) + sizes(one.target) + 4096
    return by_place


def _free(path: str) -> tuple[int, int]:
    """Device and free bytes of the file system of a path that may not exist yet; -1 if it is read-only."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    info = os.statvfs(path)
    return os.stat(path).st_dev, -1 if info.f_flag & os.ST_RDONLY else info.f_bavail * info.f_frsize


def check_space(needs: t.Mapping[str, int]) -> None:
    """Fail before the first write if the space does not suffice."""
    by_device: dict[int, tuple[int, int, str]] = {}
    for path, size in needs.items():
        device, free = _free(path)
        known = by_device.get(device, (0, free, path))
        by_device[device] = (known[0] + size, free, known[2])
    read_only = [path for _size, free, path in by_device.values() if free < 0]
    if read_only:
        raise NodeError(
            f"The release cannot be activated: {', '.join(read_only)} is on a file system that is mounted read-only. "
            "Nothing was changed. Mount it for writing and run again."
        )
    problems = [
        f"{path}: {size + _RESERVE} bytes are needed, {free} are free"
        for size, free, path in by_device.values()
        if size and size + _RESERVE > free
    ]
    if problems:
        raise NodeError(
            f"There is not enough space to activate the release ({'; '.join(problems)}). Nothing was changed. "
            "Free some space and run again."
        )


class Places:
    """Opens the directory of one file after another. It is held open while the next file is in it, too."""

    def __init__(self, open_place: t.Callable[[str, str], tuple[int, str] | None]) -> None:
        self._open_place = open_place
        self._directory: tuple[str, str] | None = None
        self._fd = -1

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._directory = -1, None

    def of(self, root: str, path: str) -> tuple[int, str] | None:
        """The directory and the name of a file; None if the directory is missing. The caller must not close it."""
        head, name = os.path.split(path)
        if self._directory != (root, head):
            self._close()
            place = self._open_place(root, path)
            if place is None:
                return None
            self._fd, self._directory = place[0], (root, head)
        return self._fd, name


class Displaced(t.NamedTuple):
    """Something that was taken out of its place; without an action, by a run that was cut off."""

    root: str
    path: str
    temporary: str
    action: Action | None


class Late(t.NamedTuple):
    """Changes that were made after the inspection: their backups, and the paths with the reasons."""

    backups: list[str]
    paths: list[str]


class Executor:
    """Executes a plan."""

    def __init__(
        self,
        store: Store,
        trees: t.Mapping[str, Tree],
        owners: t.Mapping[str, tuple[int, int]],
        content: t.Callable[[Expected], bytes],
    ) -> None:
        self.store = store
        self.trees = trees
        self.owners = owners
        self.content = content
        # Whether a file was replaced already, and the file at work.
        self.replaced = False
        self.at = ""
        # What was taken out of its place and is still there, and what was backed up, by key.
        self.displaced: list[Displaced] = []
        self.saved: dict[str, list[Signature]] = {}
        self.late = Late([], [])
        # What the store keeps, listed when it is needed, once for each time that something is removed.
        self._kept: frozenset[str] | None = None
        # What is read of files that have grown, or that nobody expects.
        self._beyond = MOST_BEYOND

    def check_space(self, actions: t.Sequence[Action], sizes: t.Callable[[Expected], int]) -> None:
        needs = _needed_space(actions, sizes, self.trees)
        saved = sum(one.found.occupied + 4096 for one in actions if one.backup and one.found is not None)
        needs[self.store.path] = needs.get(self.store.path, 0) + saved + 65536
        check_space(needs)

    # --- backup

    def backup(self, actions: t.Iterable[Action]) -> str:
        """Back up all content that the plan would lose. Returns the directory; empty if nothing is lost."""
        wanted = [one for one in actions if one.backup]
        if not wanted:
            return ""

        def collect(collector: Collector) -> None:
            for one in wanted:
                place = self._open(one.root, one.path)
                if place is None:
                    continue
                try:
                    self.saved[one.key] = signatures(*place)
                    collector.add(*place, one.root, one.path)
                finally:
                    os.close(place[0])

        try:
            return self.store.backup(collect)
        except OSError as exc:
            raise NodeError(
                f"What the release replaces cannot be backed up to {self.store.path}: {exc.strerror}. Nothing was "
                "changed. Free some space, or mount the file system for writing, and run again."
            ) from exc

    def _open(self, root: str, path: str) -> tuple[int, str] | None:
        if root != NODE:
            return self.trees[root].open_parent(path)
        head, name = os.path.split(path)
        try:
            return open_directory(head), name
        except FileNotFoundError:
            return None

    # --- execution

    def run(self, actions: t.Sequence[Action], scene: Scene, cut_off: t.Iterable[str] = ()) -> Late:
        """Write everything under temporary names, make it durable, then exchange; a mixture exists for moments only.

        What was replaced is inspected once more before it is removed: whatever was changed since the first inspection
        is backed up. Cut off are keys whose temporary files an interrupted run may have left where no scan finds them.
        """
        self._clean(scene, cut_off, actions)
        for one in actions:
            if one.action == DELETE and one.first:
                self._take_away(one)
        self._dispose()
        prepared = self._prepare([one for one in actions if one.action != DELETE])
        changed: set[tuple[str, str]] = set()
        try:
            self._check_unchanged(actions)
        except Exception:
            self._discard_all(prepared)
            raise
        with Places(self._open) as places:
            for one in prepared:
                self.replaced = True
                self._commit(one, places)
                changed.add((one.root, os.path.dirname(one.path)))
        for one in actions:
            if one.action == DELETE and not one.first:
                self._take_away(one)
                changed.add((one.root, os.path.dirname(one.path)))
        self._sync_directories(changed)
        self._dispose()
        for one in actions:
            if one.action == DELETE and one.root != NODE:
                self.trees[one.root].remove_empty_directories(one.path)
        return self.late

    def _clean(self, scene: Scene, cut_off: t.Iterable[str], actions: t.Iterable[Action]) -> None:
        """Remove what an interrupted run left: new files, and such that it had taken out of their places already."""
        # No scan looks beside the files of the node.
        unseen = [*cut_off, *(one.key for one in actions if one.root == NODE)]
        named = [*unseen, *scene.files, *(one.key for one in actions)] if scene.leftovers else unseen
        paths = {}
        for key in named:
            root, path = (NODE, key) if key.startswith("/") else key.split(":", 1)
            head, name = os.path.split(path)
            for temporary in (temporary_name(name), partial_name(name)):
                paths[root, os.path.join(head, temporary)] = path
        leftovers = list(paths)[: 2 * len(set(unseen))]
        for root, temporary in dict.fromkeys([*leftovers, *scene.leftovers]):
            self.displaced.append(Displaced(root, paths.get((root, temporary), temporary), temporary, None))
        self._dispose()

    def _dispose(self) -> None:
        """Remove what was taken out of its place. Before, back up whatever is neither known nor backed up yet."""
        lost: list[tuple[Displaced, str]] = []
        self._kept = None
        end = time.monotonic() + _WRITERS_SECONDS
        for one in self.displaced:
            reason = self._why_kept(one, end - time.monotonic())
            if reason:
                lost.append((one, reason))
        if lost:
            self.late.backups.append(self.store.backup(lambda collector: self._collect_displaced(collector, lost)))
            self.late.paths.extend(f"{printable(one.path)}: {reason}" for one, reason in lost)
        for one in self.displaced:
            place = self._open(one.root, one.temporary)
            if place is not None:
                try:
                    remove_tree_at(*place)
                finally:
                    os.close(place[0])
        self.displaced.clear()

    def _collect_displaced(self, collector: Collector, lost: t.Iterable[tuple[Displaced, str]]) -> None:
        for one, _reason in lost:
            place = self._open(one.root, one.temporary)
            if place is not None:
                try:
                    collector.add(*place, one.root, one.path)
                finally:
                    os.close(place[0])

    def _why_kept(self, one: Displaced, seconds: float) -> str:
        """Why something that was taken out of its place must be backed up; empty if its content is safe."""
        if one.temporary.endswith(PARTIAL_SUFFIX):
            return ""
        place = self._open(one.root, one.temporary)
        if place is None:
            return ""
        directory, name = place
        try:
            info = lstat_at(directory, name)
            if info is None:
                return ""
            if stat.S_ISREG(info.st_mode):
                with open_at(directory, name) as (fd, _info):
                    # An editor that had the file open when it was taken away writes to what is inspected here.
                    finished = await_writers(fd, seconds)
                hit = self._digest(one, directory, name)
                if not finished:
                    return "another process still writes to the file that was replaced"
                if hit is not None and self._is_safe(one, *hit):
                    return ""
            elif one.action is not None and signatures(directory, name) == self.saved.get(one.action.key):
                return ""
        finally:
            os.close(directory)
        return "left by a run that was cut off" if one.action is None else "changed while the release was activated"

    def _digest(self, one: Displaced, directory: int, name: str) -> tuple[str, os.stat_result] | None:
        """The digest of something that was taken out of its place. Beyond its size as found, it may have any size."""
        found = one.action.found if one.action else None
        known = found.size if found is not None and found.kind == FILE and found.is_read else 0
        hit = digest_at(directory, name, min(known + self._beyond, GREATEST_FILE))
        if hit is not None and not hit[0].startswith(NOT_READ):
            self._beyond -= max(hit[1].st_size - known, 0)
        return hit

    def _is_safe(self, one: Displaced, digest: str, info: os.stat_result) -> bool:
        action = one.action
        if action is None:
            if self._kept is None:
                self._kept = self.store.blob_names() | self.store.backup_digests()
            return digest in self._kept
        if action.target is not None and digest in action.target.digests:
            return True
        found = action.found
        if found is None or found.kind != FILE or (found.is_read and digest != found.sha256):
            return False
        # It may have been another file when it was backed up.
        return not action.backup or [signature(info)] == self.saved.get(action.key)

    def _prepare(self, actions: t.Sequence[Action]) -> list[Action]:
        """Everything but the renaming; returns what is to be renamed."""
        prepared: list[Action] = []
        # A few files are synced one by one, because the file system may have much other data to write.
        together = sum(one.target is not None for one in actions) > BATCH
        file_systems: dict[int, int] = {}
        try:
            with Places(self._make_place) as places:
                for one in actions:
                    if one.target is None:
                        self._fix_directory(one)
                    elif self._put(one, one.target, not together, file_systems, places):
                        prepared.append(one)
            if together:
                for fd in file_systems.values():
                    atomic.sync_filesystem(fd)
        except Exception:
            # Free the space on a full disk.
            self._discard_all(prepared)
            raise
        finally:
            for fd in file_systems.values():
                os.close(fd)
        return prepared

    def _check_unchanged(self, actions: t.Iterable[Action]) -> None:
        """Fail if a file was edited since the inspection: no backup has that edit, so it would be lost."""
        with Places(self._open) as places:
            for one in actions:
                found = one.found
                if one.action == ATTRIBUTES or one.first or (found is not None and found.kind != FILE):
                    continue
                place = places.of(one.root, one.path)
                if place is not None:
                    self._check_same(one, place)

    @staticmethod
    def _check_same(one: Action, place: tuple[int, str]) -> None:
        found, info = one.found, lstat_at(*place)
        if info is None or (found is not None and found.is_same(info)):
            return
        # Where nothing was seen, what is about to be written may lie there.
        harmless = (found.sha256,) if found else one.target.digests if one.target else ()
        size = found.size if found else max(one.target.size, GREATEST) if one.target else 0
        hit = digest_at(*place, min(size, GREATEST_FILE))
        if hit is None or hit[0] not in harmless:
            raise NodeError(
                f"{one.path} was changed on the node while the release was being activated. It was not "
                "overwritten. Run again: the change is then reported, and backed up first."
            )

    def _discard_all(self, prepared: t.Iterable[Action]) -> None:
        for one in prepared:
            with contextlib.suppress(OSError):
                self._discard(one)

    def _discard(self, one: Action) -> None:
        place = self._open(one.root, one.path)
        if place is not None:
            try:
                discard_at(place[0], temporary_name(place[1]))
            finally:
                os.close(place[0])

    def _commit(self, one: Action, places: Places) -> None:
        self._note(one)
        place = places.of(one.root, one.path)
        if place is None:
            raise NodeError(f"The directory of {one.path} was removed while the release was activated. Run again.")
        if exchange_at(*place):
            self._displace(one)

    def _sync_directories(self, changed: t.Iterable[tuple[str, str]]) -> None:
        for root, directory in changed:
            place = self._open(root, os.path.join(directory, ".names"))
            if place is not None:
                try:
                    os.fsync(place[0])
                finally:
                    os.close(place[0])

    def _take_away(self, one: Action) -> None:
        self.replaced = True
        self._note(one)
        place = self._open(one.root, one.path)
        if place is not None:
            try:
                if take_away_at(*place):
                    self._displace(one)
            finally:
                os.close(place[0])

    def _note(self, one: Action) -> None:
        self.at = one.path if one.root == NODE else os.path.join(self.trees[one.root].base, one.path)

    def _displace(self, one: Action) -> None:
        head, name = os.path.split(one.path)
        self.displaced.append(Displaced(one.root, one.path, os.path.join(head, temporary_name(name)), one))

    def _fix_directory(self, one: Action) -> None:
        if one.path == ".":
            directory = os.dup(self.trees[one.root].fd)
        else:
            place = self._open(one.root, one.path)
            if place is None:
                return
            try:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                directory = os.open(place[1], flags, dir_fd=place[0])
            finally:
                os.close(place[0])
        try:
            uid, gid = self.owners[one.root]
            info = os.fstat(directory)
            if (info.st_uid, info.st_gid) != (uid, gid):
                os.fchown(directory, uid, gid)
            mode = stat.S_IMODE(info.st_mode)
            os.fchmod(directory, (mode | 0o750) & ~0o002 if one.root == "engine" else mode & ~0o022)
        finally:
            os.close(directory)

    def _make_place(self, root: str, path: str) -> tuple[int, str]:
        if root == NODE:
            head, name = os.path.split(path)
            tree = Tree(head)
            try:
                tree.create_base(0o755, os.geteuid(), os.getegid())
                return os.dup(tree.fd), name
            finally:
                tree.close()
        tree = self.trees[root]
        uid, gid = self.owners[root]
        if not tree.exists:
            if root == "engine":
                raise NodeError(
                    f"The engine's directory {tree.base} does not exist. Unpack the engine first (role engine does)."
                )
            tree.create_base(0o750 if root == "secrets" else 0o700, uid, gid)
        return tree.make_parent(path, 0o750, uid, gid)

    def _put(self, one: Action, want: Expected, durable: bool, file_systems: dict[int, int], places: Places) -> bool:
        """Prepare one file; False where correcting its attributes was enough."""
        found = one.found
        mode = want.mode if want.mode is not None else (found.mode & ~0o002 if found and found.kind == FILE else 0o640)
        owner = self.owners["engine"] if want.root == "engine" else (os.geteuid(), os.getegid())
        uid = want.uid if want.uid is not None else owner[0]
        gid = want.gid if want.gid is not None else owner[1]
        self._note(one)
        place = places.of(want.root, want.path)
        if place is None:
            raise NodeError(f"{want.path} has no directory to be written to.")
        fd, name = place
        if one.action == ATTRIBUTES and set_attributes_at(fd, name, mode, uid, gid):
            return False
        # Where another name shares the file, its owner must not be touched: a new file takes its place, with the
        # very bytes that lie there, since they may be an accepted rewriting.
        data = self._present(fd, name, want, found) if one.action == ATTRIBUTES else self.content(want)
        prepare_at(fd, name, data, mode, uid, gid, durable, mark_partial=True)
        device = os.fstat(fd).st_dev
        if device not in file_systems:
            file_systems[device] = os.dup(fd)
        return True

    def _present(self, directory: int, name: str, want: Expected, found: Found | None) -> bytes:
        """The present content if it is unchanged: a link created since could lead to another user's secret."""
        # What has become longer is not that content any more.
        data = read_at(directory, name, (found.size if found else 0) + 1)[0]
        return data if sha256(data) in want.digests else self.content(want)


__all__ = ["Action", "Executor", "Late", "blocking_paths", "check_space", "plan", "predict"]
