# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of the database is switched on, restores a point in time, undoes that, and is switched off."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from blocks import blocks

if TYPE_CHECKING:
    from conftest import Lab, Run

DIRECTORY = "/srv/ivy-archive"
DATABASE = "AxonIvySystemDatabase"
SETTINGS = "/etc/pgbackrest/conf.d/ivy-cluster.conf"
PASSPHRASE = "a-passphrase-of-the-test"
OPTIONS = f"""postgres_archive: true
postgres_archive_directory: {DIRECTORY}
postgres_archive_same_disk: true
postgres_archive_passphrase: {PASSPHRASE}
"""
ROLE = """---
- name: Set the database up
  hosts: database_servers
  gather_facts: false
  become: true
  tasks:
    - name: Set the database up
      ansible.builtin.include_role:
        name: ivy.cluster.postgres
"""
FIRST_BACKUP_SECONDS = 300
OTHER_DIRECTORY = f"{DIRECTORY}-2"
RUNBOOK = Path(__file__).resolve().parents[3] / "docs/runbooks/restore_database.md"


def commands_of_the_runbook(section: str, version: str) -> tuple[list[str], list[str]]:
    """The first two blocks of commands in a section, which are those for root on the database server.

    The runbook has the version of Debian 12, and says that it is to be replaced.
    """
    text = re.sub(r"\b15\b", version, RUNBOOK.read_text(encoding="utf-8"))
    found = [block.commands for block in blocks(text) if block.heading == section and block.language == "sh"]
    first, second = found[:2]
    return first, second


class Archive(NamedTuple):
    """The archive, switched on by the role."""

    lab: Lab
    role: str
    options: str

    def sql(self, statement: str) -> str:
        server = self.lab.host(self.lab.groups["database_servers"][0])
        return str(server.check_output("psql -U postgres -d %s -tAc %s", DATABASE, statement)).strip()

    def write(self, text: str) -> None:
        self.sql(f"INSERT INTO note_of_the_archive VALUES ('{text}')")

    def read(self) -> list[str]:
        return self.sql("SELECT text FROM note_of_the_archive ORDER BY text").split()

    def now(self) -> str:
        """A time after what was written, and before what is written next."""
        time.sleep(2)
        found = self.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
        time.sleep(2)
        return found

    def backups(self) -> list[str]:
        """The complete backups, oldest first."""
        server = self.lab.host(self.lab.groups["database_servers"][0])
        answer = server.check_output("runuser -u postgres -- pgbackrest --stanza=ivy --output=json info")
        return [one["label"] for one in json.loads(answer)[0]["backup"]]

    def await_backup(self) -> None:
        server = self.lab.host(self.lab.groups["database_servers"][0])
        self.lab.until(
            lambda: server.run("systemctl is-active --quiet 'ivy-postgres-archive@*'").rc != 0,
            FIRST_BACKUP_SECONDS,
            "the backup after the restore has ended",
        )

    def restore(self, *arguments: str) -> Run:
        options = ("-e", f"@{self.options}", "-e", "restore_database_reason=test")
        return self.lab.playbook("playbooks/restore_database.yml", *options, *arguments)

    def target(self, text: str, *arguments: str) -> Run:
        return self.restore("-e", f"restore_database_target={text}", *arguments)


