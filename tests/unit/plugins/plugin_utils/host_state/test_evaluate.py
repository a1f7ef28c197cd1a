# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

PROGRAM = Path(__file__).with_name("states_of_roles.py")


def states(inventory: Path, seed: int) -> dict[str, t.Any]:
    """By host and role. Python orders sets of strings by the seed, and each run of Ansible has another one."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "ANSIBLE_CONFIG": str(site.ROOT / "ansible.cfg")}
    command = [sys.executable, str(PROGRAM), str(inventory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, t.Any] = json.loads(done.stdout)
    return found


def test_the_description_of_each_role_is_the_same_in_each_run(tmp_path: Path) -> None:
    """Filters on sets, such as difference, return another order in each process."""
    inventory = site.write_site(tmp_path, {})
    first = states(inventory, 1)
    assert {name.split()[1] for name in first} == {
        *(
            "backup",
            "certificates",
            "config_guard",
            "elasticsearch",
            "engine",
            "file_share",
            "haproxy",
            "keepalived",
            "postgres",
        )
    }
    again = states(inventory, 2)
    assert {name: again[name] for name in first if again[name] != first[name]} == {}


def test_the_description_of_a_database_of_several_servers_is_the_same_in_each_run(tmp_path: Path) -> None:
    """A file that is written in another way would be loaded again by every member."""
    members = {f"db{number}": {"ansible_host": f"192.0.2.{30 + number}"} for number in (1, 2, 3)}
    passwords = {"postgres_replication_password": "r" * 16, "postgres_rewind_password": "w" * 16}
    case = {"groups": {"database_servers": members, "etcd_members": dict.fromkeys(members)}, "vars": passwords}
    inventory = site.write_site(tmp_path, case)
    first, again = states(inventory, 1), states(inventory, 2)
    assert {name: again[name] for name in first if again[name] != first[name]} == {}
    for host in members:
        units = [unit["name"] for role in ("etcd", "postgres") for unit in first[f"{host} {role}"]["units"]]
        assert units == ["etcd.service", "ivy-etcd-firewall.service", "patroni.service", "ivy-patroni-firewall.service"]
        (file,) = [one for one in first[f"{host} postgres"]["paths"] if one["path"] == "/etc/patroni/config.yml"]
        assert file["mode"] == "0640"
        written = yaml.safe_load(file["content"])
        assert written["bootstrap"]["dcs"]["failsafe_mode"] is True
        assert written["bootstrap"]["dcs"]["synchronous_node_count"] == 1
        assert written["restapi"]["verify_client"] == "optional"
        # PostgreSQL refuses a replica that has less of it, so it is only in the configuration that they share.
        assert "max_connections" in written["bootstrap"]["dcs"]["postgresql"]["parameters"]
        assert "max_connections" not in written["postgresql"]["parameters"]
        remote = [rule for rule in written["postgresql"]["pg_hba"] if "ivy_replication" in rule]
        assert remote
        assert all(rule.startswith("hostssl ") for rule in remote)
