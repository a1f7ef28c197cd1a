# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of one node that others read from the share."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import port_listener, share
from ansible_collections.ivy.cluster.tests.timing import PATIENCE, Clock

TOKEN = "t0k3n"
UID, GID = os.geteuid(), os.getegid()
MOUNTS = r"""
22 1 0:20 / / rw - ext4 /dev/sda1 rw
23 22 0:21 / /srv rw - ext4 /dev/sdb1 rw
24 23 0:22 / /srv/ivy rw,noexec shared:5 - nfs4 nas:/ivy rw
25 22 0:23 / /srv/with\040blank rw - tmpfs none rw
26 24 0:24 / /srv/ivy rw - tmpfs over rw
"""


def test_a_node_reads_the_file_of_another(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    wrote = share.write(str(tmp_path), str(tmp_path / "data"), TOKEN, "engine1", UID, GID)
    assert (wrote["error"], wrote["made"]) == ("", True)
    file = {"name": "engine1", "token": TOKEN, **{key: wrote[key] for key in ("path", "uid", "gid")}}
    unlocked = {"found": True, "error": "", "uid": UID, "gid": GID, "locked": False, "lock_error": ""}
    assert share.read_all([file], 0) == {"engine1": unlocked}
    assert share.read_all([{**file, "token": "other"}], 0)["engine1"]["found"] is False
    assert share.remove(wrote["path"], UID, GID) == ""
    assert share.read_all([file], 0) == {"engine1": {"found": False, "error": ""}}
    assert share.remove(wrote["path"], UID, GID) == ""


def test_a_share_without_the_directory_is_tested_at_its_mount_point(tmp_path: Path) -> None:
    wrote = share.write(str(tmp_path), str(tmp_path / "data"), TOKEN, "engine1", UID, GID)
    assert (wrote["directory"], wrote["made"], wrote["error"]) == (str(tmp_path), False, "")
    wrote = share.write(str(tmp_path / "none"), str(tmp_path / "none/data"), TOKEN, "engine1", UID, GID)
    assert (wrote["path"], wrote["error"]) == ("", "it does not exist")


def test_a_directory_without_write_permission(tmp_path: Path) -> None:
    if UID == 0:
        directory, uid = tmp_path, 65534
        os.chmod(tmp_path, 0o755)
    else:
        directory, uid = tmp_path / "data", UID
        directory.mkdir(mode=0o500)
    wrote = share.write(str(tmp_path), str(directory), TOKEN, "engine1", uid, uid)
    assert wrote["error"] == "Permission denied"
    assert list(directory.iterdir()) == []


def test_another_process_sees_the_lock_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote = share.write(str(tmp_path), str(tmp_path), TOKEN, "engine1", UID, GID)
    fd, error = share.hold(wrote["path"], UID, GID)
    assert error == ""
    process = port_listener.start([], TOKEN, (wrote["path"], UID, GID), PATIENCE, fd)
    try:
        assert share.read(wrote["path"], TOKEN, UID, GID)["locked"] is True
        assert share.hold(wrote["path"], UID, GID)[0] == -1
    finally:
        assert port_listener.stop(process["pid"], process["start"], PATIENCE)


def test_a_share_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    wrote = share.write(str(tmp_path), str(tmp_path), TOKEN, "engine1", UID, GID)
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert share.hold(wrote["path"], UID, GID) == (-1, "No locks available")
    found = share.read(wrote["path"], TOKEN, UID, GID)
    assert (found["found"], found["locked"], found["lock_error"]) == (True, False, "No locks available")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(TOKEN, encoding="ascii")
    (tmp_path / "link").symlink_to("secret")
    assert share.read(str(tmp_path / "link"), TOKEN, UID, GID) == {"found": False, "error": "it is not a regular file"}


def test_a_late_file_is_awaited(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "late"
    requested = [{"name": "engine1", "path": str(file), "token": TOKEN, "uid": UID, "gid": GID}]
    assert not share._read_all(requested, 60)["engine1"]["found"]
    assert sum(clock.naps) == pytest.approx(60, abs=1)
    clock.naps.clear()
    clock.meanwhile = lambda: file.write_text(TOKEN, encoding="ascii")
    assert share._read_all(requested, 60)["engine1"]["found"]
    assert len(clock.naps) == 1


@pytest.mark.parametrize(
    ("path", "target", "source"),
    [
        ("/srv/ivy", "/srv/ivy", "over"),
        ("/srv/ivy/data", "/srv/ivy", "over"),
        ("/srv/ivycluster", "/srv", "/dev/sdb1"),
        ("/srv/with blank/x", "/srv/with blank", "none"),
        ("/opt", "/", "/dev/sda1"),
    ],
)
def test_the_mount_of_a_path(path: str, target: str, source: str) -> None:
    found = share.mount_of(path, MOUNTS)
    assert (found["target"], found["source"]) == (target, source)


def test_no_link_and_no_pipe_leads_to_another_file(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    wrote = share.write(str(real), str(real), TOKEN, "n1", UID, GID)
    assert share.read(wrote["path"], TOKEN, UID, GID)["found"] is True
    # The engine's user may exchange a directory below the share. Links of others than root do not count.
    tmp_path.chmod(0o777)
    (tmp_path / "link").symlink_to(real)
    through = share.read(wrote["path"].replace("/real/", "/link/"), TOKEN, UID, GID)
    assert through["found"] is False
    assert "symbolic link" in through["error"]
    os.mkfifo(tmp_path / "pipe")
    assert share.read(str(tmp_path / "pipe"), TOKEN, UID, GID)["found"] is False
