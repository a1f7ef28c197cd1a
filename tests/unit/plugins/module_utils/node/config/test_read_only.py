# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the engine may only read, and the copy of them that it works on."""

from __future__ import annotations

import hashlib
import json
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.agent import guard
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import collect, payload
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import manifest as manifests
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

if t.TYPE_CHECKING:
    from ..conftest import Node

IVY, WEB = "engine:configuration/ivy.yaml", "engine:configuration/web.xml"
COPY = "work/configuration"
# Whom the engine runs as; what belongs to somebody else it cannot make writable.
USER = 54321


def read_only(node: Node, files: dict[str, t.Any], copy: str = COPY) -> t.Any:
    """A release whose files the engine may only read."""
    for file in files.values():
        file.mode = "0440"
    built = node.build(files)
    value = {**json.loads(built.manifest), "read_only": {"copy": copy}}
    value["id"] = hashlib.sha256(built.manifest).hexdigest()[:32]
    built.id, built.manifest = value["id"], canonical(value)
    return built


def files(node: Node, **more: t.Any) -> dict[str, t.Any]:
    return {
        IVY: node.File(b"Mail: a\n", kind="yaml", restart="keys"),
        WEB: node.File(b"<web/>", restart="always"),
        **more,
    }


@pytest.fixture
def running(node: Node) -> Node:
    """An engine that has started with read-only files and has made its copy."""
    node.record_baseline()
    node.apply(read_only(node, files(node)))
    start(node)
    return node


def start(node: Node) -> None:
    node.start()
    for key in (IVY, WEB):
        change(node, key, node.path(key).read_bytes())


def change(node: Node, key: str, content: bytes) -> Path:
    """As the Cockpit of a running engine does it."""
    place = node.engine / COPY / key.split("configuration/", 1)[1]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def found(node: Node, **more: t.Any) -> list[tuple[str, str, str]]:
    return [(item["root"], item["path"], item["kind"]) for item in node.inspect(**more)["drift"]]


