# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a backup, and whether a backup may be restored on a cluster."""

from __future__ import annotations

import json
import re
import time
import typing as t

from ..files.errors import NodeError

FORMAT = 1
FILE_NAME = "manifest.json"
RECORD = "record.json"
DUMP = "database.dump"
RELEASES = "releases.tar.gz"
CERTIFICATES = "certificates.tar.gz"
ENCRYPTED = ".age"
# A manifest lists a few files.
LIMIT = 1 << 20
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z")
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z]+)*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_TEXTS = ("id", "cluster", "node", "time", "engine_version", "release")

Manifest = dict[str, t.Any]


class Target(t.NamedTuple):
    """The cluster on which a backup is to be restored."""

    cluster: str
    engine_version: str
    server_version: int
    foreign: bool = False


def new_id(now: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def is_id(name: str) -> bool:
    return bool(_ID.match(name))


def tree_file(name: str) -> str:
    """The file with a directory of the share."""
    return f"{name}.tar.gz"


def to_bytes(manifest: Manifest) -> bytes:
    return (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode("ascii")


def parse(data: bytes, where: str) -> Manifest:
    """Parse and validate a manifest."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise NodeError(f"{where} is damaged ({exc}).") from exc
    problem = _problem(value)
    if problem:
        raise NodeError(f"{where} is damaged ({problem}).")
    return t.cast(Manifest, value)


def _problem(value: t.Any) -> str:
    if not isinstance(value, dict):
        return "not a mapping"
    version = value.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        return "it has no format"
    if version > FORMAT:
        return f"format {version} is of a newer version of the collection, this one supports {FORMAT}"
    missing = [name for name in _TEXTS if not isinstance(value.get(name), str)]
    if missing:
        return f"without {', '.join(missing)}"
    if not is_id(value["id"]):
        return "its id is invalid"
    files = value.get("files")
    if not isinstance(files, dict) or not files:
        return "it lists no files"
    for name, entry in files.items():
        if not _NAME.match(name) or not isinstance(entry, dict):
            return "the name of a file is invalid"
        size = entry.get("size")
        sound = isinstance(size, int) and not isinstance(size, bool) and size >= 0
        if not sound or not _SHA256.match(str(entry.get("sha256", ""))):
            return f"size or SHA-256 of {name} is invalid"
    if not isinstance(value.get("database"), dict) or not isinstance(value["database"].get("server_version"), int):
        return "the version of the database server is missing"
    schema = value.get("schema")
    if schema is not None and (not isinstance(schema, dict) or not isinstance(schema.get("engine_version"), str)):
        return "schema is invalid"
    return ""


def file_in(manifest: Manifest, name: str) -> str:
    """The name under which the backup has a file; empty if it does not have it."""
    files = manifest["files"]
    return name if name in files else name + ENCRYPTED if name + ENCRYPTED in files else ""


def is_encrypted(manifest: Manifest) -> bool:
    return any(name.endswith(ENCRYPTED) for name in manifest["files"])


def size_of(manifest: Manifest) -> int:
    return sum(int(entry["size"]) for entry in manifest["files"].values())


def schema_version(manifest: Manifest) -> str:
    """The version of the engine that created or migrated the tables."""
    return str((manifest.get("schema") or {}).get("engine_version") or manifest["engine_version"])


def obstacles(manifest: Manifest, target: Target) -> list[str]:
    """Why the backup may not be restored on this cluster; empty if it may."""
    found = []
    if manifest["cluster"] != target.cluster and not target.foreign:
        found.append(
            f"It is a backup of cluster {manifest['cluster']}, and this is {target.cluster}. To restore its database "
            "and its shared files here all the same: -e restore_foreign=true"
        )
    for what, version in (("the engine", manifest["engine_version"]), ("the tables", schema_version(manifest))):
        if version != target.engine_version:
            order = "older" if _numbers(version) < _numbers(target.engine_version) else "newer"
            found.append(
                f"The version of {what} in the backup, {version}, is {order} than the engine of this cluster, "
                f"{target.engine_version}. Set ivy_engine_version: {version}, install that engine, and restore then."
            )
            break
    server = int(manifest["database"]["server_version"])
    if target.server_version and server // 10000 > target.server_version // 10000:
        found.append(
            f"The dump is of PostgreSQL {server // 10000}, and the database server of this cluster is PostgreSQL "
            f"{target.server_version // 10000}, which is older. Restore it on PostgreSQL {server // 10000} or later."
        )
    found += [f"The backup has no {name}." for name in (DUMP, RECORD) if not file_in(manifest, name)]
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version)[:4])
