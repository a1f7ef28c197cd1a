# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the kernel's tables are read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.modules import connections_info as sut

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def line(local: str, remote: str, state: str = "01", inode: int = 100) -> str:
    return f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  1200        0 {inode} 1 0\n"


@pytest.mark.parametrize(("text", "byteorder", "address"), [
    ("0100007F", "little", "127.0.0.1"),
    ("7F000001", "big", "127.0.0.1"),
    ("15391EAC", "little", "172.30.57.21"),
    ("0000000000000000FFFF000015391EAC", "little", "172.30.57.21"),
    ("00000000000000000000000001000000", "little", "::1"),
    ("B80D0120000000000000000001000000", "little", "2001:db8::1"),
])
def test_addresses_are_decoded_in_both_byte_orders(text: str, byteorder: str, address: str) -> None:
    assert sut.decode_address(text, byteorder) == address


def test_only_established_and_listening_sockets_count() -> None:
    table = HEAD + line("0100007F:1F90", "00000000:0000", "0A", 1) + line("0100007F:C000", "0100007F:1538", "01", 2)
    table += line("0100007F:C001", "0100007F:1538", "06", 0)
    found = [(one.state, one.local_port, one.uid, one.inode) for one in sut.parse_table(table)]
    assert found == [("0A", 8080, 1200, 1), ("01", 49152, 1200, 2)]


def test_an_empty_or_odd_table_is_no_error() -> None:
    assert sut.parse_table("") == []
    assert sut.parse_table(HEAD + "   0: short\n") == []


def sockets() -> list[sut.Socket]:
    return [
        sut.Socket("0A", "0.0.0.0", 7800, "0.0.0.0", 0, 1200, 1),
        sut.Socket("01", "192.0.2.21", 7800, "192.0.2.22", 40000, 1200, 2),
        sut.Socket("01", "192.0.2.21", 40001, "192.0.2.30", 5432, 1200, 3),
        sut.Socket("01", "192.0.2.21", 40002, "192.0.2.40", 9200, 0, 99),
    ]


def test_direction_follows_from_the_listening_ports() -> None:
    found = sorted(sut.connections(sockets(), set(), None))
    assert [(one.direction, one.remote_port) for one in found] == [("in", 40000), ("out", 5432), ("out", 9200)]


def test_only_the_sockets_of_the_units_processes_are_listed() -> None:
    found = sut.connections(sockets(), set(), sut.Owner({1, 2, 3}, set()))
    assert {one.remote_port for one in found} == {40000, 5432}
    assert sut.listening_ports(sockets(), sut.Owner({2, 3}, set())) == []
    assert sut.listening_ports(sockets(), None) == [7800]


def test_the_user_stands_for_a_process_that_may_not_be_looked_at() -> None:
    found = sut.connections(sockets(), set(), sut.Owner(set(), {1200}))
    assert {one.remote_port for one in found} == {40000, 5432}


def test_local_ports_choose_what_a_server_is_asked_for() -> None:
    assert {one.remote_address for one in sut.connections(sockets(), {7800}, None)} == {"192.0.2.22"}


def test_it_waits_for_address_and_port_together() -> None:
    found = sut.connections(sockets(), set(), None)
    assert sut.all_seen(found, [({"192.0.2.30", "192.0.2.31"}, 5432)])
    assert not sut.all_seen(found, [({"192.0.2.30"}, 9200)])
    assert not sut.all_seen(found, [(set(), 9200)])


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


def test_own_addresses_leave_out_loopback_networks_and_broadcasts() -> None:
    assert sut.parse_own_addresses(FIB_TRIE, IF_INET6) == ["172.30.57.21", "2001:db8::21"]
    assert sut.parse_own_addresses("", "") == []


@pytest.mark.parametrize(("cgroup", "belongs"), [
    ("0::/system.slice/axonivy-engine.service\n", True),
    ("0::/system.slice/axonivy-engine.service/child\n", True),
    ("0::/system.slice/axonivy-engine.service.d\n", False),
    ("9:name=systemd:/docker/1\n0::/system.slice/axonivy-engine.service\n", True),
    ("0::/system.slice/ssh.service\n", False),
    ("", False),
])
def test_a_process_belongs_to_its_unit(cgroup: str, belongs: bool) -> None:
    assert sut.belongs_to_group(cgroup, "/system.slice/axonivy-engine.service") is belongs


def test_a_unit_that_does_not_run_has_no_processes() -> None:
    assert not sut.belongs_to_group("0::/\n", "")


def test_processes_and_sockets_are_read_from_proc(tmp_path: Path) -> None:
    process = tmp_path / "42"
    (process / "fd").mkdir(parents=True)
    (process / "cgroup").write_text("0::/system.slice/engine.service\n")
    (process / "fd" / "3").symlink_to("socket:[777]")
    (process / "fd" / "4").symlink_to("/dev/null")
    (tmp_path / "43").mkdir()
    (tmp_path / "net").mkdir()
    assert sut.processes_of("/system.slice/engine.service", str(tmp_path)) == [42]
    assert sut.owner_of([42, 43], str(tmp_path)) == sut.Owner({777}, set())


def test_a_closed_process_is_known_by_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "42" / "fd").mkdir(parents=True)

    def refuse(_path: str) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert sut.owner_of([42], str(tmp_path)) == sut.Owner(set(), {os.stat(tmp_path / "42").st_uid})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PermissionError):
        sut.owner_of([42], str(tmp_path))


def test_it_sees_a_real_connection_of_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            found = sut.connections(sut.read_sockets(), set(), None)
            assert sut.Connection("out", "127.0.0.1", client.getsockname()[1], "127.0.0.1", port) in found
            assert sut.Connection("in", "127.0.0.1", port, "127.0.0.1", client.getsockname()[1]) in found


def test_names_that_do_not_exist_resolve_to_nothing() -> None:
    assert sut.resolve("does-not-exist.invalid") == []
    assert sut.resolve("192.0.2.1") == ["192.0.2.1"]
