# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that an operator keeps users from gets the release, stays out, and is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import shared_source

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Browser, Lab

STATES = (
    "python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
    "s.sendall(b'show servers state engine_nodes\\n'); print(b''.join(iter(lambda: s.recv(65536), b'')).decode())\""
)
DRAIN = "8"


def operate(lab: Lab, node: str, state: str) -> None:
    """The command of the documentation."""
    lab.module("load_balancers", "ivy.cluster.balancer_server", f"name={node} state={state}").succeeded()


def requested(lab: Lab, node: str) -> set[str]:
    """The bits of the requested state on every load balancer."""
    found = set()
    for balancer in lab.groups["load_balancers"]:
        rows = [line.split() for line in lab.host(balancer).check_output(STATES).splitlines()]
        found |= {row[6] for row in rows if len(row) > 6 and row[3] == node}
    return found


@pytest.fixture
def drained(lab: Lab) -> Iterator[str]:
    node = lab.nodes[1]
    operate(lab, node, "drain")
    yield node
    operate(lab, node, "ready")
    lab.roll_out().succeeded()


def test_a_rollout_respects_a_drained_node(lab: Lab, browser: Browser, drained: str, tmp_path: Path) -> None:
    source = shared_source.copy(tmp_path, task_failure="FAIL_TASK_DO_RETRY")
    before = lab.pids(*lab.nodes)

    run = lab.roll_out("-e", json.dumps({"ivy_shared_config_source": str(source)})).succeeded()

    # Each engine was restarted, also the one without users.
    assert not set(before.values()) & set(lab.pids(*lab.nodes).values())
    assert len({str((lab.info(node) or {})["release"]) for node in lab.nodes}) == 1
    assert requested(lab, drained) == {DRAIN}
    assert drained not in {browser.node() for _time in range(20)}
    assert f"An operator keeps users from {drained}: drain on " in run.output
    assert "an operator keeps users out, drain on " in run.output.rpartition("TASK [Show the summary]")[2]

    for balancer in lab.groups["load_balancers"]:
        lab.host(balancer).check_output("systemctl reload haproxy.service")
    assert requested(lab, drained) == {DRAIN}
