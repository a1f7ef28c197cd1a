# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import activate, inspection
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.tests.timing import Clock

IVY = "engine:configuration/ivy.yaml"
WEB = "engine:configuration/web.xml"
APP = "engine:configuration/applications/demo/app.yaml"
ENV = "environment:shared.env"
SECRET = "secrets:ivy.Foo-Bar"


def files(node: t.Any, **changes: t.Any) -> t.Any:
    listed = {
        IVY: node.File(b"SystemDb.Url: a\nHot.Key: 1\n", "yaml", "keys"),
        WEB: node.File(b"<ours/>", "text", "always"),
        APP: node.File(b"Variables: 1\n", "yaml", "never"),
        ENV: node.File(b'IVY_A="1"\n', "text", "always", secret=True, mode="0600"),
        SECRET: node.File(b"hush", "text", "always", secret=True, mode="0440"),
    }
    for key, content in changes.items():
        listed[{"ivy": IVY, "web": WEB, "app": APP, "env": ENV}[key]].content = content
    return listed


def kinds(findings: t.Any) -> t.Any:
    return {f"{one['root']}:{one['path']}": one["kind"] for one in findings}


@pytest.fixture
def applied(node: t.Any) -> t.Any:
    node.record_baseline()
    listed = files(node)
    result = node.apply(node.build(listed))
    assert result["changed"]
    return listed


def test_the_first_activation_is_complete_and_leaves_no_drift(node: t.Any) -> None:
    node.record_baseline()
    listed = files(node)
    result = node.apply(node.build(listed))
    assert node.holds(listed)
    assert result["drift"] == []
    assert result["backup"] == ""
    assert {(one["action"], one["path"]) for one in result["actions"]} >= {("update", "configuration/web.xml")}
    assert result["applied"] == {"before": None, "after": node.build(listed).id}
    assert oct(node.path(ENV).stat().st_mode & 0o777) == "0o600"
    assert oct(node.path(SECRET).stat().st_mode & 0o777) == "0o440"
    assert oct(node.store.stat().st_mode & 0o777) == "0o700"


def test_second_run_writes_nothing(node: t.Any, applied: t.Any) -> None:
    before = node.snapshot()
    result = node.apply(node.build(applied), manifest=None, blobs={})
    assert not result["changed"]
    after = node.snapshot()
    before.pop(str(node.store / "lock"))
    after.pop(str(node.store / "lock"))
    assert after == before


def test_a_node_without_the_release_asks_for_it_and_says_what_it_has(node: t.Any, applied: t.Any) -> None:
    new = node.build(files(node, app=b"Variables: 2\n"))
    result = node.apply(new, manifest=None, blobs={})
    assert result["need_release"]
    assert result["have"]
    assert node.holds(applied)


@pytest.mark.parametrize("state", ["applied", "staged"])
def test_check_mode_writes_nothing_and_predicts_what_a_run_does(node: t.Any, applied: t.Any, state: t.Any) -> None:
    node.path(IVY).write_bytes(b"SystemDb.Url: local\nHot.Key: 1\n")
    (node.engine / "configuration/unexpected.xml").write_bytes(b"x")
    listed = files(node, app=b"Variables: 2\n")
    del listed[WEB]
    new = node.build(listed)
    before = node.snapshot()
    predicted = node.apply(new, check=True, state=state)
    assert node.snapshot() == before
    done = node.apply(new)
    wanted = predicted["activation"] if state == "staged" else predicted
    assert wanted["actions"] == done["actions"]
    assert wanted["changed"] is done["changed"] is True
    assert kinds(predicted["drift"]) == kinds(done["drift"])


def test_check_mode_on_a_host_without_anything(node: t.Any, tmp_path: Path) -> None:
    release = node.build(files(node))
    settings = node.settings(tmp_path / "not" / "there")
    result = node.apply(release, check=True, settings=settings._replace(owner="nobody-yet", group="nobody-yet"))
    assert result["changed"]
    assert not node.store.exists()


