# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a power loss the cluster recovers automatically, however late the database and the file share are.

Runs last in the scenario, since it powers every host off.
"""

from __future__ import annotations

import functools
import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from containers import docker

if TYPE_CHECKING:
    from conftest import Browser, Lab

UNIT = "axonivy-engine.service"
SETTINGS = "/etc/ivy-cluster/node.json"


def answers(lab: Lab, name: str) -> bool:
    try:
        with socket.create_connection((lab.addresses[name], 22), timeout=60) as connection:
            return connection.recv(3) == b"SSH"
    except OSError:
        return False


def waits(container: str, reason: str) -> bool:
    state = subprocess.run(
        ["docker", "exec", container, "cat", "/run/ivy-cluster/start.json"], check=False, capture_output=True, text=True
    )
    if state.returncode != 0:
        return False
    found = json.loads(state.stdout)
    return found["state"] == "waiting" and reason in found["reason"]


def shown(lab: Lab, name: str, key: str) -> str:
    return str(lab.host(name).check_output(f"systemctl show -p {key} --value {UNIT}"))


def tried_again(lab: Lab, name: str) -> bool:
    return shown(lab, name, "NRestarts") != "0"


def failed_units(lab: Lab, name: str) -> str:
    return str(lab.host(name).check_output("systemctl list-units --failed --plain --no-legend"))


@pytest.fixture
def power(lab: Lab) -> Iterator[dict[str, str]]:
    """The containers by the name of their host. All are started again afterwards, whatever the test's outcome."""
    label = f"label=ivy-lab={lab.variables['lab_name']}"
    listed = docker("ps", "--all", "--filter", label, "--format", "{{.Names}}").split()
    prefix = f"{lab.variables['lab_name']}-"
    found = {name.removeprefix(prefix): name for name in listed}
    assert set(found) == set(lab.addresses)
    yield found
    docker("start", *found.values())
    covered = "test $(findmnt --noheadings --output FSTYPE /srv/ivy | tail -n 1) != tmpfs || umount /srv/ivy"
    for name in lab.nodes:
        docker("exec", found[name], "sh", "-c", covered)


def test_1_the_cluster_recovers_from_a_power_loss_with_a_late_database_and_share(
    lab: Lab, power: dict[str, str], browser: Browser
) -> None:
    database = lab.groups["database_servers"][0]
    late = lab.nodes[1]

    docker("kill", *power.values())
    docker("start", *(container for name, container in power.items() if name != database))
    # An empty directory instead of the share. No engine starts before this, since the database is down.
    docker("exec", power[late], "mount", "-t", "tmpfs", "none", "/srv/ivy")

    no_database = f"The database {lab.addresses[database]}:5432 does not take connections"
    no_record = "There is no cluster record"
    for name, container in power.items():
        if name != database:
            lab.until(functools.partial(answers, lab, name), 120, f"{name} has started")
        if name in lab.nodes:
            # The first attempt to start may have come before the share was covered.
            reason = no_record if name == late else no_database
            lab.until(functools.partial(waits, container, reason), 120, f"the engine on {name} waits: {reason}")

    screen = lab.playbook("playbooks/status.yml").output
    for name in lab.nodes:
        assert any(line.split()[:2] == [name, "RETRYING"] for line in screen.splitlines()), screen
    rows = screen[screen.index("RETRYING") :]
    assert no_database in rows
    assert no_record in rows

    def gave_up() -> list[str]:
        return [name for name in lab.nodes if shown(lab, name, "ActiveState") == "failed"]

    # Only a start that systemd has repeated proves that retries continue.
    for name in lab.nodes:
        lab.until(functools.partial(tried_again, lab, name), 120, f"systemd tries again on {name}")
    assert gave_up() == []

    docker("start", power[database])
    for name in lab.nodes:
        if name != late:
            lab.await_engine(name, 120)
    assert lab.info(late) is None
    docker("exec", power[late], "umount", "/srv/ivy")
    lab.await_engine(late, 120)

    lab.until(lambda: browser.get("/demo/api/info").status == 200, 60, "users are served")
    assert {name: failed_units(lab, name) for name in power if failed_units(lab, name)} == {}


