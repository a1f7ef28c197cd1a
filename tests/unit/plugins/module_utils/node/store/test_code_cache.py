# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that a node keeps: run when it is the controller's and only root's, else sent again; the same answers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.cached import calls as cached_calls
from ansible_collections.ivy.cluster.plugins.module_utils.host_state import entry as host_state_entry
from ansible_collections.ivy.cluster.plugins.module_utils.node.store import code_cache
from ansible_collections.ivy.cluster.plugins.modules import shared_config_call
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import bundle, session, transport
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache as release_cache

COLLECTIONS = Path(bundle.__file__).parents[6]
KEPT, WHOLE, INFO = "shared_config_call", "shared_config", "shared_config_info"
IVY = "engine:configuration/ivy.yaml"
WEB = "engine:configuration/web.xml"

# What Ansible's wrapper does with a module that it has sent.
_WRAPPER = """
import json, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.ivy.cluster.plugins.modules import {name} as module
module.main()
"""


class Host:
    """An action plugin whose modules run as Ansible runs them: each in its own Python, the script piped into it."""

    def __init__(self, directory: Path, check: bool = False, diff: bool = False) -> None:
        self.directory = directory
        self.calls: list[tuple[str, dict[str, t.Any]]] = []
        self.script = b""
        self._task = types.SimpleNamespace(check_mode=check, diff=diff)
        self._templar = types.SimpleNamespace(template=lambda value: value)
        self._connection = types.SimpleNamespace(_shell=None)

    def names(self) -> list[str]:
        return [name + (" with code" if "code" in args else "") for name, args in self.calls]

    def _execute_module(self, **kwargs: t.Any) -> dict[str, t.Any]:
        name = kwargs["module_name"].rpartition(".")[2]
        self.calls.append((name, kwargs["module_args"]))
        args = {
            **kwargs["module_args"],
            "_ansible_check_mode": self._task.check_mode,
            "_ansible_diff": self._task.diff,
            "_ansible_no_log": True,
        }
        environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS), "PYTHONDONTWRITEBYTECODE": "1"}
        if name == KEPT:
            source = Path(shared_config_call.__file__).read_bytes()
            self.script = source.replace(b"<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>", json.dumps(args).encode())
            command, stdin = [sys.executable, "-"], self.script
            del environment["PYTHONPATH"]
        else:
            command = [sys.executable, "-c", _WRAPPER.format(name=name)]
            stdin = json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()
        done = subprocess.run(
            command, input=stdin, cwd=self.directory, env=environment, capture_output=True, check=False
        )
        assert done.stdout, done.stderr.decode()
        return t.cast("dict[str, t.Any]", json.loads(done.stdout))

    def _make_tmp_path(self) -> str:
        raise AssertionError("nothing here is large")

    _remove_tmp_path = _transfer_file = _fixup_perms2 = _low_level_execute_command = t.cast("t.Any", _make_tmp_path)


class Site:
    """A node that is reached through real calls, and the controller's cache."""

    def __init__(self, node: t.Any, directory: Path) -> None:
        self.node = node
        self.directory = directory

    def release(self, web: bytes = b"<a/>") -> str:
        listed = {
            IVY: self.node.File(b"Server:\n  Url: a\n", "yaml", "always"),
            WEB: self.node.File(web, "text", "always"),
        }
        built = self.node.build(listed)
        release_cache.write_release(self.node.base / "cache", json.loads(built.manifest), built.blobs.values())
        return str(built.id)

    def call(
        self, module: str = WHOLE, keeps: bool = True, check: bool = False, diff: bool = False, **args: t.Any
    ) -> tuple[Host, dict[str, t.Any]]:
        settings = self.node.settings()
        host = Host(self.directory, check, diff)
        given = {
            "roots": settings.roots,
            "store": str(self.node.store),
            "owner": settings.owner,
            "group": settings.group,
            "unit": "engine.service",
            "cache": str(self.node.base / "cache"),
            **args,
        }
        return host, session.SharedConfigCall(
            host, given, {"ivy_cluster_key": "k" * 32}, module, use_code_cache=keeps
        ).run()

    @property
    def kept(self) -> Path:
        return t.cast("Path", self.node.store / "code" / code_cache.file_name(bundle.DIGEST))


