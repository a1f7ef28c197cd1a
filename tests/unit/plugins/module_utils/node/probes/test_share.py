# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe files on a share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.probes import share as sut
from ansible_collections.ivy.cluster.tests.timing import Clock


def test_a_file_is_written_read_and_removed(tmp_path: Path) -> None:
    path = sut.probe_path(str(tmp_path), "t1", "engine1")
    assert sut.write([path], "t1") == [path]
    paths = {"engine1": path, "engine2": sut.probe_path(str(tmp_path), "t1", "engine2")}
    assert sut.read(paths, "t1", 0) == [{"name": "engine1", "same": True}, {"name": "engine2", "same": False}]
    assert sut.remove(list(paths.values())) == [path]
    assert list(tmp_path.iterdir()) == []


def test_other_content_does_not_match(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("t1 and more")
    assert not sut.has_content(str(tmp_path / "file"), "t1")


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.symlink_to("/etc/passwd")
    with pytest.raises(FileExistsError):
        sut.write([str(path)], "t1")


def test_the_reader_waits_for_late_files(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "late"
    clock.meanwhile = lambda: path.write_text("t1")
    assert sut.read({"engine1": str(path)}, "t1", 60) == [{"name": "engine1", "same": True}]
    assert len(clock.naps) == 1


def test_the_reader_stops_waiting(tmp_path: Path, clock: Clock) -> None:
    assert sut.read({"engine1": str(tmp_path / "never")}, "t1", 60) == [{"name": "engine1", "same": False}]
    assert sum(clock.naps) == pytest.approx(60, abs=1)


def probe(directory: Path, *names: str) -> sut.Probe:
    return sut.Probe(str(directory), str(os.geteuid()), str(os.getegid()), "t1", names)


def test_each_state_has_its_result(tmp_path: Path) -> None:
    path = str(tmp_path / ".ivy-probe-t1-engine1")
    assert sut.run(probe(tmp_path, "engine1"), "written", 0, check_mode=True) == {"changed": True, "written": [path]}
    assert list(tmp_path.iterdir()) == []
    assert sut.run(probe(tmp_path, "engine1"), "written", 0, check_mode=False) == {"changed": True, "written": [path]}
    assert sut.run(probe(tmp_path, "engine1"), "read", 0, check_mode=False)["files"] == [
        {"name": "engine1", "same": True}
    ]
    assert sut.run(probe(tmp_path, "engine1"), "absent", 0, check_mode=True) == {"changed": True, "removed": [path]}
    assert sut.run(probe(tmp_path, "engine1"), "absent", 0, check_mode=False) == {"changed": True, "removed": [path]}
    assert sut.run(probe(tmp_path, "engine1"), "absent", 0, check_mode=False) == {"changed": False, "removed": []}


def test_a_name_with_a_slash_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match=r"part of file names.*: \.\./engine1\."):
        sut.run(probe(tmp_path, "../engine1"), "written", 0, check_mode=False)


def test_a_missing_directory_is_reported_with_the_user(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match=rf"{os.geteuid()} cannot use {tmp_path}/none: .*Check the mount"):
        sut.run(probe(tmp_path / "none", "engine1"), "written", 0, check_mode=False)


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_only_a_regular_file_counts(tmp_path: Path, kind: str) -> None:
    (tmp_path / "real").write_text("t1", encoding="utf-8")
    if kind == "link":
        (tmp_path / "file").symlink_to("real")
    else:
        os.mkfifo(tmp_path / "file")
    assert sut.has_content(str(tmp_path / "real"), "t1")
    assert not sut.has_content(str(tmp_path / "file"), "t1")
