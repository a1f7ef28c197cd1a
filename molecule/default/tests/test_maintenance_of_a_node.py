# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart, drain and undrain of one node while users work: no request fails, and what an operator drained stays so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from containers import docker
from user_load import Load

if TYPE_CHECKING:
    from conftest import Browser, Lab, Run

REASON = "a new disk"


def on_nodes(load: Load, lab: Lab) -> None:
    lab.until(lambda: all(user.nodes for user in load.everybody), 120, "every user has a node")


def failures(load: Load) -> list[str]:
    return [failure for user in load.everybody for failure in user.failures]


def summary(run: Run) -> str:
    return run.output.rpartition("TASK [Show the summary]")[2]


def drain(lab: Lab, node: str, *arguments: str) -> Run:
    options = ["-e", f"drain_nodes={node}", "-e", f"drain_reason='{REASON}'"]
    return lab.playbook("playbooks/drain.yml", *options, *arguments)


def undrain(lab: Lab, node: str, *arguments: str) -> Run:
    return lab.playbook("playbooks/undrain.yml", "-e", f"undrain_nodes={node}", *arguments)


@pytest.fixture
def used_again(lab: Lab) -> Iterator[str]:
    """A node that the test drains. It serves again afterwards, however the test ends."""
    node = lab.nodes[1]
    yield node
    undrain(lab, node).succeeded()


def test_a_forced_restart_of_one_node(lab: Lab, browser: Browser) -> None:
    node = lab.nodes[1]
    before = lab.pids(*lab.nodes)

    with Load(browser) as load:
        on_nodes(load, lab)
        run = lab.playbook("playbooks/restart.yml", "-e", f"restart_nodes={node}", "-e", "restart_force=true")

    print(load.report("restart of one node, forced"))
    run.succeeded()
    assert failures(load) == []
    assert max(user.moves for user in load.everybody) == 1
    after = lab.pids(*lab.nodes)
    assert [name.split()[0] for name, pid in after.items() if before[name] != pid] == [node]
    assert f"restarted: {node}" in summary(run)
    assert re.search(rf"{node} +(\d+\.\d +){{5}}\d+ +\d+ +0", summary(run)), summary(run)

    # Nothing needs a restart, and nothing is left of the forced one.
    run = lab.playbook("playbooks/restart.yml").succeeded()
    assert run.changed() == []
    assert lab.pids(*lab.nodes) == after


def test_a_drained_node_stays_out_until_it_is_undrained(lab: Lab, browser: Browser, used_again: str) -> None:
    node = used_again
    others = [name for name in lab.nodes if name != node]

    with Load(browser) as load:
        on_nodes(load, lab)
        run = drain(lab, node, "-e", "drain_stop_engine=true")
        moved = {user.name: user.nodes[-1] for user in load.everybody}
    print(load.report("drain of a node"))
    run.succeeded()
    assert failures(load) == []
    assert node not in moved.values()
    assert lab.info(node) is None
    assert {browser.node() for _time in range(12)} <= set(others)

    found = lab.playbook("playbooks/status.yml").succeeded().output
    assert re.search(rf"drained +{node} since \S+ by \S.*: {REASON}, engine stopped", found), found
    # The others would not be enough.
    refused = drain(lab, ",".join(others))
    assert refused.status != 0
    assert "has no node to serve" in refused.text

    before = lab.pids(*others)
    for arguments in (["--check"], []):
        run = lab.roll_out(*arguments).succeeded()
        assert run.changed() == []
        assert REASON in summary(run), run.output[-3000:]
    assert lab.info(node) is None
    assert lab.pids(*others) == before

    run = undrain(lab, node).succeeded()
    assert f"started: {node}" in summary(run)
    assert lab.info(node) is not None
    lab.until(lambda: browser.node() == node, 60, f"new users get to {node}")
    assert REASON not in lab.playbook("playbooks/status.yml").succeeded().output


def test_a_drain_with_reboot_brings_the_node_back(lab: Lab, browser: Browser) -> None:
    """The host is a container: it ends when its systemd reboots, and the test starts it again."""
    node = lab.nodes[1]
    container = f"{lab.variables['lab_name']}-{node}"
    before = lab.pids(*lab.nodes)

    def power_on() -> None:
        state = ("inspect", "--format", "{{.State.Running}}", container)
        lab.until(lambda: docker(*state) == "false", 300, f"{node} has shut down")
        docker("start", container)

    with Load(browser) as load, ThreadPoolExecutor(1) as pool:
        on_nodes(load, lab)
        power = pool.submit(power_on)
        run = drain(lab, node, "-e", "drain_reboot=true")
        power.result()

    print(load.report("drain with reboot"))
    run.succeeded()
    assert failures(load) == []
    assert f"rebooted: {node}" in summary(run)
    after = lab.pids(*lab.nodes)
    assert [name.split()[0] for name, pid in after.items() if before[name] != pid] == [node]
    lab.until(lambda: browser.node() == node, 60, f"new users get to {node}")
    assert REASON not in lab.playbook("playbooks/status.yml").succeeded().output
