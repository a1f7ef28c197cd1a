# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade needs new package lists, and a package that fails does not leave PostgreSQL stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ivy.cluster.tests.in_process import run_play
from ansible_collections.ivy.cluster.tests.unit.long_tests import cases
from ansible_collections.ivy.cluster.tests.unit.roles.restore_database_files import ROOT, load, program

SYSTEMCTL = """case "$1" in
show) cat "$STATE" ;;
start) echo started >>"$STATE.log"; {start} ;;
esac"""


def test_an_upgrade_does_not_use_the_package_lists_of_the_last_day(tmp_path: Path) -> None:
    (block,) = [task for task in load(ROOT / "roles/packages/tasks/install.yml") if "block" in task]
    template = block["block"][0]["ansible.builtin.apt"]["cache_valid_time"]
    show = {"ansible.builtin.debug": {"msg": f"seconds: {template} for {{{{ packages_upgrade }}}}"}}
    cases = [("false", 3), ("true", 3), ("no", 0), ("yes", 0)]
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [show],
            "vars": {"packages_upgrade": value, "__packages_lists": {"matched": number}},
        }
        for value, number in cases
    ]
    (tmp_path / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    done = run_play(tmp_path, {})
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in ("86400 for false", "0 for true", "0 for no", "0 for yes"):
        assert f"seconds: {expected}" in done.stdout


@pytest.mark.parametrize(
    ("before", "start", "stated"),
    [
        ("inactive", "true", "The server runs."),
        ("active", "true", "The server runs."),
        ("failed", "exit 1", "The server does not run."),
    ],
)
def test_a_server_that_a_package_has_stopped_is_started_again(
    tmp_path: Path, before: str, start: str, stated: str
) -> None:
    (block,) = [task for task in load(ROOT / "roles/postgres/tasks/install.yml") if "rescue" in task]
    (installs,) = block["block"]
    assert installs.pop("ansible.builtin.include_role") == {"name": "ivy.cluster.packages"}
    installs["ansible.builtin.fail"] = {"msg": "apt fails"}
    state = tmp_path / "state"
    state.write_text(f"Id=postgresql@15-main.service\nLoadState=loaded\nActiveState={before}\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin/systemctl", SYSTEMCTL.format(start=start))
    play: list[dict[str, Any]] = [{"hosts": "localhost", "gather_facts": False, "tasks": [block]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    values = {
        "postgres_service_name": "postgresql@15-main",
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "__postgres_service_packages": [],
        "__postgres_packages": [],
    }
    done = run_play(tmp_path, values, PATH=f"{tmp_path}/bin:/usr/bin:/bin", STATE=str(state))
    assert done.returncode != 0
    assert "could not be installed on localhost" in " ".join(done.stdout.split()), done.stdout + done.stderr
    assert stated in " ".join(done.stdout.split())
    assert Path(f"{state}.log").exists() is (before != "active")


@pytest.mark.parametrize(("known", "held"), [(True, "haproxy hold\n"), (False, "")])
def test_a_package_is_held_again_also_if_it_could_not_be_installed(tmp_path: Path, known: bool, held: str) -> None:
    role = ROOT / "roles/packages"
    (block,) = [task for task in load(role / "tasks/install.yml") if "always" in task]
    (installs,) = block["block"]
    del installs["ansible.builtin.apt"]
    installs |= {"name": "Install", "ansible.builtin.fail": {"msg": "apt fails"}, "when": True}
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/hold.yml").write_text((role / "tasks/hold.yml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "bin").mkdir()
    # What apt leaves of a package whose maintainer script has failed.
    program(tmp_path / "bin/dpkg-query", "echo haproxy install half-configured" if known else "exit 1")
    program(
        tmp_path / "bin/dpkg",
        'case "$1" in --get-selections) echo haproxy install ;; --set-selections) cat >"$HELD" ;; esac',
    )
    block["always"][0]["ansible.builtin.include_tasks"] = "tasks/hold.yml"
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [block]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    values = {
        **load(role / "defaults/main.yml"),
        **load(role / "vars/main/internal.yml"),
        "packages_service_names": ["haproxy"],
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    log = tmp_path / "held"
    done = run_play(tmp_path, values, PATH=f"{tmp_path}/bin:/usr/bin:/bin", HELD=str(log))
    assert done.returncode != 0
    assert done.stdout.count("fatal: ") == 1, done.stdout
    assert "apt fails" in done.stdout
    assert (log.read_text(encoding="utf-8") if log.exists() else "").replace("\t", " ") == held, done.stdout


@pytest.mark.parametrize(
    ("installed", "unknown", "held"),
    cases(
        pytest.param("", "postgresql-15, haproxy", "", id="no package is installed"),
        pytest.param("haproxy install installed\n", "postgresql-15", "haproxy", id="one is installed and not held"),
        more=(pytest.param("haproxy hold installed\n", "postgresql-15", "", id="one is held"),),
    ),
)
def test_check_mode_predicts_the_holds_of_packages_that_are_not_there(
    tmp_path: Path, installed: str, unknown: str, held: str
) -> None:
    """On a fresh host dpkg knows none of them, and refuses a hold."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "installed").write_text(installed, encoding="utf-8")
    program(tmp_path / "bin/dpkg-query", f"cat {tmp_path}/installed; exit 1")
    program(
        tmp_path / "bin/dpkg",
        f'grep "^$2 " {tmp_path}/installed | cut -d " " -f 1,2 | grep . || '
        'echo "dpkg: no packages found matching $2" >&2',
    )
    role = ROOT / "roles/packages"
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": load(role / "tasks/hold.yml")}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    values = {
        **load(role / "defaults/main.yml"),
        **load(role / "vars/main/internal.yml"),
        "packages_service_names": ["postgresql-15", "haproxy"],
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    done = run_play(tmp_path, values, "--check", PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"To be held once they are installed: {unknown}" in " ".join(done.stdout.split())
    changed = [line for line in done.stdout.splitlines() if line.startswith("changed: ") and "(item=" in line]
    assert changed == ([f"changed: [localhost] => (item={held})"] if held else [])
