# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that answers with other names than those of a backup does not choose where the controller writes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK

ROOT = Path(__file__).resolve().parents[3]
ID = "20261129T120000Z"
FILES = ["database.dump", "ivy_data.tar.gz"]
ANSWERS: dict[str, dict[str, Any]] = {
    "good": {"id": ID, "files": FILES},
    "encrypted": {"id": ID, "files": [f"{name}.age" for name in FILES]},
    "path": {"id": "../../.ssh", "files": FILES},
    "line": {"id": f"{ID}\n", "files": FILES},
    "command": {"id": f"{ID};id", "files": FILES},
    "file": {"id": ID, "files": ["../../authorized_keys"]},
    "hidden": {"id": ID, "files": [".bashrc"]},
    "nothing": {"id": ID, "files": []},
}


def tasks(content: Any) -> list[dict[str, Any]]:
    return [one for task in content for one in (task, *tasks(task.get("block", [])))]


def test_other_names_are_refused(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "roles/backup/tasks/create.yml").read_text(encoding="utf-8"))
    (check,) = [task for task in tasks(content) if task["name"].startswith("Stop if the node answers with a name")]
    play = {"name": "Answers", "hosts": "all", "gather_facts": False, "tasks": [check]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    hosts = {name: {"__backup_made": answer, "ansible_connection": "local"} for name, answer in ANSWERS.items()}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")

    done = subprocess.run(
        [*PLAYBOOK, "-i", str(tmp_path / "hosts.json"), str(tmp_path / "play.yml")],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    accepted = {name for name in ANSWERS if f"fatal: [{name}]" not in done.stdout}
    assert accepted == {"good", "encrypted"}, done.stdout + done.stderr
    assert "PLAY RECAP" in done.stdout
