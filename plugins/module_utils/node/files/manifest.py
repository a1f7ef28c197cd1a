# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of what a release holds, read strictly: a release that is not understood is not half applied."""

from __future__ import annotations

import json
import operator
import re
import typing as t

from .atomic import TEMPORARY_PREFIX, check_relative, is_temporary
from .digest import sha256
from .errors import NodeError

FORMAT = 1
ROOTS = ("secrets", "environment", "engine")
KINDS = ("yaml", "text", "binary")
RESTARTS = ("never", "always", "keys")
_ID = re.compile(r"[0-9a-f]{32}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_MODE = re.compile(r"0[0-7]{3}\Z")


class Restart(t.NamedTuple):
    """What of a file matters for a restart: the class, one keyed digest, and one digest a key where keys decide."""

    kind: str
    digest: str
    keys: dict[str, str]

    def to_dict(self) -> dict[str, t.Any]:
        return {"kind": self.kind, "digest": self.digest, "keys": self.keys}


class Entry(t.NamedTuple):
    """One file of a release."""

    root: str
    path: str
    sha256: str
    size: int
    mode: int
    secret: bool
    kind: str
    restart: Restart
    secret_keys: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.root}:{self.path}"


class Manifest(t.NamedTuple):
    """One release, without the bytes of its files."""

    id: str
    cluster: str
    engine_version: str
    entries: tuple[Entry, ...]
    digest: str
    # Whether the engine may not write its files, and where below its directory it works on a copy of them then.
    read_only: bool = False
    copy: str = ""
    # A fingerprint of the cluster key. It reveals nothing about the key.
    key: str = ""

    def by_key(self) -> dict[str, Entry]:
        return {entry.key: entry for entry in self.entries}


def check_id(release: str) -> str:
    if not _ID.match(release):
        raise NodeError(f"{release!r} is not a release id (32 hexadecimal digits).")
    return release


def restart_from(value: t.Any) -> Restart:
    if not isinstance(value, dict) or value.get("kind") not in RESTARTS:
        raise ValueError("restart is not understood")
    keys = value.get("keys") or {}
    if not isinstance(keys, dict):
        raise ValueError("restart.keys is not a mapping")
    return Restart(str(value["kind"]), str(value.get("digest", "")), {str(k): str(v) for k, v in keys.items()})


def _entry(value: t.Any) -> Entry:
    if not isinstance(value, dict):
        raise ValueError("not a mapping")
    root, path, kind = value.get("root"), value.get("path"), value.get("kind")
    if root not in ROOTS:
        raise ValueError(f"unknown root {root!r}")
    if not isinstance(path, str):
        raise ValueError("path is not text")
    if is_temporary(check_relative(path)[-1]):
        raise ValueError("the name is one that unfinished files have")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}")
    if not _SHA256.match(str(value.get("sha256"))):
        raise ValueError("sha256 is not a digest")
    if not _MODE.match(str(value.get("mode"))):
        raise ValueError(f"mode {value.get('mode')!r} is not of the form 0640")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError("size is not a number of bytes")
    return Entry(
        root,
        path,
        value["sha256"],
        size,
        int(value["mode"], 8),
        bool(value.get("secret")),
        kind,
        restart_from(value.get("restart")),
        tuple(str(key) for key in value.get("secret_keys") or ()),
    )


# A path that check_relative() accepts.
_PLAIN = re.compile(r"(?:(?!\.{1,2}(?:/|\Z))[^/\0]+(?:/(?!\Z)|\Z))+\Z")
_FIELDS = operator.itemgetter("root", "path", "sha256", "size", "mode", "secret", "kind", "restart")
_modes: dict[str, int] = {}


