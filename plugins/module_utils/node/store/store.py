# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of a node: releases, the applied state, backups, the vendor's baseline, accepted rewritings.

Only root may enter its directory. Small files are written atomically. A release is staged once its manifest is
present, which is written last.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
import typing as t

from ..files import atomic
from ..files import manifest as manifests
from ..files.atomic import (
    BATCH,
    GREATEST_FILE,
    Tree,
    commit_at,
    discard_at,
    is_temporary,
    lstat_at,
    make_directory,
    prepare_at,
    read_at,
    remove_tree_at,
    write_all,
    write_at,
)
from ..files.digest import sha256
from ..files.errors import NodeError
from . import backups as backup_files
from .backups import Backup, Collector, removable

FORMAT = 1
_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
# Accepted contents of one file; the oldest is removed.
_ACCEPTED_PER_FILE = 4
_JOURNAL_SIZE = 1 << 20
# Above it the guard makes no more: it works without supervision, and whoever may change a file could fill the disk.
MOST_BACKUP_BYTES = 4 << 30
# A JSON text unfolds to some twenty times its size in memory.
_LONGEST_JSON = 8 << 20
# In a backup until a run or the guard has reported it.
_UNREPORTED = "unreported"

_START_OVER = (
    "Move the file away and run again: the node is then treated as one to which nothing was applied, and what differs "
    "is backed up first."
)
_NEWER = "It was written by a newer version of the collection; use that version or a newer one."
# The consequence of moving a file of the store away, for its error message.
_ADVICE = {
    "format.json": "Move the file away and run again.",
    "intent.json": "Move the file away and run again: what the activation that was cut off had written already is then "
    "reported as changed on the node, and backed up.",
    "accepted.json": "Move the file away and run again: values that the engine encrypted are then written again.",
    "applications.json": "Move the file away and run again: the artefacts are then placed again.",
}


