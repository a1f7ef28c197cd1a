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
    values.update(params)
    return calls.call("cluster_record", values, check, diff)


def test_read_on_a_host_without_a_record(tmp_path: Path) -> None:
    assert run(tmp_path / "none", user="no-such-user", group="no-such-user") == {"changed": False, "record": None}
    assert run(tmp_path) == {"changed": False, "record": None}


def test_a_rollout_is_opened_and_closed(tmp_path: Path) -> None:
    opened = run(tmp_path, state="opened", operation="site", release=A, operator="kim", diff=True)
    assert opened["changed"]
    assert A in opened["diff"]["after"]
    assert opened["diff"]["before"] == ""
    assert run(tmp_path)["record"]["operation"]["owner"] == "kim"
    assert run(tmp_path, state="closed", operation="site", release=A)["changed"]
    assert not run(tmp_path, state="opened", operation="site", release=A)["changed"]
    assert not run(tmp_path, state="closed", operation="site", release=A)["changed"]


def test_check_mode_predicts_and_writes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, check=True, state="opened", operation="site", release=A)["record"]["desired_release"] == A
    assert list(tmp_path.iterdir()) == []
    missing = run(tmp_path / "none", check=True, state="opened", operation="site", release=A, user="no-such-user")
    assert missing["changed"]


def test_closing_without_an_open_operation_writes_nothing(tmp_path: Path) -> None:
    assert not run(tmp_path, state="closed", operation="site")["changed"]
    assert not (tmp_path / "record.json").exists()


def test_the_record_of_another_cluster_is_not_changed(tmp_path: Path) -> None:
    run(tmp_path, state="opened", operation="site", release=A)
    other = run(tmp_path, cluster="other", state="opened", operation="site", release=B)
    assert other["failed"]
    assert "must not share a directory" in other["msg"]


@pytest.mark.parametrize("release", ["latest", "A" * 32, "a" * 31])
def test_an_invalid_release_id_is_rejected(tmp_path: Path, release: str) -> None:
    invalid = run(tmp_path, state="opened", operation="site", release=release)
    assert invalid["failed"]
    assert "not a release id" in invalid["msg"]
