# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new operator types the commands of the runbooks as they are printed, and each of them works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab

ROOT = Path(__file__).resolve().parents[3]
# Runbooks without a placeholder that change no file of the operator, and the nodes that restart. The commands of the
# others depend on what happened before.
RUNBOOKS: dict[str, tuple[str, ...]] = {
    "checks": (),
    "backup": (),
    "support_bundle": (),
    "site": (),
    "rotate_certificates": (),
    "rotate_secrets": (),
    "maintenance": (),
    "drain": ("engine2",),
    "restart": ("engine1", "engine2", "engine3"),
}


@pytest.mark.parametrize("name", RUNBOOKS)
def test_every_command_of_a_runbook_works(lab: Lab, name: str) -> None:
    before = lab.pids()
    command = [sys.executable, "tools/readme_way.py", "runbook", name]
    run = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    after = lab.pids()
    assert [unit.split()[0] for unit in before if after[unit] != before[unit]] == list(RUNBOOKS[name])
    lab.playbook("playbooks/verify.yml").succeeded()
