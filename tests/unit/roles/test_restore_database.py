# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of restore_database and of the archive do with what the filters decide."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from jinja2.nativetypes import NativeEnvironment

from ansible_collections.ivy.cluster.tests.unit.roles.restore_database_files import ROLE, ROOT, load, program, tasks


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
    assert names[-2:] == ["Record that the database is restored", "Let backups begin again"]
    assert names.index("Stop if the system database is not there") < len(names) - 2
    recorded = tasks("replace")[names[-2]]
    assert recorded["ivy.cluster.cluster_record"]["state"] == "database_restored"
    assert recorded["when"] == "not ansible_check_mode"
    opened = tasks("stop")["Open the restore in the cluster record"]["ivy.cluster.cluster_record"]
    assert set(opened["database"]) == {"target", "timeline", "left", "system"}
    # The choice has compared it with the time of the restore.
    assert opened["repeat"] == "{{ restore_database_choice.repeat }}"
    # After a run that was refused, too.
    for place, touched in (("inspect", "__restore_database_touched"), ("replace", "restore_database_archive.touched")):
        check = tasks(place)["Check that the changes of the database reach the archive"]
        assert f"not {touched}" in check["when"]
        assert not [one for one in check["when"] if "again" in one]


def test_the_timeline_of_the_choice_is_followed_and_has_a_backup_afterwards() -> None:
    command = tasks("restore_files")["Begin to restore the files"]["ansible.builtin.command"]["argv"]
    assert "['--target-timeline=' ~ restore_database_follow, 'restore']" in command
    order = list(plays())
    assert order.index("Roll the release out") < order.index("Begin a backup")


def test_the_backup_after_a_restore_removes_none_that_the_undo_needs() -> None:
    unit = tasks("back_up")["Begin a backup"]["ansible.builtin.systemd_service"]
    assert (unit["name"], unit["state"]) == ("{{ postgres_archive_incremental_service }}", "started")
    options = load(ROOT / "roles/postgres/vars/main/internal.yml")
    assert options["postgres_archive_incremental_service"] == "{{ __postgres_archive_unit }}@incr.service"
    assert load(ROOT / "roles/postgres/defaults/main.yml")["postgres_archive_keep"] >= 2
    (check,) = [one for one in options["postgres_option_checks"] if "postgres_archive_keep" in one]
    assert "postgres_archive_keep | int >= 2" in check


def test_the_files_are_restored_in_one_unit_that_each_run_asks_first() -> None:
    order = list(tasks("replace"))
    assert order[1] == "Check and renew the lease"
    assert order[2] == "Find out whether an earlier run still restores the files"
    unit = load(ROLE / "vars/main.yml")["__restore_database_unit"]
    assert unit == "ivy-postgres-restore.service"
    begin = tasks("restore_files")["Begin to restore the files"]
    for part in (
        "['systemd-run', '--no-block'",
        "'--unit=' ~ __restore_database_unit",
        "'--uid=postgres', '--gid=postgres'",
        "'--property=Type=oneshot', '--property=RemainAfterExit=yes'",
    ):
        assert part in begin["ansible.builtin.command"]["argv"]
    assert begin["when"] == "not __restore_database_goes_on"
    stop = tasks("stop_earlier")["Stop the unit that restores other files"]
    assert stop["ansible.builtin.command"]["argv"] == ["systemctl", "stop", "{{ __restore_database_unit }}"]
    assert "not __restore_database_goes_on" in stop["when"]
    # Nothing else runs pgBackRest's restore.
    for path in ROLE.glob("tasks/*.yml"):
        assert ("'restore']" in path.read_text(encoding="utf-8")) == (path.name == "restore_files.yml")


def goes_on(stdout: list[str]) -> bool:
    values = load(ROLE / "vars/main.yml")
    chosen = {"restore_database_set": "F1", "restore_database_time": "", "restore_database_followed": 2}
    environment = NativeEnvironment()
    described = environment.from_string(values["__restore_database_description"]).render(chosen)
    known = {"__restore_database_earlier": {"stdout_lines": stdout}, "__restore_database_description": described}
    return bool(environment.from_string(values["__restore_database_goes_on"]).render(known))


def test_only_the_same_restore_is_waited_for() -> None:
    same = "Description=Restore the database from F1 to the end of the archive on timeline 2"
    assert goes_on(["ActiveState=activating", same])
    assert not goes_on(["ActiveState=activating", same.replace("F1", "F2")])
    for state in ("inactive", "active", "failed", "deactivating"):
        assert not goes_on([f"ActiveState={state}", same])


def test_the_lease_is_renewed_while_a_restore_takes_long() -> None:
    renew, wait, again = load(ROLE / "tasks/await.yml")
    assert renew["ansible.builtin.include_role"]["tasks_from"] == "renew_lease_elsewhere"
    # Half of the lease, in steps of five seconds.
    assert (wait["retries"], wait["delay"]) == ("{{ (ivy_lease_timeout | int / 10) | int }}", 5)
    assert again["ansible.builtin.include_tasks"] == "await.yml"
    assert "__restore_database_state.stdout | default('') | trim == 'activating'" in again["when"]
    for name, task in (
        ("restore_files", "Wait until the files are restored"),
        ("replace", "Wait until the database is at the time"),
    ):
        assert tasks(name)[task]["ansible.builtin.include_tasks"] == "await.yml"


