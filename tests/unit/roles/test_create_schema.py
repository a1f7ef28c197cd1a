# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""However much EngineConfigCli prints while it creates the tables, a run keeps only its last lines."""

from __future__ import annotations

import json
import os
from pathlib import Path

import yaml

from ansible_collections.ivy.cluster.tests.in_process import run_play

ROOT = Path(__file__).resolve().parents[3]
# Prints a line of 20 MiB and 100,000 short ones, and fails.
SYSTEMD_RUN = """#!/bin/sh
head -c 20971520 /dev/zero | tr '\\0' x
echo
seq -f 'line %.0f' 100000
echo "no database, password=CANARY, $*" >&2
exit 3
"""


def test_only_the_last_lines_of_a_program_are_kept_and_its_failure_is_seen(tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROOT / "roles/rollout/tasks/create_schema.yml").read_text(encoding="utf-8"))
    names = ("Create the system database's tables", "Fail because the tables were not created")
    create, fail = (next(task for task in tasks if task["name"] == name) for name in names)
    # What is printed if the task fails is not of interest, but what it registers.
    show = {"ansible.builtin.copy": {"content": "{{ __rollout_schema | to_json }}", "dest": str(tmp_path / "result")}}
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [create, show, fail]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    program = tmp_path / "systemd-run"
    program.write_text(SYSTEMD_RUN, encoding="utf-8")
    program.chmod(0o755)
    values = {
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "ivy_user": "ivy",
        "ivy_group": "ivy",
        "ivy_engine_directory": "/opt/an engine",
        "ivy_known_secrets": ["CANARY"],
        "__rollout_record": {"record": {"schema": ""}},
        "__rollout_schema_properties": ["EnvironmentFile=/etc/an environment"],
        "__rollout_schema_seconds": 300,
    }
    ended = run_play(tmp_path, values, PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert ended.returncode != 0
    assert "Fail because the tables were not created" in ended.stdout
    assert "no database, password=" in ended.stdout
    assert "CANARY" not in ended.stdout
    result = json.loads((tmp_path / "result").read_text(encoding="utf-8"))
    assert result["rc"] == 3
    assert len(json.dumps(result)) < 10_000
    # Each argument is still one.
    arguments = "--property=EnvironmentFile=/etc/an environment --working-directory=/opt/an engine"
    assert f"{arguments} /opt/an engine/bin/EngineConfigCli create-db" in result["stdout"]
