# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups: what they keep, how much that costs, and which of them go."""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.store import backups
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.backups import Backup, removable
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store
from ansible_collections.ivy.cluster.tests.limits import limited

NOW = 2_000_000_000.0
DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> t.Iterator[Store]:
    with Store(str(tmp_path / "store")) as opened:
        opened.prepare()
        yield opened


def back_up(store: Store, path: Path) -> Path:
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        return Path(store.backup(lambda collector: collector.add(fd, path.name, "engine", path.name)))
    finally:
        os.close(fd)


def listed(backup: Path) -> list[dict[str, t.Any]]:
    return t.cast("list[dict[str, t.Any]]", json.loads((backup / "list.json").read_text())["items"])


# --- copies


@pytest.mark.parametrize("pieces", [[], [5], [100_000, 3], [100_000, -200_000, 7], [-200_000], [-200_000, 9, -70_000]])
def test_a_copy_has_the_same_bytes_and_holes(tmp_path: Path, store: Store, pieces: list[int]) -> None:
    source = tmp_path / "file"
    with source.open("wb") as stream:
        for piece in pieces:
            if piece > 0:
                stream.write(os.urandom(piece))
            else:
                stream.seek(-piece, os.SEEK_CUR)
        stream.truncate(stream.seek(0, os.SEEK_CUR))
    backup = back_up(store, source)
    (item,) = listed(backup)
    copy = backup / item["file"]
    assert copy.read_bytes() == source.read_bytes()
    assert copy.stat().st_blocks <= source.stat().st_blocks
    assert item["size"] == source.stat().st_size


def test_a_sparse_file_of_any_size_is_backed_up(tmp_path: Path, store: Store) -> None:
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(8 << 30)
    backup = limited(lambda: back_up(store, tmp_path / "huge"))
    assert (backup / "0000").stat().st_size == 8 << 30
    assert (backup / "0000").stat().st_blocks == 0


