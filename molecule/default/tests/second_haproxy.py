# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program on a load balancer against a second HAProxy, which uses the role's template with other options."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Lab

DIRECTORY = "/tmp/second-haproxy"
SOCKET = "/run/haproxy/second.sock"


def results_of(lab: Lab, program: str, *arguments: str, **options: Any) -> dict[str, Any]:
    """What the program prints: balancer_trial.py and others beside it. The second HAProxy is removed afterwards."""
    balancer = lab.host(lab.groups["load_balancers"][0])
    variables = {
        "ivy_engine_addresses": {"engine1": "127.0.0.1"},
        **options,
        "second_haproxy": DIRECTORY,
        "haproxy_socket": SOCKET,
        "haproxy_state_file": f"{DIRECTORY}/state",
        "haproxy_closed_nodes_file": f"{DIRECTORY}/closed-nodes",
        "haproxy_preferred_nodes_file": f"{DIRECTORY}/preferred-nodes",
        "haproxy_maintenance_file": f"{DIRECTORY}/maintenance",
        "haproxy_maintenance_sources_file": f"{DIRECTORY}/maintenance-sources",
    }
    try:
        lab.playbook(str(Path(__file__).resolve().with_suffix(".yml")), "-e", json.dumps(variables)).succeeded()
        command = shlex.join(["python3", "-B", f"{DIRECTORY}/{program}", DIRECTORY, lab.public_name, *arguments])
        results: dict[str, Any] = json.loads(balancer.check_output(command))
        return results
    finally:
        balancer.run(f"rm -rf {DIRECTORY} {SOCKET}")