def test_the_lease_is_checked_directly_before_the_server_is_touched() -> None:
    for name, task in (
        ("replace", "Stop PostgreSQL"),
        ("restore_files", "Begin to restore the files"),
        ("restore_files", "Forget the unit that has ended"),
    ):
        in_order = load(ROLE / f"tasks/{name}.yml")
        (position,) = [number for number, one in enumerate(in_order) if one["name"] == task]
        before = in_order[position - 1].get("ansible.builtin.include_role", {})
        assert before.get("tasks_from") == "renew_lease_elsewhere", task


def shell(tmp_path: Path, script: str, *arguments: str) -> str:
    command = ["/bin/sh", "-c", load(ROLE / "vars/main.yml")[script], *arguments]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=path).stdout.strip()


@pytest.mark.parametrize(
    ("restarts", "recovers", "state"),
    [
        ("3", "echo f", "active"),
        ("3", "echo t", "activating"),
        ("3", "exit 2", "activating"),
        ("4", "echo f", "failed"),
    ],
)
def test_only_a_start_since_counts_as_a_failure(tmp_path: Path, restarts: str, recovers: str, state: str) -> None:
    program(tmp_path / "systemctl", f"echo {restarts}")
    program(tmp_path / "psql", recovers)
    assert shell(tmp_path, "__restore_database_find_promotion", "postgresql@15-main", "3", "psql", "x") == state
    before = tasks("replace")["Read how often systemd has started PostgreSQL again"]
    script = before["ansible.builtin.command"]["argv"][2]
    # Otherwise the next start of a server that systemd starts again and again would count.
    assert script.index('systemctl stop "$0"') < script.index("systemctl reset-failed") < script.index("NRestarts")
    order = list(tasks("replace"))
    assert order.index("Start PostgreSQL") == order.index(before["name"]) + 1


@pytest.mark.parametrize(
    ("active", "sub", "ready", "found"),
    [
        ("inactive", "dead", 2, "stopped"),
        ("failed", "failed", 2, "stopped"),
        # A server that is damaged is started again and again.
        ("activating", "auto-restart", 2, "stopped"),
        # It recovers after a crash, or stops.
        ("activating", "start", 2, "recovering"),
        ("deactivating", "stop-sigterm", 2, "recovering"),
        ("active", "running", 0, "running"),
        ("active", "running", 1, "recovering"),
        ("active", "running", 2, "running"),
        # systemd does not answer.
        ("", "", 2, "running"),
    ],
)
def test_a_server_that_runs_and_does_not_answer_is_not_restored(
    tmp_path: Path, active: str, sub: str, ready: int, found: str
) -> None:
    program(tmp_path / "systemctl", f"echo ActiveState={active}; echo SubState={sub}")
    program(tmp_path / "pg_isready", f"exit {ready}")
    assert shell(tmp_path, "__restore_database_find_server", "postgresql@15-main", "5432") == found
    order = list(tasks("replace"))
    assert order.index("Stop if the server runs and does not answer") < order.index("Stop PostgreSQL")
    last = tasks("replace")["Stop if the server runs and does not answer"]["when"][-1]
    for state, touched, stops in (
        ("running", True, True),
        ("recovering", True, False),
        ("recovering", False, True),
        ("stopped", False, False),
    ):
        known = {"restore_database_archive": {"touched": touched}}
        condition = NativeEnvironment().compile_expression(last)
        assert condition(__restore_database_silent={"stdout": state}, **known) is stops


def test_no_backup_begins_during_a_restore_and_none_starts_the_server() -> None:
    unit = (ROOT / "roles/postgres/templates/ivy-postgres-archive.service.j2").read_text(encoding="utf-8")
    assert "\nWants=" not in unit
    assert "\nRequires=" not in unit
    assert "\nConditionPathExists=!{{ postgres_archive_pause }}\n" in unit
    order = list(tasks("replace"))
    assert order.index("Let no backup begin meanwhile") < order.index("Stop PostgreSQL")
    for path in (
        ROLE / "tasks/replace.yml",
        ROLE / "tasks/back_up.yml",
        ROOT / "roles/postgres/tasks/set_up_archive.yml",
    ):
        (end,) = [task for task in load(path) if task["name"] == "Let backups begin again"]
        assert end["ansible.builtin.file"] == {"path": "{{ postgres_archive_pause }}", "state": "absent"}


def test_other_databases_are_looked_for_before_anything_is_stopped_and_their_clients_also_afterwards() -> None:
    query = tasks("inspect")["Query which other databases the server has"]["ansible.builtin.command"]["stdin"]
    assert "FROM pg_database" in query
    assert "pg_stat_activity" in query
    assert "others_problem" in str(tasks("main")["Stop if the database cannot be restored"]["vars"])
    clients = tasks("replace")["Query which clients use the databases"]["ansible.builtin.command"]["stdin"]
    assert "datname <> 'postgres'" in clients
    assert "datname <> :'name' OR usesysid" in clients


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
