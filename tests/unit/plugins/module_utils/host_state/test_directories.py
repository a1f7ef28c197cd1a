# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever can write to a share or own a directory cannot make root change another directory of the host."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import directories, share
from ansible_collections.ivy.cluster.plugins.module_utils.host_state.directories import Directories, Wanted
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

ROOT = os.geteuid() == 0
# Another user's numbers, where the test may use them.
UID, GID = (6123, 6124) if ROOT else (os.geteuid(), os.getegid())


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Unlike pytest's own, every user can enter it."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    place = tmp_path / "share"
    place.mkdir(mode=0o755)
    return place


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    place = tmp_path / "etc"
    place.mkdir(mode=0o711)
    return place


def wanted(path: Path) -> Wanted:
    return Wanted(str(path), UID, GID, 0o750)


def state(path: Path) -> tuple[int, int, int]:
    info = path.lstat()
    return info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)


@pytest.mark.parametrize("within", [True, False])
def test_a_directory_is_created_once_and_predicted(top: Path, within: bool) -> None:
    path = top / "a/b"
    for check_mode, changes in ((True, 1), (False, 1), (False, 0), (True, 0)):
        setter = Directories(str(top) if within else "", within, check_mode)
        found = setter.apply([wanted(path)])
        assert len(found) == changes
        assert not found or found[0]["after"] == f"directory:{UID}:{GID}:0750"
        assert path.exists() is (not check_mode or changes == 0)
    assert state(path) == (UID, GID, 0o750)
    assert directories.describe(str(path)) == f"directory:{UID}:{GID}:0750"


def test_owner_and_mode_are_corrected(top: Path) -> None:
    (top / "data").mkdir(mode=0o711)
    assert Directories(str(top), True, False).apply([wanted(top / "data")])[0]["before"].endswith(":0711")
    assert state(top / "data") == (UID, GID, 0o750)


@pytest.mark.parametrize("mode", [0o2770, 0o700])
def test_the_mode_is_complete(top: Path, mode: int) -> None:
    Directories(str(top), True, False).apply([Wanted(str(top / "data"), UID, GID, mode)])
    assert state(top / "data") == (UID, GID, mode)


def test_without_numbers_an_existing_directory_keeps_its_own(top: Path) -> None:
    before = state(top)
    assert Directories("", False, False).apply([Wanted(str(top), None, None, 0o755)]) == []
    assert state(top) == before


@pytest.mark.parametrize("path", ["data", "data/below", "data/below/deep"])
@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("owner", [0, UID])
def test_no_link_on_a_share_is_followed(top: Path, secret: Path, path: str, check_mode: bool, owner: int) -> None:
    """A hostile file server shows root as the owner of a link."""
    (secret / "below").mkdir(mode=0o711)
    (top / "data").symlink_to(secret)
    if ROOT:
        os.chown(top / "data", owner, owner, follow_symlinks=False)
    before = state(secret), state(secret / "below")

    with pytest.raises(NodeError, match=r"data .*symbolic link.* move it away") as caught:
        Directories(str(top), True, check_mode).apply([wanted(top / "other"), wanted(top / path)])

    assert str(top / path) in str(caught.value)
    assert (state(secret), state(secret / "below")) == before
    assert os.listdir(secret) == ["below"]
    assert os.listdir(secret / "below") == []
    assert not (top / "other").exists()


@pytest.mark.skipif(not ROOT, reason="only root can create a link of another user")
def test_no_link_of_another_user_is_followed(top: Path, secret: Path) -> None:
    os.chown(top, UID, GID)
    (top / "data").symlink_to(secret)
    os.chown(top / "data", UID, GID, follow_symlinks=False)
    before = state(secret)
    with pytest.raises(NodeError, match="symbolic link"):
        Directories("", False, False).apply([wanted(top / "data")])
    assert state(secret) == before


@pytest.mark.parametrize("create", [True, False])
def test_a_link_that_appears_after_the_check_is_not_followed(
    top: Path, secret: Path, monkeypatch: pytest.MonkeyPatch, create: bool
) -> None:
    if not create:
        (top / "data").mkdir()
    setter = Directories(str(top), False, False)
    inspect = setter._inspect

    def then_replace(one: Wanted) -> os.stat_result | None:
        found = inspect(one)
        if not create:
            (top / "data").rename(top / "old")
        (top / "data").symlink_to(secret)
        return found

    monkeypatch.setattr(setter, "_inspect", then_replace)
    before = state(secret)
    with pytest.raises(NodeError, match="symbolic link"):
        setter.apply([wanted(top / "data")])
    assert state(secret) == before


