# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is changed on a node between the last comparison and the replacement is kept and reported."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import activate
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

WEB = "engine:configuration/web.xml"
APP = "engine:configuration/applications/demo/app.yaml"
GONE = "engine:configuration/gone.xml"
MADE = "engine:configuration/made.xml"
ENV = "environment:shared.env"
EDIT = b"<edit/>"


def old(node: t.Any) -> dict[str, t.Any]:
    return {
        WEB: node.File(b"<ours1/", "text", "always"),
        APP: node.File(b"A: 123\n", "yaml"),
        GONE: node.File(b"<gone />"[:7]),
        ENV: node.File(b"A=12345", secret=True, mode="0600"),
    }


def new(node: t.Any) -> dict[str, t.Any]:
    return {
        WEB: node.File(b"<ours2/", "text", "always"),
        APP: node.File(b"A: 456\n", "yaml"),
        MADE: node.File(b"<made />"[:7]),
        ENV: node.File(b"A=67890", secret=True, mode="0600"),
    }


@pytest.fixture
def applied(node: t.Any) -> t.Any:
    node.record_baseline()
    node.apply(node.build(old(node)))
    return node


def in_place(path: Path) -> None:
    path.write_bytes(EDIT)


def by_an_editor(path: Path) -> None:
    beside = path.with_name("editor's own")
    beside.write_bytes(EDIT)
    beside.rename(path)


def with_the_times_of_before(path: Path) -> None:
    """As `cp -p` and `rsync -t` do: the same size, and the same time of the last change."""
    info = path.lstat() if path.exists() else None
    path.write_bytes(EDIT)
    if info is not None:
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def into_a_directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "below").write_bytes(EDIT)


def into_a_link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(EDIT.decode())


EDITS = [in_place, by_an_editor, with_the_times_of_before, into_a_directory, into_a_link]


def kept(node: t.Any) -> list[bytes]:
    """All contents of all backups, and the targets of links."""
    contents = [path.read_bytes() for path in (node.store / "backups").rglob("0*") if path.is_file()]
    for path in (node.store / "backups").glob("*/list.json"):
        contents += [item["link"].encode() for item in json.loads(path.read_text())["items"] if "link" in item]
    return contents


class Intruder:
    """Changes a file at the very moment before it is replaced or removed."""

    def __init__(self, node: t.Any, key: str, edit: t.Callable[[Path], None]) -> None:
        self.path = node.path(key)
        self.edit = edit
        self.real = atomic.rename_at
        self.done = False

    def __call__(self, directory: int, old_name: str, new_name: str, flags: int) -> None:
        if self.path.name in (old_name, new_name) and not self.done:
            self.done = True
            self.edit(self.path)
        self.real(directory, old_name, new_name, flags)


@pytest.mark.parametrize("steps", [False, True], ids=["exchange", "by steps"])
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("key", [WEB, APP, GONE, MADE, ENV])
def test_an_edit_at_the_last_moment_is_kept_and_reported(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch, key: str, edit: t.Callable[[Path], None], steps: bool
) -> None:
    if steps:
        monkeypatch.setattr(atomic, "_renameat2", lambda *_arguments: errno.ENOSYS)
    intruder = Intruder(applied, key, edit)
    monkeypatch.setattr(atomic, "rename_at", intruder)
    result = applied.apply(applied.build(new(applied)))
    assert intruder.done
    assert EDIT in kept(applied)
    assert applied.holds(new(applied))
    assert not os.path.lexists(applied.path(GONE))
    name = applied.path(key).name
    (warning,) = [one for one in result["warnings"] if name in one]
    assert "changed while the release was activated" in warning
    assert str(applied.store / "backups") in warning
    assert not list(applied.base.rglob(".ivy-cluster-*"))
    assert applied.opened().unreported() == []
    monkeypatch.undo()
    again = applied.apply(applied.build(new(applied)))
    assert (again["changed"], again["drift"], again["warnings"]) == (False, [], [])


