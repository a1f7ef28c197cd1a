# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No release is rolled out or back if users could reach an engine that trusts a header past the balancers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path
from types import MappingProxyType

import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import write_release
from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK

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


def test_every_operation_checks_the_port_before_it_changes_anything() -> None:
    build = yaml.safe_load((ROOT / "roles/rollout/tasks/build.yml").read_text(encoding="utf-8"))
    names = [task["name"] for task in build]
    (check,) = [task["name"] for task in build if task.get("ansible.builtin.import_tasks") == "require_closed_port.yml"]
    assert names.index("Build the release") < names.index(check) < names.index("Read the cluster record")
    rollback = yaml.safe_load((ROOT / "roles/rollback/tasks/main.yml").read_text(encoding="utf-8"))
    # It comes last: the release is in the controller's cache by then.
    assert rollback[-1]["ansible.builtin.include_role"]["tasks_from"] == "require_closed_port"
    for playbook in ("site", "rollout", "rollback", "plan"):
        plays = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text(encoding="utf-8"))
        text = json.dumps(plays)
        assert ("ivy.cluster.rollback" in text) if playbook == "rollback" else ('"tasks_from": "build"' in text)
