# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans the managed directories and compares the files on disk with the expected ones."""

from __future__ import annotations

import errno
import os
import shlex
import stat
import typing as t

from .atomic import GREATEST, GREATEST_FILE, NOT_READ, Tree, digest_at, is_temporary, lstat_at
from .errors import NodeError
from .manifest import Entry, Manifest
from .patterns import Patterns

# The managed directories of the engine. An unknown file in them is a finding.
ENGINE_AREAS = ("configuration", "dropins", "patches")
# Configuration of applications that were deployed or created on the node.
ENGINE_OWNED = ("configuration/applications/**",)
# Each level needs an open directory, and the engine's user could create any number of levels.
DEEPEST = 100
MOST_FILES = 100_000
# Nested directories make a path of any length cheap, and each inspection keeps the paths of all files. Twice what a
# release may have, and on average several times the length of an engine's own.
LONGEST_PATH = 2048
MOST_PATH_BYTES = 32 << 20
# An interrupted run leaves two names for each file of its release at most. The others are not ours, and the next run
# has to inspect each of them before it removes it.
MOST_LEFTOVERS = 1_000
# Of files that nobody expects, which the guard reads each minute. An engine's own take some MiB.
MOST_BYTES = 2 << 30
# Of expected files, beyond the sizes that they are expected to have. The check before the engine's start has a minute.
MOST_BEYOND = 2 << 30
UNKNOWN_SIZE = -1
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

FILE, LINK, DIRECTORY, SPECIAL = "file", "link", "directory", "special"


class Found(t.NamedTuple):
    """One file, link or directory on disk."""

    kind: str
    sha256: str
    size: int
    mode: int
    uid: int
    gid: int
    mtime: float
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    # What a sparse file occupies is less than its size.
    occupied: int = 0

    def is_same(self, info: os.stat_result) -> bool:
        """Whether nothing has touched the file since. `cp -p` sets the time that it had before, and the size."""
        return (self.inode, self.size, self.mtime_ns, self.ctime_ns) == (
            info.st_ino,
            info.st_size,
            info.st_mtime_ns,
            info.st_ctime_ns,
        )

    @property
    def is_read(self) -> bool:
        """Whether its content is known. A file of any size costs whoever makes it nothing."""
        return not self.sha256.startswith(NOT_READ)


class Expected(t.NamedTuple):
    """One expected file. The first digest is the content to write; the others are accepted, too."""

    root: str
    path: str
    digests: tuple[str, ...]
    mode: int | None
    uid: int | None
    gid: int | None
    origin: str
    secret: bool
    kind: str
    # Of the content to write.
    size: int = UNKNOWN_SIZE

    @property
    def key(self) -> str:
        return f"{self.root}:{self.path}" if self.root != NODE else self.path


RELEASE, BASELINE, NODE = "release", "baseline", "node"


