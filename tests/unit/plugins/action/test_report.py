# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One module creates every report, writes its files once, and predicts that exactly in check mode."""

from __future__ import annotations

import html.parser
import json
import stat
import types
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.action.report import ActionModule

ERROR = {
    "code": "port-range",
    "area": "Options",
    "subject": "ivy_http_port",
    "message": "0 is not a port",
    "fix": "Use another",
}
WARNING = {"code": "single-node", "area": "Inventory", "message": "one node", "severity": "warning"}
CLEAN = {"drift": [], "pending": [], "conflict": [], "engine_owned": [], "applied": "3f2a" * 8}
EXTRA = {"root": "engine", "path": "configuration/x", "kind": "extra", "detail": "not part of the release"}
NODES = {"engine1": CLEAN, "engine2": {**CLEAN, "drift": [EXTRA]}, "engine3": {"unreachable": True, "msg": "gone"}}
FACTS: dict[str, t.Any] = {
    "cluster": "demo",
    "unit": "axonivy-engine.service",
    "engine_version": "11.3.0",
    "nodes": ["engine1"],
    "balancers": [],
    "hosts": {"engine1": {"address": "192.0.2.21", "reach": {"unreachable": True, "msg": "timed out"}, "results": {}}},
    "database": {"address": "192.0.2.30", "port": 5432, "name": "ivydb", "user": "ivy", "servers": {}},
    "search": {"address": "192.0.2.40", "port": 9200, "servers": {}},
    "transport": "tcp",
    "runtime_deployment": False,
    "proceed_without": [],
    "accept_unsupported": ["jgroups-tcp"],
    "other_services": [],
    "application_checked": False,
    "check_mode": False,
}
RECORD = {
    "desired_release": "a" * 32,
    "history": [{"time": "2026-01-31T12:00:00Z", "operation": "site", "release": "a" * 32, "owner": "\x1b[2Janna"}],
}
STORE = {"applied": "a" * 32, "releases": [{"id": "a" * 32, "complete": True}]}
REPORTS: dict[str, dict[str, t.Any]] = {
    "preflight": {"cluster": "demo", "findings": [ERROR, WARNING]},
    "drift": {"cluster": "demo", "time": "2026-01-31T12:00:00Z", "nodes": NODES},
    "verify": FACTS,
    "status": FACTS,
    "history": {"cluster": "demo", "nodes": {"engine1": {"record": {"record": RECORD}, "releases": STORE}}},
    "plan": {
        "cluster": "demo",
        "operation": "site",
        "engine_version": "11.3.0",
        "release": "b" * 32,
        "record": RECORD,
        "nodes": {"engine1": {"plan": {"restart": True, "reasons": ["\x1b[2Jx"]}, "configuration": {"drift": [EXTRA]}}},
    },
}