def test_staging_changes_nothing_that_is_active(node: t.Any, applied: t.Any) -> None:
    new = node.build(files(node, ivy=b"SystemDb.Url: b\nHot.Key: 1\n"))
    first = node.stage(new)
    assert first["changed"]
    assert first["activation"]["changed"]
    assert node.holds(applied)
    again = node.stage(new, manifest=None, blobs={})
    assert not again["changed"]


def test_files_that_left_the_release_go_and_the_vendors_come_back(node: t.Any, applied: t.Any) -> None:
    listed = files(node)
    del listed[WEB], listed[APP]
    result = node.apply(node.build(listed))
    assert node.path(WEB).read_bytes() == b"<vendor/>"
    assert not node.path(APP).exists()
    assert node.path("engine:configuration/applications").is_dir()
    assert result["backup"] == ""
    assert result["drift"] == []


def test_a_local_edit_is_reported_backed_up_and_reverted(node: t.Any, applied: t.Any) -> None:
    node.path(WEB).write_bytes(b"<edited/>")
    result = node.apply(node.build(applied))
    assert kinds(result["drift"]) == {WEB: "modified"}
    assert node.holds(applied)
    backup = json.loads((node.store / "backups" / os.path.basename(result["backup"]) / "list.json").read_text())
    (item,) = backup["items"]
    assert (item["root"], item["path"]) == ("engine", "configuration/web.xml")
    assert (node.store / "backups" / os.path.basename(result["backup"]) / item["file"]).read_bytes() == b"<edited/>"


def test_each_kind_of_drift_is_reported_by_its_name(node: t.Any, applied: t.Any) -> None:
    node.path(WEB).write_bytes(b"<edited/>")
    node.path(APP).unlink()
    node.path(IVY).chmod(0o666)
    (node.engine / "dropins/extra.jar").write_bytes(b"jar")
    (node.secrets / "ivy.Planted").write_bytes(b"x")
    (node.engine / "configuration/log4j2.xml").write_bytes(b"<changed/>")
    wanted = {
        WEB: "modified",
        APP: "missing",
        IVY: "attributes",
        "engine:dropins/extra.jar": "extra",
        "secrets:ivy.Planted": "extra",
        "engine:configuration/log4j2.xml": "modified",
    }
    assert kinds(node.inspect()["drift"]) == wanted
    result = node.apply(node.build(applied))
    assert kinds(result["drift"]) == wanted
    assert node.holds(applied)
    assert not (node.engine / "dropins/extra.jar").exists()
    assert (node.engine / "configuration/log4j2.xml").read_bytes() == b"<log4j/>"
    assert node.inspect()["drift"] == []


def test_no_result_holds_a_digest(node: t.Any, applied: t.Any) -> None:
    node.path(SECRET).chmod(0o644)
    node.path(ENV).write_bytes(b"IVY_A=2\n")
    text = json.dumps([node.inspect(), node.apply(node.build(applied))])
    with node.opened() as one:
        for name in one.blob_names():
            assert name not in text


def test_on_drift_fail_changes_nothing(node: t.Any, applied: t.Any) -> None:
    node.path(WEB).write_bytes(b"<edited/>")
    before = node.snapshot()
    new = node.build(files(node, app=b"Variables: 2\n"))
    node.stage(new)
    result = node.apply(new, on_drift="fail")
    assert result["failed"]
    assert "configuration/web.xml" in result["msg"]
    assert node.path(WEB).read_bytes() == b"<edited/>"
    assert node.path(APP).read_bytes() == b"Variables: 1\n"
    assert {k: v for k, v in node.snapshot().items() if "/engine/" in k} == {
        k: v for k, v in before.items() if "/engine/" in k
    }


def test_on_drift_keep_leaves_only_the_drifted_files(node: t.Any, applied: t.Any) -> None:
    node.path(WEB).write_bytes(b"<edited/>")
    result = node.apply(node.build(files(node, app=b"Variables: 2\n", web=b"<newer/>")), on_drift="keep")
    assert node.path(WEB).read_bytes() == b"<edited/>"
    assert node.path(APP).read_bytes() == b"Variables: 2\n"
    assert result["kept"] == [WEB]


