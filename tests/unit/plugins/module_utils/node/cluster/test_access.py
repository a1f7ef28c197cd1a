# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import access as sut
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import lease, record, update
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.accounts import NOBODY_YET
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

ENGINE = 12345
OTHER = 12346
FILES = {record.FILE_NAME: os.R_OK}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture
def share() -> t.Iterator[Path]:
    # pytest's own directories are closed to other users.
    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o755)
        directory = Path(base) / "cluster"
        directory.mkdir(mode=0o700)
        yield directory


def location(share: Path, user: int | str = ENGINE) -> update.Location:
    store = share.parent / "store"
    store.mkdir(exist_ok=True)
    (store / "applied.json").write_text("{}", encoding="ascii")
    return update.Location(str(share), "demo", str(user), str(user), str(store))


def take(run: str) -> record.Change:
    return record.Change("taken", run, operation="site")


def own(path: Path, uid: int) -> None:
    os.chown(path, uid, uid)


@needs_root
@pytest.mark.parametrize(
    ("owner", "uid", "expected"),
    [
        (ENGINE, ENGINE, sut.Access(ENGINE, ENGINE, ENGINE, ENGINE)),
        (0, ENGINE, sut.Access(0, 0, ENGINE, ENGINE)),
        (OTHER, ENGINE, sut.Access(0, 0, ENGINE, ENGINE)),
        (ENGINE, NOBODY_YET, sut.Access(0, 0, ENGINE, ENGINE)),
    ],
    ids=["as it should be", "directory of root", "directory of another user", "account deleted"],
)
def test_the_first_account_with_access_is_used(share: Path, owner: int, uid: int, expected: sut.Access) -> None:
    (share / record.FILE_NAME).touch(mode=0o640)
    own(share / record.FILE_NAME, owner)
    own(share, owner)
    assert sut.access_for(str(share), uid, uid, record.FILE_NAME, FILES) == expected
    assert os.geteuid() == 0


@needs_root
def test_a_share_that_denies_root_is_accessed_by_the_owner_of_the_directory(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / record.FILE_NAME).touch(mode=0o640)
    own(share, OTHER)
    can_access = sut._can_access
    monkeypatch.setattr(sut, "_can_access", lambda *place: place[1] != 0 and can_access(*place))
    own(share / record.FILE_NAME, OTHER)
    assert sut.access_for(str(share), ENGINE, ENGINE, record.FILE_NAME, FILES) == sut.Access(OTHER, OTHER, OTHER, OTHER)


@needs_root
def test_without_a_record_root_writes_none(share: Path) -> None:
    """The file share may not be mounted: the directory belongs to root, and is empty."""
    own(share, 0)
    share.chmod(0o755)
    with pytest.raises(NodeError, match=r"record\.lock cannot be opened"):
        update.write(location(share), take("run1"))
    assert list(share.iterdir()) == []


@needs_root
def test_a_record_that_only_root_can_read_is_accessed_by_root(share: Path) -> None:
    own(share, ENGINE)
    (share / record.FILE_NAME).touch(mode=0o600)
    assert sut.access_for(str(share), ENGINE, ENGINE, record.FILE_NAME, FILES) == sut.Access(0, 0, ENGINE, ENGINE)


def test_a_directory_that_is_missing_is_not_a_matter_of_the_account(share: Path) -> None:
    away = str(share / "away")
    assert sut.access_for(away, os.geteuid(), os.getegid(), record.FILE_NAME, FILES)[:2] == (os.geteuid(), os.getegid())


def damage_directory(share: Path) -> None:
    own(share, 0)


def damage_lock(share: Path) -> None:
    own(share / record.LOCK_NAME, 0)


def damage_record(share: Path) -> None:
    own(share / record.FILE_NAME, 0)


def damage_all(share: Path) -> None:
    for path in (share, *share.iterdir()):
        own(path, OTHER)


@needs_root
@pytest.mark.parametrize("damage", [damage_directory, damage_lock, damage_record, damage_all])
def test_a_run_takes_the_lease_of_a_share_that_it_has_to_repair(share: Path, damage: t.Callable[[Path], None]) -> None:
    own(share, ENGINE)
    update.write(location(share), take("before"))
    update.write(location(share), record.Change("released", "before"))
    damage(share)
    _before, predicted = update.predict(location(share), take("run1"))
    _before, after = update.write(location(share), take("run1"))
    assert predicted is not None
    assert after is not None
    assert after["lease"]["run_id"] == predicted["lease"]["run_id"] == "run1"
    for name in (record.FILE_NAME, record.LOCK_NAME):
        assert (share / name).stat().st_uid == ENGINE, name
    # It is another run's lease, whatever is damaged.
    damage(share)
    with pytest.raises(lease.LeaseError):
        update.write(location(share), take("run2"))


@needs_root
def test_a_node_without_the_account_takes_the_lease_if_it_was_set_up(share: Path) -> None:
    own(share, ENGINE)
    update.write(location(share), take("before"))
    update.write(location(share), record.Change("released", "before"))
    node = location(share, "no-such-user")
    assert not update.is_new(node)
    _before, after = update.write(node, take("run1"))
    assert after is not None
    assert {path.stat().st_uid for path in share.iterdir()} == {ENGINE}
    with pytest.raises(lease.LeaseError):
        update.write(location(share), take("run2"))


@needs_root
@pytest.mark.parametrize("place", [os.link, os.rename])
def test_a_file_of_root_in_place_of_the_lock_keeps_its_owner(
    share: Path, place: t.Callable[[Path, Path], None]
) -> None:
    own(share, ENGINE)
    update.write(location(share), take("run1"))
    lock = share / record.LOCK_NAME
    lock.unlink()
    precious = share.parent / "precious"
    precious.write_text("secret", encoding="ascii")
    precious.chmod(0o600)
    place(precious, lock)
    update.write(location(share), take("run1"))
    assert lock.stat().st_uid == 0
