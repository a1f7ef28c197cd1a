# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losing a host while a node restarts stops the rollout: no further node is stopped, and the next run completes it."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import shared_source
from containers import docker

if TYPE_CHECKING:
    from conftest import Browser, Lab, Run

SOURCE = Path(__file__).resolve().parents[1] / "shared_config"
# Ansible detects a lost host when SSH does. With the lab's own settings this takes half a minute or more.
SSH = "-o ServerAliveInterval=2 -o ServerAliveCountMax=2 -o ConnectTimeout=4"


def container(lab: Lab, host: str) -> str:
    """The container of this host, running or not."""
    name = lab.variables["lab_name"]
    names = docker("ps", "--all", "--filter", f"label=ivy-lab={name}", "--format", "{{.Names}}").split()
    assert f"{name}-{host}" in names, names
    return f"{name}-{host}"


def answers(lab: Lab, host: str, port: int) -> bool:
    try:
        with socket.create_connection((lab.addresses[host], port), timeout=60):
            return True
    except OSError:
        return False


def power_off(lab: Lab, host: str) -> None:
    docker("kill", container(lab, host))


def power_on(lab: Lab, host: str) -> None:
    """Starts the host unless it is running, and waits until it accepts SSH connections."""
    docker("start", container(lab, host))
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


def roll_out_and_lose(lab: Lab, host: str, *arguments: str, when: Callable[[], bool] | None = None) -> Run:
    """A rollout during which the host loses power, unless stated otherwise as soon as the first engine has stopped."""
    first = lab.nodes[0]
    assert lab.info(first) is not None

    def stopped() -> bool:
        # Polls the engine instead of the unit, which would need SSH connections.
        return lab.info(first) is None

    moment = when or stopped
    # New SSH connections: persistent ones of an earlier run would keep that run's settings.
    with tempfile.TemporaryDirectory(prefix="ivy") as sockets, ThreadPoolExecutor(1) as pool:
        settings = {"ansible_ssh_extra_args": SSH, "ansible_control_path_dir": sockets}
        run = pool.submit(lab.roll_out, "-e", json.dumps(settings), *arguments)
        lab.until(lambda: run.done() or moment(), 300, f"the moment in which {host} is lost")
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
    docker("exec", container(lab, lab.nodes[-1]), "systemctl", "start", "ssh")
    lab.until(lambda: answers(lab, lab.nodes[-1], 22), 60, "the node accepts connections")


def test_3_a_node_that_serves_but_cannot_be_reached_is_taken_out_of_the_balancers(
    lab: Lab, change: list[str], browser: Browser, ssh_back_on: None
) -> None:
    *others, away = lab.nodes
    (old,) = releases(lab)
    docker("exec", container(lab, away), "systemctl", "stop", "ssh.socket", "ssh")
    with tempfile.TemporaryDirectory(prefix="ivy") as sockets:
        settings = {"ansible_ssh_extra_args": SSH, "ansible_control_path_dir": sockets, "ivy_proceed_without": [away]}
        lab.roll_out(*change, "-e", json.dumps(settings)).succeeded()

    # Its engine still serves the old release, but no user gets there.
    assert (lab.info(away) or {})["release"] == old
    assert {browser.node() for _request in range(20)} == set(others)

    docker("exec", container(lab, away), "systemctl", "start", "ssh")
    lab.until(lambda: answers(lab, away, 22), 60, "the node accepts connections")
    lab.roll_out(*change).succeeded()
    assert len(releases(lab)) == 1
    lab.until(lambda: away in {browser.node() for _request in range(20)}, 60, "the balancer uses the node again")


@pytest.fixture
def two_nodes(lab: Lab, hosts_back_on: None) -> list[str]:
    """Two nodes are left: the last one has no power, and the runs leave it out."""
    power_off(lab, lab.nodes[-1])
    return ["-e", json.dumps({"ivy_proceed_without": [lab.nodes[-1]]})]


def lease(lab: Lab, node: str) -> dict[str, Any]:
    text = lab.host(node).check_output("cat /srv/ivy/cluster/record.json")
    found: dict[str, Any] = json.loads(text)["lease"] or {}
    return found


def test_4_of_two_nodes_one_serves_while_the_other_and_then_a_balancer_are_lost(
    lab: Lab, browser: Browser, two_nodes: list[str], tmp_path: Path
) -> None:
    balancer = lab.groups["load_balancers"][0]
    first, second = lab.nodes[:2]
    source = shared_source.copy(tmp_path, SOURCE, task_failure="DESTROY_TASK_AND_CASE")
    change = ["-e", json.dumps({"ivy_shared_config_source": str(source)}), *two_nodes]
    before = lab.pids(second)

    run = roll_out_and_lose(lab, first, *change)

    last = run.output.rpartition("TASK [")[2]
    assert run.status != 0
    assert f"Cannot be reached: {first}." in last, run.output[-6000:]
    assert f"Not touched: {second}." in last
    assert {browser.node() for _request in range(10)} == {second}

    power_on(lab, first)
    lab.await_engine(first)
    ended = lease(lab, second).get("run_id", "")

    def starts() -> bool:
        held = lease(lab, second)
        # Whether the engine restarts or has only to pass the gate depends on when exactly its host was lost.
        return (held.get("node"), held.get("step")) == (first, "start") and held["run_id"] != ended

    run = roll_out_and_lose(lab, balancer, *change, when=starts)

    assert run.status != 0
    assert f"{balancer} cannot be reached" in run.output.rpartition("TASK [")[2], run.output[-6000:]
    assert lab.pids(second) == before

    for host in (balancer, lab.nodes[-1]):
        power_on(lab, host)
    lab.until(lambda: answers(lab, balancer, 443), 180, f"HAProxy on {balancer} serves")
    lab.roll_out().succeeded()

    assert len(releases(lab)) == 1
    lab.until(lambda: {browser.node() for _request in range(20)} == set(lab.nodes), 60, "every node is used again")
