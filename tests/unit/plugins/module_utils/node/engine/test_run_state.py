# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart or not, decided from what was on the disk when the engine started."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import run_state
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state as look

IVY = "engine:configuration/ivy.yaml"
WEB = "engine:configuration/web.xml"
APP = "engine:configuration/applications/demo/app.yaml"
JGROUPS = "engine:configuration/jgroups.xml"
ENV = "environment:shared.env"


def files(
    node: t.Any,
    url: t.Any = b"a",
    hot: t.Any = b"1",
    app: t.Any = b"1",
    web: t.Any = b"<ours/>",
    env: t.Any = b"1",
    hosts: t.Any = b"n1",
) -> t.Any:
    return {
        IVY: node.File(b"SystemDb.Url: " + url + b"\nHot.Key: " + hot + b"\n", "yaml", "keys"),
        WEB: node.File(web, "text", "always"),
        APP: node.File(b"Variables: " + app + b"\n", "yaml", "never"),
        JGROUPS: node.File(b"<hosts>" + hosts + b"</hosts>", "text", "always", relevant=b"<hosts/>"),
        ENV: node.File(b"IVY_A=" + env + b"\n", "text", "always", secret=True, mode="0600"),
    }


@pytest.fixture
def running(node: t.Any) -> t.Any:
    node.record_baseline()
    release = node.build(files(node))
    node.apply(release)
    assert node.start() == ""
    return release


def state(node: t.Any, release: t.Any) -> t.Any:
    result = node.apply(release)
    return result["restart_required"], result["restart_reasons"]


def test_never_started(node: t.Any) -> None:
    node.record_baseline()
    result = node.apply(node.build(files(node)))
    assert (result["restart_required"], result["running"]) == (False, None)


def test_a_clean_start(node: t.Any, running: t.Any) -> None:
    result = node.apply(running)
    assert not result["restart_required"]
    assert result["running"]["release"] == running.id
    assert result["running"]["modified"] == []


def test_started_json_is_for_root_and_the_release_for_everybody(node: t.Any, running: t.Any) -> None:
    assert (node.run / "started.json").stat().st_mode & 0o777 == 0o600
    assert (node.run / "release").read_text().strip() == running.id
    assert (node.run / "release").stat().st_mode & 0o777 == 0o644


def test_a_restart_key_is_named_in_the_reason(node: t.Any, running: t.Any) -> None:
    new = node.build(files(node, url=b"b"))
    staged = node.stage(new)
    assert not staged["restart_required"]
    assert staged["activation"]["restart_reasons"] == [
        "configuration/ivy.yaml: SystemDb.Url changed since the engine started"
    ]
    result = node.apply(new)
    assert result["restart_reasons"] == staged["activation"]["restart_reasons"]
    assert result["running"]["release"] == running.id
    assert "configuration/ivy.yaml" not in result["hot_reload"]


def test_hot_keys_and_hot_files_need_none(node: t.Any, running: t.Any) -> None:
    new = node.build(files(node, hot=b"2", app=b"2", hosts=b"n1,n2"))
    result = node.apply(new)
    assert not result["restart_required"]
    assert result["running"]["release"] == new.id
    assert result["hot_reload"] == [
        "configuration/applications/demo/app.yaml",
        "configuration/ivy.yaml",
        "configuration/jgroups.xml",
    ]


def test_reboot_and_manual_restart_count(node: t.Any, running: t.Any) -> None:
    new = node.build(files(node, url=b"b"))
    node.apply(new)
    node.stop()
    assert state(node, new) == (False, [])
    node.start()
    result = node.apply(new)
    assert (result["restart_required"], result["running"]["release"]) == (False, new.id)


def test_a_failed_run_followed_by_a_clean_one_still_asks_for_the_restart(node: t.Any, running: t.Any) -> None:
    new = node.build(files(node, web=b"<newer/>"))
    assert node.apply(new)["restart_required"]
    again = node.apply(new, manifest=None, blobs={})
    assert not again["changed"]
    assert again["restart_required"]
    assert again["restart_reasons"] == ["configuration/web.xml changed since the engine started"]


def test_a_reverted_edit_after_the_start_needs_no_restart(node: t.Any, running: t.Any) -> None:
    node.path(IVY).write_bytes(b"SystemDb.Url: evil\nHot.Key: 1\n")
    result = node.apply(running)
    assert result["drift"]
    assert not result["restart_required"]
    assert result["running"]["release"] == running.id