@pytest.fixture(scope="module")
def archive(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    directory: Path = tmp_path_factory.mktemp("archive")
    (directory / "role.yml").write_text(ROLE, encoding="utf-8")
    (directory / "options.yml").write_text(OPTIONS, encoding="utf-8")
    made = Archive(lab, str(directory / "role.yml"), str(directory / "options.yml"))
    server = lab.host(lab.groups["database_servers"][0])
    yield made
    kept = server.run(f"test -d {DIRECTORY}/backup").rc
    run = lab.playbook(made.role).succeeded()
    assert PASSPHRASE not in run.output
    assert made.sql("SHOW archive_mode") == "off"
    timer = "/etc/systemd/system/ivy-postgres-archive-full.timer"
    server.check_output(f"test ! -e {SETTINGS} && test ! -e {timer}")
    assert server.run(f"test -d {DIRECTORY}/backup").rc == kept
    made.sql("DROP TABLE IF EXISTS note_of_the_archive")
    server.check_output(f"rm -rf {DIRECTORY} {OTHER_DIRECTORY}")
    assert lab.playbook(made.role).succeeded().changed() == []


def test_1_nothing_is_restored_without_an_archive(lab: Lab, archive: Archive) -> None:
    pids = lab.pids()
    run = lab.playbook(
        "playbooks/restore_database.yml",
        *("-e", "restore_database_target=latest", "-e", "restore_database_reason=test"),
    )
    assert run.status != 0
    assert "postgres_archive is false" in run.output
    assert (run.changed(), lab.pids()) == ([], pids)


def test_2_an_archive_on_the_disk_of_the_database_is_refused(lab: Lab, archive: Archive) -> None:
    pids = lab.pids()
    run = lab.playbook(archive.role, "-e", f"@{archive.options}", "-e", "postgres_archive_same_disk=false")
    assert run.status != 0
    assert "is on the file system of the database" in run.output
    assert (run.changed(), lab.pids()) == ([], pids)


def test_3_it_is_switched_on(lab: Lab, archive: Archive) -> None:
    before = lab.pids("db1")
    run = lab.playbook(archive.role, "-e", f"@{archive.options}", "--diff").succeeded()
    assert PASSPHRASE not in run.output
    # PostgreSQL has to restart for it, once.
    assert lab.pids("db1") != before
    before = lab.pids("db1")
    assert lab.playbook(archive.role, "-e", f"@{archive.options}").succeeded().changed() == []
    assert lab.pids("db1") == before
    server = lab.host("db1")
    assert server.check_output(f"stat -c %a:%U:%G {SETTINGS} {DIRECTORY}").split() == [
        "640:root:postgres",
        "750:postgres:postgres",
    ]
    lab.until(
        lambda: server.run("test -e /var/lib/ivy-postgres-archive/status.json").rc == 0,
        FIRST_BACKUP_SECONDS,
        "the first backup has ended",
    )
    assert '"problem": ""' in server.check_output("cat /var/lib/ivy-postgres-archive/status.json")
    status = lab.playbook("playbooks/status.yml", "-e", f"@{archive.options}").succeeded().output
    assert re.search(r"archive \d{8}-\d{6}F, 1 backup", status), status[-3000:]
    server.check_output("systemctl start ivy-postgres-archive@incr.service")
    assert '"complete": 2' in server.check_output("cat /var/lib/ivy-postgres-archive/status.json")


def test_4_a_time_that_cannot_be_restored_changes_nothing(lab: Lab, archive: Archive) -> None:
    pids = lab.pids()
    for target, problem in (
        ("2099-01-01T00:00:00Z", "is in the future"),
        ("2020-01-01T00:00:00Z", "is before the end of the oldest backup"),
        ("yesterday", "is not a time with a time zone"),
    ):
        run = archive.target(target)
        assert run.status != 0
        assert problem in run.output
        assert run.changed() == []
    run = archive.target("latest", "-e", "restore_database_reason=", "--limit", "engine1,db1")
    assert run.status != 0
    assert "state the reason" in run.output
    assert "This run leaves out engine2" in run.output
    assert lab.pids() == pids


def test_5_databases_of_others_are_restored_only_if_that_is_accepted(lab: Lab, archive: Archive) -> None:
    pids = lab.pids()
    archive.sql("CREATE DATABASE others")
    try:
        run = archive.target("latest", "--check")
        assert run.status != 0
        assert "1 database of others: others" in run.output
        assert lab.pids() == pids
        archive.target("latest", "--check", "-e", "restore_database_others=true").succeeded()
    finally:
        archive.sql("DROP DATABASE others")


def test_6_the_rows_of_the_time_are_back_and_the_restore_is_undone(lab: Lab, archive: Archive) -> None:
    archive.sql("CREATE TABLE note_of_the_archive (text text)")
    archive.write("first")
    archive.write("second")
    moment = archive.now()
    archive.write("third")
    archive.sql("DELETE FROM note_of_the_archive WHERE text = 'first'")
    pids = lab.pids()
    before = archive.backups()
    archive.target(moment, "--check", "--diff").succeeded()
    assert (archive.read(), lab.pids()) == (["second", "third"], pids)

    run = archive.target(moment).succeeded()

    assert archive.read() == ["first", "second"]
    assert not set(pids.values()) & set(lab.pids(*lab.nodes, "db1").values())
    assert all(lab.info(node) is not None for node in lab.nodes)
    found = re.search(r"restore_database_timeline=(\d+)", run.output)
    assert found is not None, run.output[-3000:]
    archive.write("fourth")
    archive.await_backup()
    # The same command once more would only throw that away.
    pids = lab.pids(*lab.nodes, "db1")
    twice = archive.target(moment)
    assert twice.status != 0
    assert "restore_database_repeat=20" in twice.output
    assert lab.pids(*lab.nodes, "db1") == pids

    archive.restore("-e", "restore_database_target=latest", "-e", f"restore_database_timeline={found[1]}").succeeded()

    assert archive.read() == ["second", "third"]
    # Each restore begins a backup of its timeline, and none of them removes one: two full backups are kept.
    archive.await_backup()
    after = archive.backups()
    assert after[: len(before)] == before
    assert [label[-1] for label in after[len(before) :]] == ["I", "I"]
    assert lab.host("db1").run("systemctl is-active ivy-postgres-restore.service").stdout.strip() == "inactive"
    assert lab.host("db1").run("test -e /run/ivy-postgres-restore").rc != 0
    run = archive.target("latest", "--check", "-e", "restore_database_timeline=99")
    assert run.status != 0
    assert "the archive has no timeline 99" in run.output
    assert lab.host("db1").check_output("systemctl is-failed 'ivy-postgres-archive@*' | grep -c failed || true") == "0"


def test_7_a_restore_that_was_interrupted_is_not_repeated(lab: Lab, archive: Archive) -> None:
    moment = archive.now()
    archive.write("gone")
    # The last engine cannot start, so the run ends with the database restored and the first engine in use.
    last = lab.host(lab.nodes[-1])
    drop_in = "/run/systemd/system/axonivy-engine.service.d/99-test.conf"
    content = "[Service]\\nExecStartPre=/bin/false\\nRestart=no\\n"
    last.check_output(f"mkdir -p $(dirname {drop_in}) && printf '{content}' > {drop_in} && systemctl daemon-reload")
    try:
        assert archive.target(moment).status != 0
    finally:
        last.check_output(f"rm {drop_in} && systemctl daemon-reload")
    assert "gone" not in archive.read()
    pids = lab.pids(lab.nodes[0], "db1")
    archive.write("since")
    other = archive.target("latest")
    assert other.status != 0
    named = re.search(r"restore_database_repeat=(20[-0-9T:]+Z)", other.output)
    assert named is not None, other.output[-3000:]
    # A boolean would be the same command the next time.
    assert archive.target("latest", "-e", "restore_database_repeat=true").status != 0
    site = lab.playbook("playbooks/site.yml", "-e", f"@{archive.options}")
    assert site.status != 0
    assert "The restore of the database by" in site.output
    assert lab.pids(lab.nodes[0], "db1") == pids

    archive.target(moment).succeeded()

    assert "since" in archive.read()
    assert lab.pids(lab.nodes[0], "db1") == pids
    assert all(lab.info(node) is not None for node in lab.nodes)

    # The time of that restore is what the repetition throws away.
    archive.target(moment, "-e", f"restore_database_repeat={named[1]}").succeeded()

    assert "since" not in archive.read()


def test_8_a_restore_that_is_at_work_is_stopped_before_another_one_begins(lab: Lab, archive: Archive) -> None:
    archive.write("kept")
    server = lab.host("db1")
    # As a run leaves it that was interrupted.
    server.check_output("systemd-run --unit=ivy-postgres-restore.service --property=Type=oneshot --no-block sleep 3600")
    first = server.check_output("pgrep -x sleep --newest")

    archive.target("latest").succeeded()

    assert server.run(f"test -e /proc/{first}").rc != 0
    assert "kept" in archive.read()
    journal = server.check_output("journalctl --unit=ivy-postgres-restore.service --output=cat --no-pager")
    assert "Restore the database from" in journal
    archive.await_backup()


def test_9_an_archive_from_which_nothing_can_be_restored_is_replaced_by_a_backup(lab: Lab, archive: Archive) -> None:
    """The steps of docs/runbooks/restore_database.md, section "If the files cannot be restored"."""
    server = lab.host("db1")
    # The engine's role dumps the database.
    archive.sql("CREATE TABLE IF NOT EXISTS note_of_the_archive (text text)")
    archive.sql("ALTER TABLE note_of_the_archive OWNER TO ivy")
    run = lab.playbook("playbooks/backup.yml").succeeded()
    found = re.search(r"Backup ([0-9]{8}T[0-9]{6}Z) of cluster", run.output)
    assert found is not None, run.output[-3000:]
    kept = archive.read()
    archive.write("lost")
    # pgBackRest notices it only when it restores.
    server.check_output(f"find {DIRECTORY}/backup/ivy -mindepth 2 -type f -not -name 'backup.*' -delete")
    failed = archive.target("latest")
    assert failed.status != 0
    assert "pgBackRest did not restore the files of the database" in failed.text, failed.output[-6000:]
    refused = lab.playbook("playbooks/site.yml", "-e", f"@{archive.options}", "-e", "ivy_take_over_reason=test")
    assert refused.status != 0
    assert all(lab.info(node) is None for node in lab.nodes)

    version = server.check_output("psql --version | grep -oE '[0-9]+' | head -n 1")
    (stop, start), commands = commands_of_the_runbook("If the files cannot be restored", version)
    server.check_output(stop)
    # Whether the database is the one of before.
    assert server.run(start).rc != 0
    for command in commands:
        server.check_output(command)
    other = ("-e", f"@{archive.options}", "-e", f"postgres_archive_directory={OTHER_DIRECTORY}")
    reason = ("-e", "ivy_take_over_reason='the archive is damaged'")
    lab.playbook("playbooks/site.yml", *other, "--limit", "db1", *reason).succeeded()
    assert all(lab.info(node) is None for node in lab.nodes)
    lab.playbook("playbooks/restore.yml", *other, "-e", f"restore_backup={found[1]}").succeeded()

    assert archive.read() == kept
    assert all(lab.info(node) is not None for node in lab.nodes)
    assert lab.playbook("playbooks/site.yml", *other).succeeded().changed() == []
    server.check_output("rm -r /var/lib/postgresql/damaged")
