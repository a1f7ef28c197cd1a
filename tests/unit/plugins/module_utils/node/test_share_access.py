# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dead hard mount ends no call that accesses it, so nothing accesses the file share without a time limit."""

from __future__ import annotations

import builtins
import fcntl
import os
import signal
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import share as host_state_share
from ansible_collections.ivy.cluster.plugins.module_utils.node import calls
from ansible_collections.ivy.cluster.plugins.module_utils.node.agent import guard
from ansible_collections.ivy.cluster.plugins.module_utils.node.backup import place as backup_places
from ansible_collections.ivy.cluster.plugins.module_utils.node.backup import restore as backup_restores
from ansible_collections.ivy.cluster.plugins.module_utils.node.backup import trees as backup_trees
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record, update
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit as units
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import bounded
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError, PermanentError
from ansible_collections.ivy.cluster.plugins.module_utils.preflight import host, port_listener
from ansible_collections.ivy.cluster.plugins.module_utils.preflight import share as preflight_share
from ansible_collections.ivy.cluster.plugins.modules import directories
from ansible_collections.ivy.cluster.tests.timing import PATIENCE

MODULES = Path(__file__).resolve().parents[5] / "plugins/modules"
USER, GROUP = str(os.geteuid()), str(os.getegid())
# What hangs never answers, so the result is the same however slow the machine is.
NO_TIME = 0.2
_BY_PATH = (
    *("access", "chmod", "chown", "link", "listdir", "lstat", "mkdir", "mkfifo", "open", "readlink", "remove"),
    *("rename", "replace", "rmdir", "scandir", "stat", "statvfs", "symlink", "truncate", "unlink", "utime"),
)
_BY_DESCRIPTOR = ("fchmod", "fchown", "fdatasync", "fstat", "fsync", "ftruncate", "read", "write")


