# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of restore_database and of the archive do with what the filters decide."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles/restore_database"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tasks(name: str) -> dict[str, dict[str, Any]]:
    return {task["name"]: task for task in load(ROLE / f"tasks/{name}.yml")}


def plays() -> dict[str, dict[str, Any]]:
    return {play["name"]: play for play in load(ROOT / "playbooks/restore_database.yml")}


def test_a_run_that_continues_after_the_restore_stops_no_engine_and_restores_nothing() -> None:
    (stop,) = plays()["Stop all engines"]["tasks"]
    assert stop["when"] == "not restore_database_choice.done"
    (replace,) = plays()["Restore the database"]["tasks"]
    assert replace["when"] == "not restore_database_chosen.done"
    assert "restore_database_choice }}" in plays()["Restore the database"]["vars"]["restore_database_chosen"]


def test_the_record_knows_the_restore_before_engines_start_and_not_before_it_has_ended() -> None:
    names = list(tasks("replace"))
    assert names[-1] == "Record that the database is restored"
    assert names.index("Stop if the system database is not there") < len(names) - 1
    recorded = tasks("replace")[names[-1]]
    assert recorded["ivy.cluster.cluster_record"]["state"] == "database_restored"
    assert recorded["when"] == "not ansible_check_mode"
    opened = tasks("stop")["Open the restore in the cluster record"]["ivy.cluster.cluster_record"]
    assert set(opened["database"]) == {"target", "timeline", "left"}
    assert opened["repeat"] == "{{ restore_database_repeat | bool }}"
    check = tasks("inspect")["Check that the changes of the database reach the archive"]
    assert "not __restore_database_again | bool or restore_database_repeat | bool" in check["when"]


def test_the_timeline_of_the_choice_is_followed_and_has_a_backup_afterwards() -> None:
    command = tasks("replace")["Restore the files of the database"]["ansible.builtin.command"]["argv"]
    assert "['--target-timeline=' ~ restore_database_followed, 'restore']" in command
    order = list(plays())
    assert order.index("Roll the release out") < order.index("Begin a full backup")
    unit = tasks("back_up")["Begin a full backup"]["ansible.builtin.systemd_service"]
    assert (unit["name"], unit["state"]) == ("{{ postgres_archive_full_service }}", "started")


def test_other_databases_are_looked_for_before_anything_is_stopped_and_their_clients_also_afterwards() -> None:
    query = tasks("inspect")["Query which other databases the server has"]["ansible.builtin.command"]["stdin"]
    assert "FROM pg_database" in query
    assert "pg_stat_activity" in query
    assert "others_problem" in str(tasks("main")["Stop if the database cannot be restored"]["vars"])
    clients = tasks("replace")["Query which clients use the databases"]["ansible.builtin.command"]["stdin"]
    assert "datname <> 'postgres'" in clients
    assert "datname <> :'name' OR usesysid" in clients


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("status", [0, 1])
def test_the_files_of_the_timelines_are_read_from_the_archive(tmp_path: Path, status: int) -> None:
    script = load(ROLE / "vars/main.yml")["__restore_database_list_timelines"]
    answers = f"""case "$1 $4$2" in
"repo-ls archive/ivy--recurse") echo 15-1/00000002.history; echo 15-1/0000000A.history ;;
"repo-get archive/ivy/15-1/0000000A.history") exit {status} ;;
"repo-get "*) echo "$2" ;;
*) exit 9 ;;
esac"""
    fake = program(tmp_path / "pgbackrest", answers)
    done = subprocess.run(
        ["/bin/sh", "-ec", script, "archive/ivy", str(fake)], check=False, capture_output=True, text=True
    )
    assert done.returncode == status
    lines = done.stdout.split("\n")
    assert lines[:4] == [
        "== 15-1/00000002.history",
        "archive/ivy/15-1/00000002.history",
        "",
        "== 15-1/0000000A.history",
    ]


@pytest.mark.parametrize(
    ("directory", "status", "count", "used"),
    [
        ("/mnt/archive", True, "0", "yes"),
        ("/mnt/archive", False, "3", "yes"),
        ("/mnt/archive", False, "0", "no"),
        # The server does not answer.
        ("/mnt/archive", False, "", "no"),
        # The operator has named another directory.
        ("/mnt/other", True, "3", "no"),
    ],
)
def test_an_archive_that_this_server_had_is_remembered(
    tmp_path: Path, directory: str, status: bool, count: str, used: str
) -> None:
    script = load(ROOT / "roles/postgres/vars/main/archive.yml")["__postgres_archive_find"]
    settings, written, info = tmp_path / "ivy-cluster.conf", tmp_path / "status.json", tmp_path / "archive.info"
    settings.write_text("[ivy]\nrepo1-path=/mnt/archive\n", encoding="utf-8")
    if status:
        written.touch()
    program(tmp_path / "runuser", 'shift 3; exec "$@"')
    program(tmp_path / "psql", f"[ -n '{count}' ] || exit 2; echo {count}")
    command = ["/bin/sh", "-c", script, str(settings), directory, str(written), str(info), "5432"]

    def found() -> list[str]:
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=path).stdout.split()

    assert found() == [f"used={used}", "present=no"]
    info.touch()
    assert found() == [f"used={used}", "present=yes"]
    settings.unlink()
    assert found() == ["used=no", "present=yes"]
