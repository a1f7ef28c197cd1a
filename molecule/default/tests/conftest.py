# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the scenario, seen from outside: by SSH as an ordinary user, by HTTPS through the load balancer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = ["-i", str(ROOT / "inventories/demo"), "-i", str(ROOT / "molecule/default/inventory")]


@dataclass(frozen=True)
class Lab:
    """What the tests know of the hosts: only what the inventory says."""

    groups: dict[str, list[str]]
    addresses: dict[str, str]
    directory: Path

    def host(self, name: str) -> Host:
        """The host over SSH, as a user who is not root; commands run by sudo."""
        return testinfra.get_host(f"ssh://{name}", ssh_config=str(self.directory / "ssh_config"), sudo=True)

    def playbook(self, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a playbook against these hosts and returns what became of it."""
        command = ["ansible-playbook", *INVENTORY, str(ROOT / path), *arguments]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)


@pytest.fixture(scope="session")
def lab() -> Lab:
    command = ["ansible-inventory", *INVENTORY, "--list"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    inventory: dict[str, Any] = json.loads(output)
    hosts: dict[str, dict[str, Any]] = inventory["_meta"]["hostvars"]
    return Lab(
        groups={name: group.get("hosts", []) for name, group in inventory.items() if name != "_meta"},
        addresses={name: str(values["ansible_host"]) for name, values in hosts.items()},
        directory=ROOT / ".cache/lab" / str(hosts["engine1"]["lab_name"]),
    )


@pytest.fixture(scope="session")
def on(lab: Lab) -> Callable[[str], Host]:
    return lab.host
