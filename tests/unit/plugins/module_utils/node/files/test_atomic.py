# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The atomic writer: a reader finds the previous file or the complete new one, with the requested mode."""

from __future__ import annotations

import os
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synchronised, in order: files and directories."""
    calls: list[str] = []
    fsync = os.fsync

    def record(fd: int) -> None:
        calls.append("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", record)
    return calls


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_file_is_replaced_and_gets_its_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "status.json"
    target.write_bytes(b"old")
    target.chmod(0o666)
    umask = os.umask(0o077)
    try:
        atomic.write_file(str(tmp_path), target.name, b"new", mode)
    finally:
        os.umask(umask)
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert os.listdir(tmp_path) == [target.name]


def test_a_durable_file_is_synchronised_before_and_its_directory_after_the_rename(
    tmp_path: Path, synced: list[str]
) -> None:
    atomic.write_file(str(tmp_path), "a", b"1", 0o600)
    assert synced == ["file", "directory"]


def test_a_file_that_need_not_survive_a_crash_is_not_synchronised(tmp_path: Path, synced: list[str]) -> None:
    atomic.write_file(str(tmp_path), "a", b"1", 0o600, durable=False)
    assert synced == []


def test_the_directory_is_created_on_request_below_a_parent_that_exists(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    with pytest.raises(NodeError, match=r"run does not exist, so a cannot be written there\."):
        atomic.write_file(str(directory), "a", b"1", 0o600)
    atomic.write_file(str(directory), "a", b"1", 0o600, create_directory=True)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert (directory / "a").read_bytes() == b"1"
    with pytest.raises(NodeError, match=r"none does not exist, so .*none/run/a cannot be written\."):
        atomic.write_file(str(tmp_path / "none" / "run"), "a", b"1", 0o600, create_directory=True)


def test_an_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    atomic.write_file(str(directory), "a", b"1", 0o600, create_directory=True)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_after_an_error_the_previous_file_is_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def fail(*_arguments: t.Any, **_options: t.Any) -> None:
        raise OSError(5, "Input/output error")

    for name in ("rename", "write", "fchmod"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="Input/output error"):
                atomic.write_file(str(tmp_path), "a", b"new", 0o640)
        assert os.listdir(tmp_path) == ["a"]
        assert (tmp_path / "a").read_bytes() == b"old"


def test_what_a_killed_run_left_does_not_prevent_the_next_write(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"kept")
    left = tmp_path / atomic.temporary_name("a")
    left.write_bytes(b"longer than the new content")
    atomic.write_file(str(tmp_path), "a", b"new", 0o600)
    left.symlink_to(tmp_path / "victim")
    atomic.write_file(str(tmp_path), "a", b"newer", 0o600)
    assert (tmp_path / "a").read_bytes() == b"newer"
    assert (tmp_path / "victim").read_bytes() == b"kept"
    assert sorted(os.listdir(tmp_path)) == ["a", "victim"]


def test_a_file_can_be_written_in_blocks(tmp_path: Path) -> None:
    def blocks() -> t.Iterator[bytes]:
        yield b"one"
        yield b"two"
        raise OSError(5, "Input/output error")

    with atomic.Tree(str(tmp_path)) as tree:
        atomic.prepare_at(tree.fd, "a", iter([b"one", b"two"]), 0o640, os.geteuid(), os.getegid())
        atomic.commit_at(tree.fd, "a")
        with pytest.raises(OSError, match="Input/output error"):
            atomic.prepare_at(tree.fd, "b", blocks(), 0o640, os.geteuid(), os.getegid())
    assert (tmp_path / "a").read_bytes() == b"onetwo"
    assert os.listdir(tmp_path) == ["a"]
