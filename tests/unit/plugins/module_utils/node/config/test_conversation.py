# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half talking to the node's half, with nothing but the connection replaced."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import shutil
import stat
import subprocess
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import (
    converge,
    inspection,
    payload,
    request,
)
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import session
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError

IVY = "engine:configuration/ivy.yaml"
APP = "engine:configuration/applications/demo/app.yaml"
WEB = "engine:configuration/web.xml"
ENV = "environment:shared.env"
CANARY = "canary-7f3a"


class Host:
    """What an action plugin would be; a call of the module runs in this process."""

    def __init__(self, node: t.Any, check: bool = False, diff: bool = False) -> None:
        self.node = node
        self.calls: list[dict[str, t.Any]] = []
        self.answers: list[str] = []
        self.transferred: list[Path] = []
        self._task = types.SimpleNamespace(check_mode=check, diff=diff)
        self._templar = types.SimpleNamespace(template=lambda value: value)
        self.pipelining = False
        self.received: list[Path] = []
        self._connection = types.SimpleNamespace(
            _shell=types.SimpleNamespace(join_path=lambda *parts: "/".join(parts)),
            is_pipelining_enabled=lambda _wrap_async: self.pipelining,
        )

    def _execute_module(self, **kwargs: t.Any) -> dict[str, t.Any]:
        args = kwargs["module_args"]
        self.calls.append(args)
        params = {
            **{name: option.get("default") for name, option in {**request.COMMON, **request.TRANSPORT}.items()},
            "on_drift": "overwrite",
            **args,
            "owner": self.node.settings().owner,
            "group": self.node.settings().group,
            "roots": self.node.settings().roots,
            "store": str(self.node.store),
        }
        params.setdefault("release", "")
        state = args.get("state", "applied")
        check = self._task.check_mode or kwargs["module_name"].endswith("_info")
        built = request.build(params, state, check, self._task.diff)
        call = built._replace(run_directory=str(self.node.run))
        work = inspection.inspect if kwargs["module_name"].endswith("_info") else converge.converge
        result = request.conceal(inspection.accept(call) if state == "accepted" else work(call), call.key)
        self.answers.append(json.dumps(result))
        shown = {**args, "payload": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}
        return {**json.loads(json.dumps(result)), "invocation": {"module_args": shown}}

    def _make_tmp_path(self) -> str:
        path = self.node.base / "remote"
        path.mkdir()
        return str(path)

    def _remove_tmp_path(self, tmp_path: str) -> None:
        shutil.rmtree(tmp_path)

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        assert Path(local_path).stat().st_mode & 0o077 == 0
        self.transferred.append(Path(remote_path))
        shutil.copy(local_path, remote_path)
        return remote_path

    def _fixup_perms2(self, remote_paths: list[str], *, execute: bool) -> None:
        assert not execute

    def _low_level_execute_command(self, cmd: str, *, in_data: bytes | None = None) -> dict[str, t.Any]:
        done = subprocess.run(
            ["/bin/sh", "-c", cmd],
            input=in_data,
            capture_output=True,
            check=False,
            env={"TMPDIR": str(self.node.base), "PATH": "/usr/bin:/bin"},
        )
        self.received += self.node.base.glob("ivy-cluster-*")
        return {"rc": done.returncode, "stdout": "noise\n" + done.stdout.decode()}


