# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps other runs, other units and what is not archived apart from a restore of the database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jinja2.nativetypes import NativeEnvironment

from ansible_collections.ivy.cluster.tests.in_process import run_play
from ansible_collections.ivy.cluster.tests.unit.roles.restore_database_files import ROLE, ROOT, load, program, tasks

TIME = "2026-01-01T12:00:00Z"


def shell(tmp_path: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    return subprocess.run(["/bin/sh", "-c", script, *arguments], check=False, capture_output=True, text=True, env=path)


def messages(directory: Path, cases: list[dict[str, Any]]) -> list[str]:
    """The message that stops each run, which has taken the lease; empty if it may go on."""
    tasks_of_lease = load(ROOT / "roles/rollout/tasks/take_new_lease.yml")
    (block,) = [one for one in tasks_of_lease if one["name"] == "Keep off a database that is being restored"]
    (release,) = [one for one in block["block"] if "ansible.builtin.include_tasks" in one]
    assert release.pop("ansible.builtin.include_tasks") == "release_lease.yml"
    release["ansible.builtin.debug"] = {"msg": "the lease is released"}
    going_on: dict[str, Any] = {"block": [block], "rescue": [{"ansible.builtin.debug": {"msg": "refused"}}]}
    plays = [
        {"name": "Run", "gather_facts": False, "tasks": [going_on], "hosts": case.pop("hosts"), "vars": case}
        for case in cases
    ]
    (directory / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    groups = {"engine_nodes": ["e1"], "database_servers": ["db1"], "load_balancers": ["lb1"]}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    children: dict[str, Any] = {name: {"hosts": dict.fromkeys(found, local)} for name, found in groups.items()}
    (directory / "hosts.yml").write_text(json.dumps({"all": {"children": children}}), encoding="utf-8")
    done = run_play(directory, {}, inventory="hosts.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = done.stdout.split("PLAY [Run]")[1:]
    assert len(outputs) == len(cases)
    for output in outputs:
        assert ("msg: refused" in output) is ("by kim, since" in output), output
        # Before it fails.
        assert output.partition("by kim, since")[0].count("the lease is released") == ("msg: refused" in output)
    return [output if "msg: refused" in output else "" for output in outputs]


def case(operation: str, reason: str, hosts: str = "e1", **part: Any) -> dict[str, Any]:
    opened = {"name": "restore_database", "owner": "kim", "since": TIME, "database": part}
    record = {"operation": opened} if part else {"operation": {"name": "site"}}
    more = {"rollout_operation": operation, "ivy_take_over_reason": reason, "hosts": hosts}
    return {**more, "__rollout_lease_record": record}


def test_other_runs_stop_when_they_have_the_lease(tmp_path: Path) -> None:
    cases: list[tuple[str, str | None, str, bool]] = [
        ("site", None, "", True),
        ("site", TIME, "", True),
        ("upgrade", TIME, "", True),
        ("drain", None, "", True),
        ("drain", TIME, "", False),
        ("restore_database", None, "", False),
        ("restore", None, "", False),
        ("site", None, "lost", False),
    ]
    runs = [case(operation, reason, restored=restored) for operation, restored, reason, _stops in cases]
    other: list[dict[str, Any]] = [
        {**case("site", ""), "__rollout_lease_record": found} for found in ({}, {"operation": None})
    ]
    found = messages(tmp_path, [*runs, case("site", ""), *other])
    assert [bool(one) for one in found] == [*(stops for *_case, stops in cases), False, False, False]
    assert "half restored" not in "".join(found)


def test_a_reason_to_take_over_lets_no_run_use_files_that_are_half_restored(tmp_path: Path) -> None:
    (tmp_path / "main/global").mkdir(parents=True)
    (tmp_path / "moved").mkdir()
    half: dict[str, Any] = {"restored": None, "files": str(tmp_path / "main")}
    # The operator has moved them away. Engines would begin with the empty server.
    moved = {**half, "files": str(tmp_path / "moved")}
    # A restore of a backup has taken it over, and has not exchanged the database yet.
    backup = case("site", "lost", **half)
    backup["__rollout_lease_record"]["operation"]["name"] = "restore"
    cases = [
        backup,
        *(case(operation, "lost", hosts, **half) for operation, hosts in (("site", "e1"), ("drain", "e1"))),
        *(case(operation, "lost", "db1", **half) for operation in ("site", "upgrade")),
        case("site", "lost", "e1", **moved),
        case("site", "", "db1", **moved),
        case("upgrade", "lost", "db1", **moved),
        # They may go on.
        case("site", "lost", "db1", **moved),
        case("restore", "", "e1", **half),
    ]
    found = messages(tmp_path, cases)
    assert ["If the files cannot be restored" in one for one in found] == [True] * 8 + [False] * 2
    assert found[8:] == ["", ""]


def test_the_record_knows_before_any_file_is_changed_and_after_what_may_be_lost_is_known() -> None:
    order = list(tasks("replace"))
    recorded = tasks("replace")["Record that the files of the database are changed"]
    assert order.index(recorded["name"]) == order.index("Restore the files of the database") - 1
    assert order.index("Stop PostgreSQL") < order.index("Keep the database if a part of its log would be lost")
    assert order.index("Keep the database if a part of its log would be lost") < order.index(recorded["name"])
    call = recorded["ivy.cluster.cluster_record"]
    assert (call["state"], call["database"]) == ("database_replacing", {"files": "{{ postgres_data_directory }}"})
    assert recorded["delegate_to"] == tasks("replace")["Record that the database is restored"]["delegate_to"]
    values = load(ROLE / "vars/main.yml")
    for database, intact, touched in (
        ({"restored": None, "files": "/x"}, {}, True),
        ({"restored": None, "files": "/x"}, {"stdout": "f"}, True),
        ({"restored": None, "files": "/x"}, {"stdout": "t\n"}, False),
        ({"restored": None}, {}, False),
        (None, {}, False),
    ):
        environment = NativeEnvironment()
        known = {"__restore_database_operations": [{"database": database}, {"name": "site"}]}
        half = environment.from_string(values["__restore_database_half"]).render(known)
        found = {"__restore_database_half": half, "__restore_database_intact": intact}
        assert bool(environment.from_string(values["__restore_database_touched"]).render(found)) is touched


@pytest.mark.parametrize(
    ("state", "control", "signal", "unchanged"),
    [
        ("failed", True, False, True),
        ("inactive", True, False, True),
        # It works, or has ended with success.
        ("activating", True, False, False),
        ("active", True, False, False),
        ("deactivating", True, False, False),
        # systemd does not answer.
        ("", True, False, False),
        # pgBackRest removes the control file first, and brings it back last.
        ("failed", False, False, False),
        ("failed", False, True, False),
        ("failed", True, True, False),
    ],
)
def test_files_are_unchanged_if_pgbackrest_has_ended_before_its_first_change(
    tmp_path: Path, state: str, control: bool, signal: bool, unchanged: bool
) -> None:
    program(tmp_path / "systemctl", f"echo {state}")
    (tmp_path / "data/global").mkdir(parents=True)
    for name, there in (("global/pg_control", control), ("recovery.signal", signal)):
        if there:
            (tmp_path / "data" / name).touch()
    values = load(ROLE / "vars/main.yml")
    # The path is an argument: it is not part of a script.
    argv = load(ROLE / "tasks/keep_unchanged.yml")[0]["ansible.builtin.command"]["argv"]
    assert argv[2:] == [
        "{{ __restore_database_if_idle }}",
        "{{ __restore_database_unit }}",
        "/bin/sh",
        "-c",
        "{{ __restore_database_find_unchanged }}",
        "{{ postgres_data_directory }}",
    ]
    script = ("/bin/sh", "-c", values["__restore_database_find_unchanged"], str(tmp_path / "data"))
    done = shell(tmp_path, values["__restore_database_if_idle"], "unit", *script)
    assert (done.returncode, done.stdout.strip()) == (0, "t" if unchanged else "")


def test_a_database_is_as_before_on_the_same_server_and_timeline_only() -> None:
    values = load(ROLE / "vars/main.yml")
    for part, numbers in (({"left": 7, "system": "71"}, ("7", "71")), ({"left": 7}, ("7", "0")), ({}, ("0", "0"))):
        known = {"__restore_database_half": [part] if part else [], "__restore_database_timeline_query": "SELECT 1"}
        query = " ".join(
            NativeEnvironment().from_string(values["__restore_database_intact_query"]).render(known).split()
        )
        assert query == (
            f"SELECT CASE WHEN pg_is_in_recovery() THEN 'f' WHEN (SELECT 1) = {numbers[0]} "
            f"AND (SELECT system_identifier FROM pg_control_system()) = {numbers[1]} THEN 't' ELSE 'f' END"
        )


def test_a_restore_of_a_backup_lets_the_backups_of_the_archive_begin_again() -> None:
    replaced = load(ROOT / "roles/restore/tasks/replace.yml")
    (block,) = [one["block"] for one in replaced if "block" in one]
    (end,) = [one for one in block if one["name"] == "Let backups of the archive begin again"]
    pause = load(ROOT / "roles/postgres/vars/main/internal.yml")["postgres_archive_pause"]
    assert end["ansible.builtin.file"] == {"path": pause, "state": "absent"}
    assert end["delegate_to"] == block[0]["delegate_to"]


@pytest.mark.parametrize(
    ("state", "ready", "count"),
    [
        ("shut down", 3, "3"),
        ("shut down", 0, "0"),
        # It has not archived the file that it was writing.
        ("in production", 0, "1"),
        ("shut down in recovery", 3, "4"),
        ("", 0, "1"),
        # There is nothing that could be lost.
        ("", None, "0"),
    ],
)
def test_the_log_of_a_stopped_server_that_is_not_archived_is_counted(
    tmp_path: Path, state: str, ready: int | None, count: str
) -> None:
    control = program(
        tmp_path / "pg_controldata",
        f"[ $LC_ALL = C ] && [ -n '{state}' ] || exit 1; echo 'Database cluster state:               {state}'; echo x",
    )
    if ready is not None:
        status = tmp_path / "data/pg_wal/archive_status"
        status.mkdir(parents=True)
        for number in range(ready):
            (status / f"00000001000000000000000{number}.ready").touch()
        (status / "000000010000000000000009.done").touch()
    values = load(ROLE / "vars/main.yml")
    known: dict[str, Any] = {
        "postgres_selected_version": 15,
        "postgres_data_directory": str(tmp_path / "data"),
        **values,
    }
    command = [
        NativeEnvironment().from_string(one).render(known) for one in values["__restore_database_count_log_command"]
    ]
    assert command[:2] == ["/bin/sh", "-c"]
    assert command[-1] == "/usr/lib/postgresql/15/bin/pg_controldata"
    done = shell(tmp_path, *map(str, command[2:-1]), str(control))
    assert (done.returncode, done.stdout.strip()) == (0, count)


def problems(**archive: Any) -> str:
    task = tasks("main")["Stop if the database cannot be restored"]
    listed = task["vars"]["__restore_database_problems"]
    environment = NativeEnvironment()
    environment.filters["ivy.cluster.playbook_command"] = str
    lose, done = archive.pop("lose", ""), archive.pop("done", False)
    known = {
        "groups": {"database_servers": ["db1"]},
        "__restore_database_option_problems": [],
        "__restore_database_server": "db1",
        "__restore_database_left_out": [],
        "__restore_database_record": {"format": 2},
        "__restore_database_archive": {"enabled": True, **archive},
        "__restore_database_done": done,
        "restore_database_lose": lose,
        "restore_database_choice": {},
    }
    words = environment.from_string(task["vars"]["__restore_database_log_problem"]).render(known)
    return str(environment.from_string(listed).render(__restore_database_log_problem=words, **known))


def test_what_is_not_archived_is_lost_only_if_its_number_is_named() -> None:
    for number in (3, "3"):
        assert "restore_database_lose=3" in problems(log_files=number)
        assert "restore_database_lose=3" in problems(log_files=number, lose="2")
        assert problems(log_files=number, lose=3) == problems(log_files=number, lose="3") == "[]"
        assert problems(log_files=number, done=True) == "[]"
    assert problems(log_files=0) == "[]"
    stop = tasks("replace")["Keep the database if a part of its log would be lost"]
    numbers: list[tuple[str, Any, bool]] = [
        ("3", "", True),
        ("3", 2, True),
        ("3", 3, False),
        ("3", "3", False),
        ("0", "", False),
    ]
    for count, lose, stopped in numbers:
        condition = NativeEnvironment().compile_expression(stop["when"][-1])
        values: dict[str, Any] = {
            "__restore_database_log_files": {"stdout": f"{count}\n"},
            "restore_database_lose": lose,
        }
        assert condition(**values) is stopped


def test_a_server_that_does_not_answer_is_refused_before_engines_are_stopped() -> None:
    assert "systemctl stop postgresql@15-main" in problems(silent="postgresql@15-main")
    assert problems(silent="postgresql@15-main", done=True) == problems(silent="") == "[]"
    # They are named by what this run knows, not by what the host answers.
    found = tasks("inspect")["Hand on what was found"]["ansible.builtin.set_fact"]["restore_database_archive"]
    environment = NativeEnvironment()
    known = {"postgres_service_name": "server", "postgres_archive_full_service": "full"}
    for part, register, answers in (
        (
            "silent",
            "__restore_database_silent",
            {"running": "server", "recovering": "server", "stopped": "", "x": "server"},
        ),
        ("backup", "__restore_database_backup", {"running": "full", "; reboot": "full", "": ""}),
    ):
        for answer, name in answers.items():
            assert environment.from_string(found[part]).render({register: {"stdout": answer}, **known}) == (
                name or None or ""
            )
        assert environment.from_string(found[part]).render({register: {"skipped": True}, **known}) == ""


@pytest.mark.parametrize(
    ("rc", "touched", "made"),
    [(0, False, True), (2, False, False), (0, True, False)],
)
def test_a_server_is_asked_again_whether_its_changes_are_archived(rc: int, touched: bool, made: bool) -> None:
    order = list(tasks("replace"))
    check = tasks("replace")["Check that the changes of the database reach the archive"]
    assert order.index(check["name"]) + 1 == order.index("Stop if changes do not reach the archive")
    assert order.index("Stop if a client uses a database") < order.index(check["name"]) < order.index("Stop PostgreSQL")
    known = {
        "ansible_check_mode": False,
        "__restore_database_clients": {"rc": rc},
        "restore_database_archive": {"touched": touched},
    }
    assert all(NativeEnvironment().compile_expression(one)(**known) for one in check["when"]) is made
    fail = NativeEnvironment().compile_expression(tasks("replace")["Stop if changes do not reach the archive"]["when"])
    assert [fail(__restore_database_checked_now=one) for one in ({"rc": 1}, {"rc": 0}, {"skipped": True})] == [
        True,
        False,
        False,
    ]


def test_no_full_backup_is_at_work_that_removes_the_one_that_is_restored(tmp_path: Path) -> None:
    values = load(ROLE / "vars/main.yml")
    script = values["__restore_database_find_backup"]
    # The undo need not wait for the incremental one that begins after a restore.
    assert values["__restore_database_find_backup_command"][3:] == ["{{ postgres_archive_full_service }}"]
    for state, found in (("activating", "running"), ("inactive", ""), ("failed", "")):
        program(tmp_path / "systemctl", f"echo {state}")
        assert shell(tmp_path, script, "full").stdout.strip() == found
    # At its end it removes that backup, so nobody should wait for it.
    assert "Do not wait for that. Stop it there as root: systemctl stop a" in problems(backup="a")
    late = tasks("replace")["Stop if a full backup is at work"]["ansible.builtin.fail"]["msg"]
    assert "Do not wait" in late
    assert "{{ postgres_archive_full_service }}" in late
    assert problems(backup="a", done=True) == problems(backup="") == "[]"
    order = list(tasks("replace"))
    stop = tasks("replace")["Stop if a full backup is at work"]
    pause, asked = (
        order.index("Let no backup begin meanwhile"),
        order.index("Find out whether a full backup is at work"),
    )
    assert pause < asked < order.index(stop["name"]) < order.index("Stop PostgreSQL")
    condition = NativeEnvironment().compile_expression(stop["when"])
    assert [condition(__restore_database_backup=one) for one in ({"stdout": "a"}, {"stdout": ""}, {})] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("described", "state", "seen"),
    [
        ("mine", "activating", "activating"),
        ("mine", "active", "active"),
        ("other", "active", "other"),
        # systemd does not answer, such as during its reload.
        ("", "", "activating"),
        ("mine", "", "activating"),
    ],
)
def test_the_unit_of_another_run_is_neither_waited_for_nor_stopped(
    tmp_path: Path, described: str, state: str, seen: str
) -> None:
    calls = tmp_path / "calls"
    program(
        tmp_path / "systemctl",
        f"""case "$*" in
*=Description*) echo {described} ;;
*=ActiveState*) echo {state} ;;
*) echo "$@" >> {calls} ;;
esac""",
    )
    script = load(ROLE / "vars/main.yml")["__restore_database_find_unit"]
    assert shell(tmp_path, script, "unit", "mine").stdout.strip() == seen
    wait = tasks("restore_files")["Wait until the files are restored"]["vars"]["__restore_database_awaited"]
    names = ["{{ __restore_database_unit }}", "{{ __restore_database_description }}"]
    assert wait == ["/bin/sh", "-c", "{{ __restore_database_find_unit }}", *names]
    argv = tasks("restore_files")["Forget the unit that has ended"]["ansible.builtin.command"]["argv"]
    assert argv[3:] == [*names, "{{ __restore_database_find_unit }}"]
    done = shell(tmp_path, argv[2], "unit", "mine", script)
    assert (done.returncode == 0) is (seen == "active")
    assert (calls.read_text(encoding="utf-8") if calls.exists() else "") == ("stop unit\n" if seen == "active" else "")
