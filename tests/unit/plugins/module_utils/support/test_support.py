# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host contributes to a support bundle: bounded, and without secrets."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node import commands
from ansible_collections.ivy.cluster.plugins.module_utils.support import files
from ansible_collections.ivy.cluster.plugins.module_utils.support import gather as sut
from ansible_collections.ivy.cluster.tests import canaries

CANARY = "CANARYx7Qz"
LIMITS = sut.Limits(part_bytes=20000, host_bytes=100000, seconds=600, part_seconds=60)


def directory(path: Path, *patterns: str, whole: bool = False) -> dict[str, t.Any]:
    return {"name": "logs", "path": str(path), "patterns": list(patterns), "whole": whole}


def program(*code: str) -> dict[str, t.Any]:
    return {"name": "state/program.txt", "arguments": [sys.executable, "-c", *code]}


def texts(found: dict[str, t.Any]) -> dict[str, str]:
    return {part["name"]: part["text"] for part in found["parts"]}


def test_outputs_and_files_are_gathered_with_their_names(tmp_path: Path) -> None:
    (tmp_path / "configuration/apps").mkdir(parents=True)
    (tmp_path / "configuration/ivy.yaml").write_text("Port: 8080\n", encoding="utf-8")
    (tmp_path / "configuration/apps/app.yaml").write_text("Name: a\n", encoding="utf-8")
    (tmp_path / "a.lic").write_text("licence\n", encoding="utf-8")
    (tmp_path / "odd na\nme.yaml").write_text("x: 1\n", encoding="utf-8")
    found = sut.gather([program("print('hello')")], [directory(tmp_path, "**.yaml", whole=True)], LIMITS)
    assert texts(found) == {
        "state/program.txt": "hello\n",
        "logs/configuration/ivy.yaml": "Port: 8080\n",
        "logs/configuration/apps/app.yaml": "Name: a\n",
        "logs/odd_na_me.yaml": "x: 1\n",
    }
    assert found["problems"] == []


def test_a_star_stands_for_a_part_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "17/main").mkdir(parents=True)
    (tmp_path / "17/main/pg_hba.conf").write_text("local\n", encoding="utf-8")
    (tmp_path / "17/main/deep").mkdir()
    (tmp_path / "17/main/deep/other.conf").write_text("no\n", encoding="utf-8")
    found = sut.gather([], [directory(tmp_path, "*/*/*.conf")], LIMITS)
    assert list(texts(found)) == ["logs/17/main/pg_hba.conf"]
    # Another pattern is for the directory below.
    found = sut.gather([], [directory(tmp_path, "*/*/*.conf", "*/*/deep/*.log")], LIMITS)
    assert list(texts(found)) == ["logs/17/main/pg_hba.conf"]
    assert sut.gather([], [directory(tmp_path, "*.conf")], LIMITS)["parts"] == []


@pytest.mark.parametrize("around", canaries.AROUND.values(), ids=list(canaries.AROUND))
def test_no_secret_leaves_the_host(tmp_path: Path, around: str) -> None:
    for number, text in enumerate(canaries.ALL.values()):
        for ending in ("log", "out"):
            (tmp_path / f"{number}.{ending}").write_text(around.format(text.format(CANARY)), encoding="utf-8")
    code = "import sys; print(open(sys.argv[1]).read())"
    programs = [
        {"name": f"state/{number}", "arguments": [sys.executable, "-c", code, str(tmp_path / f"{number}.out")]}
        for number in range(0, len(canaries.ALL), 9)
    ]
    limits = LIMITS._replace(host_bytes=10_000_000)
    found = sut.gather(programs, [directory(tmp_path, f"{number}*.log") for number in range(10)], limits)
    assert len(found["parts"]) > 100
    assert CANARY not in str(found)


def test_the_rest_of_a_secret_at_the_beginning_of_an_end_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"password: {CANARY * 3000}\nlast\n", encoding="utf-8")
    found = sut.gather(
        [program(f"print('password: ' + '{CANARY}' * 3000); print('last')")], [directory(tmp_path, "*.log")], LIMITS
    )
    assert set(texts(found).values()) == {"last\n"}
    assert len(found["problems"]) == 2
    assert all("bytes are left out" in problem for problem in found["problems"])