def printable(path: str) -> str:
    """A path as text. Bytes that are not UTF-8 are shown as escapes."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


class Drift(t.NamedTuple):
    """One difference between the applied files and the disk."""

    root: str
    path: str
    kind: str
    detail: str
    found: Found | None
    secret: bool = False

    @property
    def key(self) -> str:
        return f"{self.root}:{self.path}" if self.root != NODE else self.path


def _found(kind: str, info: os.stat_result, digest: str = "") -> Found:
    return Found(
        kind,
        digest,
        info.st_size,
        stat.S_IMODE(info.st_mode),
        info.st_uid,
        info.st_gid,
        info.st_mtime,
        info.st_mtime_ns,
        info.st_ctime_ns,
        info.st_ino,
        min(info.st_size, info.st_blocks * 512),
    )


def inspect_name(directory: int, name: str, limit: int = GREATEST_FILE) -> Found | None:
    """One name in an open directory. The content of a file that is longer than the limit is not read."""
    hit = digest_at(directory, name, limit)
    if hit is not None:
        return _found(FILE, hit[1], hit[0])
    info = lstat_at(directory, name)
    if info is None:
        return None
    if stat.S_ISLNK(info.st_mode):
        return _found(LINK, info)
    if stat.S_ISDIR(info.st_mode):
        return _found(DIRECTORY, info)
    if stat.S_ISREG(info.st_mode):
        # The file was being replaced. The second attempt finds the new one.
        hit = digest_at(directory, name, limit)
        return _found(FILE, hit[1], hit[0]) if hit else None
    return _found(SPECIAL, info)


class Budget:
    """How much of the files on disk one inspection reads. A file of any size costs whoever makes it nothing."""

    def __init__(self) -> None:
        self._unexpected = MOST_BYTES
        self._beyond = MOST_BEYOND

    def inspect_unexpected(self, directory: int, name: str) -> Found | None:
        found = inspect_name(directory, name, min(GREATEST_FILE, self._unexpected))
        if found is not None and found.kind == FILE and found.is_read:
            self._unexpected -= found.size
        return found

    def inspect_expected(self, directory: int, name: str, size: int) -> Found | None:
        """A file whose expected size is known, or unknown. Up to that size it is always read: others cannot hide it.

        The engine's rewriting may be longer, but not many times as long. What is longer differs without being read.
        """
        size = min(size, GREATEST_FILE)
        greatest = GREATEST_FILE if size == UNKNOWN_SIZE else min(max(GREATEST, 2 * size), GREATEST_FILE)
        found = inspect_name(directory, name, min(greatest, max(size, 0) + self._beyond))
        if found is not None and found.kind == FILE and found.is_read:
            self._beyond -= max(found.size - max(size, 0), 0)
        return found

    def inspect_path(self, path: str, size: int) -> Found | None:
        """One absolute path, its directory opened by the rules of trust."""
        head, name = os.path.split(path)
        tree = Tree(head)
        try:
            return self.inspect_expected(tree.fd, name, size) if tree.exists else None
        finally:
            tree.close()


def _length(path: str) -> int:
    return len(os.fsencode(path))


class Walk:
    """The result of walking one root."""

    def __init__(self, root: str, expected: t.Mapping[str, int], budget: Budget) -> None:
        self.root = root
        self.files: dict[str, Found] = {}
        self.directories: dict[str, Found] = {}
        self.leftovers: list[str] = []
        self._expected = expected
        self._names_left = MOST_FILES + len(expected)
        self._path_bytes_left = MOST_PATH_BYTES + sum(map(_length, expected))
        self._leftovers_left = MOST_LEFTOVERS + 2 * len(expected)
        self._budget = budget

    def count(self, prefix: str, name: str) -> None:
        """Count one more name and its path. An inspection without end would be as bad as none."""
        self._names_left -= 1
        length = _length(prefix) + _length(name)
        self._path_bytes_left -= length
        if length > LONGEST_PATH or self._path_bytes_left < 0:
            problem = (
                f"hold a path of more than {LONGEST_PATH} bytes, which no release has"
                if length > LONGEST_PATH
                else f"hold files whose paths have more than {MOST_PATH_BYTES >> 20} MiB together, the last ones"
            )
            raise NodeError(
                f"The managed directories {problem}, in {printable(f'{self.root}/{prefix[:80]}')}. Nothing was "
                "changed. Remove what nobody declared and run again."
            )
        if self._names_left < 0:
            raise NodeError(
                f"The managed directories hold more than {MOST_FILES} files that nobody declared, the last ones in "
                f"{printable(f'{self.root}/{prefix[:80]}')}. Nothing was changed. Remove them and run again."
            )

    def leave(self, path: str) -> None:
        """Enter one name that an interrupted run may have left."""
        self._leftovers_left -= 1
        if self._leftovers_left < 0:
            raise NodeError(
                f"The managed directories hold more than {MOST_LEFTOVERS} temporary files that no run left, the last "
                f"one is {printable(f'{self.root}/{path[:80]}')}. Nothing was changed. Remove them and run again: "
                f"find {printable(shlex.quote(self.root))} -depth -name '.ivy-cluster-*.tmp' -exec rm -rf {{}} +"
            )
        self.leftovers.append(path)

    def inspect(self, directory: int, name: str, path: str) -> Found | None:
        """One name, expected or not."""
        if path in self._expected:
            return self._budget.inspect_expected(directory, name, self._expected[path])
        return self._budget.inspect_unexpected(directory, name)


def walk(
    tree: Tree, areas: t.Iterable[str] | None, expected: t.Mapping[str, int], budget: Budget | None = None
) -> Walk:
    """Walk the areas (all of the root if None) and inspect the expected files outside of them, given with sizes."""
    result = Walk(tree.base, expected, budget or Budget())
    if not tree.exists:
        return result
    if areas is None:
        _descend(tree.fd, "", result)
        return result
    tops = sorted(set(areas))
    for top in tops:
        found = result.inspect(tree.fd, top, top)
        if found is None:
            continue
        if found.kind == DIRECTORY:
            _enter(tree.fd, top, top, found, result)
        else:
            result.files[top] = found
    for single in expected:
        if single in result.files or single.split("/")[0] in tops:
            continue
        place = tree.open_parent(single)
        if place is None:
            continue
        try:
            found = result.inspect(*place, single)
        finally:
            os.close(place[0])
        if found is not None:
            result.files[single] = found
    return result


def check_depth(path: str, root: str = "") -> None:
    """Refuse a directory that is too deep to be entered."""
    if path.count("/") >= DEEPEST:
        # A temporary directory can be removed as a whole. Others may also hold what the engine needs.
        parts = path.split("/")
        leftover = next(("/".join(parts[: number + 1]) for number, one in enumerate(parts) if is_temporary(one)), "")
        shown = f"{root}/{leftover or path[:80] + '...'}" if root else leftover or f"{path[:80]}..."
        advice = f": rm -rf {printable(shlex.quote(shown))}" if root and leftover else "."
        raise NodeError(
            f"{printable(shown)} is nested more than {DEEPEST} directories deep, which no release is. Nothing was "
            f"changed. Remove it and run again{advice}"
        )


def _open_below(parent: int, name: str, path: str, root: str) -> int | None:
    """Open a directory; without one of that name (any more), None."""
    check_depth(path, root)
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _enter(parent: int, name: str, path: str, found: Found, result: Walk) -> None:
    fd = _open_below(parent, name, path, result.root)
    if fd is None:
        return
    try:
        result.directories[path] = found
        _descend(fd, path + "/", result)
    finally:
        os.close(fd)


def _count_below(parent: int, name: str, path: str, result: Walk) -> None:
    """Count what is below a leftover, so that a later step can copy and remove it: the limits are those of the rest."""
    fd = _open_below(parent, name, path, result.root)
    if fd is None:
        return
    try:
        with os.scandir(fd) as entries:
            listed = []
            for entry in entries:
                result.count(path + "/", entry.name)
                if entry.is_dir(follow_symlinks=False):
                    listed.append(entry.name)
        for child in listed:
            _count_below(fd, child, f"{path}/{child}", result)
    finally:
        os.close(fd)


def _descend(fd: int, prefix: str, result: Walk) -> None:
    with os.scandir(fd) as entries:
        listed = []
        for entry in entries:
            result.count(prefix, entry.name)
            listed.append((entry.name, entry.is_dir(follow_symlinks=False)))
    for name, is_directory in listed:
        path = prefix + name
        if is_temporary(name):
            result.leave(path)
            if is_directory:
                _count_below(fd, name, path, result)
            continue
        if is_directory:
            info = lstat_at(fd, name)
            if info is not None and stat.S_ISDIR(info.st_mode):
                _enter(fd, name, path, _found(DIRECTORY, info), result)
            continue
        found = result.inspect(fd, name, path)
        if found is not None and found.kind != DIRECTORY:
            result.files[path] = found


def below(path: str, found: t.Mapping[str, t.Any]) -> list[str]:
    prefix = path + "/"
    return [other for other in found if other.startswith(prefix)]


class Scene(t.NamedTuple):
    """All roots of a node as found, by key (`root:path`, or the absolute path of a node file)."""

    files: dict[str, Found]
    directories: dict[str, Found]
    leftovers: list[tuple[str, str]]


def survey(
    trees: t.Mapping[str, Tree], singles: t.Mapping[str, t.Mapping[str, int]], node_files: t.Mapping[str, int]
) -> Scene:
    """Inspect every managed directory once. Expected files are given with their sizes."""
    scene, budget = Scene({}, {}, []), Budget()
    for root, tree in trees.items():
        if tree.exists:
            scene.directories[f"{root}:."] = _found(DIRECTORY, os.fstat(tree.fd))
        wanted = singles.get(root, {})
        if root == "engine":
            areas: t.Iterable[str] | None = ENGINE_AREAS
        elif root == "secrets":
            areas = None
        else:
            areas = ()
        walked = walk(tree, areas, wanted, budget)
        for path, found in walked.files.items():
            scene.files[f"{root}:{path}"] = found
        for path, found in walked.directories.items():
            scene.directories[f"{root}:{path}"] = found
        scene.leftovers.extend((root, path) for path in walked.leftovers)
    for path, size in node_files.items():
        found_one = budget.inspect_path(path, size)
        if found_one is not None:
            scene.files[path] = found_one
    return scene


def as_expected(
    entry: Entry, accepted: t.Mapping[str, t.Mapping[str, t.Sequence[str]]], owner: tuple[int, int]
) -> Expected:
    good = (entry.sha256, *accepted.get(entry.key, {}).get(entry.sha256, ())) if accepted else (entry.sha256,)
    return Expected(entry.root, entry.path, good, entry.mode, *owner, RELEASE, entry.secret, entry.kind, entry.size)


def expected_of_release(
    release: Manifest,
    accepted: t.Mapping[str, t.Mapping[str, t.Sequence[str]]],
    owners: t.Mapping[str, tuple[int, int]],
) -> dict[str, Expected]:
    if release.read_only:
        # The engine reads its files by its group, and cannot write what is not its own.
        owners = {**owners, "engine": (os.geteuid(), owners["engine"][1])}
    return {entry.key: as_expected(entry, accepted, owners[entry.root]) for entry in release.entries}


def expected_of_baseline(
    baseline: t.Mapping[str, t.Any], accepted: t.Mapping[str, t.Mapping[str, t.Sequence[str]]] | None = None
) -> dict[str, Expected]:
    out = {}
    for path, item in baseline.get("files", {}).items():
        key, digest = f"engine:{path}", str(item["sha256"])
        good = (digest, *(accepted or {}).get(key, {}).get(digest, ()))
        # The Cockpit writes the vendor's YAML in a form of its own, too.
        kind = "yaml" if path.endswith((".yaml", ".yml")) else "binary"
        size = item.get("size")
        known = size if isinstance(size, int) and size >= 0 else UNKNOWN_SIZE
        out[key] = Expected("engine", path, good, None, None, None, BASELINE, False, kind, known)
    return out


def attribute_problem(expected: Expected, found: Found) -> str:
    """A wrong mode or owner, as text; empty if there is none."""
    problems = []
    if expected.mode is not None and found.mode != expected.mode:
        problems.append(f"mode {found.mode:04o} instead of {expected.mode:04o}")
    elif expected.mode is None and found.mode & 0o002:
        problems.append(f"mode {found.mode:04o}: everybody may write")
    if expected.uid is not None and found.uid != expected.uid:
        problems.append(f"owner {found.uid} instead of {expected.uid}")
    if expected.gid is not None and found.gid != expected.gid:
        problems.append(f"group {found.gid} instead of {expected.gid}")
    return ", ".join(problems)


_TOO_LARGE = "it is too large to be read"
_INSTEAD = {
    LINK: "a symbolic link is there",
    DIRECTORY: "a directory is there",
    SPECIAL: "a special file is there",
}


def compare(scene: Scene, expected: t.Mapping[str, Expected]) -> list[Drift]:
    """Each expected file against the disk: modified, missing or attributes - one finding a file at most."""
    findings = []
    for key, want in expected.items():
        found = scene.files.get(key)
        if found is None and key in scene.directories:
            found = scene.directories[key]
        if found is None:
            findings.append(Drift(want.root, want.path, "missing", "the file is gone", None, want.secret))
        elif found.kind != FILE:
            findings.append(Drift(want.root, want.path, "modified", _INSTEAD[found.kind], found, want.secret))
        elif found.sha256 not in want.digests:
            detail = "the content differs" if found.is_read else _TOO_LARGE
            findings.append(Drift(want.root, want.path, "modified", detail, found, want.secret))
        else:
            problem = attribute_problem(want, found)
            if problem:
                findings.append(Drift(want.root, want.path, "attributes", problem, found, want.secret))
    return findings


def unexpected_files(
    scene: Scene,
    known: t.Container[str],
    known_directories: t.Container[str],
    owned: Patterns,
    ignored: Patterns,
    applications: t.Container[str],
) -> tuple[list[Drift], list[str]]:
    """Files that are not declared: findings, and separately those that the engine itself maintains."""
    extra, engine_owned = [], []
    for key, found in scene.files.items():
        if key in known or key.startswith("/"):
            continue
        root, path = key.split(":", 1)
        if root == "environment" or ignored.match(path):
            continue
        if any(above in known for above in _above(root, path)):
            # A directory in place of an expected file is one finding, and that one is reported already.
            continue
        if root == "engine" and owned.match(path) and _is_engines(path, applications):
            engine_owned.append(key)
            continue
        detail = _INSTEAD.get(found.kind, "nobody declared this file")
        if not found.is_read:
            detail = f"{detail}, {_TOO_LARGE}"
        if key in known_directories:
            detail = f"{detail} instead of a directory"
        extra.append(Drift(root, path, "extra", detail, found, root == "secrets"))
    return extra, engine_owned


def _above(root: str, path: str) -> list[str]:
    parts = path.split("/")
    return [f"{root}:{'/'.join(parts[:depth])}" for depth in range(1, len(parts))]


def _is_engines(path: str, applications: t.Container[str]) -> bool:
    # The engine writes an app.yaml wherever it deploys. Other files of an application that the source declares
    # belong to the source.
    parts = path.split("/")
    return parts[-1] == "app.yaml" or "/".join(parts[:3]) not in applications


def declared_applications(paths: t.Iterable[str]) -> set[str]:
    return {"/".join(path.split("/")[:3]) for path in paths if path.startswith("configuration/applications/")}


def directories_above(keys: t.Iterable[str]) -> set[str]:
    """The keys (or paths) of all directories that the files need below their roots."""
    out: set[str] = set()
    for key in keys:
        above = key.rpartition("/")[0]
        while above and above not in out:
            out.add(above)
            above = above.rpartition("/")[0]
    return out


def directory_problem(found: Found, uid: int, gid: int) -> str:
    """Why the engine could not use a managed directory, or too many could; empty when it is fine."""
    if found.uid not in (0, uid, os.geteuid()):
        return f"owner {found.uid} instead of {uid}"
    if found.mode & 0o002:
        return f"mode {found.mode:04o}: everybody may write"
    shift = 6 if found.uid == uid else 3 if found.gid == gid else 0
    if (found.mode >> shift) & 0o5 != 0o5:
        return f"mode {found.mode:04o}: the engine's user cannot enter"
    return ""


def directories_in_disorder(scene: Scene, expected: t.Mapping[str, Expected], owner: tuple[int, int]) -> list[Drift]:
    """The directories of a release's files that have a wrong owner or mode."""
    needed = directories_above(
        want.path for want in expected.values() if want.root == "engine" and want.origin == RELEASE
    )
    findings = []
    for path in sorted(needed):
        found = scene.directories.get(f"engine:{path}")
        problem = directory_problem(found, *owner) if found else ""
        if problem:
            findings.append(Drift("engine", path + "/", "attributes", f"directory: {problem}", found))
    for root in sorted({want.root for want in expected.values() if want.origin == RELEASE}):
        found = scene.directories.get(f"{root}:.")
        problem = _base_problem(root, found, owner) if found else ""
        if problem:
            findings.append(Drift(root, "./", "attributes", f"directory: {problem}", found))
    return findings


def _base_problem(root: str, found: Found, owner: tuple[int, int]) -> str:
    """Why the directory of a root itself is not as it must be: whoever may write it can replace all that is in it."""
    if root == "engine":
        return directory_problem(found, *owner)
    if found.uid != os.geteuid():
        return f"owner {found.uid} instead of {os.geteuid()}"
    return f"mode {found.mode:04o}: others may write" if found.mode & 0o022 else ""


def check_area(scene: Scene, root: str) -> None:
    """A managed directory that was replaced by a link or a file is refused before anything is written."""
    for area in ENGINE_AREAS:
        found = scene.files.get(f"{root}:{area}")
        if found is not None:
            raise NodeError(
                f"{area} in the engine's directory is not a directory "
                f"({_INSTEAD.get(found.kind, 'a file is there')}). "
                "Nothing was changed. Move it away, make the directory, and run again."
            )