@pytest.fixture
def site(node: t.Any, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(node, tmp_path_factory.mktemp("working-directory"))


def test_a_clean_run_is_one_small_call_without_code(site: Site) -> None:
    release = site.release()
    host, result = site.call(release=release)
    assert result["changed"]
    assert site.kept.stat().st_mode & 0o777 == 0o600
    for module in (WHOLE, INFO):
        host, result = site.call(module, release=release)
        assert host.names() == [KEPT]
        assert not result["changed"]
        assert len(host.script) < 10_000


def test_a_new_node_gets_everything_in_two_calls(site: Site) -> None:
    helper = [{"path": str(site.node.base / "lib"), "helper": True}]
    host, result = site.call(release=site.release(), node_files=helper)
    assert host.names() == [KEPT, f"{KEPT} with code"]
    assert result["applied"]["after"] == site.release()
    assert (site.node.base / "lib/config/entry.py").read_text() == bundle.SOURCES["node.config.entry"]
    host, result = site.call(release=site.release(), node_files=helper)
    assert host.names() == [KEPT]
    assert not result["changed"]


def _normal(value: t.Any, base: Path) -> t.Any:
    return json.loads(json.dumps(value, sort_keys=True).replace(str(base), "BASE"))


def test_both_ways_give_the_same_answers(node: t.Any, tmp_path: Path, tmp_path_factory: t.Any) -> None:
    def story(keeps: bool) -> list[t.Any]:
        base = tmp_path / str(keeps)
        base.mkdir()
        one = Site(type(node)(base), tmp_path_factory.mktemp("working-directory"))
        first, second = one.release(), one.release(web=b"<b/>")
        out = [one.call(keeps=keeps, state="baseline", engine_version="11.3.0")[1]]
        out.append(one.call(keeps=keeps, check=True, diff=True, release=first)[1])
        out.append(one.call(keeps=keeps, release=first)[1])
        out.append(one.call(keeps=keeps, state="staged", release=second)[1])
        one.node.path(IVY).write_bytes(b"Server:\n  Url: b\n")
        for key in (IVY, WEB):
            os.utime(one.node.path(key), (1_700_000_000, 1_700_000_000))
        (one.node.engine / "configuration" / "unexpected").write_bytes(b"x")
        os.utime(one.node.engine / "configuration" / "unexpected", (1_700_000_000, 1_700_000_000))
        out.append(one.call(INFO, keeps=keeps)[1])
        out.append(one.call(INFO, keeps=keeps, release=second)[1])
        out.append(one.call(keeps=keeps, release=first, on_drift="fail")[1])
        out.append(one.call(keeps=keeps, check=True, diff=True, release=second)[1])
        out.append(one.call(keeps=keeps, state="accepted", release=second)[1])
        out.append(one.call(keeps=keeps, release="rubbish", cache="")[1])
        out.append(one.call(keeps=keeps, state="applied", owner="nobody-knows-this-user", release=first)[1])
        return [_normal({**item, "applied_time": None} if isinstance(item, dict) else None, base) for item in out]

    ours, whole = story(keeps=True), story(keeps=False)
    for number, (one, other) in enumerate(zip(ours, whole)):
        assert one == other, number
    assert [item["failed"] for item in whole if item and "failed" in item] == [True, True, True]


def _damage(place: Path) -> None:
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)


def _other_python(place: Path) -> None:
    data = bytearray(place.read_bytes())
    data[len(code_cache.MAGIC)] ^= 1
    place.write_bytes(data)


def _link(place: Path) -> None:
    real = place.with_name("real")
    place.rename(real)
    place.symlink_to(real)