def test_a_configuration_is_complete_or_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n" * 10000, encoding="utf-8")
    found = sut.gather([], [directory(tmp_path, "*.yaml", whole=True)], LIMITS)
    assert (found["parts"], found["problems"]) == ([], ["logs/a.yaml: left out, it has 50000 bytes"])


def test_a_program_that_prints_for_ever_or_hangs_costs_a_limited_time() -> None:
    limits = LIMITS._replace(part_seconds=4)
    endless = program("import os\nwhile True: os.write(1, b'x' * 65536)")
    lines = program("import os\nwhile True: os.write(1, b'line\\n' * 9000)")
    hangs = {"name": "state/program.txt", "arguments": ["sh", "-c", "echo first; sleep 1000"]}
    missing = {"name": "state/missing", "arguments": ["/nowhere/program"]}
    found = sut.gather([endless, lines, hangs, missing, program("print('last')")], [], limits)
    ends = [part["text"].splitlines()[-1:] for part in found["parts"]]
    # The last line may not be complete.
    assert ends[0] == []
    assert "line".startswith(ends[1][0])
    assert ends[2:] == [["first"], ["last"]]
    assert all(len(part["text"]) <= limits.part_bytes for part in found["parts"])
    assert [problem.partition(":")[0] for problem in found["problems"]] == ["state/program.txt"] * 3 + ["state/missing"]
    assert "did not end within 4 seconds" in found["problems"][0]


def test_time_and_space_of_a_host_are_limited(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.log").write_text("line\n" * 2000, encoding="utf-8")
    found = sut.gather([], [directory(tmp_path, "*.log")], LIMITS._replace(host_bytes=25000))
    assert sum(len(part["text"]) for part in found["parts"]) <= 25000
    assert found["problems"][-1].endswith("left out, the space for this host is over")
    found = sut.gather([program("print(1)")], [directory(tmp_path, "*.log")], LIMITS._replace(seconds=0))
    assert found["parts"] == []
    assert len(found["problems"]) == 10


def test_nothing_but_regular_files_below_the_directory_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.log"
    secret.write_text("outside\n", encoding="utf-8")
    logs = tmp_path / "logs"
    (logs / "real").mkdir(parents=True)
    (logs / "link.log").symlink_to(secret)
    (logs / "directory").symlink_to(tmp_path)
    os.mkfifo(logs / "fifo.log")
    (logs / "real/good.log").write_text("good\n", encoding="utf-8")
    found = sut.gather([], [directory(logs, "**.log"), directory(tmp_path / "missing", "*")], LIMITS)
    assert texts(found) == {"logs/real/good.log": "good\n"}
    # A file that becomes a link between listing and reading.
    for name in ("link.log", "directory/secret.log", "fifo.log"):
        with pytest.raises(OSError, match=r".+"):
            files.read_end(str(logs), name, 100)


def test_only_the_newest_files_are_read(tmp_path: Path) -> None:
    for number in range(60):
        path = tmp_path / f"{number}.log"
        path.write_text("x\n", encoding="utf-8")
        os.utime(path, (number, number))
    found = sut.gather([], [directory(tmp_path, "*.log")], LIMITS)
    assert next(iter(texts(found))) == "logs/59.log"
    assert len(found["parts"]) == 40
    assert found["problems"] == [f"logs: 20 older files in {tmp_path} are left out"]


def test_a_directory_with_very_many_files_is_not_listed_completely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MOST_ENTRIES", 5)
    for number in range(9):
        (tmp_path / f"{number}.log").write_text("x\n", encoding="utf-8")
    listed, others = files.find(str(tmp_path), ["*.log"], 40)
    assert (len(listed), others) == (5, 1)


def test_the_status_of_a_program_is_noted() -> None:
    data, note = commands.end_of_output([sys.executable, "-c", "print(1); raise SystemExit(3)"], 100, 60)
    assert (data, note) == (b"1\n", "it ended with status 3")
