# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on a node, and what somebody with the engine's rights can do to it: a clear end, nothing lost."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import os
import re
import shutil
import stat
import time
import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import fence, record
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import activate, describe, payload, request
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic, manifest, scan
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store

IVY = "engine:configuration/ivy.yaml"
WEB = "engine:configuration/web.xml"
APP = "engine:configuration/applications/demo/app.yaml"
DEEP = "engine:configuration/faces/a/b/page.xml"
ENV = "environment:shared.env"
SECRET = "secrets:ivy.X-Y"
EDIT = b"<edited by hand/>"


def files(node: t.Any, web: bytes = b"<ours/>", ivy: bytes = b"SystemDb.Url: a\n") -> dict[str, t.Any]:
    return {
        IVY: node.File(ivy, "yaml", "keys"),
        WEB: node.File(web, "text", "always"),
        APP: node.File(b"Variables: 1\n" if web == b"<ours/>" else b"Variables: 2\n", "yaml", "never"),
        DEEP: node.File(b"<page/>" + web, "text", "always"),
        ENV: node.File(b'IVY_A="1"\n' + web, "text", "always", secret=True, mode="0600"),
        SECRET: node.File(b"s" + web, "text", "always", secret=True, mode="0440"),
    }


def newer(node: t.Any) -> dict[str, t.Any]:
    return files(node, web=b"<newer/>", ivy=b"SystemDb.Url: b\n")


@pytest.fixture
def applied(node: t.Any) -> t.Any:
    node.record_baseline()
    node.apply(node.build(files(node)))
    node.path(WEB).write_bytes(EDIT)
    return node


def edit_is_safe(node: t.Any) -> bool:
    kept = [path.read_bytes() for path in (node.store / "backups").rglob("0*") if path.is_file()]
    return node.path(WEB).read_bytes() == EDIT or EDIT in kept


def refusal(operation: t.Callable[[], t.Any]) -> str:
    """Why an operation was refused; any other end than that or success is an error."""
    try:
        operation()
    except NodeError as exc:
        return str(exc)
    return ""


# --- the store

JUNK = {
    "empty": b"",
    "truncated": b'{"release": "0123',
    "a list": b"[]",
    "no text": b"\xff\xfe",
    "too deep": b'{"a":' * 100000,
    "a number as release": b'{"release": 5, "files": [], "artefacts": 1}',
    "no release id": b'{"release": "../../etc", "files": {"a": 1}, "artefacts": []}',
    "entries of a wrong kind": b'{"node_files": {"/x": 1}, "files": {"a": {"b": 1}}, "artefacts": 5}',
    "a list of node files": b'{"node_files": [1], "files": [1], "artefacts": [1], "format": "x"}',
    "newer": b'{"format": 99, "node_files": {}, "files": {}, "artefacts": {}}',
}
PLACES = ("applied.json", "intent.json", "accepted.json", "applications.json", "format.json", "baseline/11.3.0.json")


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("place", PLACES)
def test_a_damaged_file_of_the_store_ends_in_words_and_its_advice_works(
    applied: t.Any, place: str, content: bytes
) -> None:
    release = applied.build(newer(applied))
    (applied.store / place).write_bytes(content)
    reported = [
        refusal(lambda: applied.inspect(release)),
        refusal(lambda: applied.accept(release)),
        refusal(lambda: applied.opened().applications()),
        refusal(lambda: applied.apply(release, check=True)),
        refusal(lambda: applied.apply(release)),
    ]
    # Some of the junk is nothing that this very file would hold, and harms nobody.
    assert any(reported) or content in (JUNK["entries of a wrong kind"], JUNK["no release id"])
    for text in filter(None, reported):
        assert place.split("/")[-1] in text or str(applied.store) in text
        assert "Move the file away" in text or "newer version" in text
    assert edit_is_safe(applied)
    (applied.store / place).rename(applied.store / "moved away")
    applied.apply(release)
    assert applied.holds(newer(applied))
    assert edit_is_safe(applied)
    assert applied.start() == ""


