# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the archive's timers records each result, whatever pgBackRest does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
INFO = json.dumps(
    [
        {
            "name": "ivy",
            "backup": [
                {"label": "20260101-120000F", "timestamp": {"stop": 1767268800}, "info": {"size": 1000}},
                {"label": "20260102-120000F", "timestamp": {"stop": 1767355200}, "info": {"size": 2000}},
                {"label": "20260103-120000F", "timestamp": {"stop": 1767441600}, "error": True},
            ],
        }
    ]
)


@pytest.fixture(scope="module")
def program() -> ModuleType:
    # Imported, it would leave what Python has compiled beside the files of the role.
    file = ROOT / "roles/postgres/files/archive_backup.py"
    module = ModuleType("archive_backup")
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), module.__dict__)
    return module


def result_of(
    program: ModuleType, tmp_path: Path, status: int, output: str, info: str = INFO
) -> tuple[int, dict[str, Any]]:
    calls: list[list[str]] = []

    def answer(command: list[str]) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if command[-1] == "info":
            return subprocess.CompletedProcess(command, 0, info)
        return subprocess.CompletedProcess(command, status, output)

    file = tmp_path / "status.json"
    ended = program.main(["--stanza", "ivy", "--status", str(file), "--metrics", str(tmp_path), "incr"], answer)
    assert [command[-1] for command in calls] == ["backup", "info"]
    assert "--type=incr" in calls[0]
    return ended, json.loads(file.read_text(encoding="utf-8"))


def test_a_backup_is_recorded(program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, values = result_of(program, tmp_path, 0, "")
    assert (ended, values["problem"], values["newest"], values["complete"]) == (0, "", "20260102-120000F", 2)
    assert (values["newest_time"], values["size"]) == (1767355200, 2000)
    metrics = (tmp_path / "ivy_database_archive.prom").read_text(encoding="utf-8").splitlines()
    assert "ivy_database_archive_success 1" in metrics
    assert "ivy_database_archive_last_success_timestamp_seconds 1767355200" in metrics
    assert "is complete" in capsys.readouterr().out


@pytest.mark.parametrize("info", [INFO, "", "[]", "null"])
def test_a_failure_is_recorded(program: ModuleType, tmp_path: Path, info: str) -> None:
    ended, values = result_of(program, tmp_path, 45, "x" * 9000 + " ERROR: [045]:\n no disk", info)
    assert ended == 1
    assert values["problem"].endswith("ERROR: [045]: no disk")
    assert len(values["problem"]) <= 500
    metrics = (tmp_path / "ivy_database_archive.prom").read_text(encoding="utf-8")
    assert "ivy_database_archive_success 0" in metrics.splitlines()


def test_a_program_that_is_missing_is_a_failure(program: ModuleType, tmp_path: Path) -> None:
    def missing(command: list[str]) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError(command[0])

    file = tmp_path / "status.json"
    assert program.main(["--stanza", "ivy", "--status", str(file), "full"], missing) == 1
    assert "FileNotFoundError" in json.loads(file.read_text(encoding="utf-8"))["problem"]