def _sound_entry(value: t.Any) -> Entry | None:
    """The entry by few tests, which nearly all entries pass; None where only _entry() can decide."""
    try:
        root, path, digest, size, mode, secret, kind, restart = _FIELDS(value)
        if (
            root not in ROOTS
            or kind not in KINDS
            or not isinstance(size, int)
            or isinstance(size, bool)
            or size < 0
            or not _PLAIN.match(path)
            or TEMPORARY_PREFIX in path
            or not _SHA256.match(digest)
            or not isinstance(secret, bool)
            or restart["kind"] not in RESTARTS
            or restart.get("keys")
        ):
            return None
        bits = _modes.get(mode)
        if bits is None:
            if not _MODE.match(mode):
                return None
            bits = _modes[mode] = int(mode, 8)
        keys = value.get("secret_keys")
        return Entry(
            root,
            path,
            digest,
            size,
            bits,
            secret,
            kind,
            Restart(restart["kind"], str(restart.get("digest", "")), {}),
            tuple(str(key) for key in keys) if keys else (),
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def contents(data: bytes) -> set[str] | None:
    """The digests of the contents that a manifest names; None if it is damaged. Most of it is not validated."""
    known = _read.get(sha256(data))
    if known is not None:
        return {entry.sha256 for entry in known.entries}
    try:
        value = json.loads(data.decode("utf-8"))
        if value["format"] != FORMAT or not _ID.match(value["id"]):
            return None
        named = {entry["sha256"] for entry in value["entries"]}
        return named if all(map(_SHA256.match, named)) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _copy(value: t.Any) -> str:
    if not isinstance(value, dict) or not isinstance(value.get("copy"), str):
        raise ValueError("not a mapping with the place of the copy")
    if value["copy"]:
        check_relative(value["copy"])
    return str(value["copy"])


# One call meets the same manifest several times: received, staged, applied, and when the store is tidied up.
_read: dict[str, Manifest] = {}


def parse(data: bytes, where: str) -> Manifest:
    """Read a manifest; every finding is reported, not only the first."""
    digest = sha256(data)
    if digest not in _read:
        _read[digest] = _parse(data, where, digest)
    return _read[digest]


def _below_files(entries: t.Iterable[Entry], keys: set[str]) -> list[str]:
    """Files that need a directory where there is another file."""
    directories: set[str] = set()
    for key in keys:
        above = key.rpartition("/")[0]
        while above and above not in directories:
            directories.add(above)
            above = above.rpartition("/")[0]
    taken = directories & keys
    return [entry.path for entry in entries for above in taken if entry.key.startswith(above + "/")]


def _parse(data: bytes, where: str, digest: str) -> Manifest:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise NodeError(
            f"The manifest {where} is not JSON ({exc}). It is damaged; build and push the release again."
        ) from exc
    if not isinstance(value, dict):
        raise NodeError(f"The manifest {where} is not a mapping. It is damaged; build and push the release again.")
    if value.get("format") != FORMAT:
        raise NodeError(
            f"The manifest {where} has format {value.get('format')!r}, this version of the collection knows {FORMAT}. "
            "Use the version of the collection that wrote it, or a newer one."
        )
    problems: list[str] = []
    entries: list[Entry] = []
    listed = value.get("entries")
    if not isinstance(listed, list):
        problems.append("entries is not a list")
        listed = []
    for number, item in enumerate(listed):
        try:
            entries.append(_sound_entry(item) or _entry(item))
        except (ValueError, NodeError) as exc:  # noqa: PERF203
            name = item.get("path") if isinstance(item, dict) else None
            problems.append(f"entry {number} ({name}): {exc}")
    seen: set[str] = set()
    for entry in entries:
        if entry.key in seen:
            problems.append(f"{entry.path} is listed twice in root {entry.root}")
        seen.add(entry.key)
    problems.extend(
        f"{path} needs a directory where the release also has a file" for path in _below_files(entries, seen)
    )
    if not _ID.match(str(value.get("id"))):
        problems.append("id is not a release id")
    read_only = value.get("read_only")
    copy = ""
    if read_only is not None:
        try:
            copy = _copy(read_only)
        except (ValueError, NodeError) as exc:
            problems.append(f"read_only: {exc}")
    if problems:
        raise NodeError(f"The manifest {where} is damaged: {'; '.join(problems)}. Build and push the release again.")
    return Manifest(
        value["id"],
        str(value.get("cluster", "")),
        str(value.get("engine_version", "")),
        tuple(entries),
        digest,
        read_only is not None,
        copy,
        str(value.get("key") or ""),
    )
