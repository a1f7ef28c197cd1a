# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The atomic writer: a reader finds the previous file or the complete new one, with the requested mode."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

# The tests of the node replace it by nothing, since it takes long.
SYNC_FILESYSTEM = atomic.sync_filesystem


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


# --- exchanging


@pytest.fixture(params=["by the kernel", "by steps"])
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that can exchange two names, and one that cannot."""
    if request.param == "by steps":
        monkeypatch.setattr(atomic, "_renameat2", lambda *_arguments: errno.EINVAL)


@pytest.fixture
def directory(tmp_path: Path) -> t.Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def prepare(directory: int, name: str, content: bytes) -> None:
    atomic.prepare_at(directory, name, content, 0o600, os.geteuid(), os.getegid(), mark_partial=True)


@pytest.mark.usefixtures("renaming")
def test_what_a_new_file_replaced_still_exists(tmp_path: Path, directory: int) -> None:
    aside = tmp_path / atomic.temporary_name("file")
    prepare(directory, "file", b"first")
    assert not atomic.exchange_at(directory, "file")
    assert not aside.exists()
    prepare(directory, "file", b"second")
    assert atomic.exchange_at(directory, "file")
    assert ((tmp_path / "file").read_bytes(), aside.read_bytes()) == (b"second", b"first")


@pytest.mark.usefixtures("renaming")
@pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
def test_anything_else_is_exchanged_too(tmp_path: Path, directory: int, kind: str) -> None:
    place, aside = tmp_path / "file", tmp_path / atomic.temporary_name("file")
    if kind == "directory":
        (place / "below").mkdir(parents=True)
    elif kind == "link":
        place.symlink_to("/etc/passwd")
    else:
        os.mkfifo(place)
    before = place.lstat()
    prepare(directory, "file", b"new")
    assert atomic.exchange_at(directory, "file")
    assert place.read_bytes() == b"new"
    assert (aside.lstat().st_ino, aside.lstat().st_mode) == (before.st_ino, before.st_mode)
    os.unlink(place)
    os.rename(aside, place)
    assert atomic.take_away_at(directory, "file")
    assert aside.lstat().st_ino == before.st_ino
    assert not place.exists()


@pytest.mark.usefixtures("renaming")
def test_what_is_not_there_cannot_be_taken_away(directory: int) -> None:
    assert not atomic.take_away_at(directory, "file")


@pytest.mark.usefixtures("renaming")
def test_without_a_prepared_file_nothing_is_exchanged(tmp_path: Path, directory: int) -> None:
    (tmp_path / "file").write_bytes(b"here")
    with pytest.raises(FileNotFoundError):
        atomic.exchange_at(directory, "file")
    assert (tmp_path / "file").read_bytes() == b"here"


@pytest.mark.usefixtures("renaming")
def test_a_planted_temporary_name_does_not_keep_a_file_in_its_place(tmp_path: Path, directory: int) -> None:
    (tmp_path / "file").write_bytes(b"here")
    (tmp_path / atomic.temporary_name("file")).mkdir()
    assert atomic.take_away_at(directory, "file")
    assert (tmp_path / atomic.temporary_name("file")).read_bytes() == b"here"


def test_a_file_is_complete_once_it_has_its_temporary_name(
    tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = os.fchmod

    def change_mode(fd: int, mode: int) -> None:
        seen.append(os.listdir(tmp_path))
        real(fd, mode)

    monkeypatch.setattr(os, "fchmod", change_mode)
    atomic.prepare_at(directory, "file", b"new", 0o644, os.geteuid(), os.getegid(), mark_partial=True)
    assert seen == [[atomic.partial_name("file")]]
    assert os.listdir(tmp_path) == [atomic.temporary_name("file")]
    assert all(atomic.is_temporary(name) for name in (*seen[0], *os.listdir(tmp_path)))


def test_a_writer_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    fd = os.open(path, os.O_RDONLY)
    try:
        with path.open("ab"):
            assert not atomic.await_writers(fd, 0.0)
        assert atomic.await_writers(fd, 0.0)
    finally:
        os.close(fd)


# --- the disk


class Library:
    """A C library whose syncfs fails with an error."""

    def __init__(self, number: int) -> None:
        def syncfs(_fd: int) -> int:
            ctypes.set_errno(number)
            return -1 if number else 0

        self.syncfs = syncfs


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(os, "sync", lambda: calls.append("sync"))
    return calls


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EBADF])
def test_data_that_did_not_reach_the_disk_are_an_error(
    monkeypatch: pytest.MonkeyPatch, syncs: list[str], number: int
) -> None:
    """sync() reports no errors, and a second syncfs() does not report this one again."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_arguments, **_named: Library(number))
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        SYNC_FILESYSTEM(0)
    assert caught.value.errno == number
    assert syncs == []


def test_a_kernel_without_the_call_syncs_everything(monkeypatch: pytest.MonkeyPatch, syncs: list[str]) -> None:
    for library in (Library(errno.ENOSYS), object()):
        monkeypatch.setattr(ctypes, "CDLL", lambda *_arguments, one=library, **_named: one)
        SYNC_FILESYSTEM(0)
    assert syncs == ["sync", "sync"]


def test_a_synchronised_file_system_needs_nothing_else(monkeypatch: pytest.MonkeyPatch, syncs: list[str]) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_arguments, **_named: Library(0))
    SYNC_FILESYSTEM(0)
    assert syncs == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("function", ["open", "write", "fsync", "rename"])
def test_an_error_of_the_file_system_names_the_directory(
    function: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, "No space left on device" does not say which of a node's file systems is full."""
    genuine = getattr(os, function)

    def fail(*arguments: t.Any, **named: t.Any) -> t.Any:
        creates = function != "open" or (len(arguments) > 1 and arguments[1] & os.O_CREAT)
        if creates:
            raise OSError(number, os.strerror(number))
        return genuine(*arguments, **named)

    (tmp_path / "store").mkdir()
    with atomic.Tree(str(tmp_path / "store")) as tree:
        monkeypatch.setattr(os, function, fail)
        with pytest.raises(OSError, match="store") as caught:
            atomic.write_at(tree.fd, "name", b"x", 0o600, os.geteuid(), os.getegid())
        monkeypatch.undo()
    assert caught.value.errno == number
    # Messages contain only this text.
    assert caught.value.strerror == f"{os.strerror(number)} in {tmp_path}/store"
    assert list((tmp_path / "store").iterdir()) == []


def test_other_errors_keep_their_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: t.Any) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with atomic.Tree(str(tmp_path)) as tree:
        monkeypatch.setattr(os, "write", fail)
        with pytest.raises(PermissionError) as caught:
            atomic.write_at(tree.fd, "name", b"x", 0o600, os.geteuid(), os.getegid())
    assert caught.value.strerror == os.strerror(errno.EACCES)


def test_no_file_of_somebody_else_is_given_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have come by a second name that was removed again, so its number of names does not show it."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _fd, uid, gid: given.append((uid, gid)))
    file = tmp_path / "file"
    file.write_bytes(b"secret")
    file.chmod(0o600)
    info = file.stat()
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        assert atomic.set_attributes_at(directory, "file", 0o644, info.st_uid + 1, info.st_gid) is False
        assert (given, stat.S_IMODE(file.stat().st_mode)) == ([], 0o600)
        assert atomic.set_attributes_at(directory, "file", 0o640, info.st_uid, info.st_gid + 1) is True
        assert (given, stat.S_IMODE(file.stat().st_mode)) == ([(-1, info.st_gid + 1)], 0o640)
    finally:
        os.close(directory)