@pytest.mark.parametrize("key", [WEB, APP, ENV])
def test_a_file_that_vanishes_at_the_last_moment_causes_no_error(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(atomic, "rename_at", Intruder(applied, key, Path.unlink))
    result = applied.apply(applied.build(new(applied)))
    assert result["warnings"] == []
    assert applied.holds(new(applied))


def test_without_an_edit_nothing_more_is_kept(applied: t.Any) -> None:
    result = applied.apply(applied.build(new(applied)))
    assert result["warnings"] == []
    assert result["backup"] == ""
    assert kept(applied) == []


@pytest.mark.parametrize("edit", EDITS)
def test_a_copy_with_the_same_size_and_time_is_seen_before_anything_is_replaced(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch, edit: t.Callable[[Path], None]
) -> None:
    real = activate.Executor.backup

    def backup_then_edit(self: t.Any, actions: t.Any) -> str:
        saved = real(self, actions)
        edit(applied.path(WEB))
        return saved

    monkeypatch.setattr(activate.Executor, "backup", backup_then_edit)
    with pytest.raises(NodeError, match=r"web\.xml was changed on the node while.*No file was replaced"):
        applied.apply(applied.build(new(applied)))
    assert not list(applied.base.rglob(".ivy-cluster-*"))


def test_an_edit_that_was_not_there_when_the_backup_was_made_is_kept(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One edit when the node is inspected, another one when it is backed up, and then the first one again."""
    path = applied.path(WEB)
    path.write_bytes(EDIT)
    real = activate.Executor.backup

    def backup_another(self: t.Any, actions: t.Any) -> str:
        path.write_bytes(b"another")
        saved = real(self, actions)
        path.write_bytes(EDIT)
        return saved

    monkeypatch.setattr(activate.Executor, "backup", backup_another)
    applied.apply(applied.build(new(applied)))
    assert {b"another", EDIT} <= set(kept(applied))


def test_an_edit_below_a_directory_that_blocks_a_file_is_kept(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = applied.path(WEB)
    path.unlink()
    path.mkdir()
    (path / "below").write_bytes(b"before")
    monkeypatch.setattr(atomic, "rename_at", Intruder(applied, WEB, lambda one: in_place(one / "below")))
    applied.apply(applied.build(new(applied)))
    assert {b"before", EDIT} <= set(kept(applied))


def test_an_editor_that_still_writes_is_waited_for(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opened the file before it was replaced, so what it writes goes into what was taken away."""
    stream = applied.path(WEB).open("r+b", buffering=0)
    waited: list[float] = []

    def finish(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            stream.write(EDIT)
            stream.close()

    monkeypatch.setattr(time, "sleep", finish)
    result = applied.apply(applied.build(new(applied)))
    assert len(waited) == 3
    assert EDIT in kept(applied)
    assert any("web.xml" in warning for warning in result["warnings"])


def test_one_that_does_not_end_is_reported(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activate, "_WRITERS_SECONDS", 0.0)
    with applied.path(WEB).open("r+b"):
        result = applied.apply(applied.build(new(applied)))
    assert any("another process still writes" in warning for warning in result["warnings"])
    assert old(applied)[WEB].content in kept(applied)


def test_what_a_killed_run_had_taken_out_of_its_place_is_kept(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_arguments: t.Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "rename_at", Intruder(applied, WEB, in_place))
        patch.setattr(activate.Executor, "_sync_directories", die)
        with pytest.raises(Killed):
            applied.apply(applied.build(new(applied)))
    assert EDIT not in kept(applied)
    result = applied.apply(applied.build(new(applied)))
    assert EDIT in kept(applied)
    assert any("web.xml: left by a run that was cut off" in warning for warning in result["warnings"])
    assert not list(applied.base.rglob(".ivy-cluster-*"))


def test_a_backup_of_a_killed_run_is_reported_by_the_next(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_arguments: t.Any) -> None:
        raise Killed

    applied.path(WEB).write_bytes(EDIT)
    with monkeypatch.context() as patch:
        patch.setattr(activate.Executor, "run", die)
        with pytest.raises(Killed):
            applied.apply(applied.build(new(applied)))
    (lost,) = applied.opened().unreported()
    result = applied.apply(applied.build(new(applied)))
    assert any(lost in warning for warning in result["warnings"])
    assert applied.opened().unreported() == []


# --- a writer without pause

# Logs each edit that somebody else has replaced. One that it replaces itself by its next need not be kept.
WRITER = """
import os, random, sys, time
paths, log, seed = sys.argv[1].split(":"), sys.argv[2], int(sys.argv[3])
generator = random.Random(seed)
end, number, mine = time.monotonic() + float(sys.argv[4]), 0, {}
def content(path):
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return None
with open(log, "w", buffering=1) as replaced:
    while time.monotonic() < end:
        path = generator.choice(paths)
        if path in mine and content(path) != mine[path]:
            replaced.write(mine.pop(path) + "\\n")
        text = f"<edit {seed} {number:06d}/>"
        number += 1
        try:
            if generator.random() < 0.5:
                with open(path, "w") as stream:
                    stream.write(text[:5])
                    stream.flush()
                    time.sleep(generator.random() * 0.002)
                    stream.write(text[5:])
            else:
                with open(path + f".{seed}.swp", "w") as stream:
                    stream.write(text)
                os.rename(path + f".{seed}.swp", path)
        except OSError:
            continue
        mine[path] = text
        time.sleep(generator.random() * 0.05)
    for path, text in mine.items():
        if content(path) != text:
            replaced.write(text + "\\n")
"""
SECONDS = float(os.environ.get("IVY_WRITER_SECONDS", "3"))


def test_beside_a_writer_without_pause_no_edit_is_lost(applied: t.Any) -> None:
    paths = [applied.path(key) for key in (WEB, APP)]
    log = applied.base / "replaced"
    command = [sys.executable, "-c", WRITER, ":".join(map(str, paths)), str(log), "1", str(SECONDS)]
    writer = subprocess.Popen(command)
    done = 0
    refused = set()
    releases = itertools.cycle([applied.build(old(applied)), applied.build(new(applied))])
    try:
        while writer.poll() is None:
            try:
                applied.apply(next(releases), keep_backups=1 << 20)
                done += 1
            except NodeError as exc:
                refused.add("was changed on the node while" in str(exc))
            time.sleep(random.random() * 0.02)
    finally:
        writer.kill()
        writer.wait()
    replaced = log.read_text().splitlines()
    assert done
    assert refused <= {True}
    assert replaced
    safe = {content.decode("utf-8", "replace") for content in kept(applied)}
    assert [text for text in replaced if text not in safe] == []