def test_more_than_any_file_may_have_is_refused_in_words(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    monkeypatch.setattr(backups.copy, "__defaults__", (99,))
    with pytest.raises(NodeError, match=r"'file' has more than 99 bytes, which no backup keeps\. Move it away"):
        back_up(store, tmp_path / "file")
    assert store.backups() == []


def test_a_directory_with_any_number_of_files_is_refused_in_words(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "many").mkdir()
    for number in range(10):
        (tmp_path / "many" / str(number)).touch()
    monkeypatch.setattr(backups, "MOST_ITEMS", 5)
    with pytest.raises(NodeError, match=r"More than 5 files would have to be backed up, the last one 'many/4'"):
        back_up(store, tmp_path / "many")


def test_a_disk_is_not_filled_by_a_backup(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    monkeypatch.setattr(backups, "_RESERVE", 1 << 62)
    with pytest.raises(NodeError, match="not enough space to back up 'file'"):
        back_up(store, tmp_path / "file")


def test_equal_content_is_stored_once(tmp_path: Path, store: Store) -> None:
    made = []
    for content in (b"one", b"two", b"one"):
        (tmp_path / "file").write_bytes(content)
        made.append(back_up(store, tmp_path / "file"))
    files = [(backup / "0000").stat() for backup in made]
    assert files[0].st_ino == files[2].st_ino
    assert files[0].st_ino != files[1].st_ino
    assert [(backup / "0000").read_bytes() for backup in made] == [b"one", b"two", b"one"]
    # It stays although the backup that had it first goes.
    store._remove_tree("backups", made[0].name)
    assert (made[2] / "0000").read_bytes() == b"one"


def test_a_damaged_backup_hinders_no_other(tmp_path: Path, store: Store) -> None:
    (tmp_path / "file").write_bytes(b"one")
    first = back_up(store, tmp_path / "file")
    (first / "0000").unlink()
    second = back_up(store, tmp_path / "file")
    assert (second / "0000").read_bytes() == b"one"
    (first / "list.json").write_text("[" * 100_000)
    assert [backup.name for backup in store.backups()] == [first.name, second.name]


def test_nothing_is_made_for_what_is_gone(tmp_path: Path, store: Store) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    assert store.backup(lambda collector: collector.add(fd, "none", "engine", "none")) == ""
    os.close(fd)
    assert store._names("backups") == []


# --- which of them go


def one(number: int, days: float = 0, reported: bool = True, **contents: t.Any) -> Backup:
    items = tuple({"root": "engine", "path": path, "kind": "file", "sha256": text} for path, text in contents.items())
    return Backup(f"{number:08d}", NOW - days * DAY, reported, items)


def named(number: int, days: float = 0) -> Backup:
    """A backup of a file that no other backup contains."""
    contents: dict[str, t.Any] = {f"f{number}": "x"}
    return one(number, days, **contents)


def test_a_file_that_is_written_again_and_again_pushes_out_no_other() -> None:
    matters = one(0, edited="by hand")
    noise = [one(number, noisy=f"content {number}") for number in range(1, 1001)]
    gone = removable([matters, *noise], 5, NOW)
    assert matters.name not in gone
    assert gone == [backup.name for backup in reversed(noise[:-5])]


def test_the_same_content_again_and_again_pushes_out_no_other_content_of_the_file() -> None:
    noise = [one(number, noisy="the same") for number in range(1, 101)]
    gone = removable([one(0, noisy="by hand"), *noise], 5, NOW)
    assert gone == [backup.name for backup in reversed(noise[:-1])]


def test_an_old_backup_goes_if_there_are_enough_newer_ones() -> None:
    many = [named(number, days=100 - number) for number in range(100)]
    kept = {backup.name for backup in many} - set(removable(many, 10, NOW))
    assert kept == {backup.name for backup in many[100 - backups.DAYS :]}
    few = [named(number, days=1000) for number in range(10)]
    assert removable(few, 10, NOW) == []


def test_a_backup_that_was_never_reported_stays() -> None:
    silent = one(0, days=1000, reported=False, noisy="x")
    assert removable([silent, *(one(number, noisy="x") for number in range(1, 100))], 1, NOW)[-1] == "00000001"


def test_a_backup_goes_only_if_all_of_its_files_are_backed_up_later() -> None:
    both = one(0, noisy="x", edited="by hand")
    assert removable([both, *(one(number, noisy=str(number)) for number in range(1, 9))], 2, NOW)[-1] == "00000001"
    assert removable([both, one(1, noisy="x"), one(2, edited="by hand")], 2, NOW) == [both.name]


def test_there_is_an_end_to_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "MOST_BACKUPS", 20)
    assert len(removable([named(number) for number in range(50)], 5, NOW)) == 30


@given(
    st.lists(
        st.tuples(
            st.floats(-100, 1000),
            st.booleans(),
            st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), min_size=1),
        ),
        max_size=20,
    ),
    st.integers(1, 4),
)
def test_of_each_file_the_newest_contents_stay(kept: list[tuple[float, bool, dict[str, str]]], keep: int) -> None:
    all_of_them = [one(number, days, reported, **contents) for number, (days, reported, contents) in enumerate(kept)]
    gone = set(removable(all_of_them, keep, NOW))
    assert not gone & {backup.name for backup in all_of_them if not backup.reported}
    young = [backup for backup in all_of_them if backup.time >= NOW - backups.DAYS * DAY]
    for path in "abc":
        contents: list[t.Any] = []
        for backup in reversed(young):
            content = backup.contents.get(f"engine:{path}")
            if content is not None and content not in contents:
                contents.append(content)
                # The newest backup of it, or one that is newer than it.
                assert backup.name not in gone or len(contents) > keep or content in stays(young, gone, path)
    assert all_of_them == [] or all_of_them[-1].name not in gone


def stays(all_of_them: list[Backup], gone: set[str], path: str) -> list[t.Any]:
    return [backup.contents.get(f"engine:{path}") for backup in all_of_them if backup.name not in gone]


def test_a_reported_backup_may_go_and_an_unreported_one_is_named(tmp_path: Path, store: Store) -> None:
    made = []
    for number in range(5):
        (tmp_path / "file").write_bytes(str(number).encode())
        made.append(str(back_up(store, tmp_path / "file")))
    store.prune(1, 1)
    assert store.unreported() == made
    store.mark_reported(made[:3])
    store.prune(1, 1)
    assert [backup.name for backup in store.backups()] == [os.path.basename(path) for path in made[3:]]
    store.mark_reported(made)
    store.prune(1, 1)
    assert [backup.name for backup in store.backups()] == [os.path.basename(made[-1])]


def test_a_backup_of_an_earlier_version_counts_as_reported(tmp_path: Path, store: Store) -> None:
    old = tmp_path / "store/backups/20200101T000000Z"
    old.mkdir()
    item = {"root": "engine", "path": "file", "kind": "file", "file": "0000", "size": 1}
    (old / "list.json").write_text(json.dumps({"format": 1, "time": "2020-01-01T00:00:00Z", "items": [item]}))
    (old / "0000").write_bytes(b"x")
    assert store.unreported() == []
    (tmp_path / "file").write_bytes(b"y")
    back_up(store, tmp_path / "file")
    store.prune(1, 5)
    assert old.exists()
    store.prune(1, 1)
    assert not old.exists()


def test_times_are_read_as_they_are_written() -> None:
    now = 2_000_000_000
    assert backups.seconds(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))) == now
    assert backups.seconds("yesterday") == 0.0