def test_an_edit_that_the_engine_started_with_needs_a_restart_after_it_is_reverted(node: t.Any, running: t.Any) -> None:
    node.stop()
    node.path(IVY).write_bytes(b"SystemDb.Url: evil\nHot.Key: 1\n")
    node.start()
    looked = node.inspect()
    assert looked["running"]["modified"] == ["configuration/ivy.yaml"]
    result = node.apply(running)
    assert result["restart_required"]
    assert result["restart_reasons"] == [
        "the engine started with other content in configuration/ivy.yaml than the release has"
    ]
    assert result["running"]["release"] is None
    node.stop()
    node.start()
    assert state(node, running) == (False, [])


@pytest.mark.parametrize("case", ["edit", "edit and restart", "edit of a pending release", "removed", "web.xml"])
def test_only_an_edit_since_the_start_is_left_to_the_controller(node: t.Any, running: t.Any, case: str) -> None:
    """Which keys were edited, the node does not know. It does know that nothing else needs a restart in that file."""
    release = running
    if case == "edit of a pending release":
        release = node.build(files(node, url=b"b"))
        node.apply(release)
    if case == "removed":
        node.path(IVY).unlink()
    else:
        node.path(WEB if case == "web.xml" else IVY).write_bytes(b"SystemDb.Url: a\nHot.Key: evil\n")
    if case == "edit and restart":
        node.stop()
        node.start()
        node.path(IVY).write_bytes(b"SystemDb.Url: a\nHot.Key: worse\n")
    found = node.inspect(release)
    assert found["restart_required"]
    reason = "configuration/ivy.yaml changed since the engine started"
    assert found["restart_undecided"] == ({"configuration/ivy.yaml": reason} if case == "edit" else {})
    assert (reason in found["restart_reasons"]) == (case not in ("removed", "web.xml"))


def test_the_same_edit_of_a_hot_file_needs_none(node: t.Any, running: t.Any) -> None:
    node.stop()
    node.path(APP).write_bytes(b"Variables: evil\n")
    node.start()
    result = node.apply(running)
    assert not result["restart_required"]
    assert result["running"]["modified"] == []
    assert result["running"]["release"] == running.id


def test_an_extra_file_that_the_engine_started_with_counts(node: t.Any, running: t.Any) -> None:
    node.stop()
    node.vendor("dropins/planted.jar", b"jar")
    node.start()
    assert node.apply(running)["restart_reasons"] == ["dropins/planted.jar was removed since the engine started"]


def test_new_and_removed_files(node: t.Any, running: t.Any) -> None:
    listed = files(node)
    del listed[WEB]
    listed["engine:dropins/valve.jar"] = node.File(b"jar", "binary", "always")
    listed["engine:configuration/applications/b/app.yaml"] = node.File(b"x: 1\n", "yaml", "never")
    assert node.apply(node.build(listed))["restart_reasons"] == [
        # The vendor's comes back, which is another content than the one that was read.
        "configuration/web.xml changed since the engine started",
        "dropins/valve.jar was added since the engine started",
    ]


def test_the_environment_counts(node: t.Any, running: t.Any) -> None:
    assert node.apply(node.build(files(node, env=b"2")))["restart_reasons"] == [
        "shared.env changed since the engine started"
    ]


def test_node_files_count_unless_they_are_declared_not_to(node: t.Any, running: t.Any) -> None:
    listed = [
        {"path": str(node.base / name), "content": name, "owner": "0", "group": "0", "restart": restart}
        for name, restart in (("jvm.options", None), ("status.conf", "never"))
    ]
    import os

    for item in listed:
        item.update(owner=str(os.geteuid()), group=str(os.getegid()))
    assert node.apply(running, node_files=listed)["restart_reasons"] == [
        f"{node.base}/jvm.options was added since the engine started"
    ]


def test_files_that_no_release_describes_have_a_restart_class(node: t.Any) -> None:
    node.record_baseline()
    release = node.build(files(node))
    node.apply(release)
    node.vendor("dropins/a.jar", b"1")
    node.vendor("configuration/log4j2.xml", b"edited")
    node.start()
    assert node.apply(release)["restart_reasons"] == ["dropins/a.jar was removed since the engine started"]


def test_another_engine_directory_is_one_reason(node: t.Any, running: t.Any) -> None:
    target = node.base / "engine-2"
    for area in ("configuration", "dropins", "patches"):
        (target / area).mkdir(parents=True)
    before, node.engine = node.engine, target
    assert node.apply(running)["restart_reasons"] == [f"the engine started from {before}, now it is {target}"]


