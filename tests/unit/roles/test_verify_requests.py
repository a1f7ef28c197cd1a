# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine of one node answers decides no other part of the paths that verify asks of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.in_process import run_play

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("answered", "asked"),
    [
        ({"id": 17}, "/demo/api/notes/17"),
        ({"id": "a-B_7.~"}, "/demo/api/notes/a-B_7.~"),
        ({"id": "../../system"}, "/demo/api/notes/"),
        ({"id": "1?x=y"}, "/demo/api/notes/"),
        ({"id": "é"}, "/demo/api/notes/"),
        ({"id": "1\n"}, "/demo/api/notes/"),
        ({"id": "1" * 129}, "/demo/api/notes/"),
        ({"id": ["1"]}, "/demo/api/notes/"),
        ({}, "/demo/api/notes/"),
        (["1"], "/demo/api/notes/"),
    ],
)
def test_only_a_plain_id_becomes_a_part_of_a_path(tmp_path: Path, answered: object, asked: str) -> None:
    writes = {"answers": {"application_write": {"answers": [{"ok": True, "json": answered}]}}}
    inventory = {"engine_nodes": {"hosts": {"engine1": {"__verify_writes": writes}}}}
    values = {
        "__verify_nodes": ["engine1"],
        "__verify_token": "q7x1",
        "verify_application": {"write": {}, "read": "/demo/api/notes/{id}"},
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    write = {"content": "{{ __verify_expected_entries | to_json }}", "dest": str(tmp_path / "result")}
    play = {
        "hosts": "engine1",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(ROOT / "roles/verify/vars/main/probes.yml")],
        "tasks": [{"ansible.builtin.copy": write}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    done = run_play(tmp_path, values, inventory="hosts.yml")
    assert done.returncode == 0, done.stdout + done.stderr

    (request,) = json.loads((tmp_path / "result").read_text(encoding="utf-8"))
    assert request["path"] == asked
