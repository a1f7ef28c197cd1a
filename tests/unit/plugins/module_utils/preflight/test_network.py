# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name resolution and connections."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import network
from ansible_collections.ivy.cluster.tests.timing import PATIENCE


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_all_targets_are_tested(nothing_runs: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_port:
        target = {"address": "127.0.0.1", "token": "", "linked_is_enough": False}
        closed = {**target, "port": free_port()}
        tried = [{**target, "port": int(open_port.getsockname()[1])}, closed, {**closed, "address": "no-such.invalid"}]
        reached = network.connect_all(tried, PATIENCE)
    assert reached[:2] == ["", "Connection refused"]
    assert reached[2] != ""


def test_an_existing_connection_is_sufficient_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "connect", lambda *_args: "tried")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        target = {"address": "127.0.0.1", "port": port, "token": ""}
        assert network.connect_all([{**target, "linked_is_enough": True}], PATIENCE) == ["tried"]
        with socket.create_connection(("127.0.0.1", port)):
            assert network.connect_all([{**target, "linked_is_enough": True}], PATIENCE) == [""]
            assert network.connect_all([{**target, "linked_is_enough": False}], PATIENCE) == ["tried"]


def test_an_unknown_name_has_no_address() -> None:
    assert network.resolve_all(["127.0.0.1", "no-such.invalid"]) == {"127.0.0.1": ["127.0.0.1"], "no-such.invalid": []}
