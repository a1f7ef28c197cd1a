# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls
from ansible_collections.ivy.cluster.plugins.modules import cluster_record

A, B = "a" * 32, "b" * 32


def run(directory: Path, check: bool = False, diff: bool = False, **params: t.Any) -> dict[str, t.Any]:
    values = {name: option.get("default") for name, option in cluster_record.ARGUMENT_SPEC.items()}
    values.update(directory=str(directory), cluster="demo", user=str(os.geteuid()), group=str(os.getegid()))
    values.update({"run_id": "run1", **params})
    return calls.call("cluster_record", values, check, diff)


def change(directory: Path, **params: t.Any) -> dict[str, t.Any]:
    """A change of a run that takes the lease before, and gives it up afterwards."""
    run(directory, state="taken", operation="site")
    result = run(directory, **params)
    assert not run(directory, state="released")["changed"]
    return result


def test_read_on_a_host_without_a_record(tmp_path: Path) -> None:
    assert run(tmp_path / "none", user="no-such-user", group="no-such-user") == {"changed": False, "record": None}
    assert run(tmp_path) == {"changed": False, "record": None}


def test_a_rollout_is_opened_and_closed(tmp_path: Path) -> None:
    opened = change(tmp_path, state="opened", operation="site", release=A, operator="kim", diff=True)
    assert opened["changed"]
    assert A in opened["diff"]["after"]
    assert opened["diff"]["before"] == ""
    assert run(tmp_path)["record"]["operation"]["owner"] == "kim"
    assert change(tmp_path, state="closed", operation="site", release=A)["changed"]
    assert not change(tmp_path, state="opened", operation="site", release=A)["changed"]
    assert not change(tmp_path, state="closed", operation="site", release=A)["changed"]


def test_check_mode_predicts_and_writes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, check=True, state="opened", operation="site", release=A)["record"]["desired_release"] == A
    assert list(tmp_path.iterdir()) == []
    missing = run(tmp_path / "none", check=True, state="opened", operation="site", release=A, user="no-such-user")
    assert missing["changed"]


def test_closing_without_an_open_operation_changes_nothing(tmp_path: Path) -> None:
    assert not change(tmp_path, state="closed", operation="site")["changed"]


def test_a_run_without_the_lease_is_refused_with_the_one_that_has_it(tmp_path: Path) -> None:
    assert not run(tmp_path, state="taken", operation="site", operator="kim")["changed"]
    for state in ("taken", "opened", "closed", "unpinned"):
        other = run(tmp_path, run_id="run2", state=state, operation="rollback", release=B)
        assert other["failed"]
        assert other["lease"]["run_id"] == "run1"
        assert "site of kim" in other["msg"]
    assert run(tmp_path)["record"]["desired_release"] is None


def test_on_a_new_node_the_lease_is_deferred(tmp_path: Path) -> None:
    new: dict[str, t.Any] = {"user": "no-such-user", "group": "no-such-user", "store": str(tmp_path / "store")}
    taken = run(tmp_path / "none", state="taken", operation="site", new_cluster=True, **new)
    assert taken == {"changed": False, "record": None, "deferred": True}
    assert run(tmp_path / "none", state="released", **new)["deferred"]
    assert run(tmp_path / "none", state="taken", operation="site", **new)["failed"]
    (tmp_path / "store").mkdir()
    (tmp_path / "store/applied.json").touch()
    assert run(tmp_path / "none", state="taken", operation="site", new_cluster=True, **new)["failed"]


def test_the_record_of_another_cluster_is_not_changed(tmp_path: Path) -> None:
    change(tmp_path, state="opened", operation="site", release=A)
    other = run(tmp_path, cluster="other", state="opened", operation="site", release=B)
    assert other["failed"]
    assert "must not share a directory" in other["msg"]


@pytest.mark.parametrize("release", ["latest", "A" * 32, "a" * 31])
def test_an_invalid_release_id_is_rejected(tmp_path: Path, release: str) -> None:
    invalid = change(tmp_path, state="opened", operation="site", release=release)
    assert invalid["failed"]
    assert "not a release id" in invalid["msg"]
