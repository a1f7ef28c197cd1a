# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the engine must be restarted, decided from what was on the disk when it started.

The unit's ExecStartPre records digests; later they are compared with what is on the disk now. So reboots, restarts by
hand and edits made before a restart all count, and a run that failed half way loses nothing.
"""

from __future__ import annotations

import json
import os
import stat
import types
import typing as t

from ..files import manifest as manifests
from ..files.atomic import write_file
from ..files.digest import sha256
from ..files.errors import NodeError
from ..files.patterns import Patterns
from ..files.scan import FILE, Expected, Found, printable
from ..store.store import read_json_file, timestamp
from .unit import Unit

FORMAT = 1
RUN_DIRECTORY = "/run/ivy-cluster"
# More than the files that are inspected at most need (files.scan).
_LIMIT = 64 << 20

# For files that no release describes. The first match decides.
_RULES: tuple[tuple[Patterns, str], ...] = (
    (Patterns(["configuration/applications/**"]), "never"),
    (Patterns(["configuration/reference/**"]), "never"),
    (Patterns(["configuration/templates/**"]), "never"),
    (Patterns(["configuration/log4j2.xml"]), "never"),
)


def restart_class(path: str) -> str:
    """Whether a change of a file that no release describes needs a restart."""
    return next((kind for patterns, kind in _RULES if patterns.match(path)), "always")


def boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _content_of(path: str) -> bytes:
    """The beginning of a small file. Anything else in its place, such as a pipe, must not stop the caller."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 1 << 16) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(fd)


def java_state(home: str) -> dict[str, str] | None:
    """The Java of a home directory. An update in place changes its release file."""
    if not home:
        return None
    real = os.path.realpath(home)
    data = _content_of(os.path.join(real, "release"))
    version = ""
    for line in data.decode("utf-8", "replace").splitlines():
        if line.startswith("JAVA_VERSION="):
            version = line.split("=", 1)[1].strip().strip('"')
    return {"home": home, "real": real, "release": sha256(data), "version": version}


def keystore_state(path: str) -> dict[str, str] | None:
    """The keystore of the HTTPS connector. No release contains it, because its key never leaves the node."""
    if not path:
        return None
    return {"path": path, "sha256": sha256(_content_of(path))}


class Present(t.NamedTuple):
    """What the engine would read if it started now."""

    files: dict[str, str]
    restarts: dict[str, manifests.Restart]
    engine_directory: str
    java: dict[str, str] | None
    release: str
    read_only: bool = False
    # The restart knowledge of all files of the release, also of those that were changed since.
    released: t.Mapping[str, manifests.Restart] = types.MappingProxyType({})
    keystore: dict[str, str] | None = None


def present(
    found: t.Mapping[str, Found],
    expected: t.Mapping[str, Expected],
    restarts: t.Mapping[str, manifests.Restart],
    engine_directory: str,
    java: dict[str, str] | None,
    release: str,
    read_only: bool = False,
    keystore: dict[str, str] | None = None,
) -> Present:
    """Digests of all that is there, with the restart knowledge of those files that are what the release says."""
    files = {key: one.sha256 for key, one in found.items() if one.kind == FILE}
    known = {}
    for key, restart in restarts.items():
        want = expected.get(key)
        if want is not None and files.get(key) in want.digests:
            known[key] = restart
    return Present(files, known, engine_directory, java, release, read_only, restarts, keystore)


def record(now: Present, modified: t.Iterable[str], unit: Unit | None, invocation: str) -> dict[str, t.Any]:
    """The content of started.json; modified names the files that were not what the release says."""
    files: dict[str, dict[str, t.Any]] = {}
    for key, digest in now.files.items():
        item: dict[str, t.Any] = {"sha256": digest}
        restart = now.restarts.get(key)
        if restart is not None:
            item["restart"] = restart.to_dict()
        files[key] = item
    return {
        "format": FORMAT,
        "time": timestamp(),
        "boot_id": boot_id(),
        "invocation": invocation,
        "release": now.release,
        "read_only": now.read_only,
        "engine_directory": now.engine_directory,
        "java": now.java,
        "keystore": now.keystore,
        "unit_outdated": bool(unit and unit.need_reload),
        "modified": sorted(modified),
        "files": files,
    }


def write(value: dict[str, t.Any], directory: str = RUN_DIRECTORY) -> None:
    """Write started.json for root and the release's id for all users."""
    data = json.dumps(value, sort_keys=True).encode("ascii") + b"\n"
    if len(data) > _LIMIT:
        raise NodeError(
            f"The record of what the engine reads would have {len(data)} bytes, and more than {_LIMIT} are not read "
            "back. Remove the files from the engine's directories that nobody declared."
        )
    write_file(directory, "started.json", data, 0o600, create_directory=True)
    write_file(directory, "release", (str(value["release"]) + "\n").encode("utf-8"), 0o644)


def read(directory: str = RUN_DIRECTORY) -> dict[str, t.Any] | None:
    """What was recorded at the last start in this boot; None where nothing usable is there."""
    value = read_json_file(os.path.join(directory, "started.json"), limit=_LIMIT)
    if value is None or value.get("format") != FORMAT or not isinstance(value.get("files"), dict):
        return None
    return value


def _keys(values: t.Iterable[str]) -> str:
    listed = sorted(values)
    shown = ", ".join(listed[:8])
    return shown if len(listed) <= 8 else f"{shown} and {len(listed) - 8} more"


def _shown(key: str) -> str:
    return printable(key if key.startswith("/") else key.split(":", 1)[-1])


