# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files that prove a share."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.modules import share_probe as sut
from ansible_collections.ivy.cluster.tests.timing import Clock


def test_what_is_written_is_read_and_removed(tmp_path: Path) -> None:
    path = sut.path_of(str(tmp_path), "t1", "engine1")
    assert sut.write([path], "t1") == [path]
    paths = {"engine1": path, "engine2": sut.path_of(str(tmp_path), "t1", "engine2")}
    assert sut.read(paths, "t1", 0) == [{"name": "engine1", "same": True}, {"name": "engine2", "same": False}]
    assert sut.remove(list(paths.values())) == [path]
    assert list(tmp_path.iterdir()) == []


def test_another_content_is_not_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("t1 and more")
    assert not sut.same(str(tmp_path / "file"), "t1")


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.symlink_to("/etc/passwd")
    with pytest.raises(FileExistsError):
        sut.write([str(path)], "t1")


def test_the_reader_waits_for_the_others(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "late"
    clock.meanwhile = lambda: path.write_text("t1")
    assert sut.read({"engine1": str(path)}, "t1", 60) == [{"name": "engine1", "same": True}]
    assert len(clock.naps) == 1


def test_the_reader_does_not_wait_for_ever(tmp_path: Path, clock: Clock) -> None:
    assert sut.read({"engine1": str(tmp_path / "never")}, "t1", 60) == [{"name": "engine1", "same": False}]
    assert sum(clock.naps) == pytest.approx(60, abs=1)
