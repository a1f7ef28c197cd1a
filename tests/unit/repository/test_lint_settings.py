# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories that ansible-lint leaves out contain nothing that it checks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
# Files of an engine and of applications, in the vendor's format.
OTHERS = ("tests/engine_stand_in/",)


def test_ansible_lint_leaves_out_no_yaml_of_this_collection() -> None:
    settings = yaml.safe_load((ROOT / ".ansible-lint").read_text(encoding="utf-8"))
    left_out = tuple(path for path in settings["exclude_paths"] if path not in OTHERS)
    assert all(path.endswith("/") for path in left_out)
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.yml", "*.yaml"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert names
    assert [name for name in names if name.startswith(left_out)] == []
