# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

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