@pytest.mark.parametrize("which", ["applied", "wanted"])
@pytest.mark.parametrize("content", [b"", b'{"format": 1}', b'{"form'])
def test_a_damaged_manifest_is_named_and_its_advice_works(applied: t.Any, which: str, content: bytes) -> None:
    release = applied.build(newer(applied))
    applied.stage(release)
    damaged = applied.build(files(applied)) if which == "applied" else release
    directory = applied.store / "releases" / damaged.id
    (directory / "manifest.json").write_bytes(content)
    with pytest.raises(NodeError) as caught:
        applied.apply(release)
    assert f"Remove the directory {directory}" in str(caught.value)
    assert edit_is_safe(applied)
    shutil.rmtree(directory)
    if which == "applied":
        (applied.store / "applied.json").unlink()
    applied.apply(release)
    assert applied.holds(newer(applied))
    assert edit_is_safe(applied)


def test_a_damaged_release_that_nobody_needs_hinders_nothing_and_goes(applied: t.Any) -> None:
    third = applied.build(files(applied, web=b"<third/>"))
    applied.stage(third)
    (applied.store / "releases" / third.id / "manifest.json").write_bytes(b"{")
    applied.apply(applied.build(newer(applied)))
    assert applied.holds(newer(applied))
    assert not (applied.store / "releases" / third.id).exists()


def test_a_damaged_or_lost_blob_of_what_was_applied_keeps_nobody_from_applying(applied: t.Any) -> None:
    listed = files(applied)
    applied.path(IVY).write_bytes(b"SystemDb.Url: local\n")
    digest = hashlib.sha256(listed[IVY].content).hexdigest()
    for content in (b"junk", None):
        blob = applied.store / "blobs" / digest
        blob.write_bytes(content) if content is not None else blob.unlink()
        looked = applied.inspect(judge=True)
        assert "questions" not in looked
        assert "configuration/ivy.yaml" in {item["path"] for item in looked["drift"]}
    applied.apply(applied.build(listed))
    assert applied.holds(listed)


def test_half_a_line_of_the_journal_does_not_damage_the_next(applied: t.Any) -> None:
    journal = applied.store / "journal.jsonl"
    with journal.open("ab") as stream:
        stream.write(b'{"event": "half a li')
    applied.apply(applied.build(newer(applied)))
    lines = journal.read_text().splitlines()
    broken = [line for line in lines if not line.endswith("}")]
    assert broken == ['{"event": "half a li']
    assert [json.loads(line)["event"] for line in lines if line not in broken][-2:] == ["begin", "applied"]