@pytest.fixture
def site(node: t.Any) -> t.Any:
    """A node and a controller's cache beside it."""
    node.record_baseline()

    def files(**more: bytes) -> dict[str, t.Any]:
        listed = {
            IVY: node.File(b"SystemDb:\n  Url: a\nEMail.Server.Host: mail1\n", "yaml", "always"),
            APP: node.File(b'Variables:\n  Key: "${encrypt:hush}"\n', "yaml", "never"),
            WEB: node.File(b"<a password='x'>1</a>", "text", "always"),
            ENV: node.File(f'IVY_A="{CANARY}"\n'.encode(), "text", "always", secret=True, mode="0600"),
        }
        for name, content in more.items():
            listed[{"ivy": IVY, "app": APP, "web": WEB, "env": ENV}[name]].content = content
        return listed

    def cached(listed: dict[str, t.Any], secret_keys: dict[str, list[str]] | None = None) -> str:
        release = node.build(listed)
        manifest = json.loads(release.manifest)
        for entry in manifest["entries"]:
            named = (secret_keys or {}).get(f"{entry['root']}:{entry['path']}")
            if named:
                entry["secret_keys"] = named
        cache.write_release(node.base / "cache", manifest, release.blobs.values())
        return str(release.id)

    def call(
        release: str,
        module: str = "shared_config",
        check: bool = False,
        diff: bool = False,
        variables: dict[str, t.Any] | None = None,
        pipelining: bool = False,
        **args: t.Any,
    ) -> t.Any:
        host = Host(node, check, diff)
        host.pipelining = pipelining
        known = {"ivy_shared_secrets": {"a": CANARY}, **(variables or {})}
        given = {"release": release, "cache": str(node.base / "cache"), **args}
        result = session.SharedConfigCall(host, given, known, module).run()
        return host, result

    return types.SimpleNamespace(node=node, files=files, cached=cached, call=call)


def test_first_push_takes_two_calls_and_a_clean_run_one(site: t.Any) -> None:
    release = site.cached(site.files())
    host, result = site.call(release)
    assert len(host.calls) == 2
    assert result["changed"]
    assert site.node.holds(site.files())
    host, result = site.call(release)
    assert len(host.calls) == 1
    assert not result["changed"]
    assert len(json.dumps(host.calls)) < 2000