def test_a_file_that_already_has_the_requested_content_is_not_drift(node: t.Any, applied: t.Any) -> None:
    node.path(WEB).write_bytes(b"<newer/>")
    listed = files(node, web=b"<newer/>")
    info = node.inspect(node.build(listed))
    assert (info["drift"], info["pending"], info["conflict"]) == ([], [], [])
    result = node.apply(node.build(listed))
    assert result["drift"] == []
    assert result["backup"] == ""


def test_pending_drift_and_conflict_are_distinguished(node: t.Any, applied: t.Any) -> None:
    node.path(WEB).write_bytes(b"<edited/>")
    node.path(APP).write_bytes(b"Variables: 9\n")
    info = node.inspect(node.build(files(node, web=b"<newer/>", ivy=b"SystemDb.Url: b\nHot.Key: 1\n")))
    assert kinds(info["drift"]) == {APP: "modified"}
    assert kinds(info["conflict"]) == {WEB: "modified"}
    assert [(one["path"], one["change"]) for one in info["pending"]] == [("configuration/ivy.yaml", "update")]


def test_applications_made_on_the_node_are_the_engines(node: t.Any, applied: t.Any) -> None:
    node.vendor("configuration/applications/other/app.yaml", b"x")
    node.vendor("configuration/applications/other/Variables/a.json", b"{}")
    node.vendor("configuration/applications/demo/stray.json", b"{}")
    result = node.apply(node.build(applied))
    assert result["engine_owned"] == [
        "configuration/applications/other/Variables/a.json",
        "configuration/applications/other/app.yaml",
    ]
    assert kinds(result["drift"]) == {"engine:configuration/applications/demo/stray.json": "extra"}
    assert (node.engine / "configuration/applications/other/app.yaml").exists()


def test_ignored_files_are_nobodys_business(node: t.Any, applied: t.Any) -> None:
    node.ignore = ("*.bak", "dropins/**")
    node.vendor("configuration/ivy.yaml.bak", b"x")
    node.vendor("dropins/deep/er.jar", b"x")
    assert not node.apply(node.build(applied))["changed"]


def test_what_the_engine_made_of_a_vendors_file_is_left_to_it(node: t.Any) -> None:
    node.vendor("configuration/keystore.p12", b"vendor")
    node.record_baseline()
    node.apply(node.build(files(node)))
    node.vendor("configuration/keystore.p12", b"made at the first start")
    result = node.apply(node.build(files(node)))
    assert (result["changed"], result["drift"]) == (False, [])
    assert result["engine_owned"] == ["configuration/keystore.p12"]
    assert (node.engine / "configuration/keystore.p12").read_bytes() == b"made at the first start"


def test_names_that_are_not_text(node: t.Any, applied: t.Any) -> None:
    place = os.fsencode(node.engine) + b"/configuration/\xff\xfe.xml"
    with open(place, "wb") as stream:
        stream.write(b"x")
    info = json.loads(json.dumps(node.inspect()))
    assert [one["path"] for one in info["drift"]] == ["configuration/\\udcff\\udcfe.xml"]
    node.start()
    result = node.apply(node.build(applied), diff=True)
    json.dumps(result).encode()
    assert result["backup"]
    assert not os.path.exists(place)


def test_a_run_in_progress_is_not_an_interruption(node: t.Any, applied: t.Any) -> None:
    with node.opened() as one, one.lock():
        one.put_intent({"release": None})
        assert not node.inspect()["interrupted"]
    assert node.inspect()["interrupted"]


def test_without_a_baseline_unknown_files_stay_and_are_reported(node: t.Any) -> None:
    result = node.apply(node.build(files(node)))
    assert "baseline" in result["warnings"][0]
    assert (node.engine / "configuration/log4j2.xml").exists()
    # Nobody knows whether the web.xml that was there is the vendor's, so it is kept.
    assert result["backup"]
    assert result["drift"] == []