def test_a_file_is_reported_with_all_other_problems(top: Path, secret: Path) -> None:
    (top / "data").write_text("x", encoding="utf-8")
    (top / "record").symlink_to(secret)
    with pytest.raises(NodeError) as caught:
        Directories(str(top), True, False).apply([wanted(top / "data"), wanted(top / "record")])
    assert [str(top / name) in line for name, line in zip(("data", "record"), str(caught.value).splitlines())] == [
        True
    ] * 2


@pytest.mark.parametrize("path", ["..", ".", "../etc"])
def test_a_path_outside_is_refused(top: Path, path: str) -> None:
    with pytest.raises(NodeError, match="is not below"):
        Directories(str(top), True, False).apply([wanted(top / path)])


@pytest.mark.skipif(not ROOT, reason="only root can become the owner")
def test_a_share_that_denies_root_is_used_as_the_owner(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root_squash: what root does has no rights, and only the owner can create, open and correct directories."""
    os.chown(top, UID, GID)

    def squashed(name: str) -> None:
        function = getattr(os, name)

        def call(path: object, *arguments: object, **options: object) -> object:
            if os.geteuid() == 0 and (options.get("dir_fd") is not None or isinstance(path, int)):
                here = os.readlink(f"/proc/self/fd/{path if isinstance(path, int) else options['dir_fd']}")
                if here.startswith(str(top)):
                    raise PermissionError(13, "Permission denied")
            return function(path, *arguments, **options)

        monkeypatch.setattr(os, name, call)

    for name in ("mkdir", "open", "stat", "fchown", "fchmod"):
        squashed(name)
    monkeypatch.setattr(directories, "lstat_at", _lstat)
    setter = Directories(str(top), True, False)
    assert len(setter.apply([wanted(top / "data")])) == 1
    assert len(setter.apply([Wanted(str(top / "data"), UID, GID, 0o700)])) == 1
    assert state(top / "data") == (UID, GID, 0o700)


def _lstat(fd: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def test_the_owner_writes_and_leaves_nothing(top: Path) -> None:
    Directories(str(top), True, False).apply([wanted(top / "data")])
    assert directories.write_problem(str(top / "data"), UID, GID) == ""
    assert os.listdir(top / "data") == []


def test_a_directory_that_cannot_be_written_has_a_reason(top: Path) -> None:
    assert directories.write_problem(str(top / "missing"), UID, GID) == "No such file or directory"
    if ROOT:
        assert directories.write_problem(str(top), UID, GID) == "Permission denied"


def test_a_probe_follows_no_link(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "data").symlink_to(tmp_path / "etc")
    (tmp_path / "etc").mkdir(mode=0o777)
    assert directories.write_problem(str(top / "data"), UID, GID) == "Not a directory"

    other = tmp_path / "ivy.yaml"
    other.write_text("content", encoding="utf-8")
    other.chmod(0o666)
    (tmp_path / "real").mkdir()
    (tmp_path / "real").chmod(0o777)
    monkeypatch.setattr("secrets.token_hex", lambda _size: "known")
    (tmp_path / "real/.ivy-probe-known.new").symlink_to(other)
    assert directories.write_problem(str(tmp_path / "real"), UID, GID) == "File exists"
    assert other.read_text(encoding="utf-8") == "content"


def test_probes_have_random_names(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    opened = os.open

    def noting(path: str, flags: int, *arguments: int, **options: int) -> int:
        if flags & os.O_CREAT:
            names.append(path)
            assert flags & os.O_EXCL
            assert flags & os.O_NOFOLLOW
        return opened(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", noting)
    for _time in range(2):
        directories.write_problem(str(top), os.geteuid(), os.getegid())
    assert len(set(names)) == len(names) == 2


def test_the_state_of_a_share_shows_a_link(top: Path) -> None:
    """Otherwise the role would not run, or would run and find nothing."""
    (top / "real").mkdir()
    (top / "data").symlink_to("real")
    params = {
        "directories": [str(top / "data"), str(top / "real")],
        "uid": os.geteuid(),
        "gid": os.getegid(),
        "mount": str(top),
        "protection": [],
    }
    found = share.gather(params, False)
    kinds = {Path(path).name: text.split(":")[0] for path, text in found["directories"].items()}
    assert kinds == {"data": "other", "real": "directory"}
    assert found["writable"] == [str(top / "real")]
