# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import stat
import types
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.action.preflight_report import ActionModule

ERROR = {
    "code": "port-range",
    "area": "Options",
    "subject": "ivy_http_port",
    "message": "0 is not a port",
    "fix": "Use another",
}
WARNING = {"code": "single-node", "area": "Inventory", "message": "one node", "severity": "warning"}


def run(check_mode: bool = False, diff: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    loader = DataLoader()
    given = {"cluster": "acme", "findings": [], **arguments}
    task = types.SimpleNamespace(args=given, check_mode=check_mode, diff=diff, async_val=0, action="preflight_report")
    plugin = ActionModule(
        task=task,
        connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
        play_context=None,
        loader=loader,
        templar=Templar(loader=loader, variables={}),
        shared_loader_obj=None,
    )
    return plugin.run(task_vars={})


def test_it_does_not_fail_but_says_whether_all_is_well() -> None:
    assert run(findings=[WARNING])["ok"]
    result = run(findings=[WARNING, ERROR])
    assert not result["ok"]
    assert not result.get("failed")
    assert "[port-range]" in result["text"]
    assert run(findings=[ERROR], accept=["port-range"])["ok"]


def test_the_file_is_written_once_and_not_in_check_mode(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "preflight.json"
    foreseen = run(findings=[ERROR], file=str(path), check_mode=True)
    assert foreseen["changed"]
    assert f"not written to {path}, because of check mode" in foreseen["text"]
    assert foreseen["file"] == ""
    assert not path.parent.exists()
    result = run(findings=[ERROR], file=str(path), diff=True)
    assert "check mode" not in result["text"]
    assert result["changed"]
    assert "port-range" in result["diff"]["after"]
    assert json.loads(path.read_text(encoding="utf-8")) == result["report"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not run(findings=[ERROR], file=str(path))["changed"]


def test_a_file_that_cannot_be_written_does_not_hide_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    result = run(findings=[ERROR], file=str(tmp_path / "file" / "preflight.json"))
    assert result["failed"]
    assert "cannot be written" in result["msg"]
    assert "[port-range]" in result["msg"]


def test_a_finding_without_a_problem_is_refused() -> None:
    with pytest.raises(AnsibleActionFail):
        run(findings=[{"code": "x", "area": "Options"}])
