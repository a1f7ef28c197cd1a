# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A download that fails says why, and prints the address without its password at any verbosity."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.in_process import run_playbook

ROOT = Path(__file__).resolve().parents[3]
SECRET = "hunt3rzwei9"
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.import_tasks: download.yml
"""


@pytest.mark.parametrize(("role", "file"), [("engine", "unpack"), ("elasticsearch", "fetch_archive")])
def test_a_download_that_fails_shows_no_password(tmp_path: Path, role: str, file: str) -> None:
    tasks = yaml.safe_load((ROOT / f"roles/{role}/tasks/{file}.yml").read_text(encoding="utf-8"))
    (tmp_path / "download.yml").write_text(
        json.dumps([one for one in tasks if "get_url" in str(one)]), encoding="utf-8"
    )
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    values = {
        # Nothing listens on this port.
        f"{role}_archive_url": f"http://me:{SECRET}@127.0.0.1:9/x.zip",
        f"{role}_archive": "",
        f"{role}_archive_checksum": "sha256:" + "0" * 64,
        "__elasticsearch_archive_name": "x.zip",
        "ivy_controller_cache": str(tmp_path),
        "ivy_engine_version": "12.0.9",
        "ivy_known_secrets": [],
    }
    (tmp_path / "values.json").write_text(json.dumps(values), encoding="utf-8")
    command = ["-i", "localhost,", "play.yml", "-e", "@values.json", "-vvv", "--diff"]
    done = run_playbook(tmp_path, *command, environment={"ANSIBLE_LOCAL_TEMP": str(tmp_path / "temporary")})
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, output[-3000:]
    assert SECRET not in output
    assert "http://me:********@127.0.0.1:9/x.zip cannot be downloaded to the controller: " in output
    assert f"Correct {role}_archive_url or {role}_archive_checksum" in output


def test_the_vendors_files_are_recorded_while_only_root_can_write_there() -> None:
    tasks = yaml.safe_load((ROOT / "roles/engine/tasks/unpack.yml").read_text(encoding="utf-8"))
    names = [task["name"] for task in tasks]
    recorded = names.index("Record the vendor's baseline")
    assert recorded < names.index("Make the engine's user the owner of the directories that it writes to")
    assert recorded > names.index("Create the directories that the archive does not contain")
