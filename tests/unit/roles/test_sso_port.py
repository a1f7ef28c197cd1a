# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout does not open if users could reach an engine that trusts a header past the balancers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
NAME = "Stop if users could reach an engine that trusts a header past the balancers"


def test_an_open_port_stops_the_run(tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROOT / "roles/rollout/tasks/build.yml").read_text(encoding="utf-8"))
    (task,) = [one for one in tasks if one["name"] == NAME]
    # The last one stops the run.
    cases = [
        {"rollout_sso_headers": [], "ivy_accept_unsupported": []},
        {"rollout_sso_headers": ["x-user"], "ivy_accept_unsupported": ["sso-http-port"]},
        {"rollout_sso_headers": ["x-user"], "ivy_accept_unsupported": []},
    ]
    play = [{"hosts": "engine_nodes", "gather_facts": False, "vars": values, "tasks": [task]} for values in cases]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    hosts = {
        "n1": {},
        "n2": {"engine_http_firewall": True},
        "n3": {"engine_http_firewall": True, "engine_firewall": False},
    }
    inventory = {"all": {"children": {"engine_nodes": {"hosts": hosts}}}}
    (tmp_path / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", "-i", "hosts.yml", "play.yml"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "temporary"),
        },
    )
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, output
    *others, last = output.split("PLAY [engine_nodes]")[1:]
    assert "from the header x-user, and its HTTP port is open to all hosts on n1, n3, so anybody" in last
    assert ["fatal" in one for one in others] == [False, False]
    names = [one["name"] for one in tasks]
    assert names.index("Build the release") < names.index(NAME) < names.index("Read the cluster record")