def test_the_engines_user_owns_nothing_of_the_release(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = node.settings()
    monkeypatch.setattr(node, "settings", lambda: ordinary._replace(owner=str(USER), group=str(USER)))
    node.apply(node.build(files(node)))
    assert node.path(IVY).stat().st_uid == USER
    result = node.apply(read_only(node, files(node)))
    assert {action["action"] for action in result["actions"]} == {"attributes"}
    for key in (IVY, WEB):
        info = node.path(key).stat()
        assert (info.st_uid, info.st_gid, info.st_mode & 0o777) == (os.geteuid(), USER, 0o440)
    # The directory stays the engine's: it makes files of its own there.
    assert node.path(IVY).parent.stat().st_uid in (USER, os.geteuid())
    assert found(node) == []
    node.path(IVY).chmod(0o640)
    os.chown(node.path(WEB), USER, USER)
    assert sorted(found(node)) == [
        ("engine", "configuration/ivy.yaml", "attributes"),
        ("engine", "configuration/web.xml", "attributes"),
    ]
    node.apply(node.build({key: node.File(file.content) for key, file in files(node).items()}))
    assert node.path(IVY).stat().st_uid == USER


def test_beginning_and_ending_it_needs_a_restart(node: Node) -> None:
    node.record_baseline()
    writable, fixed = node.build(files(node)), read_only(node, files(node))
    node.apply(writable)
    node.start()
    staged = node.stage(fixed)
    assert not staged["restart_required"]
    assert staged["activation"]["restart_reasons"] == [
        "the configuration is read-only now, the engine started with it writable"
    ]
    assert node.apply(fixed)["restart_required"]
    start(node)
    assert not node.apply(fixed)["restart_required"]
    result = node.apply(node.build({IVY: node.File(b"Mail: a\n"), WEB: node.File(b"<web/>")}))
    assert result["restart_reasons"][0] == "the configuration is writable now, the engine started with it read-only"


def test_a_change_in_the_running_engine_is_found_under_its_own_root(running: Node) -> None:
    assert found(running) == []
    place = change(running, WEB, b"<local/>")
    result = running.inspect()
    (item,) = result["drift"]
    assert (item["root"], item["path"], item["kind"]) == ("copy", "configuration/web.xml", "modified")
    assert "vanishes at the next restart" in item["detail"]
    assert result["running"]["modified"] == ["configuration/web.xml"]
    assert not result["restart_required"]
    applied = running.apply(read_only(running, files(running)))
    assert (applied["changed"], applied["actions"], applied["backup"]) == (False, [], "")
    assert [item["root"] for item in applied["drift"]] == ["copy"]
    assert place.read_bytes() == b"<local/>", "only a restart takes it away"
    running.stop()
    assert found(running) == [], "an engine that does not run works on nothing"


def test_what_a_restart_takes_away_is_kept(running: Node) -> None:
    change(running, WEB, b"<local/>")
    release = read_only(running, files(running, **{IVY: running.File(b"Mail: b\n", kind="yaml", restart="keys")}))
    result = running.apply(release)
    assert result["restart_required"]
    (item,) = json.loads(Path(result["backup"], "list.json").read_text(encoding="utf-8"))["items"]
    assert (item["root"], item["path"]) == ("copy", "configuration/web.xml")
    assert Path(result["backup"], item["file"]).read_bytes() == b"<local/>"
    start(running)
    assert found(running) == []


def test_on_drift_fail_stops_before_a_restart_would_take_it_away(running: Node) -> None:
    change(running, WEB, b"<local/>")
    result = running.apply(read_only(running, files(running)), on_drift="fail")
    assert result["failed"]
    assert "configuration/web.xml" in result["msg"]


def test_what_the_engine_started_with_is_not_a_change_in_it(running: Node) -> None:
    running.path(WEB).write_bytes(b"<edited/>")
    start(running)
    assert found(running) == [("engine", "configuration/web.xml", "modified")]


def test_meaning_counts_in_the_copy_too(running: Node) -> None:
    change(running, IVY, b"Mail:   a\n")
    asked = running.inspect(judge=True)["questions"]
    (question,) = asked
    assert question["key"] == "copy:configuration/ivy.yaml"
    verdicts = {question["key"]: {"digest": question["digest"], "verdict": "same"}}
    assert found(running, verdicts=verdicts) == []
    # The engine encrypts values again at each start, so no gate can accept them once and for all.
    verdicts[question["key"]]["verdict"] = "rewriting"
    result = running.inspect(verdicts=verdicts)
    assert (result["drift"], result["running"]["modified"]) == ([], [])
    verdicts[question["key"]]["verdict"] = "different"
    assert found(running, verdicts=verdicts) == [("copy", "configuration/ivy.yaml", "modified")]


def test_the_engines_rewriting_of_its_copy_is_accepted_at_the_gate(node: Node) -> None:
    node.record_baseline()
    release = read_only(node, files(node, **{IVY: node.File(b'P: "${encrypt:x}"\n', kind="yaml")}))
    node.apply(release)
    start(node)
    change(node, IVY, b'P: "${decrypt:1}"\n')
    question = node.accept(release, judge=True)["questions"][0]
    verdicts = {question["key"]: {"digest": question["digest"], "verdict": "rewriting"}}
    assert node.accept(release, verdicts=verdicts)["accepted"] == ["configuration/ivy.yaml"]
    assert found(node) == []
    assert node.path(IVY).read_bytes() == b'P: "${encrypt:x}"\n'
    assert not node.apply(release)["actions"], "the original is as released"


def test_the_wait_for_the_rewriting_reads_the_copy(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.ivy.cluster.plugins.module_utils.node.config import inspection

    node.record_baseline()
    release = read_only(node, files(node, **{IVY: node.File(b'P: "${encrypt:x}"\n', kind="yaml")}))
    node.apply(release)
    start(node)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        change(node, IVY, b'P: "${decrypt:1}"\n')

    monkeypatch.setattr(time, "sleep", nap)
    inspection.await_rewriting(node.request(release), 60)
    assert len(naps) == 1


def test_without_a_known_copy_nothing_is_read(node: Node) -> None:
    node.record_baseline()
    node.apply(read_only(node, files(node), copy=""))
    start(node)
    change(node, WEB, b"<local/>")
    assert found(node) == []


@pytest.mark.parametrize("value", [True, {"copy": 5}, {"copy": "../.."}, {"copy": "/etc"}, {}])
def test_a_manifest_that_says_it_wrongly_is_damaged(node: Node, value: t.Any) -> None:
    built = json.loads(read_only(node, files(node)).manifest)
    with pytest.raises(NodeError, match="read_only"):
        manifests.parse(canonical({**built, "read_only": value}), "here")


def test_the_guard_reports_and_never_changes_the_copy(
    running: Node, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "show", running.unit)
    options = guard.Options(guard.RESTORE, str(running.environment / "node.json"), str(running.run), str(running.base))
    assert guard.guard(options) == 0
    assert capsys.readouterr().out == ""
    place = change(running, WEB, b"<local/>")
    assert guard.guard(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "copy: configuration/web.xml" in lines[0]
    assert place.read_bytes() == b"<local/>"
    assert not list((running.store / "backups").iterdir())


def test_a_change_in_the_running_engine_can_be_adopted(running: Node) -> None:
    change(running, WEB, b"<local/>")
    request = running.request(read_only(running, files(running)))
    (item,) = collect.collect(request)["findings"]
    assert (item["root"], item["path"], item["origin"]) == ("copy", "configuration/web.xml", "release")
    assert payload.from_text(item["before"]) == b"<web/>"
    assert payload.from_text(item["after"]) == b"<local/>"


def test_the_guard_knows_that_the_engine_encrypts_its_copy_at_each_start(
    node: Node, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "show", node.unit)
    node.record_baseline()
    node.apply(read_only(node, files(node, **{IVY: node.File(b'P: "${encrypt:x}"\n', kind="yaml")})))
    start(node)
    change(node, IVY, b'P: "${decrypt:1}"\n')
    options = guard.Options(guard.REPORT, str(node.environment / "node.json"), str(node.run), str(node.base))
    assert guard.guard(options) == 0
    assert capsys.readouterr().out == ""
