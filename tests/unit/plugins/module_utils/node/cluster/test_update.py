# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import lease, record
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import update as sut
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

RELEASE = "a" * 32


def location(directory: Path, **changes: str) -> sut.Location:
    defaults = {"cluster": "demo", "user": str(os.geteuid()), "group": str(os.getegid())}
    return sut.Location(str(directory), **{**defaults, **changes})


def change(state: str, **fields: t.Any) -> record.Change:
    return record.Change(state, **{"run_id": "run1", "release": RELEASE, "operation": "site", **fields})


def test_a_prediction_equals_the_write_and_writes_nothing(tmp_path: Path) -> None:
    before, predicted = sut.predict(location(tmp_path), change("pinned", reason="audit"))
    assert before is None
    assert list(tmp_path.iterdir()) == []
    sut.write(location(tmp_path), change("taken"))
    _before, written = sut.write(location(tmp_path), change("pinned", reason="audit"))
    assert predicted is not None
    assert written is not None
    assert written["pin"]["reason"] == predicted["pin"]["reason"] == "audit"
    assert sut.read(location(tmp_path)) == written


@pytest.mark.parametrize(
    "later",
    [
        change("renewed"),
        change("opened"),
        change("passed", node="engine1"),
        change("closed", nodes={"engine1": RELEASE}),
        change("drained", drained=["engine1"]),
        change("undrained", node="engine1"),
        change("deployed", applications={"portal": "1"}),
        change("schema_created"),
        change("pinned"),
        change("unpinned"),
    ],
    ids=lambda later: later.state,
)
def test_a_prediction_after_a_run_that_has_ended_equals_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: record.Change
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(record, "_time_of_share", lambda *_arguments: now)
    sut.write(location(tmp_path), change("taken", run_id="ended"))
    sut.write(location(tmp_path), change("opened", run_id="ended"))
    if later.state == "closed":
        sut.write(location(tmp_path), change("passed", run_id="ended", node="engine1"))
    taking = change("taken", ended_run="ended")
    sut.predict(location(tmp_path), taking)
    with pytest.raises(lease.LeaseError):
        sut.predict(location(tmp_path), change("taken"))
    _before, predicted = sut.predict(location(tmp_path), later)
    before, _taken = sut.write(location(tmp_path), taking)
    assert before is not None
    assert before["lease"]["run_id"] == "ended"
    _before, written = sut.write(location(tmp_path), later)
    assert predicted is not None
    assert written is not None
    # Only the prediction of the lease has the take-over.
    assert {**predicted, "history": None} == {**written, "history": None}


def test_an_account_that_does_not_exist_can_read_nothing_and_not_write(tmp_path: Path) -> None:
    assert sut.read(location(tmp_path, user="no-such-user")) is None
    with pytest.raises(NodeError, match="The user no-such-user does not exist"):
        sut.write(location(tmp_path, user="no-such-user"), change("opened"))


def test_the_difference_of_a_new_record_begins_empty() -> None:
    difference = sut.difference(record.empty("demo"), {**record.empty("demo"), "desired_release": RELEASE})
    assert difference["before"] == ""
    assert json.loads(difference["after"])["cluster"] == "demo"


def test_the_age_of_the_lease_is_measured_with_the_clock_of_the_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sut.write(location(tmp_path), change("taken", owner="kim"))
    # The clock of this node is wrong by a day.
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real + 86400)
    with pytest.raises(lease.LeaseError, match="site of kim"):
        sut.write(location(tmp_path), change("taken", run_id="run2"))
    monkeypatch.setattr(record, "_time_of_share", lambda *_arguments: real + 1000)
    _before, taken = sut.write(location(tmp_path), change("taken", run_id="run2"))
    assert taken is not None
    assert taken["lease"]["run_id"] == "run2"


def test_a_check_of_the_lease_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(lease.LeaseError, match="does not hold"):
        sut.check(location(tmp_path), "run1")
    assert list(tmp_path.iterdir()) == []
    sut.write(location(tmp_path), change("taken"))
    before = (tmp_path / record.FILE_NAME).read_bytes()
    sut.check(location(tmp_path), "run1")
    with pytest.raises(lease.LeaseError, match="has lost the lease"):
        sut.check(location(tmp_path), "run2")
    assert (tmp_path / record.FILE_NAME).read_bytes() == before


def test_the_lease_alone_does_not_count_as_changed(tmp_path: Path) -> None:
    before, taken = sut.write(location(tmp_path), change("taken"))
    assert not sut.changed(before, taken)
    _before, pinned = sut.write(location(tmp_path), change("pinned"))
    assert sut.changed(taken, pinned)
    _before, released = sut.write(location(tmp_path), change("released"))
    assert not sut.changed(pinned, released)
    assert released is not None
    assert released["lease"] is None
    assert "run1" not in sut.difference(pinned, taken)["after"]


def test_a_node_whose_share_is_not_mounted_is_not_new(tmp_path: Path) -> None:
    store = tmp_path / "store"
    away = location(tmp_path / "away")._replace(store=str(store))
    assert sut.is_new(away)
    assert sut.is_new(location(tmp_path, user="no-such-user"))
    assert not sut.is_new(location(tmp_path))
    store.mkdir()
    (store / "applied.json").write_text("{}")
    with pytest.raises(NodeError, match=r"findmnt --target .*mount -a, and run again"):
        sut.is_new(away)
