# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the services that is not in files, as the services themselves report it.

Each service of a description has the keys ``gather``, what the host needs to find out its state, and ``expect``:

balancer     nothing; the process has loaded the configuration, the pages and the certificates on disk
certificate  see certificate.py; a service's own certificate is "certificate_" with its name
database     ``files``, ``user``, ``login``, ``database``, ``schema``, ``extensions`` and ``memberships``
etcd         ``members``, the names with their peer URLs; the member is healthy and has read the current files
patroni      nothing; the member runs and has loaded the current files, and the shared configuration is as wanted
search       nothing; it is healthy, and its process has read the current files
share        ``mount``, its mount point, empty for any but the root file system; ``accept_local``; ``directories``, each
             as "directory:uid:gid:mode"
"""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import certificate

Expected = t.Mapping[str, t.Any]
Found = t.Mapping[str, t.Any]


def _balancer(_expect: Expected, found: Found, _observed: Found) -> t.Iterator[str]:
    if found.get("reload_required") is not False:
        yield "HAProxy: the process has not loaded what is on disk"


def _database(expect: Expected, found: Found, observed: Found) -> t.Iterator[str]:
    for part in ("user", "login", "database", "schema"):
        actual = found.get(part)
        if not isinstance(actual, dict):
            yield f"PostgreSQL: {part} missing"
            continue
        yield from (
            f"PostgreSQL: {part}: another {key}" for key, value in expect[part].items() if actual.get(key) != value
        )
    for part in ("extensions", "memberships"):
        actual = found.get(part)
        missing = [name for name in expect[part] if not isinstance(actual, list) or name not in actual]
        yield from (f"PostgreSQL: {part}: without {name}" for name in missing)
    for part, text in (
        ("invalid_rules", "invalid access rules"),
        ("overridden", "settings changed with ALTER SYSTEM"),
        ("pending", "settings that wait for a restart"),
    ):
        if found.get(part) != 0:
            yield f"PostgreSQL: {text}"
    loaded = found.get("loaded")
    paths = observed.get("paths")
    times = [(paths.get(path) or {}).get("changed") if isinstance(paths, dict) else None for path in expect["files"]]
    if not isinstance(loaded, (int, float)) or not all(
        isinstance(time, (int, float)) and time <= loaded for time in times
    ):
        yield "PostgreSQL: configuration changed since the server loaded it"


def _etcd(expect: Expected, found: Found, _observed: Found) -> t.Iterator[str]:
    if found.get("has_data") is not True:
        yield "etcd: no data"
    elif found.get("healthy") is not True:
        yield "etcd: not healthy"
    elif found.get("current") is not True:
        yield "etcd: the process has read other files than those on disk"
    elif found.get("members") != expect["members"]:
        yield "etcd: other members than in the inventory"


def _patroni(_expect: Expected, found: Found, _observed: Found) -> t.Iterator[str]:
    if found.get("runs") is not True:
        yield "Patroni: the member does not run"
        return
    for key, text in (
        ("loaded", "the configuration changed since Patroni loaded it"),
        ("current", "the process was started with other files than those on disk"),
    ):
        if found.get(key) is not True:
            yield f"Patroni: {text}"
    if found.get("pending_restart") is not False:
        yield "Patroni: settings that wait for a restart"
    changes = found.get("changes")
    if not isinstance(changes, dict) or changes:
        yield "Patroni: the shared configuration differs"


def _search(_expect: Expected, found: Found, _observed: Found) -> t.Iterator[str]:
    if found.get("health") not in ("yellow", "green"):
        yield "search engine: not healthy"
    if found.get("current") is not True:
        yield "search engine: the process has read other files than those on disk"


def _share(expect: Expected, found: Found, _observed: Found) -> t.Iterator[str]:
    mount = found.get("mount")
    if expect["mount"] and mount != expect["mount"]:
        yield "share: not mounted"
    elif mount in ("", "/", None) and not expect["accept_local"]:
        yield "share: on the root file system"
    if found.get("protected") is not True:
        yield "share: the directory below the mount is writable"
    directories, writable = found.get("directories"), found.get("writable")
    for path, text in expect["directories"].items():
        if not isinstance(directories, dict) or directories.get(path) != text:
            yield f"{path}: another owner or mode"
        if not isinstance(writable, list) or path not in writable:
            yield f"{path}: not writable for the engine's user"


_SERVICES: t.Mapping[str, t.Callable[[Expected, Found, Found], t.Iterator[str]]] = {
    "balancer": _balancer,
    "certificate": certificate.differences,
    "database": _database,
    "etcd": _etcd,
    "patroni": _patroni,
    "search": _search,
    "share": _share,
}


def differences(name: str, expect: Expected, found: t.Any, observed: Found) -> list[str]:
    kind = name.partition("_")[0]
    return list(_SERVICES[kind](expect, found if isinstance(found, dict) else {}, observed))