def test_2_an_error_that_waiting_cannot_fix_stops_the_start_with_a_reason(lab: Lab) -> None:
    name = lab.nodes[-1]
    node = lab.host(name)
    node.check_output(f"systemctl stop {UNIT}; mv {SETTINGS} /root/node.json.kept")
    try:
        assert node.run(f"systemctl start {UNIT}").rc != 0
        assert shown(lab, name, "ActiveState") == "failed"
        state = json.loads(node.check_output("cat /run/ivy-cluster/start.json"))
        assert state["state"] == "refused"
        assert "is missing or damaged" in state["reason"]
    finally:
        node.check_output(f"mv /root/node.json.kept {SETTINGS}")
    node.check_output(f"systemctl start {UNIT}")
    lab.await_engine(name)


# Seconds that the share is away after the last host has started. A whole test run cannot wait five minutes.
LATE = float(os.environ.get("IVY_LAB_SHARE_LATE", "30"))


def test_3_the_order_in_which_the_hosts_start_does_not_matter(
    lab: Lab, power: dict[str, str], browser: Browser, tmp_path: Path
) -> None:
    """The share is late on every node, the database comes last."""
    seed = int(os.environ.get("IVY_LAB_SEED", str(random.randrange(10**6))))
    print(f"IVY_LAB_SEED={seed}")
    order = sorted(power)
    random.Random(seed).shuffle(order)
    database = lab.groups["database_servers"][0]
    order = [name for name in order if name != database]

    docker("kill", *power.values())
    for name in order:
        docker("start", power[name])
        if name in lab.nodes:
            docker("exec", power[name], "mount", "-t", "tmpfs", "none", "/srv/ivy")
    time.sleep(LATE)
    for name in lab.nodes:
        docker("exec", power[name], "umount", "/srv/ivy")
    docker("start", power[database])

    for name in lab.nodes:
        lab.until(functools.partial(answers, lab, name), 120, f"{name} has started")
        lab.await_engine(name, 180)
    lab.until(lambda: browser.get("/demo/api/info").status == 200, 60, "users are served")
    assert {name: failed_units(lab, name) for name in power if failed_units(lab, name)} == {}
    report = lab.verify(tmp_path)
    assert report.run.status == 0, report.run.output[-3000:]


def test_4_the_database_starts_when_its_address_comes_however_late(
    lab: Lab, power: dict[str, str], browser: Browser
) -> None:
    """PostgreSQL alone would start without the address, and never listen on it."""
    container = power[lab.groups["database_servers"][0]]

    def run(command: str) -> str:
        return docker("exec", container, "sh", "-c", command)

    unit = run("systemctl list-units --plain --no-legend 'postgresql@*'").split()[0]
    number, device, family, address = run("ip -o -4 addr show scope global").split()[:4]
    assert (number, family) == (f"{int(number[:-1])}:", "inet")
    route = run("ip -4 route show default")

    def state(key: str) -> str:
        return run(f"systemctl show -p {key} --value {unit}")

    run(f"systemctl stop {unit}; ip addr del {address} dev {device}; systemctl start --no-block {unit}")
    try:
        lab.until(lambda: state("NRestarts") != "0", 180, "systemd starts the database again")
        assert state("ActiveState") == "activating"
        assert f"does not have the address {address.split('/')[0]} yet" in run(f"journalctl -u {unit} -n 50 -o cat")
    finally:
        run(f"ip addr add {address} dev {device}; ip route replace {route}")
    lab.until(lambda: state("ActiveState") == "active", 120, "the database has started")
    for name in lab.nodes:
        lab.await_engine(name, 180)
    lab.until(lambda: browser.get("/demo/api/info").status == 200, 60, "users are served")
    assert {name: failed_units(lab, name) for name in power if failed_units(lab, name)} == {}
