# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A share whose server is away ends the role with its cause, before anything waits for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

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
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "play.yml", "-e", json.dumps(values)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )


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