class Elements(html.parser.HTMLParser):
    """Follows the open elements of a page; a page that closes another one than the innermost is wrong."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def run(check_mode: bool = False, diff: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    loader = DataLoader()
    task = types.SimpleNamespace(args=arguments, check_mode=check_mode, diff=diff, async_val=0, action="report")
    plugin = ActionModule(
        task=task,
        connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
        play_context=None,
        loader=loader,
        templar=Templar(loader=loader, variables={}),
        shared_loader_obj=None,
    )
    return plugin.run(task_vars={})


def drift(**arguments: t.Any) -> dict[str, t.Any]:
    return run(drift=REPORTS["drift"], **arguments)


def preflight(*findings: t.Any, accept: t.Sequence[str] = (), **arguments: t.Any) -> dict[str, t.Any]:
    return run(preflight={"cluster": "acme", "findings": list(findings), "accept": list(accept)}, **arguments)


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_the_same_results(name: str) -> None:
    arguments: dict[str, t.Any] = {name: REPORTS[name]}
    result = run(**arguments)
    assert (result["changed"], result["files"]) == (False, [])
    assert result["report"]["report"] == name
    assert result["report"]["cluster"] == "demo"
    assert result["report"]["summary"] == result["summary"]
    assert result["report"]["headline"] == result["headline"]
    assert result["summary"]["ok"] is result["ok"] is (name in ("history", "plan"))
    assert all(isinstance(number, int) for number in result["summary"]["counts"].values())
    assert "\x1b" not in result["text"]


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_three_files_that_are_written_once(name: str, tmp_path: Path) -> None:
    directory = tmp_path / "reports"
    arguments: dict[str, t.Any] = {name: REPORTS[name], "directory": str(directory)}
    predicted = run(check_mode=True, diff=True, **arguments)
    assert predicted["changed"]
    assert predicted["files"] == []
    assert f"not written to {directory} because of check mode" in predicted["text"]
    assert not directory.exists()

    result = run(diff=True, **arguments)

    assert result["changed"]
    assert result["diff"] == predicted["diff"]
    assert result["diff"][0]["after"] == result["text"] + "\n"
    assert [Path(file).name for file in result["files"]] == [f"{name}.{suffix}" for suffix in ("txt", "json", "html")]
    text, data, page = (Path(file).read_text(encoding="utf-8") for file in result["files"])
    assert text == result["text"] + "\n"
    assert json.loads(data) == result["report"]
    assert page.startswith("<!DOCTYPE html>")
    assert page.endswith("</html>\n")
    assert Elements(page).open == []
    assert "\x1b" not in page
    assert {stat.S_IMODE(Path(file).stat().st_mode) for file in result["files"]} == {0o640}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o750
    for check_mode in (True, False):
        again = run(check_mode=check_mode, diff=True, **arguments)
        assert (again["changed"], again["files"], "diff" in again) == (False, result["files"], False)


@pytest.mark.parametrize("name", ["verify", "status"])
@pytest.mark.parametrize("wrong", [{}, {**FACTS, "hosts": None}])
def test_other_input_is_rejected_with_its_source(name: str, wrong: dict[str, t.Any]) -> None:
    arguments: dict[str, t.Any] = {name: wrong}
    with pytest.raises(AnsibleActionFail, match=r"role ivy\.cluster\.verify"):
        run(**arguments)


@pytest.mark.parametrize("arguments", [{}, {"verify": FACTS, "status": FACTS}])
def test_a_task_creates_one_report(arguments: dict[str, t.Any]) -> None:
    with pytest.raises(AnsibleActionFail, match="preflight"):
        run(**arguments)


def test_a_relative_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert drift(directory="reports")["files"][1] == str(tmp_path / "reports/drift.json")


def test_a_directory_that_cannot_be_written_does_not_hide_the_report(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("blocking", encoding="utf-8")
    result = preflight(ERROR, directory=str(tmp_path / "file" / "below"))
    assert result["failed"]
    assert "cannot be written" in result["msg"]
    assert "Use another directory" in result["msg"]
    assert "[port-range]" in result["msg"]


def test_a_diff_shows_the_text_before_and_after(tmp_path: Path) -> None:
    preflight(ERROR, directory=str(tmp_path))
    changed = preflight(WARNING, directory=str(tmp_path), diff=True)
    assert "port-range" in changed["diff"][0]["before"]
    assert "single-node" in changed["diff"][0]["after"]
    assert "port-range" not in changed["diff"][0]["after"]
    assert [entry["prepared"] for entry in changed["diff"][1:]] == [
        f"{tmp_path}/preflight.json: new content\n",
        f"{tmp_path}/preflight.html: new content\n",
    ]


# --- preflight


def test_preflight_does_not_fail_but_returns_whether_there_are_errors() -> None:
    assert preflight(WARNING)["ok"]
    result = preflight(WARNING, ERROR)
    assert not result["ok"]
    assert not result.get("failed")
    assert "[port-range]" in result["text"]
    assert result["summary"]["counts"] == {"errors": 1, "warnings": 1}
    assert preflight(ERROR, accept=["port-range"])["ok"]


def test_the_page_of_preflight_lists_errors_first(tmp_path: Path) -> None:
    preflight(WARNING, ERROR, directory=str(tmp_path))
    page = (tmp_path / "preflight.html").read_text(encoding="utf-8")
    assert page.index("0 is not a port") < page.index("one node")


def test_a_finding_without_a_message_is_rejected() -> None:
    with pytest.raises(AnsibleActionFail):
        preflight({"code": "x", "area": "Options"})


# --- drift


def test_drift_names_nodes_with_changes_and_nodes_that_were_not_inspected() -> None:
    result = drift()
    assert result["summary"]["drifted"] == ["engine2"]
    assert result["summary"]["unreachable"] == ["engine3"]
    assert "configuration/x" in result["text"]


def test_another_time_is_another_report(tmp_path: Path) -> None:
    assert drift(directory=str(tmp_path))["changed"]
    later = {**REPORTS["drift"], "time": "2026-02-01T12:00:00Z"}
    assert run(drift=later, directory=str(tmp_path))["changed"]


# --- verify and status


def test_verify_returns_rows_findings_and_text() -> None:
    result = run(verify=FACTS)
    report = result["report"]
    assert not result["ok"]
    assert {"check": "hosts", "subject": "engine1", "status": "failed"}.items() <= report["rows"][0].items()
    assert {"code": "hosts", "severity": "error", "subject": "engine1"}.items() <= report["findings"][0].items()
    assert report["rows"][0]["fix"] == report["findings"][0]["fix"] != ""
    assert result["summary"]["failed"][0].endswith(": engine1")
    assert "jgroups-tcp" in result["text"].splitlines()[-1]


def test_status_returns_the_state_of_each_node() -> None:
    result = run(status=FACTS)
    assert "UNREACHABLE" in result["text"]
    assert result["report"]["nodes"][0]["state"] == "UNREACHABLE"
    assert result["summary"]["unreachable"] == ["engine1"]


def test_control_characters_of_a_node_are_escaped_in_every_form(tmp_path: Path) -> None:
    result = run(history=REPORTS["history"], directory=str(tmp_path))
    assert "\\x1b[2Janna" in result["text"]
    assert "\\x1b[2Janna" in (tmp_path / "history.html").read_text(encoding="utf-8")
