# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks with a report publish and write it in the same way, also if no host can be reached."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import run_playbook
from ansible_collections.ivy.cluster.tests.unit.long_tests import cases
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

ROOT = Path(__file__).resolve().parents[3]
# What is printed before the report of a cluster with six hosts. What does not apply to a host prints nothing.
LONGEST_BEGINNING = 45
ERROR_LINES = ("    ", "...ignoring", "[ERROR]", "Origin:", *"123456789")


@pytest.mark.parametrize("name", cases("preflight", "verify", more=("drift", "status", "history")))
def test_a_run_publishes_and_writes_its_report(name: str, tmp_path: Path) -> None:
    inventory = site.write_site(tmp_path, {})
    ssh, directory = tmp_path / "ssh", tmp_path / "reports"
    ssh.write_text("#!/bin/sh\nexit 255\n", encoding="utf-8")
    ssh.chmod(0o755)
    command = [
        "-i",
        str(inventory),
        str(ROOT / "playbooks" / f"{name}.yml"),
        "-e",
        f"{name}_report_directory={directory}",
    ]
    environment = {
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "temporary"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_SHOW_CUSTOM_STATS": "1",
        "ANSIBLE_SSH_EXECUTABLE": str(ssh),
    }
    ended = run_playbook(tmp_path, *command, seconds=120, environment=environment)
    output = ended.stdout + ended.stderr

    assert ended.returncode != 0, output
    before = output[: output.index("Print the report]")].splitlines()
    # Of the three lines of each host, which cannot be reached, its error takes two.
    lines = [line for line in before if line.strip() and not line.startswith(ERROR_LINES)]
    assert len(lines) <= LONGEST_BEGINNING, output
    assert sorted(path.name for path in directory.iterdir()) == [f"{name}.{form}" for form in ("html", "json", "txt")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o640}
    report = json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
    assert (report["report"], report["summary"]["ok"]) == (name, False)
    published = json.loads(output.rpartition("RUN: ")[2].partition("\n\n")[0])
    assert published == {f"ivy_{name}": report["summary"]}