def test_the_baseline_is_recorded_once_and_only_before_anything_is_applied(node: t.Any) -> None:
    assert node.record_baseline(check=True)["changed"]
    assert not node.store.exists()
    assert node.record_baseline()["changed"]
    assert not node.record_baseline()["changed"]
    node.vendor("configuration/new.xml", b"x")
    assert node.record_baseline()["changed"]
    node.apply(node.build(files(node)))
    assert not node.record_baseline()["changed"]
    with pytest.raises(NodeError, match="right after unpacking"):
        node.record_baseline("11.3.1")


def test_a_new_engine_directory_gets_everything(node: t.Any, applied: t.Any) -> None:
    target = node.base / "engine-2"
    for area in ("configuration", "dropins", "patches"):
        (target / area).mkdir(parents=True)
    (target / "configuration/web.xml").write_bytes(b"<vendor 2/>")
    node.engine = target
    node.record_baseline("11.3.1")
    result = node.apply(node.build(applied))
    assert result["changed"]
    assert result["drift"] == []
    assert result["backup"] == ""
    assert node.holds(applied)


# --- what may lie where a file should be


def test_a_directory_in_place_of_a_file_is_one_finding_and_is_kept_in_the_backup(node: t.Any, applied: t.Any) -> None:
    node.path(WEB).unlink()
    node.path(WEB).mkdir()
    (node.path(WEB) / "inner").write_bytes(b"precious")
    result = node.apply(node.build(applied))
    assert kinds(result["drift"]) == {WEB: "modified"}
    assert node.holds(applied)
    assert any(path.read_bytes() == b"precious" for path in (node.store / "backups").rglob("0*"))


def test_a_file_in_place_of_a_directory(node: t.Any, applied: t.Any) -> None:
    node.path(APP).unlink()
    node.path(APP).parent.rmdir()
    node.path(APP).parent.write_bytes(b"precious")
    result = node.apply(node.build(applied))
    assert kinds(result["drift"])[APP] == "missing"
    assert node.holds(applied)
    assert any(path.read_bytes() == b"precious" for path in (node.store / "backups").rglob("0*"))


def test_a_fifo_in_place_of_a_file_does_not_hold_the_run(node: t.Any, applied: t.Any) -> None:
    node.path(WEB).unlink()
    os.mkfifo(node.path(WEB))
    assert kinds(node.apply(node.build(applied))["drift"]) == {WEB: "modified"}
    assert node.holds(applied)


# --- links planted by the engine's user


def test_a_link_in_place_of_a_file_is_replaced_not_followed(node: t.Any, applied: t.Any, tmp_path: Path) -> None:
    outside = tmp_path / "shadow"
    outside.write_bytes(b"root only")
    outside.chmod(0o600)
    node.path(WEB).unlink()
    node.path(WEB).symlink_to(outside)
    result = node.apply(node.build(applied))
    assert kinds(result["drift"]) == {WEB: "modified"}
    assert outside.read_bytes() == b"root only"
    assert outside.stat().st_mode & 0o777 == 0o600
    assert node.holds(applied)
    assert not any(b"root only" in path.read_bytes() for path in node.store.rglob("*") if path.is_file())