def test_the_journal_is_shortened_between_lines(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.ivy.cluster.plugins.module_utils.node.store.store._JOURNAL_SIZE", 400)
    for number in range(6):
        applied.apply(applied.build(files(applied, web=f"<{number}/>".encode())))
    text = (applied.store / "journal.jsonl").read_text()
    assert len(text) < 1000
    assert [json.loads(line) for line in text.splitlines()]


def test_a_store_that_is_a_file_or_a_link_is_refused(applied: t.Any, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    applied.store.rename(elsewhere)
    applied.store.write_bytes(b"")
    with pytest.raises(NodeError, match="is not a directory"):
        applied.apply(applied.build(newer(applied)))
    applied.store.unlink()
    elsewhere.chmod(0o750)
    applied.store.symlink_to(elsewhere)
    with pytest.raises(NodeError, match="mode 0750"):
        applied.apply(applied.build(newer(applied)))


# --- the clock


def test_a_clock_that_was_moved_back_lets_the_newest_releases_stay(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    future = time.time() + 10**8
    for path in (applied.store / "releases").glob("*/manifest.json"):
        os.utime(path, (future, future))
    made = []
    for number in range(4):
        made.append(applied.build(files(applied, web=f"<{number}/>".encode())))
        applied.apply(made[-1], keep_releases=3)
    with applied.opened() as store:
        assert set(store.releases()) == {release.id for release in made[-3:]}


def test_more_backups_than_anybody_expects_with_one_time_keep_their_order(applied: t.Any) -> None:
    (applied.store / "backups/20990101T000000Z.00009999").mkdir()
    for _number in range(2):
        with applied.opened() as store:
            store.backup(lambda collector: collector.add(store.tree.fd, "format.json", "engine", "web.xml"))
    names = sorted(path.name for path in (applied.store / "backups").iterdir())
    assert names[-2:] == ["20990101T000000Z.00010000", "20990101T000000Z.00010001"]


def test_a_file_may_have_any_time(applied: t.Any) -> None:
    assert describe.timestamp_text(2.0**62) == "unknown"
    assert describe.timestamp_text(float("inf")) == "unknown"
    os.utime(applied.path(WEB), (1, 1))
    (finding,) = applied.inspect()["drift"]
    assert finding["modified"] == "1970-01-01T00:00:01Z"
    applied.apply(applied.build(files(applied)))
    assert edit_is_safe(applied)


# --- the disk


def failing(monkeypatch: pytest.MonkeyPatch, name: str, number: int, when: t.Callable[..., bool]) -> None:
    real = getattr(os, name)

    def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
        if when(*args, **kwargs):
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, call)


def test_a_disk_that_fills_up_before_anything_was_replaced_leaves_a_node_that_may_start(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied.path(WEB).write_bytes(files(applied)[WEB].content)
    with monkeypatch.context() as patch:
        inside = {os.stat(applied.engine / "configuration").st_ino}
        failing(
            patch,
            "open",
            errno.ENOSPC,
            lambda _path, flags, *_rest, **named: bool(
                flags & os.O_CREAT and "dir_fd" in named and os.fstat(named["dir_fd"]).st_ino in inside
            ),
        )
        place = re.escape(str(applied.engine / "configuration/"))
        with pytest.raises(NodeError, match=rf"{place}\S+: No space left on device.* No file was replaced"):
            applied.apply(applied.build(newer(applied)))
    assert applied.holds(files(applied))
    assert not applied.opened().intent()
    assert applied.start() == ""
    assert not list(applied.base.rglob(".ivy-cluster-*"))
    applied.apply(applied.build(newer(applied)))
    assert applied.holds(newer(applied))


@pytest.mark.parametrize("by_start", [True, False], ids=["start", "run"])
def test_a_disk_that_fails_half_way_leaves_the_rest_to_the_next_start_or_run(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch, by_start: bool
) -> None:
    with monkeypatch.context() as patch:
        seen: list[int] = []

        def third(directory: int, old: str, new: str, flags: int) -> None:
            seen.append(1)
            if len(seen) > 2:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), new)
            real(directory, old, new, flags)

        real = atomic.rename_at
        patch.setattr(atomic, "rename_at", third)
        with pytest.raises(NodeError, match=r"Read-only file system.*The next run, or the next start"):
            applied.apply(applied.build(newer(applied)))
    assert edit_is_safe(applied)
    assert applied.inspect()["interrupted"] is True
    if by_start:
        assert applied.start() == ""
    else:
        result = applied.apply(applied.build(newer(applied)))
        assert result["interrupted"] is True
    assert applied.holds(newer(applied))
    assert applied.start() == ""


def test_data_that_did_not_reach_the_disk_end_the_activation(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(activate, "BATCH", 0)
        patch.setattr(atomic, "sync_filesystem", fail)
        with pytest.raises(NodeError, match=r"Input/output error.*No file was replaced"):
            applied.apply(applied.build(newer(applied)))
    assert applied.path(WEB).read_bytes() == EDIT
    assert not list(applied.engine.rglob(".ivy-cluster-*"))
    applied.apply(applied.build(newer(applied)))
    assert applied.holds(newer(applied))


class ReadOnly(t.NamedTuple):
    f_flag: int
    f_bavail: int
    f_frsize: int


def test_a_file_system_mounted_read_only_is_seen_before_the_first_write(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = applied.snapshot()
    monkeypatch.setattr(os, "statvfs", lambda _path: ReadOnly(os.ST_RDONLY, 10**9, 4096))
    release = applied.build(files(applied))
    with pytest.raises(NodeError, match="mounted read-only"):
        applied.apply(release)
    after = applied.snapshot()
    assert {path: one for path, one in after.items() if not path.endswith("/lock")} == {
        path: one for path, one in before.items() if not path.endswith("/lock")
    }


def test_a_store_that_cannot_be_written_is_named(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "open", errno.EROFS, lambda _path, flags, *_rest, **_named: bool(flags & os.O_CREAT))
    with pytest.raises(
        NodeError, match=r"The store .* cannot be written \(Read-only file system\). Nothing was changed"
    ):
        applied.apply(applied.build(newer(applied)))


# --- edits and links while we work


@pytest.mark.parametrize("content", [b"made by hand", b"released"])
def test_a_file_made_during_the_activation_is_not_overwritten(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    other = content != b"released"
    key = "engine:configuration/made.xml"
    release = applied.build({**newer(applied), key: applied.File(b"released")})
    real = activate.Executor.backup

    def backup_then_make(self: t.Any, actions: t.Any) -> str:
        saved = real(self, actions)
        applied.path(key).write_bytes(content)
        return saved

    with monkeypatch.context() as patch:
        patch.setattr(activate.Executor, "backup", backup_then_make)
        if other:
            with pytest.raises(NodeError, match=r"made\.xml was changed on the node while.*No file was replaced"):
                applied.apply(release)
            assert applied.path(key).read_bytes() == content
    applied.apply(release)
    assert applied.path(key).read_bytes() == b"released"
    saved = [path.read_bytes() for path in (applied.store / "backups").glob("*/0*")]
    assert (b"made by hand" in saved) == other


def test_an_edit_made_during_the_activation_is_not_overwritten(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    applied.path(WEB).write_bytes(files(applied)[WEB].content)
    real = activate.Executor.backup

    def edit_then_backup(self: t.Any, actions: t.Any) -> str:
        saved = real(self, actions)
        applied.path(WEB).write_bytes(EDIT)
        return saved

    with monkeypatch.context() as patch:
        patch.setattr(activate.Executor, "backup", edit_then_backup)
        with pytest.raises(NodeError, match=r"web\.xml was changed on the node while"):
            applied.apply(applied.build(newer(applied)))
    assert applied.path(WEB).read_bytes() == EDIT
    assert not list(applied.base.rglob(".ivy-cluster-*"))
    result = applied.apply(applied.build(newer(applied)))
    assert [item["path"] for item in result["drift"]] == ["configuration/web.xml"]
    assert edit_is_safe(applied)
    assert applied.holds(newer(applied))


def test_to_keep_a_blocking_file_is_rejected_before_anything_is_written(applied: t.Any) -> None:
    applied.path(WEB).write_bytes(files(applied)[WEB].content)
    blocker = applied.engine / "configuration/new"
    blocker.write_bytes(EDIT)
    listed = {**files(applied), "engine:configuration/new/page.xml": applied.File(b"<page/>")}
    before = applied.snapshot()
    for check in (True, False):
        with pytest.raises(NodeError, match=r"in place of engine:configuration/new on the node\. Nothing was changed"):
            applied.apply(applied.build(listed), on_drift="keep", check=check)
    changed = {path for path, one in applied.snapshot().items() if before.get(path) != one}
    assert not [path for path in changed if not path.startswith(str(applied.store))]
    assert not applied.opened().intent()
    applied.apply(applied.build(listed))
    assert EDIT in [path.read_bytes() for path in (applied.store / "backups").rglob("0*") if path.is_file()]


def test_directories_without_end_are_refused_in_words(applied: t.Any) -> None:
    fd = os.open(applied.engine / "configuration", os.O_RDONLY)
    for _level in range(scan.DEEPEST + 5):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    with pytest.raises(NodeError, match="nested more than"):
        applied.inspect()
    with pytest.raises(NodeError, match="nested more than"):
        applied.apply(applied.build(newer(applied)))
    assert applied.path(WEB).read_bytes() == EDIT


@pytest.mark.parametrize("error", [RecursionError("deep"), MemoryError(), KeyError("x"), UnicodeError("y")])
@pytest.mark.parametrize("step", ["_clean", "_prepare", "_put", "_check_unchanged"])
def test_an_error_of_any_kind_before_the_first_replacement_leaves_no_intent(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(activate.Executor, step, ends_with(error))
        with pytest.raises(NodeError, match=rf"could not be activated: {type(error).__name__}.*No file was replaced"):
            applied.apply(applied.build(newer(applied)))
    assert not applied.opened().intent()
    assert applied.start() == ""
    assert edit_is_safe(applied)
    applied.stop()
    applied.apply(applied.build(newer(applied)))
    assert applied.holds(newer(applied))


def test_an_error_of_any_kind_after_the_first_replacement_keeps_the_intent(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(activate.Executor, "_sync_directories", ends_with(RecursionError("deep")))
        with pytest.raises(NodeError, match=r"RecursionError: deep.*Some files were already replaced"):
            applied.apply(applied.build(newer(applied)))
    assert applied.opened().intent()
    applied.apply(applied.build(newer(applied)))
    assert applied.holds(newer(applied))


def ends_with(error: Exception) -> t.Callable[..., t.Any]:
    def fail(*_arguments: t.Any, **_more: t.Any) -> t.NoReturn:
        raise error

    return fail


def outside_of(node: t.Any) -> Path:
    """What somebody with the engine's rights would like to have written, or to read."""
    outside = Path(node.base) / "outside"
    outside.mkdir()
    outside.chmod(0o700)
    for name in ("victim", "app.yaml", "web.xml", "page.xml", "ivy.yaml"):
        (outside / name).write_bytes(b"of root only")
        (outside / name).chmod(0o600)
    return outside


def look(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_uid, path.read_bytes() if path.is_file() else b"")
        for path in [directory, *directory.rglob("*")]
    }


def swap_directory(node: t.Any, outside: Path) -> None:
    place = node.engine / "configuration/applications/demo"
    if place.is_dir() and not place.is_symlink():
        place.rename(node.engine / "aside")
        place.symlink_to(outside)


def swap_deep_directory(node: t.Any, outside: Path) -> None:
    place = node.engine / "configuration/faces"
    if place.is_dir() and not place.is_symlink():
        place.rename(node.engine / "aside")
        place.symlink_to(outside)


def swap_area(node: t.Any, outside: Path) -> None:
    (node.engine / "configuration").rename(node.engine / "aside")
    (node.engine / "configuration").symlink_to(outside)


def link_temporary_names(node: t.Any, outside: Path) -> None:
    for place in (node.path(WEB), node.path(IVY)):
        temporary = place.with_name(atomic.temporary_name(place.name))
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(outside / "victim")


def link_files(node: t.Any, outside: Path) -> None:
    node.path(WEB).unlink(missing_ok=True)
    node.path(WEB).symlink_to(outside / "victim")


def hard_link_files(node: t.Any, outside: Path) -> None:
    for key in (WEB, IVY, APP):
        node.path(key).unlink(missing_ok=True)
        os.link(outside / "victim", node.path(key))


def fifos(node: t.Any, outside: Path) -> None:
    for key in (WEB, APP):
        node.path(key).unlink(missing_ok=True)
        os.mkfifo(node.path(key))


def directories(node: t.Any, outside: Path) -> None:
    node.path(WEB).unlink(missing_ok=True)
    node.path(WEB).mkdir()
    (node.path(WEB) / "link").symlink_to(outside)


ACTS = (
    swap_directory,
    swap_deep_directory,
    swap_area,
    link_temporary_names,
    link_files,
    hard_link_files,
    fifos,
    directories,
)
MOMENTS = ("open", "rename", "unlink", "fchmod", "mkdir", "stat")


class Adversary:
    """Does one thing to the tree at one moment of somebody else's work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, act: t.Callable[[], None]) -> None:
        self.at, self.act = at, act
        self.count = 0
        self.busy = False
        for name in MOMENTS:
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name)))

    def _wrapped(self, real: t.Any) -> t.Any:
        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            if not self.busy:
                self.count += 1
                if self.count == self.at:
                    self.busy = True
                    self.act()
                    self.busy = False
            return real(*args, **kwargs)

        return call


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_whoever_owns_the_engines_user_can_neither_write_nor_read_outside(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, act: t.Any
) -> None:
    """At every few steps of an activation, something is planted; nothing outside changes or becomes readable."""
    kind = type(node)

    def prepared(base: Path) -> t.Any:
        one = kind(base)
        one.record_baseline()
        one.apply(one.build(files(one)))
        one.path(IVY).chmod(0o604)
        return one

    probe = prepared(tmp_path_factory.mktemp("probe"))
    with monkeypatch.context() as patch:
        counter = Adversary(patch, -1, lambda: None)
        probe.apply(probe.build(newer(probe)))
    acted = 0
    for at in range(1, counter.count, 5):
        one = prepared(tmp_path_factory.mktemp("planted"))
        outside = outside_of(one)
        before = look(outside)
        with monkeypatch.context() as patch:
            adversary = Adversary(patch, at, functools.partial(act, one, outside))
            with contextlib.suppress(NodeError, OSError):
                one.apply(one.build(newer(one)))
            acted += adversary.count >= at
        assert look(outside) == before
        for path in one.base.rglob("*"):
            # Nobody's secret was copied to where others may read it.
            info = path.lstat()
            if outside in path.parents or not stat.S_ISREG(info.st_mode) or one.store in path.parents:
                continue
            if b"of root only" in path.read_bytes():
                assert info.st_ino == (outside / "victim").stat().st_ino
                assert stat.S_IMODE(info.st_mode) == 0o600
        if act is swap_area and (one.engine / "configuration").is_symlink():
            with pytest.raises(NodeError, match="is not a directory"):
                one.apply(one.build(newer(one)))
            continue
        one.apply(one.build(newer(one)))
        assert one.holds(newer(one))
        assert look(outside) == before
    assert acted > 20


def test_a_file_that_shares_its_bytes_with_another_name_gets_the_releases_content(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the correction of its mode, a second name of somebody's secret takes the file's place."""
    outside = outside_of(applied)
    applied.path(APP).chmod(0o604)
    real = atomic.set_attributes_at

    def swapped(directory: int, name: str, *rest: t.Any) -> bool:
        if name == "app.yaml":
            applied.path(APP).unlink()
            os.link(outside / "victim", applied.path(APP))
        return real(directory, name, *rest)

    monkeypatch.setattr(activate, "set_attributes_at", swapped)
    applied.apply(applied.build(files(applied)))
    assert applied.path(APP).read_bytes() == files(applied)[APP].content
    assert stat.S_IMODE((outside / "victim").stat().st_mode) == 0o600


@pytest.mark.parametrize(("root", "mode"), [("environment", 0o777), ("secrets", 0o775), ("engine", 0o757)])
def test_a_root_that_others_may_write_is_found_and_fixed(applied: t.Any, root: str, mode: int) -> None:
    applied.apply(applied.build(files(applied)))
    place = {"environment": applied.environment, "secrets": applied.secrets, "engine": applied.engine}[root]
    place.chmod(mode)
    (finding,) = applied.inspect()["drift"]
    assert (finding["root"], finding["path"], finding["kind"]) == (root, "./", "attributes")
    assert "may write" in finding["detail"]
    predicted = applied.apply(applied.build(files(applied)), check=True)["actions"]
    result = applied.apply(applied.build(files(applied)))
    assert (
        result["actions"]
        == predicted
        == [{"action": "attributes", "root": root, "path": ".", "detail": finding["detail"]}]
    )
    assert not place.stat().st_mode & 0o002
    assert not applied.apply(applied.build(files(applied)))["changed"]


def test_a_root_of_another_user_is_found_and_fixed(applied: t.Any) -> None:
    if os.geteuid() != 0:
        assert scan._base_problem("environment", scan.Found(scan.DIRECTORY, "", 0, 0o700, 0, 0, 0), (0, 0))
        return
    applied.apply(applied.build(files(applied)))
    os.chown(applied.environment, 1234, 1234)
    (finding,) = applied.inspect()["drift"]
    assert finding["detail"] == "directory: owner 1234 instead of 0"
    applied.apply(applied.build(files(applied)))
    assert applied.environment.stat().st_uid == 0


# --- small refusals


def test_a_host_that_is_not_an_engine_node(node: t.Any, tmp_path: Path) -> None:
    shutil.rmtree(node.engine)
    with pytest.raises(NodeError, match=r"does not exist\. Unpack the engine first"):
        node.apply(node.build(files(node)))
    assert not node.environment.joinpath("shared.env").exists()
    settings = node.settings()._replace(owner="nobody-has-this-name")
    with pytest.raises(NodeError, match="nobody-has-this-name"):
        node.apply(node.build(files(node)), settings=settings)
    assert node.inspect()["applied"] is None


def test_a_release_with_the_names_of_unfinished_files_is_refused(node: t.Any) -> None:
    name = f"engine:configuration/{atomic.temporary_name('x')}"
    with pytest.raises(NodeError, match="unfinished files"):
        node.apply(node.build({name: node.File(b"x")}))


def test_a_record_without_a_release_fences_in_its_own_words() -> None:
    reason = fence.refusal("a" * 32, {"cluster": "demo", "desired_release": None}, "demo", "n1")
    assert "names none" in reason
    assert "None" not in reason
    assert "ansible-playbook ivy.cluster.site --limit n1" in reason


def test_an_unknown_release_is_named(applied: t.Any) -> None:
    assert applied.apply(applied.build(newer(applied)), manifest=None)["need_release"] is True
    with pytest.raises(NodeError, match="is not a release id"):
        applied.apply(dataclasses.replace(applied.build(newer(applied)), id="latest"))


def test_a_manifest_never_reads_as_less_than_it_is() -> None:
    with pytest.raises(NodeError, match="damaged"):
        manifest.parse(b'{"format": 1, "id": "x", "entries": null}', "here")


def test_the_store_of_another_user_is_refused(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(NodeError, match="belongs to uid"):
        Store(str(applied.store))


def with_key(node: t.Any, listed: dict[str, t.Any], key: str) -> t.Any:
    """A release as a controller with this cluster key marks it."""
    made = node.build(listed)
    value = {**json.loads(made.manifest), "key": key}
    value["id"] = hashlib.md5((key + made.id).encode(), usedforsecurity=False).hexdigest()
    return dataclasses.replace(made, id=value["id"], manifest=canonical(value))


def test_a_controller_that_knows_the_former_cluster_key_may_replace_it(node: t.Any) -> None:
    node.record_baseline()
    first = with_key(node, files(node), "a" * 16)
    node.apply(first)
    node.apply(with_key(node, newer(node), "b" * 16), previous_key="a" * 16)
    assert node.holds(newer(node))


def test_a_cluster_key_that_changed_is_refused_until_somebody_says_so(node: t.Any) -> None:
    node.record_baseline()
    first = with_key(node, files(node), "a" * 16)
    other = with_key(node, newer(node), "b" * 16)
    node.apply(first)
    node.path(WEB).write_bytes(EDIT)
    before = node.snapshot()
    for more in ({"state": "staged"}, {"check": True}, {}):
        with pytest.raises(NodeError, match=r"built with another cluster key.*Nothing was changed"):
            node.apply(other, **more)
    changed = {path for path, one in node.snapshot().items() if before.get(path) != one}
    assert changed <= {str(node.store / "lock")}
    with pytest.raises(NodeError, match="set ivy_cluster_key_previous"):
        node.apply(other, previous_key="c" * 16)
    node.apply(other, accept_new_key=True)
    assert node.holds(newer(node))
    assert edit_is_safe(node)
    # What a node has can always be gone back to, and the same key needs no word.
    node.apply(first, manifest=None)
    assert node.holds(files(node))
    node.apply(with_key(node, files(node, web=b"<third/>"), "a" * 16))


# --- what the scan covers

OF_THE_RELEASE = (
    "engine:configuration/ivy.yaml",
    "engine:configuration/web.xml",
    "engine:configuration/own.properties",
    "engine:configuration/applications/demo/variables.json",
    "engine:configuration/demo.lic",
    "engine:configuration/keystore.p12",
    "engine:dropins/lib.jar",
    "engine:patches/fix.jar",
    "environment:shared.env",
    "secrets:ivy.X-Y",
)
OF_THE_NODE = ("etc/node.env", "engine/configuration/jvm.options", "systemd/axonivy-engine.service")


@pytest.mark.parametrize("which", [*OF_THE_RELEASE, *OF_THE_NODE])
def test_every_class_of_file_is_in_the_scan(node: t.Any, which: str) -> None:
    """Binary or text, shared or the node's own: a change is found once, kept in a backup and reverted."""
    node.record_baseline()
    listed = {
        key: node.File(bytes(range(256)) if key.endswith((".jar", ".p12")) else b"a: 1\n", mode="0440")
        for key in OF_THE_RELEASE
    }
    owner = {"owner": str(os.geteuid()), "group": str(os.getegid()), "mode": "0644"}
    own = [{"path": str(node.base / path), "content": "own\n", **owner} for path in OF_THE_NODE]
    node.apply(node.build(listed), node_files=own)
    place = node.path(which) if ":" in which else node.base / which
    right = place.read_bytes()
    for kind, change in (
        ("modified", lambda: place.write_bytes(EDIT)),
        ("attributes", lambda: place.chmod(0o646)),
        ("missing", place.unlink),
    ):
        change()
        (finding,) = node.inspect()["drift"]
        assert finding["kind"] == kind
        assert finding["path"] == (which.split(":")[1] if ":" in which else str(place))
        result = node.apply(node.build(listed), node_files=own)
        assert [item["kind"] for item in result["drift"]] == [kind]
        assert place.read_bytes() == right
        assert node.inspect()["drift"] == []
    assert EDIT in [path.read_bytes() for path in (node.store / "backups").rglob("0*") if path.is_file()]


# --- on the way


def test_a_bundle_damaged_on_its_way_changes_nothing(node: t.Any, tmp_path: Path) -> None:
    bundle = payload.pack({"manifest": "x", "key": "00"}, {hashlib.sha256(b"x" * 999).hexdigest(): b"x" * 999})
    announced = payload.to_text(payload.pack({"bundle_digest": hashlib.sha256(bundle).hexdigest()}, {}))
    place = tmp_path / "bundle"
    place.write_bytes(bundle)
    header, blobs = request.transported({"payload": announced, "bundle": str(place)})
    assert (header["manifest"], list(blobs.values())) == ("x", [b"x" * 999])
    for damaged in (bundle[:-1], b"", bundle[:40] + b"\0" + bundle[41:], bundle + b"x"):
        place.write_bytes(damaged)
        with pytest.raises(NodeError, match=r"damaged on its way to the node\. Nothing was changed"):
            request.transported({"payload": announced, "bundle": str(place)})
    for text in (announced[:-8], "!" + announced, announced[:20] + "AAAA" + announced[24:]):
        with pytest.raises(NodeError, match=r"damaged .*Nothing was changed"):
            request.transported({"payload": text})


# --- the cluster record, which the engine's user may write

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "owner", "release", "since", "step", "engine_version"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(given_record=st.dictionaries(st.sampled_from([*record.empty("demo")]), ANYTHING, max_size=4))
def test_no_record_brings_more_than_words(given_record: dict[str, t.Any]) -> None:
    """Whatever somebody wrote there: it is refused, or it is used without any other error."""
    read = record.empty("demo")
    with contextlib.suppress(NodeError):
        read = record.parse(json.dumps({"format": 1, **given_record}).encode(), "here")
    assert isinstance(fence.refusal("a" * 32, read, "demo", "n1"), str)
    changes = (
        *("renewed", "opened", "passed", "closed", "schema_created", "pinned", "unpinned", "drained"),
        *("deploying", "deployed"),
    )
    for release, take_over in (("b" * 32, ""), ("", "why")):
        with_release = record.Change(
            "taken",
            "controller-1-1",
            release,
            engine_version="11.3.0",
            operation="site",
            owner="me",
            step="s",
            node="n1",
            take_over=take_over,
            reason="why",
            drained=["n2"],
            applications={"demo.zip": "x"},
            now=2e9,
        )
        leased = read
        with contextlib.suppress(NodeError):
            leased = record.apply(read, with_release)
        for state in changes:
            refusal(functools.partial(record.apply, leased, with_release._replace(state=state)))


@pytest.mark.parametrize(
    "junk",
    [
        b"[" * 100000,
        b"{" + b'"a":[' * 50000,
        b'{"format": 1, "history": [1]}',
        b'{"format": 1, "allowed_releases": [{}]}',
        b'{"format": 1, "drained": [[]]}',
    ],
)
def test_a_record_of_junk_is_refused_in_words(junk: bytes) -> None:
    with pytest.raises(NodeError, match=r"The cluster record is damaged.*Inspect here"):
        record.parse(junk, "here")