class Share:
    """A directory that notes every access outside of a call with a time limit, in all processes."""

    def __init__(self, directory: Path, notes: Path) -> None:
        self.directory = str(directory)
        self.notes = notes
        self.lstat, self.readlink = os.lstat, os.readlink

    def _path(self, value: t.Any, base: t.Any) -> str:
        if isinstance(value, int):
            try:
                return self.readlink(f"/proc/self/fd/{value}")
            except OSError:
                return ""
        path = os.fsdecode(value)
        return os.path.normpath(os.path.join(self._path(base, None) if base is not None else os.getcwd(), path))

    def note(self, name: str, arguments: t.Sequence[t.Any], options: t.Mapping[str, t.Any]) -> None:
        bases = [options.get("dir_fd", options.get("src_dir_fd")), options.get("dir_fd", options.get("dst_dir_fd"))]
        values = [value for value in arguments[:2] if isinstance(value, (str, bytes, os.PathLike))] or arguments[:1]
        for value, base in zip(values, bases):
            path = self._path(value, base)
            if not bounded._limited and (path == self.directory or path.startswith(f"{self.directory}/")):
                with self.notes.open("a") as stream:
                    stream.write(f"{name} {path}\n")

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def watched(name: str, function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
            def call(*arguments: t.Any, **options: t.Any) -> t.Any:
                # What has no path lists or opens nothing of the share.
                if arguments and not str(arguments[0]).startswith(str(self.notes)):
                    self.note(name, arguments, options)
                return function(*arguments, **options)

            return call

        for name in _BY_PATH + _BY_DESCRIPTOR:
            monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
        monkeypatch.setattr(builtins, "open", watched("open", open))
        for name in ("flock", "lockf"):
            monkeypatch.setattr(fcntl, name, watched(name, getattr(fcntl, name)))

    def found(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def share(node: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Share:
    """The share of a node that has a release and a record on it."""
    monkeypatch.setattr(port_listener, "MARKER_DIRECTORY", str(tmp_path_factory.mktemp("markers")))
    monkeypatch.setattr(units, "show", units.nothing)
    node.record.mkdir()
    release = node.build({"engine:configuration/ivy.yaml": node.File(b"A: 1\n", "yaml", "keys")})
    node.apply(release)
    location = update.Location(str(node.record), "demo", USER, GROUP)
    update.write(location, record.Change("taken", "run1", operation="site"))
    update.write(location, record.Change("opened", "run1", release.id, operation="site"))
    made = Share(node.record, tmp_path_factory.mktemp("notes") / "notes")
    made.watch(monkeypatch)
    return made


def place(node: t.Any, **more: t.Any) -> dict[str, t.Any]:
    return {"directory": str(node.record), "cluster": "demo", "user": USER, "group": GROUP, **more}


def change(state: str, **more: t.Any) -> dict[str, t.Any]:
    fields = {**record.Change("", "run1")._asdict(), "state": state, "stale_after": 900, **more}
    return {**fields, "operator": "test", "new_cluster": True}


def settings(node: t.Any) -> dict[str, t.Any]:
    return {
        "roots": node.settings().roots,
        "owner": USER,
        "group": GROUP,
        "unit": "engine.service",
        "ignore": [],
        "store": str(node.store),
    }


def cluster_record(node: t.Any) -> None:
    for state in ("read", "taken", "opened", "passed", "drained", "undrained", "closed", "released"):
        for check in (True, False):
            wanted = change(state, operation="site", node="n1", drained=["n2"])
            answer = calls.call("cluster_record", {**place(node, store=str(node.store)), **wanted}, check, True)
            assert not answer.get("failed"), answer


def shared_config(node: t.Any) -> None:
    params = {**settings(node), "state": "applied", "release": "0" * 32, "lease": place(node, run_id="run1")}
    answer = calls.call("shared_config", params, False, False)
    assert "lease" not in answer


def shared_config_info(node: t.Any) -> None:
    params = {**settings(node), "release": "", "record": place(node)}
    assert calls.call("shared_config_info", params, True, False)["record"]


def engine_info(node: t.Any) -> None:
    scope = dict.fromkeys(("http_port", "host_header", "health", "jgroups", "database", "search"))
    params = {**settings(node), **scope, "configuration": False, "until": None, "record": place(node), "guard_file": ""}
    assert calls.call("engine_info", params, True, False)["record"]


def share_probe(node: t.Any) -> None:
    probe = {"directory": str(node.record), "user": USER, "group": GROUP, "token": "t", "names": ["n1"], "wait": 0}
    for state in ("written", "read", "removed"):
        assert not calls.call("share_probe", {**probe, "state": state}, False, False).get("failed")


def preflight_facts(node: t.Any) -> None:
    root, numbers = str(node.record), {"user": "ivy", "group": "ivy", "uid": os.geteuid(), "gid": os.getegid()}
    params: dict[str, t.Any] = {
        "names": [],
        "paths": [root, f"{root}/data"],
        "installed": {},
        "packages": [],
        "ports": [],
        "token": "t",
        "trust_file": "",
        "seconds": 60,
        "time_zone": "",
        "locale": "",
        "share": {"root": root, "directory": root, "name": "n1", **numbers},
    }
    facts = host.gather(params)
    try:
        assert facts["probe"]["lock_error"] == facts["probe"]["error"] == ""
        file = {"name": "n1", "path": facts["probe"]["path"], "token": "t", "uid": os.geteuid(), "gid": os.getegid()}
        assert preflight_share.read_all([file], 0)["n1"]["locked"] is True
    finally:
        assert port_listener.stop(facts["listener"]["pid"], facts["listener"]["start"], PATIENCE)
    assert bounded.call(lambda: os.path.lexists(facts["probe"]["path"]), PATIENCE) is False


def host_state_facts(node: t.Any) -> None:
    params = {
        "directories": [str(node.record)],
        "uid": os.geteuid(),
        "gid": os.getegid(),
        "mount": str(node.record),
        "protection": [],
    }
    assert host_state_share.gather(params, False)["writable"] == [str(node.record)]


def shared_directories(node: t.Any) -> None:
    one = {"path": str(node.record / "new"), "uid": os.geteuid(), "gid": os.getegid(), "mode": "0750"}
    params = {"directories": [one], "within": str(node.record), "as_owner": True, "probe": True}
    assert directories.apply(params, False)["unwritable"] == {}


def agent_start(node: t.Any) -> None:
    assert node.start(fence=True) == ""


def agent_guard(node: t.Any) -> None:
    node.start(fence=True)
    file = str(node.environment / "node.json")
    options = guard.Options(guard.REPORT, file, str(node.run), str(node.base), str(node.base))
    assert guard.guard(options) == 0


def backup_place(node: t.Any) -> backup_places.Place:
    base = node.base
    database = backup_places.Database("", 5432, "ivy", "ivy", "")
    account = backup_trees.Account(os.geteuid(), os.getegid())
    return backup_places.Place("demo", "n1", str(node.store), str(node.record), account, database, {"data": str(base)})


def backup(node: t.Any) -> None:
    """What it reads on the share: the record and the directories."""
    found = backup_place(node)._replace(trees={"data": str(node.record)})
    assert record.read(found.record_directory, found.account.uid, found.account.gid)
    assert backup_trees.size(found.trees["data"], found.account) > 0
    packed = backup_trees.pack(found.trees["data"], found.account, lambda _block: None)
    assert packed["files"] > 0


def backup_restore(node: t.Any) -> None:
    found = backup_place(node)
    data = f"{node.record}/data"
    bounded.call(lambda: os.mkdir(data), PATIENCE)
    place_of_data = found._replace(trees={"data": data})
    contents = {"id": "20260131T120000Z", "files": {"data.tar.gz": {}}}
    archive = node.base / "data.tar.gz"
    with archive.open("wb") as stream:
        backup_trees.pack(str(node.engine), found.account, stream.write)
    assert backup_restores.load_files(place_of_data, str(node.base), contents, False) >= 0
    assert backup_restores.swap_files(place_of_data, contents)


# Modules whose code for a host accesses the share, or an engine whose files link to it, and the two programs on nodes.
CASES: dict[str, t.Callable[[t.Any], None]] = {
    "agent_guard": agent_guard,
    "agent_start": agent_start,
    "backup": backup,
    "backup_restore": backup_restore,
    "cluster_record": cluster_record,
    "directories": shared_directories,
    "engine_info": engine_info,
    "host_state_facts": host_state_facts,
    "preflight_facts": preflight_facts,
    "share_probe": share_probe,
    "shared_config": shared_config,
    "shared_config_info": shared_config_info,
}
# Their code for a host knows no directory of the share, runs on the controller, or is that of one above.
OTHERS = {
    "application",
    "application_files",
    "backup_info",
    "balancer_info",
    "balancer_maintenance",
    "balancer_preference",
    "balancer_probe",
    "balancer_server",
    "config_adopt",
    "config_release",
    "connections_info",
    "database_logins",
    "deployments_info",
    "etcd_member",
    "host_state",
    "http_probe",
    "node_probes",
    "node_releases",
    "patroni",
    "preflight_cleanup",
    "preflight_connect",
    "preflight_evaluate",
    "preflight_inventory",
    "preflight_probe_host",
    "report",
    "restored_database",
    "search_request",
    "search_restart",
    "shared_config_call",
    "virtual_address_info",
    # It reads files by patterns, each in a call with a time limit.
    "support_facts",
    # These run on the controller.
    "support_bundle",
    "support_gather",
    "validate_run",
}


def test_every_module_is_judged() -> None:
    modules = {path.stem for path in MODULES.glob("*.py")}
    assert modules == {name for name in CASES if not name.startswith("agent_")} | OTHERS


@pytest.mark.parametrize("name", CASES)
def test_no_access_without_a_time_limit(share: Share, node: t.Any, name: str) -> None:
    CASES[name](node)
    assert share.found() == []


def test_an_access_without_a_time_limit_is_found(share: Share, node: t.Any) -> None:
    with record.locked(str(node.record), os.geteuid(), os.getegid()):
        os.path.isdir(node.record / "x")
    assert {line.split()[0] for line in share.found()} >= {"flock", "fstat", "open", "stat", "utime"}


def hang(*_arguments: t.Any, **_options: t.Any) -> t.Any:
    signal.pause()


@pytest.mark.parametrize("place_of_it", ["open_directory", "write_at", "_time_of_share", "acting_as"])
def test_a_change_ends_when_the_share_does_not_answer(
    node: t.Any, monkeypatch: pytest.MonkeyPatch, place_of_it: str
) -> None:
    """Wherever it hangs: the error names the share, is one that passes, and leaves no lock behind."""
    node.record.mkdir()
    location = update.Location(str(node.record), "demo", USER, GROUP)
    taken = record.Change("taken", "run1", operation="site")
    monkeypatch.setattr(bounded, "SHARE_SECONDS", NO_TIME)
    with monkeypatch.context() as patch:
        patch.setattr(update, "WRITE_SECONDS", NO_TIME)
        patch.setattr(record, "READ_SECONDS", NO_TIME)
        patch.setattr(record, place_of_it, hang)
        with pytest.raises(NodeError, match=r"file share|server") as caught:
            update.write(location, taken)
    assert not isinstance(caught.value, PermanentError)
    assert str(node.record) in str(caught.value)
    assert update.write(location, taken)[1]


def test_every_probe_of_the_share_ends(node: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = str(node.base)
    monkeypatch.setattr(bounded, "SHARE_SECONDS", NO_TIME)
    for name in ("open", "stat", "lstat", "unlink"):
        monkeypatch.setattr(os, name, hang)
    for state in ("written", "removed"):
        probe = {"directory": directory, "user": USER, "group": GROUP, "token": "t", "names": ["n1"], "wait": 0}
        answer = calls.call("share_probe", {**probe, "state": state}, False, False)
        assert answer["failed"]
        assert answer["msg"].startswith(f"Not now: the file share at {directory} does not answer")
    late = "no answer within"
    assert late in preflight_share.write(directory, directory, "t", "n1", 1, 1)["error"]
    assert late in preflight_share.hold(f"{directory}/file", 1, 1)[1]
    assert late in preflight_share.remove(f"{directory}/file", 1, 1)
    file = {"name": "n1", "path": f"{directory}/file", "token": "t", "uid": 1, "gid": 1}
    assert late in preflight_share.read_all([file], 0)["n1"]["error"]


def test_a_call_within_a_call_has_no_child_of_its_own() -> None:
    """The child of a child that is killed would live on, and keep its lock."""
    assert bounded.call(lambda: bounded.call(os.getpid, PATIENCE) == os.getpid(), PATIENCE) is True


def test_a_descriptor_keeps_its_lock(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    def locked() -> int:
        fd = os.open(file, os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd

    held = bounded.descriptor(locked, PATIENCE)
    with pytest.raises(BlockingIOError):
        bounded.descriptor(locked, PATIENCE)
    os.close(held)
    os.close(bounded.descriptor(locked, PATIENCE))
