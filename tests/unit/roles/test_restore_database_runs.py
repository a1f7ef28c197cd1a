# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the database server, from the inspection to the restored files: what they ask, lose and leave behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.in_process import run_play
from ansible_collections.ivy.cluster.tests.unit.roles.restore_database_files import ROLE, load, program

SYSTEM = "7300000000000000001"
# An attempt that was refused, and one that may have changed files.
OPEN = {"name": "restore_database", "database": {"target": "latest", "left": 1, "restored": None, "system": SYSTEM}}
HALF = {**OPEN, "database": {**OPEN["database"], "files": "/x"}}  # type: ignore[dict-item]
UNITS = """
unit="$WORLD/unit"
case "$*" in
*ivy-postgres-archive*) echo inactive ;;
"show --property=ActiveState,Description "*) echo "ActiveState=$(cat $unit)"; echo Description=another ;;
*"=Description --value"*) cat "$WORLD/description" ;;
*"=ActiveState --value"*) cat $unit ;;
*ActiveState,SubState*)
  case $(cat "$WORLD/server") in
  stopped) echo ActiveState=inactive ;;
  recovering) echo ActiveState=activating; echo SubState=start ;;
  *) echo ActiveState=active ;;
  esac ;;
"stop postgresql"*)
  [ "$(cat "$WORLD/server")" = stopped ] || echo 'shut down' > "$WORLD/state"
  echo stopped > "$WORLD/server"
  if [ "$(cat "$WORLD/archive")" = works ]; then rm -f "$WORLD"/data/pg_wal/archive_status/*; fi ;;
"start postgresql"*) echo up > "$WORLD/server" ;;
esac"""
PROGRAMS = {
    "systemctl": UNITS,
    "runuser": 'shift 3; exec "$@"',
    # The archive is broken, or breaks after the first check, or only PostgreSQL cannot write it.
    "pgbackrest": """case $(cat "$WORLD/archive") in
broken) echo "the archive is away"; exit 82 ;;
breaks) echo broken > "$WORLD/archive" ;;
esac""",
    "systemd-run": """for one in "$@"; do
case $one in --description=*) echo "${one#*=}" > "$WORLD/description" ;; esac
done
case $(cat "$WORLD/outcome") in
restored) rm -f "$WORLD"/data/pg_wal/archive_status/*; echo active > "$WORLD/unit" ;;
early) echo failed > "$WORLD/unit" ;;
half) echo failed > "$WORLD/unit"; rm "$WORLD/data/global/pg_control" ;;
other) echo activating > "$WORLD/unit"; echo "the unit exists" >&2; exit 1 ;;
esac""",
    "psql": """[ "$(cat "$WORLD/server")" = up ] || { echo "the database system is starting up" >&2; exit 2; }
case "$*" in
*pg_control_system*)
  case "$*" in *" = $(cat "$WORLD/timeline") "*" = $(cat "$WORLD/system") "*) echo t ;; *) echo f ;; esac ;;
*pg_is_in_recovery*walfile*) cat "$WORLD/timeline" ;;
*--command=*) echo 1 ;;
*) cat > /dev/null; echo ;;
esac""",
    "pg_isready": 'case $(cat "$WORLD/server") in up) exit 0 ;; recovering) exit 1 ;; *) exit 2 ;; esac',
    "pg_controldata": 'echo "Database cluster state:               $(cat "$WORLD/state")"',
    "journalctl": "echo an error of pgBackRest",
    "record": ":",
}


def without_host(task: dict[str, Any]) -> dict[str, Any]:
    """The task with programs in place of what only a database server, its systemd and its engine nodes have."""
    task = {**task}
    for name in ("block", "rescue"):
        if name in task:
            task[name] = [without_host(one) for one in task[name] if "ansible.builtin.include_role" not in one]
    unit = task.pop("ansible.builtin.systemd_service", None)
    if unit:
        verb = {"stopped": "stop", "started": "start"}[unit["state"]]
        task["ansible.builtin.command"] = {"argv": ["systemctl", verb, unit["name"]]}
    recorded = task.pop("ivy.cluster.cluster_record", None)
    if recorded:
        task["ansible.builtin.command"] = {"argv": ["record", recorded["state"]]}
        del task["delegate_to"]
    for name in ("ansible.builtin.copy", "ansible.builtin.file"):
        task.update(
            {name: {k: v for k, v in task[name].items() if k not in ("owner", "group")}} if name in task else {}
        )
    task.update({"retries": 1, "delay": 0} if "retries" in task else {})
    return task


# These runs do not need their answers.
UNUSED = (
    "List the backups in the archive",
    "Read the timelines in the archive",
    "Query which other databases the server has",
    "Find out whether a full backup is at work",
    "Forget the unit that has failed",
)