def test_a_link_in_place_of_a_directory_is_replaced_not_followed(node: t.Any, applied: t.Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.yaml").write_bytes(b"not ours")
    node.path(APP).unlink()
    node.path(APP).parent.rmdir()
    node.path(APP).parent.symlink_to(outside)
    node.apply(node.build(files(node, app=b"Variables: 3\n")))
    assert (outside / "app.yaml").read_bytes() == b"not ours"
    assert not node.path(APP).parent.is_symlink()
    assert node.path(APP).read_bytes() == b"Variables: 3\n"


def test_a_link_in_place_of_a_whole_area_is_refused(node: t.Any, applied: t.Any, tmp_path: Path) -> None:
    (node.engine / "dropins").rmdir()
    (node.engine / "dropins").symlink_to(tmp_path)
    with pytest.raises(NodeError, match="dropins in the engine's directory is not a directory"):
        node.apply(node.build(applied))


def test_a_planted_temporary_name_is_not_written_through(node: t.Any, applied: t.Any, tmp_path: Path) -> None:
    from ansible_collections.ivy.cluster.plugins.module_utils.node.files.atomic import temporary_name

    victim = tmp_path / "victim"
    victim.write_bytes(b"safe")
    (node.path(WEB).parent / temporary_name("web.xml")).symlink_to(victim)
    node.apply(node.build(files(node, web=b"<newer/>")))
    assert victim.read_bytes() == b"safe"
    assert node.path(WEB).read_bytes() == b"<newer/>"


def test_a_hard_link_to_a_foreign_file_keeps_its_attributes(node: t.Any, applied: t.Any, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"<ours/>")
    foreign.chmod(0o600)
    node.path(WEB).unlink()
    os.link(foreign, node.path(WEB))
    node.apply(node.build(applied))
    assert foreign.stat().st_mode & 0o777 == 0o600
    assert node.path(WEB).stat().st_mode & 0o777 == 0o640
    assert foreign.stat().st_ino != node.path(WEB).stat().st_ino


def test_a_link_above_the_roots_counts_only_where_it_is_trusted(node: t.Any, applied: t.Any) -> None:
    link = node.base / "current"
    link.symlink_to(node.engine)
    assert not node.apply(node.build(applied), settings=node.settings(link))["changed"]
    node.base.chmod(0o777)
    try:
        with pytest.raises(NodeError, match="symbolic link in a directory that others may write"):
            node.apply(node.build(applied), settings=node.settings(link))
    finally:
        node.base.chmod(0o755)


def test_a_world_writable_directory_is_fixed(node: t.Any, applied: t.Any) -> None:
    node.path(APP).parent.chmod(0o777)
    result = node.apply(node.build(applied))
    assert [(one["action"], one["path"]) for one in result["actions"]] == [
        ("attributes", "configuration/applications/demo")
    ]
    assert kinds(result["drift"]) == {"engine:configuration/applications/demo/": "attributes"}
    assert node.inspect()["drift"] == []
    assert not node.path(APP).parent.stat().st_mode & 0o002


# --- the store


def test_a_store_that_others_may_read_is_refused(node: t.Any, applied: t.Any) -> None:
    node.store.chmod(0o755)
    with pytest.raises(NodeError, match="chmod 0700"):
        node.apply(node.build(applied))


def test_a_store_of_a_newer_version_is_refused(node: t.Any, applied: t.Any) -> None:
    (node.store / "format.json").write_text('{"format": 99}')
    with pytest.raises(NodeError, match="newer version"):
        node.apply(node.build(applied))


@pytest.mark.parametrize("name", ["applied.json", "accepted.json", "intent.json", "baseline/11.3.0.json"])
def test_a_damaged_file_of_the_store_is_named(node: t.Any, applied: t.Any, name: t.Any) -> None:
    (node.store / name).write_bytes(b"{ half")
    with pytest.raises(NodeError, match=name):
        node.apply(node.build(applied))


def test_a_damaged_blob_does_not_reach_the_engine(node: t.Any, applied: t.Any) -> None:
    for blob in (node.store / "blobs").iterdir():
        blob.write_bytes(b"rot")
    node.path(WEB).write_bytes(b"<edited/>")
    with pytest.raises(NodeError, match="damaged"):
        node.apply(node.build(applied))
    assert node.path(WEB).read_bytes() == b"<edited/>"


def test_a_lost_blob_is_asked_for_again(node: t.Any, applied: t.Any) -> None:
    for blob in (node.store / "blobs").iterdir():
        blob.unlink()
    node.path(WEB).write_bytes(b"<edited/>")
    assert node.apply(node.build(applied), manifest=None, blobs={})["need_release"]
    node.apply(node.build(applied))
    assert node.holds(applied)


def test_a_manifest_damaged_in_transit_is_refused(node: t.Any) -> None:
    release = node.build(files(node))
    with pytest.raises(NodeError, match="in transit"):
        node.apply(release, manifest=release.manifest.replace(b"demo", b"dem0"))


def test_old_releases_backups_and_blobs_go(node: t.Any, applied: t.Any) -> None:
    for number in range(6):
        node.path(APP).write_bytes(f"local {number}".encode())
        node.apply(node.build(files(node, app=f"Variables: {number}\n".encode())), keep_releases=2, keep_backups=2)
    with node.opened() as one:
        assert len(one.releases()) == 2
        assert len(one._names("backups")) == 2
        assert len(one.blob_names()) == 5 + 1 + 2


@pytest.mark.parametrize("keep", [1, 2])
def test_a_release_that_was_staged_stays_when_another_is_activated(node: t.Any, applied: t.Any, keep: int) -> None:
    staged, other = (node.build(files(node, app=f"Variables: {number}\n".encode())) for number in (2, 3))
    node.stage(staged, keep_releases=keep)
    node.apply(other, keep_releases=keep)
    with node.opened() as store:
        assert staged.id in store.releases()
    # It needs nothing from the controller.
    assert node.apply(staged, manifest=None, blobs={}, keep_releases=keep)["changed"]


def test_a_release_that_was_applied_once_does_not_stay_for_that(node: t.Any, applied: t.Any) -> None:
    made = [node.build(files(node, app=f"Variables: {number}\n".encode())) for number in range(2, 6)]
    for release in made:
        node.apply(release, keep_releases=1)
    with node.opened() as store:
        assert set(store.releases()) == {release.id for release in made[-2:]}


def test_a_clock_that_was_moved_back_costs_no_backup(node: t.Any, applied: t.Any) -> None:
    (node.store / "backups/20990101T000000Z").mkdir()
    (node.store / "backups/20990101T000000Z/list.json").write_text("{}")
    made = []
    for number in range(3):
        node.path(WEB).write_bytes(f"edit {number}".encode())
        made.append(os.path.basename(node.apply(node.build(applied), keep_backups=2)["backup"]))
    assert made == [f"20990101T000000Z.0000000{number}" for number in (1, 2, 3)]
    kept = [path.read_bytes() for path in (node.store / "backups").rglob("0*") if path.is_file()]
    assert sorted(kept) == [b"edit 1", b"edit 2"]


def test_two_runs_at_once_do_not_meet(node: t.Any, applied: t.Any, clock: Clock) -> None:
    with (
        node.opened() as store,
        store.lock(),
        node.opened() as other,
        pytest.raises(NodeError, match="Another run holds"),
        other.lock(seconds=60),
    ):
        pass
    assert sum(clock.naps) == pytest.approx(60, abs=0.2)


def test_a_full_disk_is_seen_before_the_first_write(
    node: t.Any, applied: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activate, "_free", lambda _path: (1, 1000))
    with pytest.raises(NodeError, match="not enough space"):
        node.apply(node.build(files(node, web=b"<newer/>")))
    assert node.holds(applied)


# --- node files


def node_file(node: t.Any, content: str = "LANG=C\n", **more: t.Any) -> dict[str, t.Any]:
    return {
        "path": str(node.base / "made/node.env"),
        "content": content,
        "mode": "0600",
        "owner": str(os.geteuid()),
        "group": str(os.getegid()),
        **more,
    }


def test_node_files_are_written_checked_and_restored(node: t.Any, applied: t.Any) -> None:
    release = node.build(applied)
    listed = [node_file(node)]
    place = node.base / "made/node.env"
    assert node.apply(release, node_files=listed)["changed"]
    assert place.read_text() == "LANG=C\n"
    assert place.stat().st_mode & 0o777 == 0o600
    assert not node.apply(release, node_files=listed)["changed"]
    place.write_text("edited")
    assert kinds(node.inspect()["drift"]) == {f"node:{place}": "modified"}
    result = node.apply(release, node_files=listed)
    assert kinds(result["drift"]) == {f"node:{place}": "modified"}
    assert place.read_text() == "LANG=C\n"
    changed = node.apply(release, node_files=[node_file(node, "LANG=D\n")])
    assert (changed["drift"], changed["changed"]) == ([], True)


def test_without_the_option_node_files_stay_and_an_empty_list_removes_them(node: t.Any, applied: t.Any) -> None:
    release = node.build(applied)
    node.apply(release, node_files=[node_file(node)])
    assert not node.apply(release)["changed"]
    assert (node.base / "made/node.env").exists()
    node.apply(release, node_files=[])
    assert not (node.base / "made/node.env").exists()


def test_the_node_files_before_are_restored_with_the_release_before(node: t.Any, applied: t.Any) -> None:
    first, second = node.build(applied), node.build(files(node, web=b"<newer/>"))
    place = node.base / "made/node.env"
    other = node_file(node, path=str(node.base / "made/jvm.options"))
    assert node.apply(first, node_files=[node_file(node)])["node_files_changed"]
    # A run that changes nothing, or only the release, does not forget them.
    assert not node.apply(first, node_files=[node_file(node)])["node_files_changed"]
    assert node.apply(second, node_files=[node_file(node, "LANG=D\n"), other])["node_files_changed"]
    assert not node.apply(second, node_files=[node_file(node, "LANG=D\n"), other])["node_files_changed"]

    result = node.apply(first, previous_node_files=True)

    assert result["node_files_changed"]
    assert place.read_text() == "LANG=C\n"
    assert not Path(other["path"]).exists()
    assert node.holds(applied)
    assert kinds(node.inspect()["drift"]) == {}
    # They are what the node has now.
    assert not node.apply(first)["changed"]


def test_node_files_whose_content_is_lost_are_not_restored(node: t.Any, applied: t.Any) -> None:
    release = node.build(applied)
    node.apply(release, node_files=[node_file(node)])
    node.apply(release, node_files=[node_file(node, "LANG=D\n")])
    digest = hashlib.sha256(b"LANG=C\n").hexdigest()
    (node.store / "blobs" / digest).unlink()
    with pytest.raises(NodeError, match="does not have the earlier content"):
        node.apply(release, previous_node_files=True)
    assert (node.base / "made/node.env").read_text() == "LANG=D\n"


def test_a_node_file_over_a_vendors_file(node: t.Any, applied: t.Any) -> None:
    place = str(node.engine / "configuration/log4j2.xml")
    release = node.build(applied)
    result = node.apply(release, node_files=[node_file(node, "mine", path=place)])
    assert result["backup"] == ""
    assert node.apply(release, node_files=[node_file(node, "mine", path=place)])["actions"] == []
    node.apply(release, node_files=[])
    assert (node.engine / "configuration/log4j2.xml").read_bytes() == b"<log4j/>"


def test_content_of_a_node_file_is_asked_for_only_when_it_is_missing(node: t.Any, applied: t.Any) -> None:
    release = node.build(applied)
    import hashlib

    short = {k: v for k, v in node_file(node).items() if k != "content"}
    short["sha256"] = hashlib.sha256(b"LANG=C\n").hexdigest()
    assert node.apply(release, node_files=[short], manifest=None, blobs={})["need_contents"]
    node.apply(release, node_files=[node_file(node)])
    assert not node.apply(release, node_files=[short])["changed"]
    (node.base / "made/node.env").unlink()
    assert node.apply(release, node_files=[short])["changed"]
    assert (node.base / "made/node.env").read_text() == "LANG=C\n"


def test_all_invalid_node_files_are_reported(node: t.Any, applied: t.Any) -> None:
    with pytest.raises(NodeError, match=r"relative.*listed twice.*octal"):
        node.apply(
            node.build(applied),
            node_files=[
                node_file(node, path="relative"),
                node_file(node),
                node_file(node),
                node_file(node, path="/tmp/x", mode="rw"),
            ],
        )


# --- meaning


def test_yaml_that_only_looks_different_is_asked_about_and_accepted(node: t.Any, applied: t.Any) -> None:
    release = node.build(applied)
    node.path(IVY).write_bytes(b"'SystemDb.Url':   a\nHot.Key: 1\n")
    asked = node.apply(release, judge=True)
    assert not asked["changed"]
    (question,) = asked["questions"]
    verdicts = {question["key"]: {"digest": question["digest"], "verdict": "same"}}
    result = node.apply(release, verdicts=verdicts)
    assert (result["drift"], result["changed"]) == ([], False)
    assert node.path(IVY).read_bytes() == b"'SystemDb.Url':   a\nHot.Key: 1\n"
    assert not node.apply(release, judge=True).get("questions")
    assert node.inspect(judge=True)["drift"] == []


def test_a_judgement_counts_only_for_the_bytes_that_were_judged(node: t.Any, applied: t.Any) -> None:
    release = node.build(applied)
    node.path(IVY).write_bytes(b"'SystemDb.Url':   a\n")
    (question,) = node.apply(release, judge=True)["questions"]
    node.path(IVY).write_bytes(b"SystemDb.Url: evil\n")
    verdicts = {question["key"]: {"digest": question["digest"], "verdict": "same"}}
    result = node.apply(release, verdicts=verdicts)
    assert kinds(result["drift"]) == {IVY: "modified"}
    assert node.holds(applied)


def test_the_engines_rewriting_is_accepted_at_the_gate_only(node: t.Any, applied: t.Any) -> None:
    listed = files(node, app=b'Password: "${encrypt:x}"\n')
    release = node.build(listed)
    node.apply(release)
    node.path(APP).write_bytes(b'Password: "${decrypt:abc}"\n')
    (question,) = node.accept(release, judge=True)["questions"]
    verdicts = {question["key"]: {"digest": question["digest"], "verdict": "rewriting"}}
    # In an ordinary run the same difference is somebody's edit.
    assert kinds(node.apply(release, check=True, verdicts=verdicts)["drift"]) == {APP: "modified"}
    assert node.accept(release, verdicts=verdicts)["accepted"] == ["configuration/applications/demo/app.yaml"]
    assert not node.apply(release)["changed"]
    # The next release has the same file there, so it is still as wanted.
    listed[WEB].content = b"<newer/>"
    result = node.apply(node.build(listed))
    assert [one["path"] for one in result["actions"]] == ["configuration/web.xml"]
    node.path(APP).write_bytes(b'Password: "${decrypt:other}"\n')
    assert kinds(node.apply(node.build(listed), check=True)["drift"]) == {APP: "modified"}


def test_the_wait_for_the_engines_rewriting_ends_with_it(node: t.Any, applied: t.Any, monkeypatch: t.Any) -> None:
    release = node.build(files(node, app=b'Password: "${encrypt:x}"\n'))
    node.apply(release)
    waits: list[float] = []

    def engine_rewrites(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            node.path(APP).write_bytes(b'Password: "${decrypt:abc}"\n')

    monkeypatch.setattr("time.sleep", engine_rewrites)
    inspection.await_rewriting(node.request(release), 60)
    assert len(waits) == 3
    # An engine that only reads its files is not waited for without end, and one with nothing to rewrite not at all.
    waits.clear()
    node.path(APP).write_bytes(b'Password: "${encrypt:x}"\n')
    inspection.await_rewriting(node.request(release), 0)
    assert waits == []
    node.apply(node.build(files(node)))
    inspection.await_rewriting(node.request(release), 60)
    assert waits == []


def test_an_unfinished_file_alone_does_not_leave_an_activation_open(node: t.Any, applied: t.Any) -> None:
    leftover = node.engine / "configuration" / atomic.temporary_name("ivy.yaml")
    leftover.write_bytes(b"half")
    node.apply(node.build(applied))
    assert not leftover.exists()
    assert node.opened().intent() == {}
