# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tools/lint.py` finds what ansible-lint finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Faults of tasks, also in blocks and handlers, and of the play.
FAULTY = """---
- name: lower case
  hosts: all
  tasks:
    - shell: echo {{ one}} | cat
    - name: Read a file
      ansible.builtin.command: cat /etc/hosts
    - name: Nested
      block:
        - name: Install the newest
          ansible.builtin.package: name=curl state=latest
        - name: Skipped here
          ansible.builtin.command: ls # noqa: no-changed-when
        - name: Ignore it
          ansible.builtin.copy:
            content: "{{two}}"
            dest: /tmp/file
          ignore_errors: yes
          when: "{{ three }}"
  handlers:
    - name: reload it
      ansible.builtin.service: name=cron state=reloaded
"""


def findings(project: Path, program: list[str]) -> list[tuple[str, str]]:
    """Rule and line of each finding."""
    command = [*program, "--offline", "--format", "json", "--config-file", "/dev/null", "play.yml"]
    output = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False).stdout
    return sorted((found["check_name"], json.dumps(found["location"])) for found in json.loads(output))


def test_it_finds_what_ansible_lint_finds(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(FAULTY, encoding="utf-8")

    found = findings(tmp_path, [sys.executable, str(ROOT / "tools/lint.py")])

    assert found == findings(tmp_path, [str(Path(sys.executable).with_name("ansible-lint"))])
    assert len({rule for rule, _line in found}) > 8