def test_an_update_of_java_in_place_counts(node: t.Any) -> None:
    java = node.base / "java"
    java.mkdir()
    (java / "release").write_text('JAVA_VERSION="17.0.12"\n')
    then = run_state.java_state(str(java))
    (java / "release").write_text('JAVA_VERSION="17.0.13"\n')
    started = {"engine_directory": "/e", "java": then, "files": {}}
    now = run_state.Present({}, {}, "/e", run_state.java_state(str(java)), "r")
    assert run_state.reasons(started, now, {}) == [("", "Java is now 17.0.13, the engine started with 17.0.12")]
    assert run_state.reasons({**started, "java": now.java}, now, {}) == []


def test_a_unit_that_systemd_had_not_read_at_the_start_counts(node: t.Any, running: t.Any) -> None:
    node.stop()
    node.need_reload = True
    node.start()
    node.need_reload = False
    assert "systemd had loaded" in node.apply(running)["restart_reasons"][0]


@pytest.mark.parametrize("damage", ["missing", "garbage", "other start", "other boot"])
def test_without_a_usable_record_of_the_start_a_restart_is_due(
    node: t.Any, running: t.Any, damage: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = node.run / "started.json"
    if damage == "missing":
        place.unlink()
    elif damage == "garbage":
        place.write_bytes(b"{")
    elif damage == "other start":
        node.starts += 1
    else:
        monkeypatch.setattr(run_state, "boot_id", lambda: "the next boot")
    required, reasons = state(node, running)
    assert required
    assert reasons == ["nothing recorded what the engine read at its start"]


def test_an_accepted_rewriting_that_the_engine_started_with_is_the_release(node: t.Any, running: t.Any) -> None:
    node.path(APP).write_bytes(b"Variables: rewritten\n")
    node.path(IVY).write_bytes(b"'SystemDb.Url': a\nHot.Key: 1\n")
    questions = node.accept(running, judge=True)["questions"]
    node.accept(running, verdicts={one["key"]: {"digest": one["digest"], "verdict": "rewriting"} for one in questions})
    node.stop()
    node.start()
    result = node.apply(running)
    assert (result["changed"], result["restart_required"]) == (False, False)
    assert result["running"]["release"] == running.id
    # And a later change of a restart key is still seen through the rewriting.
    assert node.apply(node.build(files(node, url=b"b")))["restart_reasons"] == [
        "configuration/ivy.yaml: SystemDb.Url changed since the engine started"
    ]


def test_engine_info_reports_the_same(node: t.Any, running: t.Any) -> None:
    node.apply(node.build(files(node, url=b"b")))
    facts = look.configuration(node.settings(), str(node.store), node.unit())
    # Asked with the real place of the record of the start, which no test may write.
    assert facts["applied"] == node.build(files(node, url=b"b")).id
    assert facts["restart_required"]


def test_the_record_of_a_start_holds_no_content(node: t.Any, running: t.Any) -> None:
    text = json.dumps(run_state.read(str(node.run)))
    assert "IVY_A=" not in text
    assert "SystemDb.Url: " not in text


def test_nothing_is_written_that_could_not_be_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_state, "_LIMIT", 100)
    with pytest.raises(NodeError, match="more than 100 are not read back"):
        run_state.write({"release": "a" * 32, "files": "x" * 100}, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_another_keystore_requires_a_restart(tmp_path: Path) -> None:
    keystore = tmp_path / "engine.p12"
    keystore.write_bytes(b"former")
    started = {"engine_directory": "/e", "keystore": run_state.keystore_state(str(keystore)), "files": {}}
    keystore.write_bytes(b"new")
    now = run_state.Present({}, {}, "/e", None, "r", keystore=run_state.keystore_state(str(keystore)))
    assert run_state.reasons(started, now, {}) == [("", f"{keystore} changed since the engine started")]
    assert run_state.reasons({**started, "keystore": now.keystore}, now, {}) == []
    # An earlier version recorded none; a changed node.json is the reason where the option was changed.
    assert run_state.reasons({"engine_directory": "/e", "files": {}}, now, {}) == []
    assert run_state.keystore_state("") is None


def test_a_pipe_in_the_place_of_the_release_file_of_java_stops_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "release")
    found = run_state.java_state(str(tmp_path))
    assert found is not None
    assert found["version"] == ""
