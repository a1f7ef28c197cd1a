# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive whose disk is not mounted is refused, and never begun again on the disk below."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.archive_place import archive_problem

ROOT = Path(__file__).resolve().parents[5]
ARCHIVE = "/mnt/archive"


@pytest.mark.parametrize(
    ("devices", "problem"),
    [
        (["3", "2", "1"], ""),
        # The database has no disk of its own.
        (["3", "1", "1"], ""),
        (["2", "2", "1"], "is on the file system of the database"),
        (["1", "1", "1"], "is on the file system of the database"),
        # Without its mount, the directory is on the file system of /, which need not be that of the database.
        (["1", "2", "1"], "is on the file system of /"),
    ],
)
def test_an_archive_needs_a_disk_of_its_own(devices: list[str], problem: str) -> None:
    found = archive_problem(ARCHIVE, devices, same_disk=False)
    assert problem in found
    assert bool(found) == bool(problem)
    assert archive_problem(ARCHIVE, devices, same_disk=True) == ""


@pytest.mark.parametrize("same_disk", [False, True])
def test_no_second_archive_is_begun_where_the_server_had_one(same_disk: bool) -> None:
    def found(**answers: str) -> str:
        return archive_problem(ARCHIVE, ["3", "2", "1"], same_disk, answers)

    assert "this server has archived there" in found(used="yes", present="no")
    assert found(used="yes", present="yes") == ""
    assert found(used="no", present="no") == ""


def tasks() -> list[dict[str, Any]]:
    text = (ROOT / "roles/postgres/tasks/prepare_archive.yml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text))


def test_the_file_system_of_the_root_is_compared_before_anything_is_changed() -> None:
    names = [task["name"] for task in tasks()]
    stop = names.index("Stop if the archive cannot be there")
    assert stop < names.index("Install pgBackRest") < names.index("Create the directories of the archive")
    disks = next(task for task in tasks() if task["name"] == "Find the file systems of the archive and of the database")
    command = disks["ansible.builtin.command"]["argv"]
    assert command[-3:] == ["{{ postgres_archive_directory }}", "{{ postgres_data_directory }}", "/"]
    shell = [*command[:4], "/proc/no/such/directory", "/proc", "/"]
    assert len(subprocess.run(shell, check=True, capture_output=True, text=True).stdout.split()) == 3
