# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that returns facts with the names of options, while Ansible takes facts for variables, as it does by default.

The host is a program in place of ssh. The role that unpacks the engine is the real one.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site
from ansible_collections.ivy.cluster.tests.unit.repository import test_fixed_options

ROOT = Path(__file__).resolve().parents[3]
SECRET = "CANARY-of-the-operator"
# Keeps whatever the controller sends, and answers each module with the same result, only that nothing exists at first.
SSH = """#!/bin/bash
case "${@: -1}" in
*python*)
  cat >> "DIRECTORY/received"
  echo >> "DIRECTORY/asked"
  exists=true
  [ "$(wc -l < "DIRECTORY/asked")" -gt 2 ] || exists=false
  sed "s/EXISTS/$exists/" "DIRECTORY/answer" ;;
*"dd of="*) tee -a "DIRECTORY/received" | /bin/sh -c "${@: -1}" ;;
*) exec /bin/sh -c "${@: -1}" ;;
esac
"""
# The modules are those of stat and of the directory to unpack into.
RESULT = {"changed": False, "stat": {"exists": "EXISTS", "isdir": True, "checksum": "0"}, "state": "directory"}


def play(values: Path) -> list[dict[str, t.Any]]:
    names = sorted(test_fixed_options.OPTIONS)
    write = {
        "name": "Write the values of the options",
        "ansible.builtin.copy": {
            "content": "{{ lookup('ansible.builtin.vars', *names, default='UNDEFINED', wantlist=true) | to_json }}",
            "dest": f"{values}/{{{{ inventory_hostname }}}}",
            "mode": "0600",
        },
        "vars": {"names": names},
        "delegate_to": "localhost",
    }
    unpack = {"name": "ivy.cluster.engine", "tasks_from": "unpack"}
    return [
        {
            "name": "Run a task once for all nodes",
            "hosts": "engine_nodes",
            "gather_facts": False,
            "tasks": [{"name": "Answer", "ansible.builtin.stat": {"path": "/"}, "run_once": True}, write],
        },
        {
            "name": "Unpack the archive on one node",
            "hosts": "engine1",
            "gather_facts": False,
            "tasks": [{"name": "Unpack", "ansible.builtin.include_role": {**unpack, "rolespec_validate": False}}],
        },
    ]


class Hostile(t.NamedTuple):
    output: str
    received: str
    # By host and name.
    values: dict[str, dict[str, t.Any]]
    home: list[str]


def run(directory: Path, facts: dict[str, t.Any], **more: t.Any) -> Hostile:
    home, values = directory / "home", directory / "values"
    for path in (home, values):
        path.mkdir()
    (directory / "secret").write_text(SECRET, encoding="utf-8")
    (directory / "ssh").write_text(SSH.replace("DIRECTORY", str(directory)), encoding="utf-8")
    (directory / "ssh").chmod(0o755)
    (directory / "answer").write_text(
        json.dumps({**RESULT, "ansible_facts": facts}).replace('"EXISTS"', "EXISTS"), encoding="utf-8"
    )
    (directory / "ansible.cfg").touch()
    (directory / "site").mkdir()
    inventory = site.write_site(directory / "site", {"vars": more})
    included = str(ROOT / "playbooks/_includes/require_cluster.yml")
    first = {"name": "Validate the inventory", "ansible.builtin.import_playbook": included}
    (directory / "play.yml").write_text(yaml.safe_dump([first, *play(values)]), encoding="utf-8")
    known = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    command = list(PLAYBOOK)
    settings = {"ansible_python_interpreter": sys.executable, "ansible_become": False}
    ended = subprocess.run(
        [*command, "-i", str(inventory), str(directory / "play.yml"), "-vv", "-e", json.dumps(settings)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=directory,
        env={
            **known,
            "HOME": str(home),
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_LOCAL_TEMP": str(directory / "temporary"),
            "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
            "ANSIBLE_SSH_EXECUTABLE": str(directory / "ssh"),
            "ANSIBLE_SSH_TRANSFER_METHOD": "piped",
            "ANSIBLE_PIPELINING": "1",
            "LC_ALL": "C.UTF-8",
        },
    )
    names = sorted(test_fixed_options.OPTIONS)
    received = directory / "received"
    return Hostile(
        ended.stdout + ended.stderr,
        received.read_text(encoding="utf-8", errors="replace") if received.is_file() else "",
        {path.name: dict(zip(names, json.loads(path.read_text(encoding="utf-8")))) for path in values.iterdir()},
        [str(path.relative_to(home)) for path in home.rglob("*") if ".ansible" not in path.parts],
    )


def hostile(**more: str) -> dict[str, t.Any]:
    return {**dict.fromkeys(test_fixed_options.OPTIONS, "HOSTILE"), **more}


def test_no_fact_replaces_an_option_of_any_host(tmp_path: Path) -> None:
    ended = run(tmp_path, hostile())
    assert {"engine1", "engine2"} <= set(ended.values), ended.output
    for host, values in ended.values.items():
        replaced = {name for name, value in values.items() if value == "HOSTILE"}
        assert replaced == set(test_fixed_options.HARMLESS), host


def test_a_node_gets_no_file_that_it_chooses(tmp_path: Path) -> None:
    ended = run(tmp_path, {"engine_archive": str(tmp_path / "secret")})
    assert "Unpack the archive]" in ended.output
    assert "AxonIvyEngine" in ended.received, ended.output
    assert SECRET not in ended.received


def test_a_node_writes_no_file_of_the_controller(tmp_path: Path) -> None:
    payload = {
        "engine_archive": "",
        "engine_archive_url": (tmp_path / "secret").as_uri(),
        "engine_archive_checksum": f"sha256:{hashlib.sha256(SECRET.encode()).hexdigest()}",
        "ivy_controller_cache": str(tmp_path / "home"),
    }
    ended = run(tmp_path, payload)
    assert "Unpack the archive]" in ended.output
    assert ended.home == []
    assert SECRET not in ended.received


def test_an_option_that_names_a_file_by_facts_is_refused(tmp_path: Path) -> None:
    ended = run(tmp_path, {}, engine_archive="/srv/engine-{{ ansible_facts['architecture'] }}.zip")
    assert "engine_archive: it depends on facts" in " ".join(ended.output.split())
    assert ended.received == ""


@pytest.mark.parametrize(
    "value", ["{{ own_directory }}/engine.zip", "{{ lookup('ansible.builtin.env', 'HOME') }}/engine.zip"]
)
def test_the_variables_that_an_option_refers_to_are_protected(tmp_path: Path, value: str) -> None:
    ended = run(tmp_path, hostile(own_directory="HOSTILE"), engine_archive=value, own_directory="/srv")
    assert ended.values["engine1"]["engine_archive"] in ("/srv/engine.zip", f"{tmp_path}/home/engine.zip")
