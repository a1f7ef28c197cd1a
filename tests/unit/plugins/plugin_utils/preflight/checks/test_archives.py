# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks.archives import (
    Memory,
    Wanted,
    check_engine,
    check_file,
    damage_of,
)
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site


def wanted(path: Path, checksum: str = "") -> Wanted:
    return Wanted("engine_archive", str(path), checksum, ("engine1",), "engine")


@pytest.mark.parametrize(("name", "data"), [("a.zip", site.zip_file("x", "y")), ("a.tar.gz", site.tar_file())])
def test_an_archive_that_was_cut_anywhere_is_damaged(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert damage_of(path) == ""
    for size in (0, 1, len(data) // 3, len(data) // 2, len(data) - 9, len(data) - 1):
        path.write_bytes(data[:size])
        assert damage_of(path), size
    path.write_bytes(b"\0" * len(data))
    assert damage_of(path)


def test_what_is_not_a_archive_by_its_name_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "app.war").write_bytes(b"anything")
    assert damage_of(tmp_path / "app.war") == ""


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    path, kept = tmp_path / "a.zip", tmp_path / "cache" / "archives.json"
    path.write_bytes(site.zip_file("x"))
    asked: list[Path] = []

    def find_out(file: Path) -> str:
        asked.append(file)
        return f"answer {len(asked)}"

    for _run in range(2):
        memory = Memory(kept)
        assert memory.remember(path, "damage", find_out) == "answer 1"
        memory.save()
    path.write_bytes(site.zip_file("x", "y"))
    assert Memory(kept).remember(path, "damage", find_out) == "answer 2"
    kept.write_text("no JSON", encoding="utf-8")
    assert Memory(kept).remember(path, "damage", find_out) == "answer 3"


def test_a_memory_that_cannot_be_kept_is_done_without(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(site.zip_file("x"))
    for memory in (Memory(None), Memory(path / "below" / "a" / "file")):
        assert memory.remember(path, "damage", damage_of) == ""
        memory.save()


def test_the_cheapest_question_comes_first(tmp_path: Path) -> None:
    memory = Memory(None)
    checksum = f"sha256:{'0' * 64}"
    path = tmp_path / site.ENGINE
    assert [one.code for one in check_file(wanted(path, checksum), path, memory)] == ["archive-missing"]
    path.write_bytes(b"PK")
    assert [one.code for one in check_file(wanted(path, checksum), path, memory)] == ["archive-damaged"]
    path.write_bytes(site.zip_file("bin/AxonIvyEngine"))
    assert [one.code for one in check_file(wanted(path, checksum), path, memory)] == ["archive-checksum"]
    assert check_file(wanted(path), path, memory) == []


@pytest.mark.parametrize(
    ("name", "program", "code"),
    [
        ("AxonIvyEngine11.3.0.2501011200_All_x64.zip", "bin/AxonIvyEngine", ""),
        ("axonivy-engine.zip", "bin/AxonIvyEngine", "archive-version-unknown"),
        ("AxonIvyEngine12.0.1_All_x64.zip", "bin/AxonIvyEngine", "archive-version"),
        ("AxonIvyEngine11.3.0_All_x64.zip", "top/bin/AxonIvyEngine", "archive-foreign"),
    ],
)
def test_an_engine_is_known_by_its_program_and_its_name(tmp_path: Path, name: str, program: str, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(site.zip_file(program))
    assert [one.code for one in check_engine(wanted(path), path, "11.3.0")] == ([code] if code else [])
