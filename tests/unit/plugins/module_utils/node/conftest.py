# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.agent import start as record_start
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import (
    baseline,
    converge,
    inspection,
    view,
)
from ansible_collections.ivy.cluster.plugins.module_utils.node.config.request import Request
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import run_state, unit
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state as look
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store

KEY = b"a cluster key that is long enough"


# Before a test replaces them.
LIST, READ_LINK = os.listdir, os.readlink


@pytest.fixture(autouse=True)
def descriptors_closed(tmp_path: Path) -> t.Iterator[None]:
    """A program that is killed closes nothing itself. Many such tests would use up the descriptors of this process."""
    yield
    for name in LIST("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if READ_LINK(f"/proc/self/fd/{name}").startswith(f"{tmp_path.parent}/"):
                os.close(int(name))


@dataclasses.dataclass
class File:
    """One file of a release, as a test describes it."""

    content: bytes
    kind: str = "text"
    restart: str = "never"
    secret: bool = False
    mode: str = "0640"
    # What of the content counts for a restart; all of it unless a test says otherwise.
    relevant: bytes | None = None


@dataclasses.dataclass
class Release:
    id: str
    manifest: bytes
    blobs: dict[str, bytes]


def _digest(data: bytes) -> str:
    return hmac.new(KEY, data, "sha256").hexdigest()[:16]


def build(files: dict[str, File], version: str = "11.3.0") -> Release:
    """A release as the controller builds it; keys of files are `root:path`."""
    entries, blobs = [], {}
    for key, file in sorted(files.items()):
        root, path = key.split(":", 1)
        digest = hashlib.sha256(file.content).hexdigest()
        blobs[digest] = file.content
        keys = {}
        if file.restart == "keys":
            for line in file.content.decode().splitlines():
                name, value = line.split(":", 1)
                if not name.startswith("Hot"):
                    keys[name] = _digest(value.encode())
        relevant = canonical(keys) if file.restart == "keys" else file.relevant or file.content
        entries.append(
            {
                "root": root,
                "path": path,
                "sha256": digest,
                "size": len(file.content),
                "mode": file.mode,
                "secret": file.secret,
                "kind": file.kind,
                "restart": {"kind": file.restart, "digest": _digest(relevant), "keys": keys},
            }
        )
    manifest: dict[str, t.Any] = {"format": 1, "cluster": "demo", "engine_version": version, "entries": entries}
    manifest["id"] = hmac.new(KEY, canonical(manifest), "sha256").hexdigest()[:32]
    return Release(manifest["id"], canonical(manifest), blobs)


def snapshot(base: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Everything below a directory: mode, time of change, inode, content."""
    out = {}
    for path in sorted(base.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        out[str(path)] = (info.st_mode, info.st_mtime_ns, info.st_ino, content)
    return out


class Node:
    """A node in a temporary directory: the real files, a unit that only a test starts and stops."""

    # Test modules cannot import this file, so what they need comes with the node.
    File = File
    build = staticmethod(build)

    def __init__(self, base: Path) -> None:
        self.base = base
        self.engine = base / "engine"
        self.environment = base / "etc"
        self.secrets = base / "etc" / "secrets"
        self.store = base / "store"
        self.run = base / "run"
        self.record = base / "record"
        self.run.mkdir()
        self.starts = 0
        self.active = False
        self.need_reload = False
        self.ignore: tuple[str, ...] = ()
        for area in ("configuration/applications", "dropins", "patches"):
            (self.engine / area).mkdir(parents=True)
        self.vendor("configuration/web.xml", b"<vendor/>")
        self.vendor("configuration/log4j2.xml", b"<log4j/>")

    def vendor(self, path: str, content: bytes) -> None:
        place = self.engine / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def unit(self, _name: str = "") -> unit.Unit:
        return unit.Unit(
            "engine.service",
            True,
            "active" if self.active else "inactive",
            "running" if self.active else "dead",
            os.getpid() if self.active else 0,
            "",
            f"invocation-{self.starts}",
            self.need_reload,
            "",
            (),
            0,
            "success",
        )

    def settings(self, engine: Path | None = None) -> view.Settings:
        return view.settings_from(
            {
                "roots": {
                    "engine": str(engine or self.engine),
                    "environment": str(self.environment),
                    "secrets": str(self.secrets),
                },
                "owner": str(os.geteuid()),
                "group": str(os.getegid()),
                "unit": "engine.service",
                "ignore": self.ignore,
            }
        )

    def record_baseline(self, version: str = "11.3.0", check: bool = False) -> dict[str, t.Any]:
        return baseline.record_baseline(self.settings(), str(self.store), version, check)

    def request(self, release: Release, **more: t.Any) -> Request:
        values: dict[str, t.Any] = {
            "state": "applied",
            "release": release.id,
            "manifest_digest": hashlib.sha256(release.manifest).hexdigest(),
            "settings": self.settings(),
            "store": str(self.store),
            "node_files": None,
            "on_drift": "overwrite",
            "keep_releases": 5,
            "keep_backups": 10,
            "check": False,
            "diff": False,
            "judge": False,
            "manifest": release.manifest,
            "blobs": release.blobs,
            "verdicts": {},
            "run_directory": str(self.run),
        }
        values.update(more)
        return Request(**values)

    def apply(self, release: Release, **more: t.Any) -> dict[str, t.Any]:
        return converge.converge(self.request(release, **more))

    def stage(self, release: Release, **more: t.Any) -> dict[str, t.Any]:
        return self.apply(release, state="staged", **more)

    def inspect(self, release: Release | None = None, **more: t.Any) -> dict[str, t.Any]:
        request = self.request(release or Release("", b"", {}), check=True, **more)
        return inspection.inspect(request if release else request._replace(manifest=None, manifest_digest=""))

    def accept(self, release: Release, **more: t.Any) -> dict[str, t.Any]:
        return inspection.accept(self.request(release, **more))

    def start(self, fence: bool = False) -> str:
        """Start the engine as systemd would: with the record of the start before it. Returns why it does not start."""
        try:
            self.prepare(fence)
        except NodeError as exc:
            self.active = False
            return str(exc)
        self.active = True
        return ""

    def prepare(self, fence: bool = True) -> None:
        """What runs before the engine."""
        self.starts += 1
        os.environ["INVOCATION_ID"] = f"invocation-{self.starts}"
        self.environment.mkdir(exist_ok=True)
        settings = self.environment / "node.json"
        values = {
            "store": str(self.store),
            "user": str(os.geteuid()),
            "group": str(os.getegid()),
            "node": "n1",
            "cluster": "demo",
            "record_directory": str(self.record) if fence else "",
        }
        settings.write_text(json.dumps(values))
        record_start.prepare(str(settings), str(self.run))

    def stop(self) -> None:
        self.active = False

    def path(self, key: str) -> Path:
        root, path = key.split(":", 1)
        return {"engine": self.engine, "environment": self.environment, "secrets": self.secrets}[root] / path

    def holds(self, files: dict[str, t.Any]) -> bool:
        return all(self.path(key).read_bytes() == file.content for key, file in files.items())

    def snapshot(self) -> dict[str, tuple[int, int, int, bytes]]:
        return snapshot(self.base)

    def opened(self) -> Store:
        return Store(str(self.store))


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the disk has really written is not what these tests are about, and it takes most of their time."""
    monkeypatch.setattr(os, "fsync", lambda _fd: None)
    monkeypatch.setattr(atomic, "sync_filesystem", lambda _fd: None)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(tmp_path)
    for module in (converge, inspection, look, record_start):
        monkeypatch.setattr(module, "show", made.unit)
    monkeypatch.setattr(run_state, "boot_id", lambda: "this boot")
    return made
