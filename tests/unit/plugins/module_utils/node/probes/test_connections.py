# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Established connections, from the kernel's tables."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine.sockets import (
    ESTABLISHED,
    LISTEN,
    Socket,
)
from ansible_collections.ivy.cluster.plugins.module_utils.node.probes import connections as sut
from ansible_collections.ivy.cluster.tests.timing import Clock


def sockets() -> list[Socket]:
    return [
        Socket("0.0.0.0", 7800, "0.0.0.0", 0, LISTEN, 1200, 1),
        Socket("192.0.2.21", 7800, "192.0.2.22", 40000, ESTABLISHED, 1200, 2),
        Socket("192.0.2.21", 40001, "192.0.2.30", 5432, ESTABLISHED, 1200, 3),
        Socket("192.0.2.21", 40002, "192.0.2.40", 9200, 6, 0, 0),
    ]


def test_only_established_connections_count_and_have_a_direction() -> None:
    found = sorted(sut.established(sockets(), set()))
    assert [(connection.direction, connection.remote_port) for connection in found] == [("in", 40000), ("out", 5432)]
    assert sut.listening_ports(sockets()) == [7800]


def test_local_ports_select_connections() -> None:
    assert {connection.remote_address for connection in sut.established(sockets(), {7800})} == {"192.0.2.22"}


def test_a_load_balancer_lists_what_it_takes_and_what_it_passes_on() -> None:
    def peers(local: set[int], remote: set[int]) -> set[str]:
        return {connection.remote_address for connection in sut.established(sockets(), local, remote)}

    assert peers(set(), {5432}) == {"192.0.2.30"}
    assert peers({7800}, {5432}) == {"192.0.2.22", "192.0.2.30"}
    assert peers({7800}, {9300}) == {"192.0.2.22"}


def test_an_expected_peer_is_address_and_port() -> None:
    found = sut.established(sockets(), set())
    assert sut.has_all(found, [({"192.0.2.30", "192.0.2.31"}, 5432)])
    assert not sut.has_all(found, [({"192.0.2.30"}, 9200)])
    assert not sut.has_all(found, [(set(), 5432)])


def test_a_connection_found_once_counts(clock: Clock) -> None:
    database = Socket("192.0.2.21", 40001, "192.0.2.30", 5432, ESTABLISHED, 1200, 3)
    search = Socket("192.0.2.21", 40002, "192.0.2.40", 9200, ESTABLISHED, 1200, 4)
    tables = iter([[database], [search]])
    found, _listening = sut.watch(lambda: next(tables), set(), [({"192.0.2.30"}, 5432), ({"192.0.2.40"}, 9200)], 60)
    assert {connection.remote_port for connection in found} == {5432, 9200}
    assert len(clock.naps) == 1


def test_waiting_ends_after_the_wait(clock: Clock) -> None:
    found, _listening = sut.watch(sockets, set(), [({"192.0.2.99"}, 5432)], 60)
    assert len(found) == 2
    assert sum(clock.naps) == pytest.approx(60, abs=1)


def test_a_service_that_does_not_run_is_not_awaited(clock: Clock) -> None:
    assert sut.watch(list, set(), [({"192.0.2.99"}, 5432)], 60) == (set(), [])
    assert clock.naps == []


FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 172.30.57.0/24 2 0 2
        |-- 172.30.57.0
           /24 link UNICAST
        |-- 172.30.57.21
           /32 host LOCAL
        |-- 172.30.57.255
           /32 link BROADCAST
"""
IF_INET6 = """20010db8000000000000000000000021 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


def test_own_addresses_exclude_loopback_networks_and_broadcasts() -> None:
    assert sut.own_addresses(FIB_TRIE, IF_INET6) == ["172.30.57.21", "2001:db8::21"]
    assert sut.own_addresses("", "") == []


def test_a_real_connection_is_found_from_both_sides() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            own = client.getsockname()[1]
            found = sut.established(sut.of_host(), set())
            assert sut.Connection("out", "127.0.0.1", own, "127.0.0.1", port) in found
            assert sut.Connection("in", "127.0.0.1", port, "127.0.0.1", own) in found


def test_an_unknown_name_has_no_addresses() -> None:
    assert sut.resolve("does-not-exist.invalid") == []
    assert sut.resolve("192.0.2.1") == ["192.0.2.1"]