def timestamp(now: float | None = None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


class Store:
    """The store below one directory. Reading never creates anything, so that check mode and scans stay pure."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.tree = Tree(path)
        # Listed once; whatever adds or removes a blob starts again.
        self._blobs: frozenset[str] | None = None
        if self.tree.exists:
            self._check()

    def close(self) -> None:
        self.tree.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # --- the directory itself

    @property
    def is_prepared(self) -> bool:
        """Whether something was ever stored here. An empty directory may be one whose file system is not mounted."""
        return self.tree.exists and lstat_at(self.tree.fd, "format.json") is not None

    def _check(self) -> None:
        info = os.fstat(self.tree.fd)
        if info.st_uid != os.geteuid():
            raise NodeError(
                f"The store {self.path} belongs to uid {info.st_uid} instead of {os.geteuid()}. Find out who "
                "changed it, "
                f"then run: chown -R root:root {self.path}"
            )
        if info.st_mode & 0o077:
            raise NodeError(
                f"The store {self.path} has mode {stat.S_IMODE(info.st_mode):04o}, so others may have read "
                "secrets in it. "
                f"Run: chmod 0700 {self.path} - and renew the secrets unless you set this mode yourself."
            )
        found = self._json("format.json")
        if found is not None:
            version = found.get("format")
            if not isinstance(version, int) or version > FORMAT:
                raise NodeError(
                    f"The store {self.path} was written by a newer version of the collection (format {version}, "
                    f"this one supports {FORMAT}). Use that version or a newer one."
                )

    def prepare(self) -> None:
        """Make the store's directories where they are missing."""
        uid, gid = os.geteuid(), os.getegid()
        if not self.tree.exists:
            self.tree.create_base(_PRIVATE_DIRECTORY, uid, gid)
            self._check()
        for name in ("releases", "blobs", "backups", "baseline"):
            if lstat_at(self.tree.fd, name) is None:
                make_directory(self.tree.fd, name, _PRIVATE_DIRECTORY, uid, gid)
        if lstat_at(self.tree.fd, "format.json") is None:
            self._put("format.json", {"format": FORMAT})

    @contextlib.contextmanager
    def lock(self, seconds: float = 120.0) -> t.Iterator[None]:
        """One run at a time: two controllers must not activate at once."""
        try:
            self.prepare()
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open("lock", flags, _PRIVATE_FILE, dir_fd=self.tree.fd)
        except OSError as exc:
            raise NodeError(
                f"The store {self.path} cannot be written ({exc.strerror}). Nothing was changed. Free some space, or "
                "mount its file system for writing, and run again."
            ) from exc
        try:
            limit = time.monotonic() + seconds
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as exc:
                    if exc.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                    if time.monotonic() >= limit:
                        holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip() or "an unknown process"
                        raise NodeError(
                            f"Another run holds the store {self.path} ({holder}) for more than {seconds:.0f} seconds. "
                            "Wait until it is over, or end that process, then run again."
                        ) from exc
                    time.sleep(0.1)
            self._blobs = None
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"process {os.getpid()} since {timestamp()}\n".encode(), 0)
            yield
        finally:
            os.close(fd)

    def busy(self) -> bool:
        """Whether another run is changing the node now; its unfinished work is not damage."""
        try:
            fd = os.open("lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.tree.fd)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        except OSError:
            return True
        finally:
            os.close(fd)

    # --- small files

    def _json(self, path: str, **parts: type) -> dict[str, t.Any] | None:
        """One small file; parts names what must be of a certain kind where it is there."""
        try:
            found = self.tree.read(path, _LONGEST_JSON)
        except NodeError as exc:
            raise NodeError(f"The store is damaged: {self.path}/{path}: {exc} {self._advice(path)}") from exc
        if found is None:
            return None
        try:
            value = json.loads(found[0].decode("utf-8"))
            if not isinstance(value, dict):
                raise ValueError("not a mapping")
            for name, kind in parts.items():
                if kind is not str and name in value and value[name] is None:
                    value[name] = kind()
                if value.get(name) is not None and not isinstance(value[name], kind):
                    raise ValueError(f"{name} is not of the right kind")
        except (ValueError, RecursionError) as exc:
            raise NodeError(
                f"The store is damaged: {self.path}/{path} cannot be read ({exc}). {self._advice(path)}"
            ) from exc
        version = value.get("format", FORMAT)
        if path != "format.json" and (not isinstance(version, int) or version > FORMAT):
            raise NodeError(f"{self.path}/{path} has format {version!r}, this version knows {FORMAT}. {_NEWER}")
        return value

    @staticmethod
    def _advice(path: str) -> str:
        if path.startswith("baseline/"):
            return (
                "Move the file away: the vendor's files are then not distinguished from others until the engine is "
                "unpacked again."
            )
        return _ADVICE.get(path, _START_OVER)

    def _records(self, path: str, value: t.Any, kind: type) -> None:
        """Check a mapping of mappings (or of lists), so that what reads it need not."""
        if not all(isinstance(one, kind) for one in (value or {}).values()):
            raise NodeError(
                f"The store is damaged: {self.path}/{path} cannot be read (an entry is not of the right kind). "
                f"{self._advice(path)}"
            )

    def _put(self, path: str, value: t.Any) -> None:
        data = (json.dumps(value, sort_keys=True, indent=1) + "\n").encode("ascii")
        if len(data) > _LONGEST_JSON:
            raise NodeError(
                f"{self.path}/{path} would have {len(data)} bytes, and more than {_LONGEST_JSON} are not read back. "
                "Nothing was written."
            )
        self._put_bytes(path, data)

    def _put_bytes(self, path: str, data: bytes) -> None:
        uid, gid = os.geteuid(), os.getegid()
        fd, name = self.tree.make_parent(path, _PRIVATE_DIRECTORY, uid, gid)
        try:
            write_at(fd, name, data, _PRIVATE_FILE, uid, gid)
        finally:
            os.close(fd)

    def _remove(self, path: str) -> None:
        place = self.tree.open_parent(path)
        if place is None:
            return
        try:
            discard_at(*place)
            os.fsync(place[0])
        finally:
            os.close(place[0])

    def _names(self, path: str) -> list[str]:
        place = self.tree.open_parent(path + "/.names") if self.tree.exists else None
        if place is None:
            return []
        try:
            with os.scandir(place[0]) as entries:
                return sorted(entry.name for entry in entries if not is_temporary(entry.name))
        finally:
            os.close(place[0])

    # --- releases and blobs

    def releases(self) -> list[str]:
        return [name for name in self._names("releases") if self.tree.read(f"releases/{name}/manifest.json")]

    def manifest(self, release: str) -> manifests.Manifest | None:
        manifests.check_id(release)
        found = self.tree.read(f"releases/{release}/manifest.json")
        if found is None:
            return None
        where = f"{self.path}/releases/{release}/manifest.json"
        try:
            parsed = manifests.parse(found[0], where)
            if parsed.id != release:
                raise NodeError(f"It is the manifest of {parsed.id}.")
        except NodeError as exc:
            raise NodeError(
                f"The store is damaged: {exc} Remove the directory {self.path}/releases/{release}; where this release "
                f"is the applied one, move {self.path}/applied.json away too. Then run again: the release is sent "
                "again, and what differs is backed up first."
            ) from exc
        return parsed

    def blob_names(self) -> frozenset[str]:
        if self._blobs is None:
            self._blobs = frozenset(self._names("blobs"))
        return self._blobs

    def blob_if_sound(self, digest: str) -> bytes | None:
        try:
            return self.blob(digest)
        except NodeError:
            return None

    def blob(self, digest: str) -> bytes:
        """Content by digest, checked, since a damaged store must not reach the engine."""
        found = self.tree.read(f"blobs/{digest}", GREATEST_FILE)
        if found is None:
            raise NodeError(
                f"The store is damaged: {self.path}/blobs/{digest} is missing. Run again: it is sent again; a "
                "vendor's file comes back by unpacking the engine again."
            )
        if sha256(found[0]) != digest:
            raise NodeError(
                f"The store is damaged: {self.path}/blobs/{digest} has other content than its name says. "
                "Remove the file and run again."
            )
        return found[0]

    def put_blob(self, digest: str, data: bytes) -> None:
        if sha256(data) != digest:
            raise NodeError(f"The content received for {digest[:8]}... is damaged: its digest differs. Run again.")
        self._blobs = None
        self._put_bytes(f"blobs/{digest}", data)

    def _put_blobs(self, blobs: t.Mapping[str, bytes]) -> None:
        """Many at once: durable together, and under their names only then."""
        self._blobs = None
        uid, gid = os.geteuid(), os.getegid()
        # The file system may have much other data to write, so a few files are synced one by one.
        together = len(blobs) > BATCH
        directory, _name = self.tree.make_parent("blobs/.names", _PRIVATE_DIRECTORY, uid, gid)
        try:
            for digest, content in blobs.items():
                if sha256(content) != digest:
                    raise NodeError(f"The content received for {digest[:8]}... is damaged. Run again.")
                prepare_at(directory, digest, content, _PRIVATE_FILE, uid, gid, durable=not together)
            if together:
                atomic.sync_filesystem(directory)
            for digest in blobs:
                commit_at(directory, digest)
            os.fsync(directory)
        finally:
            os.close(directory)

    def stage(self, data: bytes, blobs: t.Mapping[str, bytes]) -> manifests.Manifest:
        """Keep a release. Blobs first, the manifest last: a release with a manifest is complete."""
        newest = max((age for age, _name in self._by_age()), default=0.0)
        parsed = manifests.parse(data, "received from the controller")
        present = self.blob_names()
        self._put_blobs({digest: content for digest, content in blobs.items() if digest not in present})
        missing = sorted(
            {entry.path for entry in parsed.entries if entry.sha256 not in present and entry.sha256 not in blobs}
        )
        if missing:
            raise NodeError(
                f"The release {parsed.id} came without the content of {', '.join(missing[:10])}. Run again."
            )
        self._put_bytes(f"releases/{parsed.id}/manifest.json", data)
        self._make_newest(parsed.id, newest)
        return parsed

    def _make_newest(self, release: str, newest: float) -> None:
        """Pruning goes by age, and the clock may have been moved back since the others came."""
        place = self.tree.open_parent(f"releases/{release}/manifest.json")
        if place is None:
            return
        try:
            info = lstat_at(*place)
            if info is not None and info.st_mtime <= newest:
                os.utime(place[1], (newest + 1, newest + 1), dir_fd=place[0], follow_symlinks=False)
        finally:
            os.close(place[0])

    def _by_age(self) -> list[tuple[float, str]]:
        """The staged releases, the one that came last first."""
        found = []
        for name in self._names("releases"):
            read = self.tree.read(f"releases/{name}/manifest.json")
            if read is not None:
                found.append((read[1].st_mtime, name))
        return sorted(found, reverse=True)

    # --- what is applied

    def applied(self) -> dict[str, t.Any]:
        kinds = {"node_files": dict, "previous_node_files": dict, "settings": dict}
        value = self._json("applied.json", release=str, previous=str, **kinds) or {}
        for name in ("node_files", "previous_node_files"):
            self._records("applied.json", value.get(name), dict)
        self._check_release("applied.json", value)
        return value

    def _check_release(self, path: str, value: t.Mapping[str, t.Any]) -> None:
        try:
            if value.get("release"):
                manifests.check_id(value["release"])
        except NodeError as exc:
            raise NodeError(f"The store is damaged: {self.path}/{path}: {exc} {self._advice(path)}") from exc

    def put_applied(self, value: dict[str, t.Any]) -> None:
        self._put("applied.json", value)

    def intent(self) -> dict[str, t.Any]:
        """What an activation was about to reach when it was cut off; empty when none was."""
        value = self._json("intent.json", release=str, node_files=dict, settings=dict, earlier=list) or {}
        for goal in (value, *(value.get("earlier") or ())):
            self._records("intent.json", {"": goal}, dict)
            self._records("intent.json", goal.get("node_files"), dict)
            self._check_release("intent.json", goal)
        return value

    def put_intent(self, value: dict[str, t.Any]) -> None:
        self._put("intent.json", value)

    def clear_intent(self) -> None:
        self._remove("intent.json")

    # --- baseline

    def baselines(self) -> list[dict[str, t.Any]]:
        found = []
        for name in self._names("baseline"):
            value = self._json(f"baseline/{name}", files=dict)
            if value:
                self._records(f"baseline/{name}", value.get("files"), dict)
                found.append(value)
        return found

    def baseline(self, engine_directory: str, version: str) -> dict[str, t.Any] | None:
        """The vendor's files of this engine directory; by version where the directory was moved."""
        by_version = None
        for value in self.baselines():
            if value.get("engine_directory") == engine_directory:
                return value
            if value.get("engine_version") == version:
                by_version = value
        return by_version

    def put_baseline(self, version: str, value: dict[str, t.Any]) -> None:
        if "/" in version or version in ("", ".", ".."):
            raise NodeError(f"{version!r} is not an engine version.")
        self._put(f"baseline/{version}.json", value)

    # --- accepted rewritings: by file and by the digest of what the release has there

    def accepted(self) -> dict[str, dict[str, list[str]]]:
        value: dict[str, t.Any] = (self._json("accepted.json", files=dict) or {}).get("files") or {}
        self._records("accepted.json", value, dict)
        for by_digest in value.values():
            self._records("accepted.json", by_digest, list)
        return value

    def accept(self, key: str, released: str, content: bytes) -> None:
        files = self.accepted()
        known = files.setdefault(key, {}).setdefault(released, [])
        digest = sha256(content)
        if digest in known:
            return
        self.put_blob(digest, content)
        known.append(digest)
        del known[:-_ACCEPTED_PER_FILE]
        self._put("accepted.json", {"format": FORMAT, "files": files})

    def forget_accepted(self, keys: t.Container[str]) -> None:
        """What was accepted for a file is over once the release's own bytes lie there again."""
        files = self.accepted()
        kept = {key: by_digest for key, by_digest in files.items() if key not in keys}
        if kept != files:
            self._put("accepted.json", {"format": FORMAT, "files": kept})

    # --- artefacts given to the engine

    def applications(self) -> dict[str, t.Any]:
        return (self._json("applications.json", artefacts=dict) or {}).get("artefacts") or {}

    def put_application(self, key: str, value: dict[str, t.Any] | None) -> None:
        """Record what was placed; None removes the entry."""
        others = {name: known for name, known in self.applications().items() if name != key}
        entry = {} if value is None else {key: value}
        self._put("applications.json", {"format": FORMAT, "artefacts": {**others, **entry}})

    # --- backups and journal

    def backup(self, collect: t.Callable[[Collector], None]) -> str:
        """Keep what an activation is about to overwrite. Returns the directory; empty if nothing was collected.

        The list is written last: a backup with a list is complete.
        """
        uid, gid = os.geteuid(), os.getegid()
        name = self._next_backup(time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
        known = {
            str(item["sha256"]): f"{one.name}/{item['file']}"
            for one in self.backups()
            for item in one.items
            if item.get("sha256") and item.get("file")
        }
        directory, _names = self.tree.make_parent(f"backups/{name}/.names", _PRIVATE_DIRECTORY, uid, gid)
        above, _name = self.tree.make_parent(f"backups/{name}", _PRIVATE_DIRECTORY, uid, gid)
        try:
            collector = Collector(directory, above, known)
            collect(collector)
            if collector.items:
                self._put_bytes(f"backups/{name}/{_UNREPORTED}", b"")
                listed = {"format": FORMAT, "time": timestamp(), "items": collector.items}
                self._put(f"backups/{name}/list.json", listed)
                return f"{self.path}/backups/{name}"
        finally:
            os.close(directory)
            os.close(above)
        self._remove_tree("backups", name)
        return ""

    def backups(self) -> list[Backup]:
        """The complete backups. One whose list is damaged keeps an unknown content."""
        found = []
        for name in self._names("backups"):
            try:
                value = self._json(f"backups/{name}/list.json", items=list, time=str)
            except NodeError:
                value = {"items": [{"kind": backup_files.FILE, "path": name}]}
            if value is not None:
                items = tuple(item for item in value.get("items") or () if isinstance(item, dict))
                reported = not self._has(f"backups/{name}/{_UNREPORTED}")
                found.append(Backup(name, backup_files.seconds(str(value.get("time"))), reported, items))
        return found

    def backup_digests(self) -> frozenset[str]:
        """The digests of all contents that backups keep. Each call reads the lists of all of them."""
        return frozenset(str(item["sha256"]) for one in self.backups() for item in one.items if item.get("sha256"))

    def backup_bytes(self) -> int:
        """The space that all backups occupy, also those without a list. A file with several names counts once."""
        occupied: dict[int, int] = {}
        for name in self._names("backups"):
            place = self.tree.open_parent(f"backups/{name}/.names")
            if place is None:
                continue
            try:
                with os.scandir(place[0]) as entries:
                    for entry in entries:
                        status = entry.stat(follow_symlinks=False)
                        occupied[status.st_ino] = status.st_blocks * 512
            finally:
                os.close(place[0])
        return sum(occupied.values())

    def backups_exceed(self, more: int = 0) -> str:
        """What to do if all backups and as many more bytes would be above the limit; empty if they are not."""
        if self.backup_bytes() + more <= MOST_BACKUP_BYTES:
            return ""
        return (
            f"the backups in {self.path}/backups would need more than {MOST_BACKUP_BYTES / (1 << 30):g} GiB: "
            "save what you need from there, and remove its oldest directories"
        )

    def unreported(self) -> list[str]:
        """The directories of backups that no run has reported: it may have been cut off before."""
        return [
            f"{self.path}/backups/{name}"
            for name in self._names("backups")
            if self._has(f"backups/{name}/{_UNREPORTED}") and self._has(f"backups/{name}/list.json")
        ]

    def mark_reported(self, directories: t.Iterable[str]) -> None:
        for directory in directories:
            self._remove(f"backups/{os.path.basename(directory)}/{_UNREPORTED}")

    def _next_backup(self, now: str) -> str:
        """A name that sorts after all others even if the clock was moved back, or pruning would take the newest."""
        taken = self._names("backups")
        if not taken or now > taken[-1]:
            return now
        stem, _dot, number = taken[-1].partition(".")
        return f"{stem}.{int(number or 0) + 1:08d}" if number.isdecimal() or not number else f"{taken[-1]}.00000001"

    def journal(self, event: str, *, durable: bool = True, **details: t.Any) -> None:
        """Add a line. One that is not durable becomes so with the next durable one: no step depends on the journal."""
        line = json.dumps({"time": timestamp(), "event": event, **details}, sort_keys=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open("journal.jsonl", flags, _PRIVATE_FILE, dir_fd=self.tree.fd)
        try:
            size = os.fstat(fd).st_size
            # A run that was cut off may have left half a line; it must not take this one with it.
            start = b"\n" if size and os.pread(fd, 1, size - 1) != b"\n" else b""
            write_all(fd, start + line.encode("utf-8") + b"\n")
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)

    def prune(self, keep_releases: int, keep_backups: int) -> None:
        """Forget old releases and backups, then the blobs that nothing names any more."""
        applied = self.applied()
        protected = {applied.get("release"), applied.get("previous"), self.intent().get("release")}
        contents = {name: self._contents(name) for name in self._names("releases")}
        for name, named in contents.items():
            # What a run that was cut off left behind, or what is damaged: no release that could be activated.
            if name not in protected and named is None:
                self._remove_release(name)
        by_age = self._by_age()
        protected.update(self._still_to_come(by_age, applied))
        unprotected = [name for _age, name in by_age if name not in protected]
        kept = sum(1 for _age, name in by_age if name in protected)
        for name in unprotected[max(keep_releases - kept, 0) :]:
            self._remove_release(name)
            del contents[name]
        for name in self._names("backups"):
            # The list is written last and nothing is overwritten before, so these files are still in their places.
            if not self._has(f"backups/{name}/list.json"):
                self._remove_tree("backups", name)
        for name in removable(self.backups(), max(keep_backups, 1), time.time()):
            self._remove_tree("backups", name)
        damaged = any(named is None and name in protected for name, named in contents.items())
        # The blobs of a damaged release are needed to repair it.
        if not damaged:
            self._collect(applied, set().union(*(named for named in contents.values() if named)))
        self._shorten_journal()

    @staticmethod
    def _still_to_come(by_age: t.Sequence[tuple[float, str]], applied: t.Mapping[str, t.Any]) -> list[str]:
        """The newest release that was staged since the previous one and is not applied yet; an older one never will."""
        previous = [age for age, name in by_age if name == applied.get("previous")]
        others = [(age, name) for age, name in by_age if name not in (applied.get("release"), applied.get("previous"))]
        return [name for age, name in others[:1] if not previous or age > previous[0]]

    def _has(self, path: str) -> bool:
        place = self.tree.open_parent(path)
        if place is None:
            return False
        try:
            return lstat_at(*place) is not None
        finally:
            os.close(place[0])

    def _contents(self, release: str) -> set[str] | None:
        """The digests of the contents of a release; None if its manifest is missing or damaged."""
        found = self.tree.read(f"releases/{release}/manifest.json")
        return manifests.contents(found[0]) if found is not None else None

    def _remove_release(self, name: str) -> None:
        # The manifest first: what is left of a removal that is cut off must not pass for a staged release.
        self._remove(f"releases/{name}/manifest.json")
        self._remove_tree("releases", name)

    def _shorten_journal(self) -> None:
        end = self.tree.read_end("journal.jsonl", _JOURNAL_SIZE + 1)
        if end is not None and len(end) > _JOURNAL_SIZE:
            self._put_bytes("journal.jsonl", end[-_JOURNAL_SIZE // 2 :].split(b"\n", 1)[-1])

    def _remove_tree(self, directory: str, name: str) -> None:
        place = self.tree.open_parent(f"{directory}/{name}")
        if place is None:
            return
        try:
            remove_tree_at(*place)
        finally:
            os.close(place[0])

    def _accepted_and_needed(self, released: t.Container[str]) -> set[str]:
        """Accepted digests that still stand for a file of a release; the others are forgotten."""
        before = self.accepted()
        after: dict[str, dict[str, list[str]]] = {}
        for key, by_digest in before.items():
            kept = {digest: accepted for digest, accepted in by_digest.items() if digest in released}
            if kept:
                after[key] = kept
        if after != before:
            self._put("accepted.json", {"format": FORMAT, "files": after})
        return {digest for by_digest in after.values() for accepted in by_digest.values() for digest in accepted}

    def _collect(self, applied: dict[str, t.Any], needed: set[str]) -> None:
        """Remove the blobs that neither a release nor anything else needs."""
        for baseline in self.baselines():
            needed.update(str(item.get("sha256")) for item in baseline.get("files", {}).values())
        needed.update(self._accepted_and_needed(needed))
        for name in ("node_files", "previous_node_files"):
            needed.update(str(item.get("sha256")) for item in applied.get(name, {}).values())
        place = self.tree.open_parent("blobs/.names")
        if place is None:
            return
        self._blobs = None
        try:
            for name in os.listdir(place[0]):
                if name not in needed:
                    discard_at(place[0], name)
        finally:
            os.close(place[0])


def read_json_file(path: str, limit: int = 4 << 20) -> dict[str, t.Any] | None:
    """A small JSON file by absolute path; None where it is missing or unreadable."""
    head, name = os.path.split(path)
    tree = Tree(head)
    try:
        if not tree.exists:
            return None
        content, _info = read_at(tree.fd, name, limit + 1)
        if len(content) > limit:
            return None
        value = json.loads(content.decode("utf-8"))
        return value if isinstance(value, dict) else None
    except (OSError, ValueError, RecursionError):
        return None
    finally:
        tree.close()
