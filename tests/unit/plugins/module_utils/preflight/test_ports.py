# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes that hold ports."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import sockets
from ansible_collections.ivy.cluster.plugins.module_utils.preflight import ports


def test_a_hidden_port_listener_of_another_run_is_excluded() -> None:
    root, ivy = {"pid": 0, "user": "root"}, {"pid": 0, "user": "ivy"}
    states = [{"holders": [root, ivy, {"pid": 7, "user": "root"}, {"pid": 8, "user": "root"}]}]
    ports.exclude(states, [7])
    assert states == [{"holders": [ivy, {"pid": 8, "user": "root"}]}]


def test_the_holder_of_a_port(nothing_runs: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
        (state,) = ports.gather([{"port": port, "addresses": ["*"], "unit": "axonivy-engine.service"}])
        (holder,) = state["holders"]
        assert holder["pid"] == os.getpid()
        assert holder["program"]
        # Another address does not conflict.
        (state,) = ports.gather([{"port": port, "addresses": ["192.0.2.1"], "unit": ""}])
        assert state["holders"] == []
    (state,) = ports.gather([{"port": port, "addresses": ["*"], "unit": "axonivy-engine.service"}])
    assert state == {"port": port, "holders": [], "quiet": True, "local_only": False}


@pytest.mark.parametrize(("address", "local"), [("127.0.0.1", True), ("127.0.1.1", True), ("0.0.0.0", False)])
def test_a_service_on_loopback_is_local_only(nothing_runs: None, address: str, local: bool) -> None:
    with socket.create_server((address, 0)) as held:
        port = int(held.getsockname()[1])
        (state,) = ports.gather([{"port": port, "addresses": ["*"], "unit": ""}])
    assert (len(state["holders"]), state["local_only"]) == (1, local)


@pytest.mark.parametrize(
    ("held", "addresses", "conflict"),
    [
        ("0.0.0.0", {"192.0.2.1"}, True),
        ("::", {"192.0.2.1"}, True),
        ("127.0.0.1", {"*"}, True),
        ("192.0.2.1", {"127.0.0.1", "192.0.2.1"}, True),
        ("127.0.0.1", {"192.0.2.1"}, False),
    ],
)
def test_conflicting_listeners(held: str, addresses: set[str], conflict: bool) -> None:
    assert ports.conflicts(held, addresses) is conflict


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/haproxy.service\n", "haproxy.service"),
        ("0::/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service"),
        ("12:cpu:/docker/ab\n1:name=systemd:/docker/ab\n0::/docker/ab/system.slice/nginx.service\n", "nginx.service"),
        ("0::/system.slice/docker-ab.scope/system.slice/nginx.service", "nginx.service"),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"),
        ("0::/\n", ""),
        ("", ""),
    ],
)
def test_the_unit_of_a_process(text: str, unit: str) -> None:
    assert sockets.unit_of(text) == unit


def test_the_likely_holder_of_a_hidden_socket() -> None:
    ours, other = {"unit": "haproxy.service", "pid": 5}, {"unit": "nginx.service", "pid": 6}
    assert ports.likely_holder([other, ours], "haproxy.service", 0) == ours
    assert ports.likely_holder([other], "haproxy.service", 0) == other
    assert ports.likely_holder([other, dict(other, pid=9)], "haproxy.service", 0)["pid"] == 0
    # Root may have passed its socket on.
    hidden = {102: [5], 1200: [6]}
    assert ports.possible_holders(hidden, 0) == [5, 6]
    assert ports.possible_holders(hidden, 1200) == [6]