def _pipe(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


WAYS: dict[str, t.Callable[[Path], t.Any]] = {
    "missing": Path.unlink,
    "damaged": _damage,
    "short": lambda place: os.truncate(place, 20),
    "of another Python": _other_python,
    "named for another Python": lambda place: place.rename(place.with_name(f"{bundle.DIGEST}-cpython-00")),
    "writable by the group": lambda place: place.chmod(0o660),
    "in a directory of others": lambda place: place.parent.chmod(0o777),
    "in a store of others": lambda place: place.parent.parent.parent.chmod(0o777),
    "a link": _link,
    "a pipe": _pipe,
}


@pytest.mark.parametrize("way", WAYS)
def test_code_that_is_not_certainly_ours_is_not_run(site: Site, way: str) -> None:
    release = site.release()
    site.call(release=release)
    WAYS[way](site.kept)
    host, result = site.call(release=release)
    assert host.names() == [KEPT, f"{KEPT} with code"]
    assert not result["changed"]
    assert not result.get("failed")


def test_code_of_another_user_is_not_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.call(release=site.release())
    assert shared_config_call.kept(str(site.node.store), bundle.DIGEST)
    real, place = os.fstat, site.kept.stat()

    def fstat(fd: int) -> os.stat_result:
        info = real(fd)
        values = list(info)
        if info.st_ino == place.st_ino:
            values[4] = 4711
        return os.stat_result(values)

    monkeypatch.setattr(os, "fstat", fstat)
    assert shared_config_call.kept(str(site.node.store), bundle.DIGEST) is None


def test_other_code_of_the_controller_replaces_what_is_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    release = site.release()
    site.call(release=release)
    old = site.kept
    sources = {**bundle.SOURCES, "node.__init__": bundle.SOURCES["node.__init__"] + "\n# newer\n"}
    digests = {**bundle.DIGESTS, "node.__init__": "0" * 64}
    monkeypatch.setattr(bundle, "SOURCES", sources)
    # A digest that does not belong to the sources is as good as damage on the way: the whole module does the work.
    monkeypatch.setattr(bundle, "DIGEST", bundle.digest_of(digests))
    host, result = site.call(release=release)
    assert host.names() == [KEPT, f"{KEPT} with code", WHOLE]
    assert not result.get("failed")
    digests["node.__init__"] = hashlib.sha256(sources["node.__init__"].encode()).hexdigest()
    monkeypatch.setattr(bundle, "DIGEST", bundle.digest_of(digests))
    host, result = site.call(release=release)
    assert host.names() == [KEPT, f"{KEPT} with code"]
    assert not old.exists()
    assert site.kept.exists()


def test_looking_keeps_nothing(site: Site) -> None:
    release = site.release()
    site.call(release=release)
    site.kept.unlink()
    before = site.node.snapshot()
    for module, check in ((INFO, False), (WHOLE, True)):
        host, _result = site.call(module, check=check, release=release)
        assert host.names() == [KEPT, f"{KEPT} with code"]
    assert site.node.snapshot() == before


def test_the_working_directory_gives_no_modules(site: Site) -> None:
    for name in ("json", "hashlib", "zlib", "syslog", "typing"):
        (site.directory / f"{name}.py").write_text("raise SystemExit('planted')\n")
    _host, result = site.call(release=site.release())
    assert result["changed"]


def test_options_that_only_the_node_can_resolve_need_the_complete_module(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert transport.complete(WHOLE, {"roots": {"engine": "~ivy/engine"}, "release": "x"}) is None
    assert transport.complete(WHOLE, {"roots": {"engine": "/x"}, "store": "$HOME/x", "release": "x"}) is None
    assert transport.complete(WHOLE, {"release": "x"}) is None
    assert transport.complete(WHOLE, {"roots": {"engine": "/x"}, "release": "x", "rubbish": 1}) is None
    known = transport.complete(INFO, {"roots": {"engine": "/x"}})
    assert known is not None
    assert known["roots"]["secrets"] == "/etc/ivy-cluster/secrets"
    host, result = site.call(state="nonsense")
    assert host.names() == [WHOLE]
    assert "nonsense" in result["msg"]


def test_a_python_that_is_too_old_gets_the_whole_module_which_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 0))
    arguments = {"module": WHOLE, "digest": bundle.DIGEST, "store": str(site.node.store), "parameters": {}}
    reported = shared_config_call.answer(arguments)
    monkeypatch.undo()
    assert reported["unfit"]
    real = Host._execute_module

    def old(self: Host, **kwargs: t.Any) -> dict[str, t.Any]:
        answer = real(self, **kwargs)
        return reported if kwargs["module_name"].endswith(KEPT) else answer

    monkeypatch.setattr(Host, "_execute_module", old)
    host, result = site.call(release=site.release())
    assert [name for name in host.names() if name != KEPT] == [WHOLE, WHOLE]
    assert result["changed"]