def tasks_without_host(name: str) -> list[dict[str, Any]]:
    found = [one for one in load(ROLE / f"tasks/{name}.yml") if "ansible.builtin.include_role" not in one]
    return [{**without_host(one), **({"when": False} if one["name"] in UNUSED else {})} for one in found]


class Run(NamedTuple):
    """The end of a run, its message, the calls of programs, and the state of the server afterwards."""

    restored: bool
    message: str
    calls: list[str]
    server: str


class World:
    """Database servers, one for each run. A further run of the same one has the number of that."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.hosts: dict[str, dict[str, Any]] = {}

    def add(self, *, operation: Any = None, ready: int = 0, lose: Any = "", **more: str) -> str:
        name = f"db{len(self.hosts) + 1}"
        world = self.directory / name
        for part in ("data/pg_wal/archive_status", "data/global"):
            (world / part).mkdir(parents=True)
        (world / "data/global/pg_control").touch()
        for number in range(ready):
            (world / f"data/pg_wal/archive_status/00000001000000000000000{number}.ready").touch()
        state = {
            "server": "up",
            "archive": "works",
            "outcome": "restored",
            "unit": "inactive",
            "description": "another",
        }
        state.update({"timeline": "1", "system": SYSTEM, "state": "in production", **more})
        for part, value in state.items():
            (world / part).write_text(value, encoding="utf-8")
        self.hosts[name] = {"world": str(world), "operations": [operation or {}], "lose": lose}
        return name

    def run(self) -> dict[str, Run]:
        self._write()
        values = {
            "postgres_archive": True,
            "postgres_archive_stanza": "ivy",
            "postgres_service_name": "postgresql@15-main",
            "postgres_selected_version": "15",
            "postgres_archive_full_service": "ivy-postgres-archive@full.service",
            "ivy_database_port": 5432,
            "ivy_database_name": "ivy",
            "ivy_lease_timeout": 900,
            "ivy_known_secrets": [],
            "restore_database_set": "20260101-120000F",
            "restore_database_time": "",
            "restore_database_followed": "1",
            "restore_database_follow": "1",
            "restore_database_lose": "{{ lose }}",
            "__restore_database_operations": "{{ operations }}",
            "__restore_database_left_out": [],
            "__restore_database_record": {"format": 2},
            "__restore_database_server": "{{ inventory_hostname }}",
            "__restore_database_option_problems": [],
        }
        done = run_play(self.directory, values, inventory="hosts.yml")
        assert done.returncode == 0, done.stdout + done.stderr
        return {name: self._ended(name, done.stdout) for name in self.hosts}

    def _write(self) -> None:
        programs = self.directory / "bin"
        programs.mkdir()
        for name, text in PROGRAMS.items():
            program(programs / name, f'echo "{name} $*" >> "$WORLD/log"\n{text}')
        for name in ("await", "keep", "keep_unchanged", "restore_files", "stop_earlier"):
            (self.directory / f"{name}.yml").write_text(yaml.safe_dump(tasks_without_host(name)), encoding="utf-8")
        (refuse,) = [
            one for one in load(ROLE / "tasks/main.yml") if one["name"] == "Stop if the database cannot be restored"
        ]
        replaced = tasks_without_host("replace")
        end = [one["name"] for one in replaced].index("Restore the files of the database")
        restored = {"ansible.builtin.debug": {"msg": "RUN {{ inventory_hostname }} restored"}}
        refused = "RUN {{ inventory_hostname }} refused {{ ansible_failed_result.msg | to_json }}"
        flow = {
            "block": [*tasks_without_host("inspect"), {**refuse, "run_once": False}, *replaced[: end + 1], restored],
            "rescue": [{"ansible.builtin.debug": {"msg": refused}}],
        }
        variables = (ROLE / "vars/main.yml").read_text(encoding="utf-8")
        installed = "/usr/lib/postgresql/{{ postgres_selected_version }}/bin/pg_controldata"
        assert installed in variables
        values = self.directory / "vars.yml"
        values.write_text(variables.replace(installed, f"{programs}/pg_controldata"), encoding="utf-8")
        plays = [
            {
                "hosts": name,
                "gather_facts": False,
                "vars_files": [str(ROLE / "defaults/main.yml"), str(values)],
                "environment": {"PATH": f"{programs}:/usr/bin:/bin", "WORLD": "{{ world }}"},
                "tasks": [flow],
            }
            for name in self.hosts
        ]
        (self.directory / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
        local = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "postgres_data_directory": "{{ world }}/data",
            "postgres_archive_pause": "{{ world }}/pause",
        }
        hosts = {name: {**local, **given} for name, given in self.hosts.items()}
        groups = {
            "servers": {"hosts": hosts},
            "database_servers": {"hosts": {"one": {}}},
            "engine_nodes": {"hosts": {}},
        }
        (self.directory / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")

    def _ended(self, name: str, output: str) -> Run:
        # A long message is folded.
        message = " ".join(output.partition(f"RUN {name} ")[2].partition("PLAY ")[0].replace("\\n", " ").split())
        world = Path(self.hosts[name]["world"])
        calls = (world / "log").read_text(encoding="utf-8").splitlines()
        server = (world / "server").read_text(encoding="utf-8").strip()
        return Run(message.startswith("restored"), message, calls, server)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def began(run: Run) -> bool:
    return any(one.startswith("systemd-run") for one in run.calls)


def recorded(run: Run) -> list[str]:
    return [one.partition(" ")[2] for one in run.calls if one.startswith("record ")]


def test_a_refused_run_that_is_repeated_asks_everything_again(world: World) -> None:
    """In each of them, the archive lacks something that the restore would delete."""
    cases = {
        "recovering": world.add(operation=OPEN, server="recovering", ready=3),
        "broken": world.add(operation=OPEN, archive="broken"),
        "breaks": world.add(operation=OPEN, archive="breaks"),
        "unwritable": world.add(operation=OPEN, archive="unwritable", ready=3),
    }
    runs = world.run()
    for name, words in (
        ("recovering", "runs and does not answer, or recovers after a crash"),
        ("broken", "the archive is away"),
        ("breaks", "and engines are"),
        ("unwritable", "3 files of the log of PostgreSQL"),
    ):
        run = runs[cases[name]]
        assert not run.restored, name
        assert not began(run), name
        assert words in run.message, (name, run.message)
        assert "database_replacing" not in recorded(run)
    # It was stopped to be restored, which has shown that it archives no more.
    run = runs[cases["unwritable"]]
    assert "systemctl stop postgresql@15-main" in run.calls
    assert (run.server, recorded(run)) == ("up", ["database_kept"])
    assert "PostgreSQL runs again" in run.message
    assert "restore_database_lose" not in run.message
    assert not (world.directory / cases["unwritable"] / "pause").exists()


def test_what_is_not_archived_is_lost_only_with_its_number(world: World) -> None:
    refused = {
        # It has ended without being stopped, and was writing a further one.
        "restore_database_lose=4": world.add(operation=OPEN, server="stopped", ready=3, lose="3"),
    }
    allowed = [
        world.add(server="stopped", ready=3, lose="3", state="shut down"),
        # The server archives the end of its log when it is stopped.
        world.add(ready=3),
        # The restore has begun to change files: what they had is lost already.
        world.add(operation=HALF, server="recovering", ready=3),
    ]
    runs = world.run()
    for words, name in refused.items():
        assert not runs[name].restored
        assert words in runs[name].message
    for name in allowed:
        assert runs[name].restored, runs[name].message
        assert recorded(runs[name]) == ["database_replacing"]
        order = [one.partition(" ")[0] for one in runs[name].calls]
        assert order.index("record") < order.index("systemd-run")


def test_a_database_that_pgbackrest_has_not_changed_is_left_as_it_was(world: World) -> None:
    kept = {
        "early": world.add(outcome="early"),
        # An earlier run has recorded that it changes the files, and was interrupted before.
        "as before": world.add(outcome="early", operation=HALF),
    }
    lost = {
        "half": world.add(outcome="half"),
        # The unit of that name is that of another run.
        "other": world.add(outcome="other"),
        # Nobody knows what the first attempt has changed.
        "second": world.add(outcome="early", operation=HALF, server="stopped"),
        "another server": world.add(outcome="early", operation=HALF, system="7300000000000000002"),
    }
    runs = world.run()
    for name in kept.values():
        run = runs[name]
        assert not run.restored
        assert "The database was not changed, and engines are stopped." in run.message
        assert (recorded(run)[-1], run.server) == ("database_kept", "up")
    # Before anything else: the run may be refused.
    assert recorded(runs[kept["as before"]]) == ["database_kept", "database_replacing", "database_kept"]
    for case, name in lost.items():
        run = runs[name]
        assert "PostgreSQL and engines are stopped" in run.message, (case, run.message)
        assert recorded(run) == ["database_replacing"], case
        assert run.server == "stopped", case


def test_a_restore_of_a_backup_that_took_it_over_is_left_alone(world: World) -> None:
    name = world.add(operation={**HALF, "name": "restore"}, archive="broken")
    run = world.run()[name]
    assert not run.restored
    assert recorded(run) == []
