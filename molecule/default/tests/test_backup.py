# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was changed after a backup is undone by its restore, and a backup that cannot be used changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Lab

DIRECTORY = "/var/backups/ivy-cluster"
NOTE = "/srv/ivy/data/note-of-the-test"
PROM = "/var/lib/prometheus/node-exporter"
DATABASE = "AxonIvySystemDatabase"
ROLE = """---
- name: Set the schedule up
  hosts: engine_nodes
  gather_facts: false
  become: true
  tasks:
    - name: Set the schedule up
      ansible.builtin.include_role:
        name: ivy.cluster.backup
"""


def sql(lab: Lab, statement: str, database: str = DATABASE) -> str:
    server = lab.host(lab.groups["database_servers"][0])
    return str(server.check_output("psql -U postgres -d %s -tAc %s", database, statement)).strip()


def write(lab: Lab, text: str) -> None:
    """A row of the engine's database, and a file of the share."""
    sql(lab, "CREATE TABLE IF NOT EXISTS note_of_the_test (text text); ALTER TABLE note_of_the_test OWNER TO ivy")
    sql(lab, f"TRUNCATE note_of_the_test; INSERT INTO note_of_the_test VALUES ('{text}')")
    lab.host(lab.nodes[0]).check_output("echo %s > %s && chown ivy:ivy %s", text, NOTE, NOTE)


def read(lab: Lab) -> tuple[str, str]:
    return sql(lab, "SELECT text FROM note_of_the_test"), lab.host(lab.nodes[1]).check_output("cat %s", NOTE)


@pytest.fixture(scope="module")
def backup(lab: Lab) -> Iterator[str]:
    """A backup, loaded again for a test."""
    write(lab, "before")
    pids = lab.pids()
    run = lab.playbook("playbooks/backup.yml", "-e", "backup_verify=restore").succeeded()
    assert lab.pids() == pids
    found = re.search(r"Backup ([0-9]{8}T[0-9]{6}Z) of cluster", run.output)
    assert found is not None, run.output[-3000:]
    assert sql(lab, "SELECT count(*) FROM pg_database WHERE datname LIKE '%restore'", "postgres") == "0"
    yield found[1]
    lab.host(lab.nodes[0]).check_output(f"rm -f {NOTE}")
    sql(lab, "DROP TABLE note_of_the_test")


def test_1_a_damaged_or_unknown_backup_changes_nothing(lab: Lab, backup: str) -> None:
    host = lab.host(lab.nodes[0])
    other = "20200101T000000Z"
    edits = f's/{backup}/{other}/; s/"engine_version": "11.3.0"/"engine_version": "11.2.0"/'
    host.check_output(
        f"cp -a {DIRECTORY}/{backup} {DIRECTORY}/{other} && truncate -s -1 {DIRECTORY}/{other}/data.tar.gz"
    )
    host.check_output(f"sed -i %s {DIRECTORY}/{other}/manifest.json", edits)
    pids = lab.pids()
    refused = lab.playbook("playbooks/restore.yml", "-e", f"restore_backup={other}", "--limit", lab.nodes[0])
    host.check_output(f"rm -r {DIRECTORY}/{other}")
    assert refused.status != 0
    for part in (
        "nothing was changed",
        "bytes instead of",
        "is older than the engine",
        f"This run leaves out {lab.nodes[1]}",
    ):
        assert part in refused.output
    assert refused.changed() == []
    assert lab.pids() == pids


def test_2_a_restore_brings_the_data_back(lab: Lab, backup: str) -> None:
    write(lab, "after")
    before = lab.pids(*lab.nodes)
    run = lab.playbook("playbooks/restore.yml", "-e", f"restore_backup={backup}").succeeded()
    assert read(lab) == ("before", "before")
    assert sql(lab, "SELECT text FROM note_of_the_test", f"{DATABASE}_before") == "after"
    # Every engine was stopped, and serves again.
    assert not set(before.values()) & set(lab.pids(*lab.nodes).values())
    assert all(lab.info(node) is not None for node in lab.nodes)
    assert f"Backup {backup} is restored." in run.output


def test_3_an_isolated_cluster_serves_nobody_until_it_goes_live(lab: Lab, backup: str) -> None:
    lab.playbook("playbooks/restore.yml", "-e", f"restore_backup={backup}", "-e", "restore_isolated=true").succeeded()
    assert lab.info(lab.nodes[0]) is not None
    status = lab.playbook("playbooks/status.yml").succeeded().output
    assert re.search(r"isolated\s+since", status), status[-3000:]
    lab.playbook("playbooks/go_live.yml").succeeded()
    again = lab.playbook("playbooks/go_live.yml").succeeded()
    assert (again.changed(), "nothing to do" in again.output) == ([], True)


def test_4_the_timer_makes_a_backup(lab: Lab, backup: str, tmp_path: Path) -> None:
    host = lab.host(lab.nodes[0])
    host.check_output(f"mkdir -p {PROM}")
    playbook = tmp_path / "backup.yml"
    playbook.write_text(ROLE, encoding="utf-8")
    lab.playbook(str(playbook), "-e", "backup_schedule='*-*-* 02:30:00'", "-e", "backup_keep=1").succeeded()
    assert "ivy-backup.timer" in host.check_output("systemctl list-timers --no-legend ivy-backup.timer")
    host.check_output("systemctl start ivy-backup.service")
    assert backup not in host.check_output(f"ls {DIRECTORY}")
    assert "ivy_backup_success 1" in host.check_output(f"cat {PROM}/ivy_backup.prom")
    status = lab.playbook("playbooks/status.yml").succeeded().output
    assert re.search(r"backup\s+newest [0-9TZ]+ on " + lab.nodes[0], status), status[-3000:]
    lab.playbook(str(playbook)).succeeded()
    host.check_output(f"rm -r {PROM} && test ! -e /etc/systemd/system/ivy-backup.timer")
