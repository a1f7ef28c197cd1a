# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No release is rolled out or back if users could reach an engine that trusts a header past the balancers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import write_release
from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK, run_play

ROOT = Path(__file__).resolve().parents[3]
TASKS = "roles/rollout/tasks/require_closed_port.yml"
STOP = "its HTTP port is open to all hosts on n1, n3, so anybody"


def release(cache: Path, number: int, files: dict[tuple[str, str], str]) -> str:
    """A built release in the controller's cache."""
    entries = [
        {
            "root": root,
            "path": path,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "size": len(text),
            "mode": "0640",
            "secret": False,
            "kind": "text",
            "restart": {},
        }
        for (root, path), text in files.items()
    ]
    name = f"{number:032x}"
    write_release(cache, {"format": 1, "id": name, "entries": entries}, [text.encode() for text in files.values()])
    return name


class Case(t.NamedTuple):
    """A release, options, and facts of a node, which have precedence over its variables in the inventory."""

    release: str
    options: t.Mapping[str, t.Any] = MappingProxyType({})
    facts: t.Mapping[str, dict[str, t.Any]] = MappingProxyType({})


def run(directory: Path, cases: list[Case]) -> list[str]:
    """What stops the run in each case; empty if nothing does."""
    hosts = {
        "n1": {},
        "n2": {"engine_http_firewall": True},
        "n3": {"engine_http_firewall": True, "engine_firewall": False},
    }
    tasks = yaml.safe_load((ROOT / TASKS).read_text(encoding="utf-8"))
    plays = []
    for number, case in enumerate(cases):
        given = [
            {
                "ansible.builtin.set_fact": {"engine_environment": {}} | case.facts.get(name, {}),
                "delegate_to": name,
                "delegate_facts": True,
            }
            for name in hosts
        ]
        write = "{{ ansible_failed_result.msg }}"
        rescue = [{"ansible.builtin.copy": {"content": write, "dest": f"{directory}/{number}", "mode": "0600"}}]
        values = {"ivy_controller_cache": str(directory / "cache"), "ivy_accept_unsupported": [], **case.options}
        values["ansible_python_interpreter"] = sys.executable
        plays.append(
            {
                # With more hosts, the rescue would save only the one that runs the task for all.
                "hosts": "n1",
                "connection": "local",
                "gather_facts": False,
                "vars": {**values, "rollout_release": case.release},
                "tasks": [*given, {"block": tasks, "rescue": rescue}],
            }
        )
    (directory / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    inventory = {"all": {"children": {"engine_nodes": {"hosts": hosts}}}}
    (directory / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
    done = subprocess.run(
        [*PLAYBOOK, "-i", "hosts.yml", "play.yml"],
        check=False,
        capture_output=True,
        text=True,
        cwd=directory,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(directory / "temporary"),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    files = [directory / str(number) for number in range(len(cases))]
    return [" ".join(file.read_text(encoding="utf-8").split()) if file.exists() else "" for file in files]


def test_an_open_port_stops_the_run_wherever_the_header_comes_from(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain = release(cache, 1, {("engine", "configuration/ivy.yaml"): "A: 1\n"})
    trusting = release(cache, 2, {("engine", "configuration/ivy.yaml"): "SSO.UserHeader: X-User\n"})
    by_variable = release(cache, 3, {("environment", "shared.env"): '# Note.\nIVY_SSO_USERHEADER="X-Key"\n'})
    by_file = release(cache, 4, {("secrets", "ivy.SecuritySystems.default.SSO.UserHeader"): "X-Secret"})
    by_default = release(cache, 5, {("engine", "configuration/ivy.yaml"): "SSO: {Enabled: true}\n"})
    accepted = {"ivy_accept_unsupported": ["sso-http-port"]}
    closed = {"engine_http_firewall": True, "engine_firewall": True}
    variable = {"IVY_SSO_USERHEADER": "X-Node"}
    port = {"engine_environment": {**variable, "IVY_CONNECTOR_AJP_ENABLED": "true"}}
    first, second, *stopped, other_port = run(
        tmp_path,
        [
            Case(plain),
            Case(trusting, accepted),
            Case(trusting),
            Case(by_variable),
            Case(by_file),
            Case(by_default),
            Case(plain, facts={"n2": {"engine_environment": variable}}),
            # Another port of the engine, which no rule of the firewall closes.
            Case(plain, facts={"n1": closed, "n2": port, "n3": closed}),
        ],
    )
    assert (first, second) == ("", "")
    for message, header in zip(stopped, ("x-user", "x-key", "x-secret", "x-forwarded-user", "x-node")):
        assert f"from the header {header}, and {STOP}" in message
    assert "engine_environment on n2: 'IVY_CONNECTOR_AJP_ENABLED' opens another port" in other_port


def tasks_of(role: str, entry: str) -> list[dict[str, t.Any]]:
    """The tasks of an entry point in their order, with those of the files of the same role that it includes."""
    directory = ROOT / "roles" / role.removeprefix("ivy.cluster.") / "tasks"
    found: list[dict[str, t.Any]] = []
    for task in yaml.safe_load((directory / f"{entry}.yml").read_text(encoding="utf-8")):
        file = task.get("ansible.builtin.include_tasks") or task.get("ansible.builtin.import_tasks")
        found.append(task)
        if isinstance(file, str) and file != "require_closed_port.yml" and (directory / file).exists():
            found += tasks_of(role, file.removesuffix(".yml"))
    return found


def entry_of(task: dict[str, t.Any]) -> tuple[str, str]:
    given = task.get("ansible.builtin.include_role") or task.get("ansible.builtin.import_role") or {}
    return str(given.get("name", "")), str(given.get("tasks_from", "main"))


def checks_port(task: dict[str, t.Any]) -> bool:
    included = (task.get(f"ansible.builtin.{way}_tasks") for way in ("include", "import"))
    return entry_of(task) == ("ivy.cluster.rollout", "require_closed_port") or "require_closed_port.yml" in included


def steps_until_engines_change(playbook: Path) -> tuple[list[dict[str, t.Any]], bool]:
    """What a playbook does before it stops or starts the first engine, and whether it does."""
    steps: list[dict[str, t.Any]] = []
    for play in yaml.safe_load(playbook.read_text(encoding="utf-8")):
        if play.get("ansible.builtin.import_playbook") == "_includes/roll_out.yml":
            return steps, True
        for task in play.get("tasks", []):
            role, entry = entry_of(task)
            if entry in ("restart", "start", "stop"):
                return steps, True
            steps.append(task)
            if role and entry in ("build", "plan_deployment", "main", "fetch_desired"):
                steps += tasks_of(role, entry)
    return steps, False


def test_every_operation_that_starts_engines_checks_the_port_before() -> None:
    playbooks = {path.stem: steps_until_engines_change(path) for path in (ROOT / "playbooks").glob("*.yml")}
    # It only stops the engine of the node that goes.
    del playbooks["remove_node"]
    starting = {name: steps for name, (steps, changes) in playbooks.items() if changes}
    unchecked = {name for name, steps in starting.items() if not any(map(checks_port, steps))}
    assert unchecked == set()
    rolling = {"restart", "restore", "restore_database", "rollback", "rollout", "site", "upgrade"}
    assert set(starting) == {"add_node", "deploy", "undrain", *rolling}
    assert any(map(checks_port, playbooks["plan"][0]))
    # The release is built by then, and nothing has been asked or changed.
    names = [task["name"] for task in tasks_of("rollout", "build")]
    (check,) = [task["name"] for task in tasks_of("rollout", "build") if checks_port(task)]
    assert names.index("Build the release") < names.index(check) < names.index("Read the cluster record")


@pytest.mark.parametrize(
    ("role", "entry", "copy"),
    [
        ("rollback", "main", "Copy the release from a node to the controller"),
        ("rollback", "fetch_desired", "Copy the release from a node to the controller"),
        ("rollout", "plan_deployment", "Copy the release from a node to the controller"),
        ("add_node", "main", "Copy the release from a node to the controller"),
    ],
)
def test_the_release_is_in_the_cache_when_its_headers_are_read(role: str, entry: str, copy: str) -> None:
    tasks = tasks_of(role, entry)
    names = [task.get("name") for task in tasks]
    (check,) = [number for number, task in enumerate(tasks) if checks_port(task)]
    assert names.index(copy) < check
    # Otherwise the headers of another release are read.
    if role != "add_node":
        assert "release" in json.dumps(tasks[check]["vars"]["rollout_release"])


def test_a_restore_asks_the_balancers_again_when_it_has_the_release() -> None:
    steps, _changes = steps_until_engines_change(ROOT / "playbooks/restore.yml")
    entries = [entry_of(task) for task in steps]
    check = entries.index(("ivy.cluster.rollout", "require_closed_port"))
    assert entries.index(("ivy.cluster.restore", "load")) < check
    assert ("ivy.cluster.rollout", "reach_balancers") in entries[check:]


OPENING = "roles/rollout/tasks/require_safe_opening.yml"
CLOSED = "tcp dport { 7800, 7900 } jump cluster\n\t\ttcp dport { 8080 } jump http\n"
TRUSTING, PLAIN = f"{1:032x}", f"{2:032x}"
UNKNOWN = "a header that is not known, since it has yet to be restarted"


UNREAD = "a header that is not known, since its variables cannot be read"


class Node(t.NamedTuple):
    """A node whose HTTP port is to be opened, unless its options say otherwise."""

    engine: t.Mapping[str, t.Any]
    rules: str = CLOSED
    # None if they cannot be read.
    variables: str | None = ""
    error: str = ""
    options: t.Mapping[str, t.Any] = MappingProxyType({})


def opening(directory: Path, nodes: t.Mapping[str, Node]) -> subprocess.CompletedProcess[str]:
    """A run that would open the ports of these nodes."""
    tasks = yaml.safe_load((ROOT / OPENING).read_text(encoding="utf-8"))
    asking = (
        "ansible.builtin.command",
        "ivy.cluster.engine_info",
        "ansible.builtin.slurp",
        "ivy.cluster.node_releases",
    )
    asked = [task for task in (tasks[0], *tasks[2]["block"]) if any(module in task for module in asking)]
    names = ["__rollout_rules", "__rollout_protected", "__rollout_node_variables"]
    assert [task["register"] for task in asked if "register" in task] == names
    # What the hosts answer is in the inventory. The first task's condition decides whether there is an answer.
    answered = {"stdout": "{{ rules }}", "rc": "{{ status }}", "stderr": "{{ error }}"}
    tasks[0] = {"ansible.builtin.set_fact": {"__rollout_rules": answered}, "when": tasks[0]["when"]}
    tasks[2]["block"] = [task for task in tasks[2]["block"] if task not in asked]
    unchanged = {"restart_required": False, "interrupted": False, "running": None}
    hosts = {
        name: {
            "rules": node.rules,
            "status": 1 if node.error else 0,
            "error": node.error,
            "__rollout_rules": {},
            "__rollout_protected": {"engine": {**unchanged, **node.engine}},
            "__rollout_node_variables": {}
            if node.variables is None
            else {"content": base64.b64encode(node.variables.encode()).decode()},
            "ivy_accept_unsupported": [],
            **node.options,
        }
        for name, node in nodes.items()
    }
    values = {"ivy_controller_cache": str(directory / "cache")}
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "vars": values, "tasks": tasks}
    (directory / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    (directory / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    return run_play(directory, {}, inventory="hosts.yml")


def test_the_port_stays_closed_while_an_engine_trusts_a_header(tmp_path: Path) -> None:
    release(tmp_path / "cache", 1, {("engine", "configuration/ivy.yaml"): "SSO.UserHeader: X-User\n"})
    release(tmp_path / "cache", 2, {("engine", "configuration/ivy.yaml"): "A: 1\n"})
    running = {"running": {"release": PLAIN}}
    safe = {
        "s1": Node({"applied": PLAIN, **running}, variables='LANG="C"\n'),
        "s2": Node({"applied": None}),
        "s3": Node({"applied": TRUSTING}, options={"engine_http_firewall": True}),
        "s4": Node({"applied": TRUSTING}, options={"ivy_accept_unsupported": ["sso-http-port"]}),
        # It has no firewall yet.
        "s6": Node({"applied": TRUSTING}, rules="", error="Error: No such file or directory"),
        # It is open already, so nothing is opened.
        "s5": Node({"applied": TRUSTING}, rules=CLOSED.partition("\n")[0]),
    }
    done = opening(tmp_path, safe)
    assert done.returncode == 0, done.stdout
    trusting = {
        "t1": Node({"applied": TRUSTING, **running}),
        "t2": Node({"applied": PLAIN, "running": {"release": TRUSTING}}),
        "t3": Node({"applied": PLAIN, **running}, variables='# Note.\nLANG="C"\nIVY_SSO_USERHEADER="X-Node"\n'),
        "t4": Node({"applied": PLAIN, "restart_required": True}),
        "t5": Node({"applied": PLAIN, "interrupted": True}),
        "t6": Node({"applied": TRUSTING}, options={"engine_firewall": False, "engine_http_firewall": True}),
        "t7": Node({"applied": PLAIN, **running}, variables=None),
    }
    done = opening(tmp_path, safe | trusting)
    assert done.returncode == 2, done.stdout
    message = " ".join(done.stdout.split())
    assert f"would open the HTTP port of {', '.join(trusting)} to all hosts" in message
    assert f"name or address of the user from x-user, x-node, {UNKNOWN}, {UNREAD}, so anybody" in message
    done = opening(tmp_path, safe | {"t8": Node({"applied": PLAIN}, rules="", error="netlink: Error: cache failed")})
    assert done.returncode == 2, done.stdout
    assert "t8 does not say whether its firewall closes the HTTP port" in " ".join(done.stdout.split())


def asks_before_opening(task: dict[str, t.Any]) -> bool:
    return entry_of(task)[1] == "require_safe_opening" or "require_safe_opening.yml" in task.values()


def test_every_operation_that_updates_firewalls_of_running_engines_asks_before() -> None:
    found = set()
    for path in (ROOT / "playbooks").glob("*.yml"):
        for play in yaml.safe_load(path.read_text(encoding="utf-8")):
            steps = list(play.get("tasks", []))
            for task in play.get("tasks", []):
                role, entry = entry_of(task)
                if role and entry in ("build", "main"):
                    steps += tasks_of(role, entry)
            if any(map(asks_before_opening, steps)):
                found.add(path.stem)
    updating = {
        path.stem
        for path in (ROOT / "playbooks").glob("*.yml")
        if any(file in path.read_text(encoding="utf-8") for file in ("set_up_services.yml", "update_peers.yml"))
    }
    assert updating == {"site", "upgrade", "add_node", "remove_node"}
    # These build a release as well, and the task's condition leaves them out.
    assert found == updating | {"rollout", "plan"}
    (task,) = filter(asks_before_opening, tasks_of("rollout", "build"))
    assert task["when"] == "rollout_operation in ['site', 'upgrade']"
