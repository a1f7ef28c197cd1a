# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plan, and runs of site with an approved plan, on hosts that are directories of this machine.

The plan is made by the real roles. Preflight and what would change a host are stubs that log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK
from ansible_collections.ivy.cluster.tests.unit.long_tests import long
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

ROOT = Path(__file__).resolve().parents[3]
NODES = ("engine1", "engine2")
SSH = """#!/bin/sh
for last; do :; done
exec /bin/sh -c "$last"
"""
BALANCER_INFO = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({}, supports_check_mode=True)
module.fail_json(msg="HAProxy is not installed yet.")
"""
LOG = """
- ansible.builtin.raw: echo 'STEP {{ inventory_hostname }}' >> 'DIRECTORY/log'
"""
STUBS = {
    "preflight/main": "- ansible.builtin.setup: {gather_subset: ['!all', hardware]}\n",
    **{
        f"{role}/main": LOG.replace("STEP", role)
        for role in ("postgres", "elasticsearch", "certificates", "haproxy", "file_share", "engine", "config_guard")
    },
    "rollout/stage": "",
    "rollout/open": "- ansible.builtin.fail: {msg: The test ends here.}\n",
}


class Run(t.NamedTuple):
    code: int
    output: str
    set_up: list[str]


class Place:
    """A copy of the collection, an inventory, and hosts on which nothing is set up."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.collection = directory / "ansible_collections/ivy/cluster"
        for part in ("playbooks", "plugins", "roles"):
            # With what Python has compiled, but not the files that it is writing.
            shutil.copytree(ROOT / part, self.collection / part, ignore=shutil.ignore_patterns("*.pyc.*"))
        for step, text in STUBS.items():
            path = self.collection / f"roles/{step.replace('/', '/tasks/')}.yml"
            if text:
                path.write_text(f"---\n{text.replace('DIRECTORY', str(directory))}", encoding="utf-8")
        (self.collection / "plugins/modules/balancer_info.py").write_text(BALANCER_INFO, encoding="utf-8")
        (directory / "ssh").write_text(SSH, encoding="utf-8")
        (directory / "ssh").chmod(0o755)
        self.inventory(site.variables())

    def inventory(self, changes: dict[str, t.Any]) -> None:
        hosts = f"{self.directory}/hosts"
        own = {
            "ivy_user": str(os.geteuid()),
            "ivy_group": str(os.getegid()),
            "ivy_engine_home": f"{hosts}/{{{{ inventory_hostname }}}}/engine",
            "ivy_state_directory": f"{hosts}/{{{{ inventory_hostname }}}}/state",
            "ivy_environment_directory": f"{hosts}/{{{{ inventory_hostname }}}}/environment",
            "ivy_record_directory": f"{hosts}/share/cluster",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "preflight_host_facts": {"seen": {}},
        }
        nodes = {name: site.groups()["engine_nodes"][name] for name in NODES}
        case = {"vars": {**own, **changes}, "groups": {"engine_nodes": nodes}}
        site.write_site(self.directory / "inventory", case)

    def run(self, playbook: str, *arguments: str, **variables: t.Any) -> Run:
        (self.directory / "log").unlink(missing_ok=True)
        command = list(PLAYBOOK)
        command += ["-i", str(self.directory / "inventory/hosts.yml")]
        command += [
            str(self.collection / f"playbooks/{playbook}.yml"),
            *arguments,
            "-e",
            json.dumps({"preflight_accept": ["option-unknown"], **variables}),
        ]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.directory),
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "temporary"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
            "ANSIBLE_SSH_EXECUTABLE": str(self.directory / "ssh"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=1800, check=False, env=environment, cwd=self.directory
        )
        log = self.directory / "log"
        set_up = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return Run(ended.returncode, ended.stdout + ended.stderr, set_up)

    def plan(self, **variables: t.Any) -> dict[str, t.Any]:
        ended = self.run("plan", plan_report_directory=str(self.directory / "reports"), **variables)
        assert ended.code == 0, ended.output
        assert ended.set_up == []
        # The report was written on the controller.
        assert re.findall(r"^(\w+) .* changed=[1-9]", ended.output, re.MULTILINE) == [NODES[0]], ended.output
        found: dict[str, t.Any] = json.loads((self.directory / "reports/plan.json").read_text(encoding="utf-8"))
        return found


