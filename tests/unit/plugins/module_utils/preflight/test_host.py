# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a host, gathered in one call."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit as units
from ansible_collections.ivy.cluster.plugins.module_utils.preflight import host, port_listener, ports
from ansible_collections.ivy.cluster.tests.timing import PATIENCE

TOKEN = "t0k3n"
# Longer than any test takes, so a port listener ends only when it is stopped.
LIFETIME = 1000.0
PARAMS: dict[str, Any] = {
    "names": [],
    "paths": [],
    "installed": {},
    "packages": [],
    "share": None,
    "trust_file": "",
    "time_zone": "",
    "locale": "C.UTF-8",
    "token": TOKEN,
    "seconds": 60,
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_port_listener_of_another_run_is_not_a_foreign_program(
    nothing_runs: None, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_OTHERS_SECONDS", 0)
    listener = port_listener.open_socket(0)
    requested = {"port": int(listener.getsockname()[1]), "addresses": ["*"], "unit": "", "listen": True}
    process = port_listener.start([listener], TOKEN, None, LIFETIME)
    started.append(process)
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        other = {**requested, "port": int(foreign.getsockname()[1])}
        facts = host.gather({**PARAMS, "ports": [requested, other, {**requested, "port": free_port()}]})
        assert facts["under_way"] == [process["pid"]]
        assert [[holder["pid"] for holder in state["holders"]] for state in facts["ports"]] == [[], [os.getpid()], []]
        assert (facts["listening"], "listener" in facts) == ([], False)
    assert port_listener.stop(process["pid"], process["start"], PATIENCE)
    facts = host.gather({**PARAMS, "ports": [requested]})
    started.append(facts["listener"])
    assert (facts["under_way"], facts["listening"]) == ([], [requested["port"]])


def test_the_port_of_a_starting_service_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    starting = units.nothing("axonivy-engine.service")._replace(known=True, active="activating")
    monkeypatch.setattr(units, "show", lambda _name: starting)
    requested = [{"port": free_port(), "addresses": ["*"], "unit": "axonivy-engine.service", "listen": True}]
    states = ports.gather(requested)
    assert states[0]["quiet"] is False
    assert host.open_listeners(requested, states) == []


def test_only_free_requested_ports_are_used(nothing_runs: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        requested = [
            {"port": int(held.getsockname()[1]), "addresses": ["*"], "unit": "", "listen": True},
            {"port": free_port(), "addresses": ["*"], "unit": "", "listen": False},
            {"port": free_port(), "addresses": ["*"], "unit": "", "listen": True},
        ]
        opened = host.open_listeners(requested, ports.gather(requested))
        assert [port for port, _socket in opened] == [requested[2]["port"]]
        for _port, listener in opened:
            listener.close()