def test_a_changed_helper_is_drift(site: Site) -> None:
    helper = [{"path": str(site.node.base / "lib"), "helper": True}]
    site.call(release=site.release(), node_files=helper)
    place = site.node.base / "lib/files/scan.py"
    place.write_text("# changed by hand\n")
    _host, info = site.call(INFO)
    assert [(one["path"], one["kind"]) for one in info["drift"]] == [(str(place), "modified")]
    (site.node.base / "lib" / "__pycache__").mkdir()
    _host, result = site.call(release=site.release(), node_files=helper)
    assert [one["action"] for one in result["actions"]] == ["update"]
    assert place.read_text() == bundle.SOURCES["node.files.scan"]


# --- modules of hosts of any kind

FACTS, CONNECT = "host_state_facts", "preflight_connect"
SUBJECTS: dict[str, t.Any] = {"subjects": {"paths": ["/etc/hostname"]}, "passwords": {"search": "canary"}}


def test_a_host_outside_the_engine_nodes_gets_a_store_for_the_code(tmp_path: Path) -> None:
    store = tmp_path / "store"
    host = Host(tmp_path)
    sent = transport.call_or_send(host, FACTS, "", SUBJECTS, {})
    assert host.names() == [FACTS]
    host = Host(tmp_path)
    first = transport.call_or_send(host, FACTS, str(store), SUBJECTS, {}, keep="always")
    assert host.names() == [KEPT, f"{KEPT} with code"]
    assert store.stat().st_mode & 0o777 == 0o700
    assert (store / "code" / code_cache.file_name(bundle.DIGEST)).stat().st_mode & 0o777 == 0o600
    host = Host(tmp_path)
    again = transport.call_or_send(host, FACTS, str(store), SUBJECTS, {}, keep="always")
    assert host.names() == [KEPT]
    assert first["observed"] == again["observed"] == sent["observed"]
    assert first["observed"]["paths"]["/etc/hostname"]["state"] == "file"


@pytest.mark.parametrize(("check", "keep"), [(True, "always"), (False, "")])
def test_a_call_that_may_keep_nothing_sends_the_module(tmp_path: Path, check: bool, keep: str) -> None:
    host = Host(tmp_path, check)
    transport.call_or_send(host, FACTS, str(tmp_path / "store"), SUBJECTS, {}, keep=keep)
    assert host.names() == [KEPT, FACTS]
    assert not (tmp_path / "store").exists()


def test_a_node_without_a_store_gets_none_for_the_code_alone(tmp_path: Path) -> None:
    host = Host(tmp_path)
    result = transport.call_or_send(host, FACTS, str(tmp_path / "store"), SUBJECTS, {}, keep="existing")
    assert host.names() == [KEPT, f"{KEPT} with code"]
    assert result["observed"]
    assert not (tmp_path / "store").exists()


def test_a_password_is_in_no_answer_of_the_cached_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.ivy.cluster.plugins.module_utils.host_state.gather.gather",
        lambda *_args: {"search": ["says canary", {"a": "canary"}]},
    )
    result = host_state_entry.host_state_facts(SUBJECTS, check_mode=False)
    assert "canary" not in str(result)
    assert result["observed"]["search"][0] == "says ********"


def test_preflight_uses_the_code_that_a_host_has(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    transport.call_or_send(Host(tmp_path), FACTS, store, SUBJECTS, {}, keep="always")
    targets = {"targets": [{"address": "127.0.0.1", "port": 1}]}
    host, whole = Host(tmp_path), Host(tmp_path)
    assert transport.call_or_send(host, CONNECT, store, targets, {})["targets"] == ["Connection refused"]
    assert host.names() == [KEPT]
    assert transport.call_or_send(whole, CONNECT, "", targets, {})["targets"] == ["Connection refused"]
    # Only the host knows what these mean.
    for path in ("~/x", "$HOME/x"):
        host = Host(tmp_path)
        file = {"name": "a", "path": path, "uid": os.geteuid(), "gid": os.getegid(), "token": "t"}
        transport.call_or_send(host, CONNECT, store, {"files": [file]}, {})
        assert host.names() == [CONNECT]


def test_a_failure_of_the_cached_code_is_a_result(tmp_path: Path) -> None:
    result = cached_calls.call(FACTS, {"subjects": 1, "passwords": {}}, False, False)
    assert result["failed"]
    assert result["msg"].startswith("host_state_facts cannot be completed on this host. AttributeError")