def test_only_the_missing_files_travel(site: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site.call(site.cached(site.files()))
    sent: list[list[str]] = []
    real = payload.pack_stream

    def spy(header: t.Any, sizes: t.Any, *more: t.Any) -> t.Iterator[bytes]:
        sent.append(sorted(sizes))
        return real(header, sizes, *more)

    monkeypatch.setattr(payload, "pack_stream", spy)
    site.call(site.cached(site.files(web=b"<newer/>")))
    assert [len(blobs) for blobs in sent] == [1]
    # Without a record of what the node has, it is asked first.
    shutil.rmtree(site.node.base / "cache" / "nodes")
    site.call(site.cached(site.files(web=b"<newest/>")))
    assert [len(blobs) for blobs in sent] == [1, 0, 1]


def test_a_change_of_few_files_takes_one_call(site: t.Any) -> None:
    site.call(site.cached(site.files()))
    changed = site.files(web=b"<newer/>", env=b'IVY_A="canary-other"\n')
    release = site.cached(changed)
    host, result = site.call(release, check=True)
    assert (len(host.calls), result["changed"]) == (1, True)
    assert site.node.holds(site.files())
    host, result = site.call(release, state="staged")
    assert (len(host.calls), result["changed"], result["activation"]["changed"]) == (1, True, True)
    assert "payload" not in result["invocation"]["module_args"]
    host, result = site.call(release)
    assert (len(host.calls), result["changed"]) == (1, True)
    assert site.node.holds(changed)
    host, result = site.call(release)
    assert (len(host.calls), result["changed"]) == (1, False)


def test_a_node_with_another_release_than_recorded_is_sent_what_it_lacks(site: t.Any) -> None:
    first, second = site.cached(site.files()), site.cached(site.files(web=b"<second/>"))
    site.call(first)
    store = site.node.base / "store"
    shutil.copytree(store, site.node.base / "saved")
    site.call(second)
    # The node was restored from a backup, so the record of the controller is wrong.
    shutil.rmtree(store)
    (site.node.base / "saved").rename(store)
    third = site.files(web=b"<third/>")
    host, result = site.call(site.cached(third))
    assert (len(host.calls), result["changed"]) == (2, True)
    assert site.node.holds(third)


def test_a_node_that_lost_a_file_of_the_recorded_release_is_sent_it(site: t.Any) -> None:
    site.call(site.cached(site.files()))
    digest = hashlib.sha256(site.files()[APP].content).hexdigest()
    (site.node.store / "blobs" / digest).unlink()
    changed = site.files(web=b"<newer/>")
    host, result = site.call(site.cached(changed))
    assert (len(host.calls), result["changed"]) == (2, True)
    assert (site.node.store / "blobs" / digest).read_bytes() == site.files()[APP].content


@pytest.mark.parametrize("state", ["staged", "applied"])
def test_a_question_about_yaml_changes_nothing_before_its_answer(site: t.Any, state: str) -> None:
    site.call(site.cached(site.files()))
    site.node.path(IVY).write_bytes(b"SystemDb.Url: a\nEMail.Server.Host: 'mail1'\n")
    release = site.cached(site.files(web=b"<newer/>"))
    host, result = site.call(release, state=state)
    assert [len(host.calls), result["changed"], result["drift"]] == [2, True, []]
    assert json.loads(host.answers[0])["changed"] is False
    assert (site.node.store / "releases" / release).exists()


def test_a_large_change_is_not_sent_to_a_node_that_may_have_it(site: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.ivy.cluster.plugins.plugin_utils.release.delta.LARGEST", 1000)
    site.call(site.cached(site.files()))
    host, result = site.call(site.cached(site.files(web=b"<newer/>" * 200)))
    assert (len(host.calls), result["changed"]) == (2, True)
    assert len(json.dumps(host.calls[0])) < 1000


def test_a_large_release_travels_as_a_file_that_is_removed(site: t.Any) -> None:
    listed = site.files(web=random.Random(1).randbytes(3 << 20))
    host, result = site.call(site.cached(listed))
    assert result["changed"]
    assert len(host.transferred) == 1
    assert site.node.holds(listed)
    assert not (site.node.base / "remote").exists()


def test_with_pipelining_a_large_release_travels_as_input_and_is_removed(site: t.Any) -> None:
    listed = site.files(web=random.Random(1).randbytes(3 << 20))
    host, result = site.call(site.cached(listed), pipelining=True)
    assert result["changed"]
    assert (len(host.transferred), len(host.received)) == (0, 1)
    assert site.node.holds(listed)
    assert not list(site.node.base.glob("ivy-cluster-*"))


def test_what_travels_as_input_is_private_and_removed_after_a_failure(
    site: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Host._execute_module
    modes: list[int] = []

    def failing(self: Host, **kwargs: t.Any) -> dict[str, t.Any]:
        if not kwargs["module_args"].get("bundle"):
            return real(self, **kwargs)
        bundle = Path(kwargs["module_args"]["bundle"])
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in (bundle, bundle.parent))
        return {"failed": True, "msg": "no module"}

    monkeypatch.setattr(Host, "_execute_module", failing)
    release = site.cached(site.files(web=random.Random(1).randbytes(3 << 20)))
    _host, result = site.call(release, pipelining=True)
    assert result["failed"]
    assert modes == [0o600, 0o700]
    assert not list(site.node.base.glob("ivy-cluster-*"))


def test_input_that_a_node_cannot_take_becomes_a_file_transfer(site: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"rc": 1, "stdout": ""}
    monkeypatch.setattr(Host, "_low_level_execute_command", lambda *_args, **_more: refused)
    listed = site.files(web=random.Random(1).randbytes(3 << 20))
    host, result = site.call(site.cached(listed), pipelining=True)
    assert (len(host.transferred), result["changed"]) == (1, True)
    assert site.node.holds(listed)


def test_a_release_that_does_not_fit_in_memory_travels_as_a_file(site: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.ivy.cluster.plugins.plugin_utils.node.transport.MEMORY_LIMIT", 2 << 20)
    listed = site.files(web=random.Random(1).randbytes(3 << 20))
    host, result = site.call(site.cached(listed), pipelining=True)
    assert (len(host.transferred), len(host.received), result["changed"]) == (1, 0, True)
    assert site.node.holds(listed)


def test_a_bundle_damaged_on_the_way_changes_nothing(site: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(self: Host, _local: str, remote: str) -> str:
        Path(remote).write_bytes(b"rubbish")
        return remote

    monkeypatch.setattr(Host, "_transfer_file", damaged)
    with pytest.raises(Exception, match="damaged on its way"):
        site.call(site.cached(site.files(web=random.Random(1).randbytes(3 << 20))))
    assert not site.node.path(IVY).exists()


def test_formatting_of_yaml_is_not_drift(site: t.Any) -> None:
    release = site.cached(site.files())
    site.call(release)
    site.node.path(IVY).write_bytes(b"# saved by a form\nEMail:\n  Server:\n    Host: 'mail1'\nSystemDb.Url: a\n")
    host, result = site.call(release)
    assert (len(host.calls), result["changed"], result["drift"]) == (2, False, [])
    host, result = site.call(release)
    assert (len(host.calls), result["changed"]) == (1, False)


def test_drift_names_the_keys_with_secrets_masked(site: t.Any) -> None:
    release = site.cached(site.files())
    site.call(release)
    site.node.path(IVY).write_bytes(
        b"SystemDb:\n  Url: a\n  Password: hush-hush\nEMail.Server.Host: " + CANARY.encode() + b"\n"
    )
    _host, info = site.call("", "shared_config_info")
    (finding,) = info["drift"]
    assert {(one["key"], one["change"]) for one in finding["keys"]} == {
        ("EMail.Server.Host", "changed"),
        ("SystemDb.Password", "added"),
    }
    _host, result = site.call(release, diff=True)
    assert result["backup"]
    for text in (json.dumps(info), json.dumps(result)):
        assert "hush-hush" not in text
        assert CANARY not in text


@pytest.mark.parametrize("check", [True, False])
def test_a_difference_shows_keys_and_hides_secrets(site: t.Any, check: bool) -> None:
    site.call(site.cached(site.files()))
    changed = site.files(
        ivy=b"SystemDb:\n  Url: b\nEMail.Server.Host: mail1\n",
        env=b'IVY_A="canary-other"\n',
        web=b"<a password='y'>2</a>",
    )
    _host, result = site.call(site.cached(changed), check=check, diff=True)
    shown = {item["after_header"]: item for item in result["diff"]}
    assert shown["configuration/ivy.yaml"]["before"] == "SystemDb.Url: a\n"
    assert shown["configuration/ivy.yaml"]["after"] == "SystemDb.Url: b\n"
    assert shown["shared.env"] == {
        "before_header": "shared.env",
        "after_header": "shared.env",
        "before": "(secret content)\n",
        "after": "(new secret content)\n",
    }
    assert "'x'" not in shown["configuration/web.xml"]["before"]
    assert "canary" not in json.dumps(result)
    assert "payload" not in result["invocation"]["module_args"]


def test_what_the_node_answers_may_be_printed(site: t.Any) -> None:
    """Ansible prints a module's raw answer at -vvv: no content of a file, and no digest of one, may be in it."""
    first = site.files()
    site.call(site.cached(first))
    site.node.path(IVY).write_bytes(b"SystemDb.Url: " + CANARY.encode() + b"\n")
    site.node.path(WEB).write_bytes(b"<a>" + CANARY.encode() + b"</a>")
    second = site.files(web=b"<newer/>", env=b'IVY_A="canary-other"\n')
    answers = []
    for release, more in ((site.cached(second), {"diff": True}), (site.cached(first), {"diff": True, "check": True})):
        answers += site.call(release, **more)[0].answers
    answers += site.call("", "shared_config_info")[0].answers
    assert any("encrypted" in answer for answer in answers)
    contents = [file.content for files in (first, second) for file in files.values()] + [CANARY.encode()]
    for answer in answers:
        for content in contents:
            assert base64.b64encode(content)[:8].decode() not in answer
            assert content.decode() not in answer
            digest = hashlib.sha256(content).digest()
            assert digest.hex()[:12] not in answer
            assert base64.b64encode(digest)[:8].decode() not in answer


def test_check_mode_sends_no_content(site: t.Any) -> None:
    before = site.node.snapshot()
    host, result = site.call(site.cached(site.files()), check=True)
    assert result["changed"]
    assert len(host.calls) == 2
    after = {path: state for path, state in site.node.snapshot().items() if "/cache" not in path}
    assert after == {path: state for path, state in before.items() if "/cache" not in path}


def test_the_engines_rewriting_is_accepted(site: t.Any) -> None:
    release = site.cached(site.files())
    site.call(release)
    site.node.path(APP).write_bytes(b'Variables:\n  Key: "${decrypt:0badcafe}"\n')
    _host, result = site.call(release, state="accepted")
    assert result["accepted"] == ["configuration/applications/demo/app.yaml"]
    host, result = site.call(release)
    assert (len(host.calls), result["changed"], result["drift"]) == (1, False, [])
    site.node.path(APP).write_bytes(b'Variables:\n  Key: "${decrypt:feedface}"\n  Other: 1\n')
    _host, result = site.call(release, state="accepted")
    assert result["accepted"] == []
    _host, result = site.call(release)
    assert [one["path"] for one in result["drift"]] == ["configuration/applications/demo/app.yaml"]


def test_yaml_that_became_unreadable_is_drift(site: t.Any) -> None:
    release = site.cached(site.files())
    site.call(release)
    site.node.path(IVY).write_bytes(b"a: [\n")
    _host, result = site.call(release, diff=True)
    assert [one["kind"] for one in result["drift"]] == ["modified"]
    assert site.node.holds(site.files())


def test_long_node_files_travel_only_when_they_are_missing(site: t.Any) -> None:
    release = site.cached(site.files())
    owner = {"owner": site.node.settings().owner, "group": site.node.settings().group}
    listed = [{"path": str(site.node.base / "helper.py"), "content": "x" * 100000, **owner}]
    site.call(release, node_files=listed)
    assert (site.node.base / "helper.py").stat().st_size == 100000
    host, result = site.call(release, node_files=listed)
    assert (len(host.calls), result["changed"]) == (1, False)
    (site.node.base / "helper.py").unlink()
    host, result = site.call(release, node_files=listed)
    assert (len(host.calls), result["changed"]) == (1, True)


def test_a_prediction_has_a_keyed_digest_of_the_node_files(site: t.Any) -> None:
    release = site.cached(site.files())

    def digest(content: str = CANARY, mode: str = "0644", key: str = "k" * 32) -> str:
        listed = [{"path": str(site.node.base / "x"), "content": content, "mode": mode}]
        variables = {"ivy_cluster_key": key}
        _host, result = site.call(release, check=True, state="staged", node_files=listed, variables=variables)
        return str(result["node_files_digest"])

    assert digest() == digest()
    assert len({digest(), digest("other"), digest(mode="0600"), digest(key="l" * 32)}) == 4
    assert "node_files_digest" not in site.call(release, check=True, state="staged")[1]


def test_an_unknown_release(site: t.Any) -> None:
    with pytest.raises(CacheError, match="not in the cache"):
        site.call("0" * 32)


def test_pending_is_reported_before_the_node_has_the_release(site: t.Any) -> None:
    site.call(site.cached(site.files()))
    host, info = site.call(site.cached(site.files(web=b"<newer/>")), "shared_config_info")
    assert len(host.calls) == 2
    assert [one["path"] for one in info["pending"]] == ["configuration/web.xml"]


def keys_of(listed: list[dict[str, t.Any]]) -> dict[str, list[str]]:
    return {item["path"]: [one["key"] for one in item.get("keys", [])] for item in listed}


def test_one_yaml_file_is_in_each_list_with_its_own_keys(site: t.Any) -> None:
    site.call(site.cached(site.files(ivy=b"Both: 1\nNode: 1\nSource: 1\nAgreed: 1\nStill: 1\n")))
    site.node.path(IVY).write_bytes(b"Still: 1\nBoth: 2\nNode: 2\nSource: 1\nAgreed: 2\n")
    release = site.cached(site.files(ivy=b"Both: 3\nNode: 1\nSource: 3\nAgreed: 2\nStill: 1\n"))

    host, info = site.call(release, "shared_config_info")

    assert len(host.calls) == 2
    assert keys_of(info["drift"]) == {"configuration/ivy.yaml": ["Node"]}
    assert keys_of(info["pending"]) == {"configuration/ivy.yaml": ["Source"]}
    assert keys_of(info["conflict"]) == {"configuration/ivy.yaml": ["Both"]}
    (conflict,) = info["conflict"]
    assert conflict["keys"] == [{"key": "Both", "change": "changed", "before": "1", "after": "2", "wanted": "3"}]
    assert (conflict["kind"], conflict["change"]) == ("modified", "update")
    (drift,) = info["drift"]
    assert drift["keys"][0]["wanted"] == "1"
    for name in ("drift", "pending", "conflict"):
        assert {"owner", "modified", "mode", "size", "comparable"} <= set(info[name][0])
    assert not {"comparisons", "digests", "encrypted"} & set(info)


def test_a_yaml_file_that_the_release_removes_and_somebody_changed_is_a_conflict(site: t.Any) -> None:
    listed = site.files()
    site.call(site.cached(listed))
    site.node.path(IVY).write_bytes(listed[IVY].content + b"Node: 2\n")
    del listed[IVY]
    _host, info = site.call(site.cached(listed), "shared_config_info")
    assert (info["drift"], info["pending"]) == ([], [])
    (conflict,) = info["conflict"]
    assert (conflict["change"], keys_of(info["conflict"])) == ("delete", {"configuration/ivy.yaml": ["Node"]})


def test_the_release_gives_a_file_back_to_the_vendor(site: t.Any) -> None:
    vendor = "configuration/ivy.webserver.yaml"
    site.node.vendor(vendor, b"Port: 8080\n")
    site.node.record_baseline()
    listed = {**site.files(), f"engine:{vendor}": site.node.File(b"Port: 8081\n", "yaml")}
    site.call(site.cached(listed))
    release = site.cached(site.files())
    _host, info = site.call(release, "shared_config_info")
    assert [(one["path"], one["change"]) for one in info["pending"]] == [(vendor, "update")]
    assert "form" not in info["pending"][0]["detail"]
    site.node.vendor(vendor, b"Port: 8082\n")
    _host, info = site.call(release, "shared_config_info")
    assert keys_of(info["conflict"]) == {vendor: ["Port"]}
    assert (info["drift"], info["pending"]) == ([], [])


def test_another_form_in_the_source_is_pending_without_a_key(site: t.Any) -> None:
    site.call(site.cached(site.files(ivy=b"A: 1\nB: 2\n")))
    _host, info = site.call(site.cached(site.files(ivy=b"B: 2\nA: 1\n")), "shared_config_info")
    assert keys_of(info["pending"]) == {"configuration/ivy.yaml": []}
    assert (info["drift"], info["conflict"]) == ([], [])


def test_a_wrong_mode_and_a_new_key_are_two_things(site: t.Any) -> None:
    site.call(site.cached(site.files(ivy=b"A: 1\n")))
    site.node.path(IVY).chmod(0o600)
    _host, info = site.call(site.cached(site.files(ivy=b"A: 2\n")), "shared_config_info")
    assert [item["kind"] for item in info["drift"]] == ["attributes"]
    assert keys_of(info["pending"]) == {"configuration/ivy.yaml": ["A"]}
    assert info["conflict"] == []


def test_other_files_stand_in_one_list(site: t.Any) -> None:
    site.call(site.cached(site.files()))
    site.node.path(WEB).write_bytes(b"<mine/>")
    _host, info = site.call(site.cached(site.files(web=b"<newer/>")), "shared_config_info")
    assert [(item["path"], item["kind"], item["change"]) for item in info["conflict"]] == [
        ("configuration/web.xml", "modified", "update")
    ]
    assert (info["drift"], info["pending"]) == ([], [])


def test_what_is_on_the_node_already_is_not_pending(site: t.Any) -> None:
    site.call(site.cached(site.files()))
    site.node.path(WEB).write_bytes(b"<newer/>")
    listed = site.files(web=b"<newer/>")
    del listed[APP]
    site.node.path(APP).unlink()
    _host, info = site.call(site.cached(listed), "shared_config_info")
    assert (info["drift"], info["pending"], info["conflict"]) == ([], [], [])


def test_a_file_made_where_the_release_creates_another_is_a_conflict(site: t.Any) -> None:
    listed = site.files()
    web = listed.pop(APP)
    site.call(site.cached(listed))
    listed[APP] = web
    site.node.path(APP).parent.mkdir(parents=True)
    site.node.path(APP).write_bytes(b"Variables: {}\n")
    _host, info = site.call(site.cached(listed), "shared_config_info")
    assert [(item["kind"], item["change"]) for item in info["conflict"]] == [("extra", "create")]
    assert (info["drift"], info["pending"]) == ([], [])


def test_the_vendors_yaml_is_reported_by_keys_and_not_by_its_form(site: t.Any) -> None:
    vendor = "configuration/ivy.webserver.yaml"
    site.node.vendor(vendor, b"Connector:\n  HTTP:\n    Port: 8080\n")
    site.node.record_baseline()
    release = site.cached(site.files())
    site.call(release)
    site.node.vendor(vendor, b"'Connector.HTTP.Port': '8080'\n")
    host, info = site.call(release, "shared_config_info")
    assert (len(host.calls), info["drift"]) == (2, [])
    assert site.call(release)[1]["changed"] is False
    host, info = site.call(release, "shared_config_info")
    assert (len(host.calls), info["drift"]) == (1, [])
    site.node.vendor(vendor, b"'Connector.HTTP.Port': '8081'\n")
    _host, info = site.call(release, "shared_config_info")
    assert keys_of(info["drift"]) == {vendor: ["Connector.HTTP.Port"]}
    assert site.call(release)[1]["changed"]
    assert (site.node.engine / vendor).read_bytes() == b"Connector:\n  HTTP:\n    Port: 8080\n"


def test_the_same_change_is_comparable_and_its_digest_is_not_shown(site: t.Any) -> None:
    release = site.cached(site.files())
    site.call(release)

    def comparable(content: bytes, key: str = "") -> str:
        site.node.path(WEB).write_bytes(content)
        host, info = site.call(release, "shared_config_info", variables={"ivy_cluster_key": key or "k" * 32})
        assert hashlib.sha256(content).hexdigest()[:16] not in json.dumps([info, host.answers])
        (item,) = info["drift"]
        return str(item["comparable"])

    assert comparable(b"one") == comparable(b"one")
    assert comparable(b"one") != comparable(b"two")
    # Whoever does not have the cluster's key cannot try values against it.
    assert comparable(b"one") != comparable(b"one", "j" * 32)


def test_what_is_pending_is_comparable_whatever_salt_a_node_has(site: t.Any) -> None:
    first = site.cached(site.files())
    newer = site.cached(site.files(app=b'Variables:\n  Key: "${encrypt:newer}"\n'))
    found = []
    for salt in ("0badcafe", "feedface"):
        site.call(first)
        site.node.path(APP).write_bytes(f'Variables:\n  Key: "${{decrypt:{salt}}}"\n'.encode())
        site.call(first, state="accepted")
        _host, info = site.call(newer, "shared_config_info", variables={"ivy_cluster_key": "k" * 32})
        found += [(one["path"], one["comparable"]) for one in info["pending"]]
        site.node.path(APP).unlink()
    assert len(found) == 2
    assert len(set(found)) == 1


def test_a_yaml_file_with_secrets_is_shown_by_keys(site: t.Any) -> None:
    listed = site.files()
    listed[APP] = site.node.File(b"Variables:\n  Key: old-hidden\n  Plain: 1\n", "yaml", secret=True)
    keys = {APP: ["Variables.Key"]}
    site.call(site.cached(listed, keys))
    # Moved by hand to where no release expects a secret.
    site.node.path(APP).write_bytes(b"Variables:\n  Key: old-hidden\n  Plain: 2\n  Copy: old-hidden\n")
    listed[APP].content = b"Variables:\n  Key: new-hidden\n  Plain: 1\n"
    release = site.cached(listed, keys)
    _host, info = site.call(release, "shared_config_info")
    _host, result = site.call(release, check=True, diff=True)
    shown = {item["after_header"]: item for item in result["diff"]}["configuration/applications/demo/app.yaml"]
    assert shown["before"] == "Variables.Copy: ********\nVariables.Key: ********\nVariables.Plain: 2\n"
    assert shown["after"] == "Variables.Key: ******** (changed)\nVariables.Plain: 1\n"
    assert keys_of(info["drift"]) == {"configuration/applications/demo/app.yaml": ["Variables.Copy", "Variables.Plain"]}
    assert keys_of(info["pending"]) == {"configuration/applications/demo/app.yaml": ["Variables.Key"]}
    assert "hidden" not in json.dumps([info, result])


def test_other_files_with_secrets_stay_hidden_even_when_they_go(site: t.Any) -> None:
    listed = site.files()
    listed["engine:configuration/x.txt"] = site.node.File(b"plain words, one of them hidden", secret=True)
    listed["engine:configuration/x.yaml"] = site.node.File(b"no: yaml: hidden", "yaml", secret=True)
    site.call(site.cached(listed))
    host, result = site.call(site.cached(site.files()), diff=True)
    shown = {item["after_header"]: (item["before"], item["after"]) for item in result["diff"]}
    assert shown["configuration/x.txt"] == ("(secret content)\n", "")
    assert shown["configuration/x.yaml"] == ("(secret content)\n", "")
    assert "hidden" not in json.dumps([result, host.answers])


def test_the_same_value_encrypted_again_by_hand_is_drift(site: t.Any) -> None:
    release = site.cached(site.files())
    site.call(release)
    site.node.path(APP).write_bytes(b'Variables:\n  Key: "${decrypt:0badcafe}"\n')
    assert site.call(release, state="accepted")[1]["accepted"]
    # The Cockpit writes the file in its own form: no drift, although the bytes are not those that were accepted.
    site.node.path(APP).write_bytes(b'"Variables.Key": "${decrypt:0badcafe}"\n')
    assert site.call(release, "shared_config_info")[1]["drift"] == []
    site.node.path(APP).write_bytes(b'Variables:\n  Key: "${decrypt:feedface}"\n')
    assert site.call(release, state="accepted")[1]["accepted"] == []
    (item,) = site.call(release, "shared_config_info")[1]["drift"]
    assert [(one["key"], one["change"]) for one in item["keys"]] == [("Variables.Key", "changed")]
    # Once reverted, the file has the release's own bytes, and the engine encrypts them with another salt.
    assert site.call(release)[1]["changed"]
    site.node.path(APP).write_bytes(b'Variables:\n  Key: "${decrypt:12345678}"\n')
    assert site.call(release, state="accepted")[1]["accepted"]
    assert site.call(release, "shared_config_info")[1]["drift"] == []


def test_a_manifest_that_lies_about_its_bytes_is_refused_on_the_node(site: t.Any) -> None:
    release = site.node.build(site.files())
    value = json.loads(release.manifest)
    value["entries"][0]["size"] = 999999
    damaged = site.node.request(release)._replace(manifest=canonical(value))
    with pytest.raises(Exception, match="in transit"):
        converge.converge(damaged)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("password=abc", "abc"),
        ('keystorePass="abc def"', "abc def"),
        ("  Secret: 'abc'", "abc"),
        ("<password>abc</password>", "abc"),
        (f"anything {CANARY} anywhere", CANARY),
        ("password = correct horse battery", "battery"),
        ('password="a\\"bc"', "bc"),
        ('password="abc', "abc"),
        ('url="jdbc:postgresql://db/ivy?user=ivy&password=abc"', "abc"),
        ("JAVA_OPTS=-Dstore.password=abc", "abc"),
        ("url: jdbc:postgresql://ivy:hunter@db/ivy", "hunter"),
        ('<Parameter name="db.password" value="abc"/>', "abc"),
        ('<entry key="password">abc</entry>', "abc"),
        ("<password><![CDATA[abc]]></password>", "abc"),
    ],
)
def test_texts_are_shown_without_secrets(text: str, hidden: str) -> None:
    assert hidden not in masking.masked(text, [CANARY])


def test_texts_are_shown_otherwise_as_they_are() -> None:
    text = "timeout=30\n<session-timeout>30</session-timeout>\n"
    assert masking.masked(text, []) == text