def _restart(value: t.Any) -> manifests.Restart | None:
    try:
        return manifests.restart_from(value)
    except ValueError:
        return None


def _file_reason(
    key: str,
    before: str | None,
    then: manifests.Restart | None,
    after: str | None,
    now: manifests.Restart | None,
    kinds: t.Mapping[str, str],
) -> str:
    """Why this file needs a restart; empty if it does not."""
    name = _shown(key)
    if before == after:
        return ""
    if then is not None and now is not None:
        if (then.kind == "never" and now.kind == "never") or (then.digest == now.digest and then.kind == now.kind):
            return ""
        changed = {k for k in {*then.keys, *now.keys} if then.keys.get(k) != now.keys.get(k)}
        if changed:
            return f"{name}: {_keys(changed)} changed since the engine started"
        return f"{name} changed since the engine started"
    known = then or now
    if known is not None:
        kind = known.kind
    elif key.startswith("/"):
        kind = kinds.get(key, "always")
    else:
        kind = restart_class(name)
    if kind == "never":
        return ""
    if before is None:
        return f"{name} was added since the engine started"
    if after is None:
        return f"{name} was removed since the engine started"
    if now is not None and then is None and not key.startswith("/"):
        return f"the engine started with other content in {name} than the release has"
    return f"{name} changed since the engine started"


def reasons(
    started: dict[str, t.Any],
    now: Present,
    kinds: t.Mapping[str, str],
) -> list[tuple[str, str]]:
    """All reasons for a restart, each with the key of its file; empty if no restart is needed."""
    out: list[tuple[str, str]] = []
    if started.get("engine_directory") != now.engine_directory:
        # Every file of another directory differs, so the directory is the only reason to report.
        return [("", f"the engine started from {started.get('engine_directory')}, now it is {now.engine_directory}")]
    if started.get("unit_outdated"):
        out.append(("", "the engine started before systemd had loaded the unit file that is on the disk"))
    if bool(started.get("read_only")) != now.read_only:
        # An engine that works on a copy does not read changes of the originals.
        state = ("writable", "read-only")
        out.append(
            (
                "",
                f"the configuration is {state[now.read_only]} now, the engine started with it "
                f"{state[not now.read_only]}",
            )
        )
    java = started.get("java")
    if java and now.java and (java.get("real"), java.get("release")) != (now.java["real"], now.java["release"]):
        if java.get("version") != now.java["version"]:
            out.append(("", f"Java is now {now.java['version']}, the engine started with {java.get('version')}"))
        else:
            out.append(("", "Java was replaced since the engine started"))
    keystore = started.get("keystore")
    # Where one of both has none, node.json differs.
    if keystore and now.keystore and keystore != now.keystore:
        out.append(("", f"{now.keystore['path']} changed since the engine started"))
    files = started["files"]
    for key in sorted({*files, *now.files}):
        item = files.get(key)
        before = str(item.get("sha256")) if isinstance(item, dict) else None
        then = _restart(item.get("restart")) if isinstance(item, dict) and item.get("restart") else None
        reason = _file_reason(key, before, then, now.files.get(key), now.restarts.get(key), kinds)
        if reason:
            out.append((key, reason))
    return out


class RunState(t.NamedTuple):
    """The running release, and whether the engine must be restarted."""

    running: dict[str, t.Any] | None
    restart_required: bool
    reasons: list[str]
    keys: frozenset[str] = frozenset()
    # By path, reasons that do not count if only keys were changed that the engine reloads. The controller knows them.
    undecided: t.Mapping[str, str] = types.MappingProxyType({})


def _depends_on_keys(key: str, started: t.Mapping[str, t.Any], now: Present) -> bool:
    """Whether the file is a local change alone: the engine started with what the release wants of it now."""
    item = started["files"].get(key)
    then = _restart(item.get("restart")) if isinstance(item, dict) and item.get("restart") else None
    wanted = now.released.get(key)
    if then is None or wanted is None or now.read_only or key in now.restarts or key not in now.files:
        return False
    return then.kind == wanted.kind == "keys" and then.digest == wanted.digest


def judge(
    started: dict[str, t.Any] | None,
    unit: Unit,
    now: Present,
    kinds: t.Mapping[str, str],
    drifted: t.Sequence[str],
) -> RunState:
    """Compare a recorded start with the present; drifted names the files that are not what the release says now."""
    if not unit.running:
        return RunState(None, False, [])
    if (
        started is None
        or started.get("boot_id") not in ("", boot_id())
        or (started.get("invocation") and unit.invocation and started["invocation"] != unit.invocation)
    ):
        why = "nothing recorded what the engine read at its start"
        unknown: dict[str, t.Any] = {
            "active": True,
            "release": None,
            "started_release": None,
            "started": None,
            "modified": [],
        }
        return RunState(unknown, True, [why])
    why_not = reasons(started, now, kinds)
    at_start = [str(path) for path in started.get("modified", [])]
    release: str | None
    if why_not:
        # The engine still runs with what it read at its start: that release, unless files were modified then.
        release, modified = (None if at_start else started.get("release")), at_start
    else:
        release, modified = now.release, sorted(drifted)
    running = {
        "active": True,
        "release": release or None,
        "started_release": started.get("release") or None,
        "started": started.get("time"),
        "modified": modified,
    }
    return RunState(
        running,
        bool(why_not),
        [text for _key, text in why_not],
        frozenset(key for key, _text in why_not),
        {_shown(key): text for key, text in why_not if key and _depends_on_keys(key, started, now)},
    )


def kinds_of(node_files: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, str]:
    return {path: str(item.get("restart", "always")) for path, item in node_files.items()}