@long
def test_a_run_with_an_approved_plan_does_that_or_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    planned = place.plan()
    # A plan writes nothing on a host.
    assert not (tmp_path / "hosts").exists()
    assert planned["steps"] == [{"node": node, "action": "start", "seconds": None} for node in NODES]
    assert set(planned["services"]) == {"lb1", "db1", "search1", *NODES}
    text = json.dumps(planned)
    assert "configuration/ivy.yaml" in text
    assert "CANARY" not in text
    digest = planned["digest"]

    # What another inventory would do was not approved, although it concerns the same files.
    place.inventory({"ivy_shared_values": {"mail_host": "mail2.acme.ch"}})
    refused = place.run("site", ivy_plan=digest)
    assert refused.code != 0
    assert refused.set_up == []
    assert "This is not the approved plan: site would do something else now. Nothing was changed." in refused.output
    assert "- the operation, the release" in refused.output
    # Another run of Ansible describes the other services in the same way.
    assert "- what would be set up beside the release" not in refused.output
    assert not (tmp_path / "hosts").exists()

    # The approved one goes on; from a survey, the digest arrives as text with blanks around it.
    place.inventory({})
    approved = place.run("site", ivy_plan=f" {digest} ")
    assert {line.split()[0] for line in approved.set_up} >= {"postgres", "haproxy", "engine"}, approved.output


def test_every_playbook_compares_before_it_changes_anything() -> None:
    for playbook, later in (("site", "set_up_services.yml"), ("rollout", "roll_out.yml"), ("rollback", "roll_out.yml")):
        text = (ROOT / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8")
        assert 0 < text.index("take_lease.yml") < text.index("make_plan.yml") < text.index(later), playbook


def test_plan_compares_the_roles_that_site_runs() -> None:
    tasks = yaml.safe_load((ROOT / "playbooks/_includes/tasks/compare_and_set_up_host.yml").read_text(encoding="utf-8"))
    (roles,) = [task["vars"]["site_roles"] for task in tasks if "site_roles" in task.get("vars", {})]
    plan = yaml.safe_load((ROOT / "roles/plan/vars/main.yml").read_text(encoding="utf-8"))
    first = "(['etcd'] if inventory_hostname in groups['etcd_members'] | default([]) else [])\n+ "
    assert plan["__plan_roles"] == roles.replace("{{ ", "{{ " + first, 1).replace("\n+ ", " + ", 1)


@pytest.mark.parametrize("playbook", ["site", "rollout", "rollback", "plan"])
def test_every_task_of_a_plan_runs_in_check_mode(playbook: str) -> None:
    """The play sets it, so that no step can forget it."""
    names = ["plan.yml", "_includes/make_plan.yml"] if playbook == "plan" else ["_includes/make_plan.yml"]
    for name in names:
        for play in yaml.safe_load((ROOT / "playbooks" / name).read_text(encoding="utf-8")):
            assert "ansible.builtin.import_playbook" in play or play["check_mode"] is True, play["name"]


def entries(path: Path, **values: t.Any) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """The playbooks that a playbook imports, with their variables, also those of the importing ones."""
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        if imported := entry.get("ansible.builtin.import_playbook"):
            known = {**entry.get("vars", {}), **values}
            yield imported.rpartition("/")[2], known
            yield from entries(path.parent / imported, **known)


# What they would change is not on a host. A plan contains nothing of it, and AWX hands the digest on to them as well.
ONLY_READING = {"adopt", "drift", "history", "plan", "preflight", "status", "support_bundle", "verify"}


def test_a_playbook_that_changes_something_compares_the_approved_plan_or_refuses_it() -> None:
    refusing = set()
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        imported = dict(reversed(list(entries(path))))
        if path.stem in ONLY_READING:
            assert "take_lease.yml" not in imported, path.name
            continue
        if "make_plan.yml" in imported:
            continue
        # Some report it together with other problems.
        others = [path, ROOT / f"plugins/plugin_utils/operations/{path.stem}.py"]
        text = "".join(other.read_text(encoding="utf-8") for other in others if other.exists())
        refuses = {
            imported["require_cluster.yml"].get("without_plan"),
            *re.findall(r"ivy_plan: (\w+) has no plan", text),
        }
        assert path.stem in refuses, path.name
        refusing.add(path.stem)
    assert {"deploy", "add_node", "remove_node", "restore", "restart", "drain", "backup", "maintenance"} <= refusing
