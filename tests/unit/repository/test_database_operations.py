# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks for members of the database and of etcd report bad input before a host is contacted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import run_playbook
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

ROOT = Path(__file__).resolve().parents[3]
MEMBERS = {f"db{number}": {"ansible_host": f"192.0.2.3{number}"} for number in (1, 2, 3)}
GROUPS = {"database_servers": MEMBERS, "etcd_members": {name: {} for name in MEMBERS}}
PASSWORDS = {f"postgres_{name}_password": f"a-password-for-{name}" for name in ("replication", "rewind")}


def run(tmp_path: Path, playbook: str, *options: str, patroni: bool = True) -> tuple[int, str]:
    case = {"groups": GROUPS, "vars": PASSWORDS} if patroni else {}
    inventory = site.write_site(tmp_path, case)
    command = ["-i", str(inventory), str(ROOT / f"playbooks/{playbook}.yml"), *options]
    environment = {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "temporary"), "ANSIBLE_SSH_EXECUTABLE": "/bin/false"}
    ended = run_playbook(tmp_path, *command, seconds=300, environment=environment)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("playbook", "options", "message"),
    [
        (
            "switchover_database",
            ["postgres_switchover_candidate=db9"],
            "is db9, which is not in the group database_servers",
        ),
        ("switchover_database", ["ivy_plan=abc"], "switchover_database has no plan"),
        ("switchover_database", ["postgres_switchover_candidat=db2"], "postgres_switchover_candidat"),
        ("reinitialize_database", [], "postgres_reinitialize_member is empty: name one of db1, db2, db3"),
        ("reinitialize_database", ["postgres_reinitialize_member=engine1"], "is engine1, which is not in the group"),
        ("replace_etcd_member", [], "etcd_replaced_member is empty: name one of db1, db2, db3"),
        ("replace_etcd_member", ["etcd_replaced_member=lb1"], "is lb1, which is not in the group etcd_members"),
    ],
)
def test_bad_input_is_reported_before_a_host_is_contacted(
    tmp_path: Path, playbook: str, options: list[str], message: str
) -> None:
    status, output = run(tmp_path, playbook, *(part for option in options for part in ("-e", option)))
    assert status != 0
    text = " ".join(output.split())
    assert message in text, output
    assert "No host was contacted" in text
    assert "Inspect the member" not in output


@pytest.mark.parametrize("playbook", ["switchover_database", "reinitialize_database"])
def test_a_single_server_is_refused(tmp_path: Path, playbook: str) -> None:
    status, output = run(tmp_path, playbook, "-e", "postgres_reinitialize_member=db1", patroni=False)
    assert status != 0
    assert "for several database servers that Patroni manages, and this inventory has 1" in " ".join(output.split())
