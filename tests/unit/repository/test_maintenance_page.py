# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook maintenance with two load balancers: one is lost, and the other one has no HAProxy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import run_playbook
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

ROOT = Path(__file__).resolve().parents[3]


def run_maintenance(tmp_path: Path, *options: str) -> tuple[int, str]:
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    balancers = {"lb1": {"ansible_host": "192.0.2.10"}, "lb2": {"ansible_host": "192.0.2.11", **here}}
    inventory = site.write_site(tmp_path, {"groups": {"load_balancers": balancers}})
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'ssh: connect to host: Connection refused' >&2; exit 255\n", encoding="utf-8")
    ssh.chmod(0o755)
    command = ["-i", str(inventory), str(ROOT / "playbooks/maintenance.yml"), *options]
    environment = {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "temporary"), "ANSIBLE_SSH_EXECUTABLE": str(ssh)}
    ended = run_playbook(tmp_path, *command, seconds=120, environment=environment)
    return ended.returncode, ended.stdout + ended.stderr


def test_every_load_balancer_is_reached_before_the_first_one_is_changed(tmp_path: Path) -> None:
    status, output = run_maintenance(tmp_path, "-e", "maintenance_state=on")
    assert status != 0
    assert "lb1 cannot be reached: " in output
    assert "HAProxy on lb2 does not answer: " in output
    assert "Nothing was changed." in output
    assert "TASK [ivy.cluster.maintenance : Set the state]" not in output


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (
            ["-e", "maintenance_state=maybe", "-e", "maintenance_allowed_sources=192.0.2.1,nobody,0.0.0.0/0"],
            ["neither on nor off", "contains nobody", "contains 0.0.0.0/0"],
        ),
        (["-e", "maintenance_retry_after=0", "-e", "maintenance_wait=-1"], ["between 1 and 604800", "0 and 86400"]),
        (["-e", "maintenance_state=on", "--limit", "engine1"], ["needs a load balancer", "lb1, lb2"]),
        (["-e", "maintenance_stat=on"], ["maintenance_stat"]),
    ],
)
def test_bad_input_is_reported_before_a_host_is_contacted(
    tmp_path: Path, options: list[str], messages: list[str]
) -> None:
    status, output = run_maintenance(tmp_path, *options)
    assert status != 0
    assert [message for message in messages if message not in output] == [], output
    assert "TASK [ivy.cluster.maintenance : Gather" not in output
