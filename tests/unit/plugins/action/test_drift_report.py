# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import types
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.action.drift_report import ActionModule

CLEAN = {"drift": [], "pending": [], "conflict": [], "engine_owned": [], "applied": "3f2a" * 8}
EXTRA = {"root": "engine", "path": "configuration/x", "kind": "extra", "detail": "nobody declared this file"}


def run(check_mode: bool = False, diff: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    nodes = {"engine1": CLEAN, "engine2": {**CLEAN, "drift": [EXTRA]}, "engine3": {"unreachable": True, "msg": "gone"}}
    arguments = {"cluster": "demo", "time": "2026-01-31T12:00:00Z", "nodes": nodes, **changes}
    loader = DataLoader()
    task = types.SimpleNamespace(args=arguments, check_mode=check_mode, diff=diff, async_val=0, action="drift_report")
    plugin = ActionModule(
        task=task,
        connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
        play_context=None,
        loader=loader,
        templar=Templar(loader=loader, variables={}),
        shared_loader_obj=None,
    )
    return plugin.run(task_vars={})


def test_without_a_directory_nothing_is_written() -> None:
    result = run()
    assert (result["changed"], result["files"]) == (False, [])
    assert result["summary"]["drifted"] == ["engine2"]
    assert result["summary"]["unreachable"] == ["engine3"]
    assert "configuration/x" in result["text"]


def test_the_three_files_are_written_once(tmp_path: Path) -> None:
    directory = str(tmp_path / "reports")
    assert run(directory=directory, check_mode=True)["changed"]
    assert not (tmp_path / "reports").exists()
    result = run(directory=directory, diff=True)
    assert result["changed"]
    assert [Path(name).name for name in result["files"]] == ["drift.json", "drift.md", "drift.html"]
    assert "configuration/x" in result["diff"]["after"]
    assert json.loads(Path(result["files"][0]).read_text()) == result["report"]
    assert not run(directory=directory)["changed"]
    assert run(directory=directory, time="2026-02-01T12:00:00Z")["changed"]


def test_a_relative_directory_lies_where_the_run_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(directory="reports", name="monday")["files"][0] == str(tmp_path / "reports/monday.json")


def test_a_directory_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(directory=str(tmp_path / "file" / "below"))
    assert result["failed"]
    assert "Name another directory" in result["msg"]
