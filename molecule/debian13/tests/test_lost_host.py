# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losing a host while a node restarts stops the rollout: no further node is stopped, and the next run completes it."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import shared_source

if TYPE_CHECKING:
    from conftest import Browser, Lab, Run

SOURCE = Path(__file__).resolve().parents[1] / "shared_config"
# Ansible detects a lost host when SSH does. With the lab's own settings this takes half a minute or more.
SSH = "-o ServerAliveInterval=2 -o ServerAliveCountMax=2 -o ConnectTimeout=4"


def container(lab: Lab, host: str) -> str:
    """The container of this host, running or not."""
    name = lab.variables["lab_name"]
    command = ["docker", "ps", "--all", "--filter", f"label=ivy-lab={name}", "--format", "{{.Names}}"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert f"{name}-{host}" in names, names
    return f"{name}-{host}"


def answers(lab: Lab, host: str, port: int) -> bool:
    try:
        with socket.create_connection((lab.addresses[host], port), timeout=60):
            return True
    except OSError:
        return False


def power_off(lab: Lab, host: str) -> None:
    subprocess.run(["docker", "kill", container(lab, host)], check=True, capture_output=True)


def power_on(lab: Lab, host: str) -> None:
    """Starts the host unless it is running, and waits until it accepts SSH connections."""
    subprocess.run(["docker", "start", container(lab, host)], check=True, capture_output=True)
    lab.until(lambda: answers(lab, host, 22), 180, f"{host} accepts connections")


@pytest.fixture
def hosts_back_on(lab: Lab) -> Iterator[None]:
    """Starts all hosts again after the test, however it ends."""
    yield
    for host in (*lab.groups["load_balancers"], *lab.nodes):
        power_on(lab, host)


@pytest.fixture(scope="module")
def change(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A source with a key that needs a restart."""
    source = shared_source.copy(tmp_path_factory.mktemp("source"), SOURCE, task_failure="FAIL_TASK_DO_RETRY")
    return ["-e", json.dumps({"ivy_shared_config_source": str(source)})]


def roll_out_and_lose(lab: Lab, host: str, *arguments: str) -> Run:
    """A rollout during which the host loses power as soon as the first node's engine has stopped."""
    first = lab.nodes[0]
    assert lab.info(first) is not None
    # New SSH connections: persistent ones of an earlier run would keep that run's settings.
    with tempfile.TemporaryDirectory(prefix="ivy") as sockets, ThreadPoolExecutor(1) as pool:
        settings = {"ansible_ssh_extra_args": SSH, "ansible_control_path_dir": sockets}
        run = pool.submit(lab.roll_out, "-e", json.dumps(settings), *arguments)
        # Polls the engine instead of the unit, which would need SSH connections.
        lab.until(lambda: run.done() or lab.info(first) is None, 300, f"the engine on {first} stops")
        assert not run.done(), run.result().output[-6000:]
        power_off(lab, host)
        return run.result()


def releases(lab: Lab) -> set[str]:
    """The releases of the running engines."""
    found = [lab.info(node) for node in lab.nodes]
    assert None not in found
    return {str(info["release"]) for info in found if info is not None}


def test_1_losing_a_restarting_node_stops_the_rollout(lab: Lab, change: list[str], hosts_back_on: None) -> None:
    first, *later = lab.nodes
    before, (old,) = lab.pids(*later), releases(lab)

    run = roll_out_and_lose(lab, first, *change)

    assert run.status != 0
    assert lab.pids(*later) == before, run.output[-6000:]
    assert all(lab.info(node) is not None for node in later)
    # The last message names the lost host, the unchanged nodes, and what to do.
    last = run.output.rpartition("TASK [")[2]
    assert f"Cannot be reached: {first}." in last, run.output[-6000:]
    assert f"Not touched: {', '.join(later)}." in last
    assert "run the same playbook again" in last

    power_on(lab, first)
    lab.roll_out(*change).succeeded()

    (new,) = releases(lab)
    assert new != old


def test_2_losing_a_balancer_during_the_gate_stops_the_rollout(lab: Lab, hosts_back_on: None) -> None:
    balancer = lab.groups["load_balancers"][0]
    first, *later = lab.nodes
    before, (old,) = lab.pids(*later), releases(lab)

    run = roll_out_and_lose(lab, balancer)

    assert run.status != 0
    assert lab.pids(*later) == before, run.output[-6000:]
    last = run.output.rpartition("TASK [")[2]
    assert f"{balancer} cannot be reached" in last, run.output[-6000:]
    assert f"The engine on {first} did not pass the gate; the nodes after it were not touched." in last

    # If it is lost from the beginning, nothing is stopped.
    before = lab.pids(*lab.nodes)
    refused = lab.roll_out()
    assert refused.status != 0
    assert f"{balancer} cannot be reached" in refused.output.rpartition("TASK [")[2]
    assert lab.pids(*lab.nodes) == before

    power_on(lab, balancer)
    lab.until(lambda: answers(lab, balancer, 443), 180, f"HAProxy on {balancer} serves")
    lab.roll_out().succeeded()

    (new,) = releases(lab)
    assert new != old


@pytest.fixture
def ssh_back_on(lab: Lab) -> Iterator[None]:
    yield
    subprocess.run(["docker", "exec", container(lab, lab.nodes[-1]), "systemctl", "start", "ssh"], check=True)
    lab.until(lambda: answers(lab, lab.nodes[-1], 22), 60, "the node accepts connections")


def test_3_a_node_that_serves_but_cannot_be_reached_is_taken_out_of_the_balancers(
    lab: Lab, change: list[str], browser: Browser, ssh_back_on: None
) -> None:
    *others, away = lab.nodes
    (old,) = releases(lab)
    subprocess.run(["docker", "exec", container(lab, away), "systemctl", "stop", "ssh.socket", "ssh"], check=True)
    with tempfile.TemporaryDirectory(prefix="ivy") as sockets:
        settings = {"ansible_ssh_extra_args": SSH, "ansible_control_path_dir": sockets, "ivy_proceed_without": [away]}
        lab.roll_out(*change, "-e", json.dumps(settings)).succeeded()

    # Its engine still serves the old release, but no user gets there.
    assert (lab.info(away) or {})["release"] == old
    assert {browser.node() for _request in range(20)} == set(others)

    subprocess.run(["docker", "exec", container(lab, away), "systemctl", "start", "ssh"], check=True)
    lab.until(lambda: answers(lab, away, 22), 60, "the node accepts connections")
    lab.roll_out(*change).succeeded()
    assert len(releases(lab)) == 1
    lab.until(lambda: away in {browser.node() for _request in range(20)}, 60, "the balancer uses the node again")
