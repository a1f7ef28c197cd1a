# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A share whose server is away, or on which someone created links, ends the role with its cause."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import run_play

ROOT = Path(__file__).resolve().parents[3]
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    __file_share_seconds: 1
    __file_share_task_seconds: 60
  tasks:
    - ansible.builtin.import_tasks: "{{ tasks }}"
      environment:
        PATH: "{{ programs }}:{{ lookup('ansible.builtin.env', 'PATH') }}"
"""


def run(tmp_path: Path, program: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    stat = tmp_path / "programs" / "stat"
    stat.parent.mkdir()
    stat.write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
    stat.chmod(0o755)
    values = {
        "ivy_share_directory": "/srv/share",
        "programs": str(stat.parent),
        "tasks": str(ROOT / "roles/file_share/tasks/check_answers.yml"),
    }
    return run_play(tmp_path, values)


def test_a_share_that_does_not_answer_stops_the_role(tmp_path: Path) -> None:
    done = run(tmp_path, "trap '' TERM INT; exec sleep 1000")
    assert done.returncode != 0
    assert "Not now: /srv/share on localhost does not answer within 1 seconds." in done.stdout
    assert "Check the server of the share" in done.stdout


@pytest.mark.parametrize("program", ["exit 0", "exit 1"])
def test_a_share_that_answers_does_not(tmp_path: Path, program: str) -> None:
    """A directory that is missing is one that the role creates."""
    done = run(tmp_path, program)
    assert done.returncode == 0, done.stdout


DIRECTORIES = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    __file_share_task_seconds: 60
    __file_share_directories: ["{{ ivy_share_directory }}/data", "{{ ivy_share_directory }}/record"]
  tasks:
    - ansible.builtin.include_tasks: "{{ role }}/tasks/create_directories.yml"
    - ansible.builtin.include_tasks: "{{ role }}/tasks/check_writable.yml"
      when: not ansible_check_mode
"""


def set_directories(tmp_path: Path, share: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "play.yml").write_text(DIRECTORIES, encoding="utf-8")
    values = {
        "ivy_share_directory": str(share),
        "role": str(ROOT / "roles/file_share"),
        "file_share_mode": "existing",
        "file_share_accept_local": True,
        "file_share_directory_mode": "2750",
        "ivy_user": "ivy",
        "ivy_uid": os.geteuid(),
        "ivy_gid": os.getegid(),
        "ivy_known_secrets": [],
    }
    return run_play(tmp_path, values, *arguments)


def test_directories_are_predicted_created_and_left_alone(tmp_path: Path) -> None:
    share = tmp_path / "share"
    for arguments, exists, changed in ((["--check"], False, 2), ([], True, 2), ([], True, 0), (["--check"], True, 0)):
        done = set_directories(tmp_path, share, *arguments)
        assert f"changed={changed} " in done.stdout, done.stdout
        assert "failed=0" in done.stdout
        assert (share / "data").exists() is exists
    assert (share / "record").stat().st_mode & 0o7777 == 0o2750
    assert sorted(os.listdir(share)) == ["data", "record"]
    assert os.listdir(share / "data") == []


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_link_in_place_of_a_shared_directory_stops_the_role(tmp_path: Path, arguments: list[str]) -> None:
    share = tmp_path / "share"
    target = tmp_path / "etc"
    target.mkdir(mode=0o711)
    share.mkdir()
    share.chmod(0o777)
    (share / "data").symlink_to(target)
    before = target.stat()

    done = set_directories(tmp_path, share, *arguments)

    assert done.returncode != 0
    assert f"{share}/data is a symbolic link" in done.stdout, done.stdout
    assert "move it away" in done.stdout
    after = target.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert not (share / "record").exists()


def remove_mount_point(path: Path, intent: str) -> subprocess.CompletedProcess[str]:
    script = (ROOT / "roles/file_share/files/remove_mount_point.sh").read_text(encoding="utf-8")
    command = ["sh", "-c", script, "remove_mount_point", str(path), intent]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_mount_point_of_a_node_that_leaves_is_removed(tmp_path: Path) -> None:
    point = tmp_path / "share"
    point.mkdir(mode=0)
    assert remove_mount_point(point, "check").stdout == "changed\n"
    assert point.is_dir()
    assert remove_mount_point(point, "change").stdout == "changed\n"
    assert not point.exists()
    done = remove_mount_point(point, "change")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_mount_point_with_files_stays(tmp_path: Path) -> None:
    """They were hidden by the mount, and belong to somebody."""
    (tmp_path / "file").touch()
    assert remove_mount_point(tmp_path, "change").returncode != 0
    assert (tmp_path / "file").exists()
